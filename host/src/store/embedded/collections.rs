//! Tenants' collections: kept as JSON, parsed once, and kept parsed within a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redb::{ReadTransaction, ReadableTable};
use serde_json::Value;

use super::batch::{Batch, Step};
use super::codec::{Unreadable, owned_by};
use super::mirror::{Effect, lock};
use super::tables::define;
use crate::message::TenantId;
use crate::store::Error;

/// Bytes of JSON whose parsed form is kept; parsed it is a few times as large.
const PARSED_BYTES: usize = 32 << 20;

pub type Records = Arc<Vec<Value>>;

/// Parsed collections by use.
#[derive(Default)]
pub struct Parsed(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    kept: HashMap<(TenantId, String), Entry>,
    bytes: usize,
    uses: u64,
    /// Grows with every change, so that what was read before one is not kept after it.
    generation: u64,
}

struct Entry {
    records: Records,
    bytes: usize,
    used: u64,
}

impl Parsed {
    fn find(&self, tenant: TenantId, name: &str) -> (Option<Records>, u64) {
        let mut cache = lock(&self.0);
        cache.uses += 1;
        let now = cache.uses;
        let generation = cache.generation;
        // A borrowed pair cannot look up an owned pair; the name is short.
        let found = cache.kept.get_mut(&(tenant, name.to_owned())).map(|entry| {
            entry.used = now;
            entry.records.clone()
        });
        (found, generation)
    }

    fn keep(&self, tenant: TenantId, name: &str, records: &Records, bytes: usize, generation: u64) {
        let mut cache = lock(&self.0);
        if cache.generation != generation || bytes > PARSED_BYTES {
            return;
        }
        let used = cache.uses;
        let entry = Entry { records: records.clone(), bytes, used };
        cache.bytes += bytes;
        if let Some(old) = cache.kept.insert((tenant, name.to_owned()), entry) {
            cache.bytes -= old.bytes;
        }
        while cache.bytes > PARSED_BYTES {
            let oldest = cache.kept.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest.and_then(|key| cache.kept.remove(&key)) else { break };
            cache.bytes -= oldest.bytes;
        }
    }

    pub fn forget(&self, tenant: TenantId, name: &str) {
        let mut cache = lock(&self.0);
        cache.generation += 1;
        if let Some(old) = cache.kept.remove(&(tenant, name.to_owned())) {
            cache.bytes -= old.bytes;
        }
    }

    pub fn clear(&self) {
        let mut cache = lock(&self.0);
        let generation = cache.generation + 1;
        *cache = Cache { generation, ..Cache::default() };
    }
}

/// Each record is an object with a text or integer `id`, each id once.
pub fn check(records: &[Value]) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        let id = record.as_object().and_then(|record| record.get("id"));
        let id = match id {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => {
                let what = format!("record {} is not an object with a text or integer \"id\"", at + 1);
                return Err(Error::Conflict(what));
            }
        };
        if !seen.insert(id.clone()) {
            return Err(Error::Conflict(format!("record {} has the id {id:?} of an earlier one", at + 1)));
        }
    }
    Ok(())
}

pub fn put(batch: &mut Batch<'_>, tenant: TenantId, name: &str, json: &[u8]) -> Step<()> {
    if batch.mirror.directory.load().tenant(tenant).is_none() {
        return Err(Error::NotFound(format!("there is no tenant {tenant}")).into());
    }
    let key = owned_by(tenant.get(), name);
    batch.tables.collections.put()?.insert(key.as_slice(), json)?;
    batch.effects.push(Effect::Collection(tenant, name.to_owned()));
    Ok(())
}

pub fn read(
    parsed: &Parsed,
    snapshot: impl FnOnce() -> Result<ReadTransaction, Error>,
    tenant: TenantId,
    name: &str,
) -> Step<Option<Records>> {
    let (found, generation) = parsed.find(tenant, name);
    if found.is_some() {
        return Ok(found);
    }
    let table = snapshot()?.open_table(define::collections)?;
    let key = owned_by(tenant.get(), name);
    let Some(row) = ReadableTable::get(&table, key.as_slice())? else { return Ok(None) };
    let json = row.value();
    let records: Vec<Value> = serde_json::from_slice(json)
        .map_err(|error| Unreadable { table: "collections", what: error.to_string() })?;
    let records = Arc::new(records);
    parsed.keep(tenant, name, &records, json.len(), generation);
    Ok(Some(records))
}
