//! Tenants' collections: kept as JSON, parsed once, and kept parsed within a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redb::{ReadTransaction, ReadableTable};
use serde_json::Value;

use super::batch::{Batch, Step};
use super::codec::{Unreadable, owned_by};
use super::mirror::{Effect, lock};
use super::tables::define;
use super::tally::size;
use crate::message::TenantId;
use crate::store::Error;
use crate::store::quotas::Shelf;
use crate::tenant::quotas::Kind;

/// Memory, about, of the parsed collections that are kept,
const PARSED_BYTES: usize = 256 << 20;

/// and of one tenant's among them: a tenant that reads many pushes out its own. No collection takes more.
const TENANT_BYTES: usize = PARSED_BYTES / 4;

pub type Records = Arc<Vec<Value>>;

/// Parsed collections by use.
#[derive(Default)]
pub struct Parsed {
    cache: Mutex<Cache>,
}

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
    pub fn find(&self, tenant: TenantId, name: &str) -> (Option<Records>, u64) {
        let mut cache = lock(&self.cache);
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
        let mut cache = lock(&self.cache);
        if cache.generation != generation || bytes > TENANT_BYTES {
            return;
        }
        let used = cache.uses;
        let entry = Entry { records: records.clone(), bytes, used };
        cache.bytes += bytes;
        if let Some(old) = cache.kept.insert((tenant, name.to_owned()), entry) {
            cache.bytes -= old.bytes;
        }
        while cache.held_by(tenant) > TENANT_BYTES && cache.drop_oldest(|owner| owner == tenant) {}
        while cache.bytes > PARSED_BYTES && cache.drop_oldest(|_| true) {}
    }

    pub fn forget(&self, tenant: TenantId, name: &str) {
        let mut cache = lock(&self.cache);
        cache.generation += 1;
        if let Some(old) = cache.kept.remove(&(tenant, name.to_owned())) {
            cache.bytes -= old.bytes;
        }
    }

    pub fn clear(&self) {
        let mut cache = lock(&self.cache);
        let generation = cache.generation + 1;
        *cache = Cache { generation, ..Cache::default() };
    }
}

impl Cache {
    fn held_by(&self, tenant: TenantId) -> usize {
        self.kept.iter().filter(|((owner, _), _)| *owner == tenant).map(|(_, entry)| entry.bytes).sum()
    }

    /// Drops the one that was not used for longest; `false` where there is none.
    fn drop_oldest(&mut self, of: impl Fn(TenantId) -> bool) -> bool {
        let candidates = self.kept.iter().filter(|((owner, _), _)| of(*owner));
        let oldest = candidates.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
        let Some(dropped) = oldest.and_then(|key| self.kept.remove(&key)) else { return false };
        self.bytes -= dropped.bytes;
        true
    }
}

/// A filter looks at a record in one go.
const RECORD_BYTES: usize = 256 << 10;

/// Each record is an object of a bounded size with a text or integer `id`, each id once.
pub fn check(records: &[Value]) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::with_capacity(records.len());
    let mut all = 0;
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
        let bytes = memory(record);
        if bytes > RECORD_BYTES {
            let what = format!(
                "record {} (id {id:?}) takes {bytes} bytes in memory: limit {RECORD_BYTES}; keep long texts elsewhere",
                at + 1
            );
            return Err(Error::Conflict(what));
        }
        all += bytes;
        if all > TENANT_BYTES {
            let what = format!(
                "the records up to {} (id {id:?}) take {all} bytes in memory: limit {TENANT_BYTES}; give them fewer \
                 fields, or put them into several collections",
                at + 1
            );
            return Err(Error::Conflict(what));
        }
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
    let old = batch.tables.collections.get()?.get(key.as_slice())?.map(|row| size(&key, row.value()));
    let kept = batch.usage(tenant).of(Shelf::Collections);
    let more = size(&key, json) - old.unwrap_or(0);
    // One that shrinks is taken, however much the others take.
    if more > 0 {
        batch.mirror.allow(tenant, Kind::CollectionBytes, kept.bytes.saturating_add_signed(more))?;
    }
    if old.is_none() {
        batch.mirror.allow(tenant, Kind::Collections, kept.rows + 1)?;
    }
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
    let bytes = records.iter().map(memory).sum();
    parsed.keep(tenant, name, &records, bytes, generation);
    Ok(Some(records))
}

/// Adds the records to `into` as they are kept. `false`: there is no such collection.
pub fn json(snapshot: &ReadTransaction, tenant: TenantId, name: &str, into: &mut Vec<u8>) -> Step<bool> {
    let table = snapshot.open_table(define::collections)?;
    let row = ReadableTable::get(&table, owned_by(tenant.get(), name).as_slice())?;
    if let Some(row) = &row {
        into.extend_from_slice(row.value());
    }
    Ok(row.is_some())
}

/// What a parsed value takes, about: itself, what it holds, and the room that lists and objects leave.
fn memory(value: &Value) -> usize {
    const FIELD: usize = size_of::<Value>() + size_of::<String>() + 2 * size_of::<usize>();
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(memory).sum(),
            Value::Object(fields) => {
                let inside: usize = fields.iter().map(|(key, value)| key.len() + memory(value)).sum();
                inside + fields.len().next_power_of_two().max(4) * FIELD
            }
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cache_is_bounded_by_what_it_takes() {
        let parsed = Parsed::default();
        // Short to write, large to hold: 7 bytes and some hundred.
        let small = json!({"a": {}});
        assert!(memory(&small) > 50 * small.to_string().len());
        let records: Records = Arc::new(vec![small]);
        let tenant = TenantId::GATEWAY;
        for n in 0..10 {
            assert!(parsed.find(tenant, &n.to_string()).0.is_none());
            parsed.keep(tenant, &n.to_string(), &records, TENANT_BYTES / 4, 0);
        }
        assert!(parsed.find(tenant, "5").0.is_none(), "the oldest are gone");
        for n in 6..10 {
            assert!(parsed.find(tenant, &n.to_string()).0.is_some(), "{n}");
        }
        for id in 1..=8 {
            assert!(parsed.find(TenantId::from_stored(id), "homes").0.is_none());
            parsed.keep(TenantId::from_stored(id), "homes", &records, TENANT_BYTES, 0);
        }
        assert!(lock(&parsed.cache).bytes <= PARSED_BYTES);
        assert!(parsed.find(TenantId::from_stored(8), "homes").0.is_some());
        parsed.keep(tenant, "huge", &records, TENANT_BYTES + 1, 0);
        assert!(parsed.find(tenant, "huge").0.is_none(), "more than a tenant's share is not kept");
    }

    #[test]
    fn a_tenant_that_reads_many_pushes_out_its_own() {
        let parsed = Parsed::default();
        let records: Records = Arc::new(Vec::new());
        let (busy, other) = (TenantId::from_stored(66), TenantId::from_stored(1));
        parsed.keep(other, "homes", &records, 1 << 20, 0);
        for n in 0..100 {
            assert!(parsed.find(busy, &n.to_string()).0.is_none());
            parsed.keep(busy, &n.to_string(), &records, 8 << 20, 0);
        }
        assert!(parsed.find(other, "homes").0.is_some());
        assert!(parsed.find(busy, "99").0.is_some() && parsed.find(busy, "0").0.is_none());
    }

    #[test]
    fn a_record_has_a_bound() {
        let long = json!({"id": 7, "text": "x".repeat(RECORD_BYTES)});
        let refused = check(&[json!({"id": 1}), long]).expect_err("too long").to_string();
        assert!(refused.contains("record 2 (id \"7\") takes 262"), "{refused}");
        check(&[json!({"id": 1, "text": "x".repeat(RECORD_BYTES / 2)})]).expect("fits");
        // Short to write, large to hold.
        let small: Vec<_> = (0..200_000).map(|id| json!({"id": id})).collect();
        let refused = check(&small).expect_err("too large together").to_string();
        assert!(refused.contains("limit 67108864; give them fewer fields"), "{refused}");
        check(&small[..50_000]).expect("fits");
    }
}
