//! Tenants' collections: kept as JSON, parsed once, and kept parsed within a bound.

use std::sync::Arc;

use serde_json::Value;

use crate::message::TenantId;
use crate::store::quotas::Shelf;
use crate::store::rows::collection::CollectionRow;
use crate::store::rows::{Collections, ReadRows, Rows, Step, Unreadable};
use crate::store::shared::effect::Effect;
use crate::store::shared::parsed::{Parsed, Records, TENANT_BYTES};
use crate::store::{AuditEntry, Error};
use crate::tenant::quotas::Kind;

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

pub fn put(
    rows: &mut impl Rows,
    (tenant, name): (TenantId, &str),
    row: &CollectionRow,
    by: &AuditEntry,
) -> Step<()> {
    if rows.index().directory.load().tenant(tenant).is_none() {
        return Err(Error::NotFound(format!("there is no tenant {tenant}")).into());
    }
    let key = (tenant, name.to_owned());
    let old = rows.get::<Collections>(&key)?.map(|old| old.size(name));
    let kept = rows.usage(tenant).of(Shelf::Collections);
    let more = row.size(name) - old.unwrap_or(0);
    // One that shrinks is taken, however much the others take.
    if more > 0 {
        rows.index().allow(tenant, Kind::CollectionBytes, kept.bytes.saturating_add_signed(more))?;
    }
    if old.is_none() {
        rows.index().allow(tenant, Kind::Collections, kept.rows + 1)?;
    }
    rows.put::<Collections>(&key, row)?;
    rows.effect(Effect::Collection(tenant, name.to_owned()));
    rows.audit(by)
}

/// Parsed, and kept so: `generation` is what [`Parsed::find`] told before `rows` were looked at.
pub fn read(
    rows: &impl ReadRows,
    (parsed, generation): (&Parsed, u64),
    tenant: TenantId,
    name: &str,
) -> Step<Option<Records>> {
    let Some(row) = rows.get::<Collections>(&(tenant, name.to_owned()))? else { return Ok(None) };
    let records: Vec<Value> = serde_json::from_slice(&row.json)
        .map_err(|error| Unreadable { table: "collections", what: error.to_string() })?;
    let records = Arc::new(records);
    let bytes = records.iter().map(memory).sum();
    parsed.keep(tenant, name, &records, bytes, generation);
    Ok(Some(records))
}

/// As it is kept.
pub fn json(rows: &impl ReadRows, tenant: TenantId, name: &str) -> Step<Option<Vec<u8>>> {
    Ok(rows.get::<Collections>(&(tenant, name.to_owned()))?.map(|row| row.json))
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
    fn what_is_short_to_write_may_be_large_to_hold() {
        let small = json!({"a": {}});
        assert!(memory(&small) > 50 * small.to_string().len(), "7 bytes, and some hundred");
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
