//! Who may call the API.

use crate::message::Timestamp;
use crate::store::audit::entry;
use crate::store::rows::{ApiKeys, ReadRows, Rows, Step};
use crate::store::{ApiKey, AuditEntry, Error};

/// Whose key it is, in the audit log.
pub fn subject(key: &ApiKey) -> String {
    key.tenant.map_or("operator".to_owned(), |tenant| format!("tenant {tenant}"))
}

pub fn put(rows: &mut impl Rows, key: &ApiKey, by: &AuditEntry) -> Step<()> {
    rows.put::<ApiKeys>(&key.hash, key)?;
    rows.audit(by)
}

pub fn remove(rows: &mut impl Rows, hash: &str, actor: &str, now: Timestamp) -> Step<ApiKey> {
    let key = rows.take::<ApiKeys>(&hash.to_owned())?;
    let key = key.ok_or_else(|| Error::NotFound("there is no such key".into()))?;
    let detail = serde_json::json!({ "name": key.name });
    rows.audit(&entry(actor, "remove api key", subject(&key), detail, now))?;
    Ok(key)
}

pub fn find(rows: &impl ReadRows, hash: &str) -> Step<Option<ApiKey>> {
    rows.get::<ApiKeys>(&hash.to_owned())
}

pub fn all(rows: &impl ReadRows) -> Step<Vec<ApiKey>> {
    let mut keys = Vec::new();
    rows.each::<ApiKeys>(
        &String::new(),
        |_| true,
        |_, key| {
            keys.push(key?);
            Ok(())
        },
    )?;
    Ok(keys)
}
