//! What is asked of the store without changing it. Everything is read from one snapshot.

use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::batch::Step;
use super::codec::unpack;
use super::rows::contact;
use super::tables::define;
use crate::message::ContactKey;
use crate::route::Lock;
use crate::store::pages::Free;
use crate::store::pages::Page;
use crate::store::{ApiKey, AuditEntry};

/// In key order, after `after`.
pub fn locks(
    snapshot: &ReadTransaction,
    after: Option<&ContactKey>,
    limit: usize,
) -> Step<Vec<(ContactKey, Lock)>> {
    let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str().as_bytes()));
    let table = snapshot.open_table(define::contacts)?;
    let mut locks = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&table, (from, Bound::Unbounded))? {
        if locks.len() == limit {
            break;
        }
        let (contact, row) = row?;
        if let Some(lock) = contact::read(row.value())?.lock {
            locks.push((ContactKey::from_stored(String::from_utf8_lossy(contact.value())), lock));
        }
    }
    Ok(locks)
}

pub fn api_key(snapshot: &ReadTransaction, hash: &str) -> Step<Option<ApiKey>> {
    let table = snapshot.open_table(define::api_keys)?;
    let row = ReadableTable::get(&table, hash)?;
    Ok(row.map(|row| unpack("api_keys", row.value())).transpose()?)
}

pub fn api_keys(snapshot: &ReadTransaction) -> Step<Vec<ApiKey>> {
    let mut keys = Vec::new();
    for row in snapshot.open_table(define::api_keys)?.iter()? {
        keys.push(unpack("api_keys", row?.1.value())?);
    }
    Ok(keys)
}

/// Newest first.
pub fn audit_log(snapshot: &ReadTransaction, limit: usize, bytes: usize) -> Step<Page<AuditEntry>> {
    let mut page = Page { entries: Vec::new(), more: false, next: None };
    let mut free = Free::new(limit, bytes);
    for row in snapshot.open_table(define::audit)?.iter()?.rev() {
        let row = row?.1;
        if !free.take(row.value().len()) {
            page.more = true;
            break;
        }
        page.entries.push(unpack("audit", row.value())?);
    }
    Ok(page)
}
