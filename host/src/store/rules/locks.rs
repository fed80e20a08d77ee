//! Whose contact somebody is, on a shared number: read, and undone by an operator.

use std::ops::ControlFlow;

use super::{contact_tenants, contacts};
use crate::message::{ContactKey, Timestamp};
use crate::route::Lock;
use crate::store::Error;
use crate::store::audit::entry;
use crate::store::rows::contact::Contact;
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{Contacts, ReadRows, ReadTable, Rows, Step};

pub mod import;

pub fn unlock(rows: &mut impl Rows, contact: &ContactKey, actor: &str, now: Timestamp) -> Step<Lock> {
    let known = contacts::resolve(rows, contact, &[])?;
    let lock = known.lock.ok_or_else(|| Error::NotFound(format!("{contact} has no tenant")))?;
    rows.remove::<Contacts>(&known.canonical)?;
    // None of its keys is locked any more, should they be told apart later.
    for alias in contacts::keys_of(rows, &known.canonical)?.into_iter().skip(1) {
        if let Some(row) = contacts::row(rows, &alias)? {
            contacts::put(rows, &alias, &Contact { former: None, replaced: None, ..row })?;
        }
    }
    // Its conversation stays, and no lock tells of it any more.
    contact_tenants::put(rows, &known.canonical, lock.tenant, KnownBy::Shared)?;
    rows.changes_mut().count_lock(lock.tenant, -1);
    rows.touch(now);
    let detail = serde_json::json!({ "previous_tenant": lock.tenant, "since": lock.since.to_string() });
    rows.audit(&entry(actor, "unlock", &known.canonical, detail, now))?;
    Ok(lock)
}

/// In the order of the contacts, after `after`.
pub fn list(rows: &impl ReadRows, after: Option<&ContactKey>, limit: usize) -> Step<Vec<(ContactKey, Lock)>> {
    let first = after.cloned().unwrap_or_else(|| ContactKey::from_stored(""));
    let mut locks = Vec::new();
    if limit == 0 {
        return Ok(locks);
    }
    ReadTable::<Contacts>::scan_rows(rows, Some(&first), &mut |contact, row| {
        // The first may be the one that was seen last.
        if after != Some(&contact)
            && let Some(lock) = row?.lock
        {
            locks.push((contact, lock));
        }
        Ok(if locks.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(locks)
}
