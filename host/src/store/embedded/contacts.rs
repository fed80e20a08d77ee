//! Who a contact is: aliases are followed to the canonical key, and the lock is found there.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::rows::Contact;
use crate::message::{ContactKey, Timestamp};
use crate::route::Lock;
use crate::store::AuditEntry;

/// A contact as the store knows it.
pub struct Known {
    pub canonical: ContactKey,
    pub lock: Option<Lock>,
    /// Keys that the payload proved to be the same person's, and that the store does not keep under
    /// the canonical one yet.
    pub new_aliases: Vec<ContactKey>,
    /// Those of them that had a lock of their own, which is younger.
    pub merged: Vec<(ContactKey, Lock)>,
}

/// An alias points at a key that was canonical when it was learnt. That one may have become an alias
/// since, and so on, but people do not have many numbers.
const STEPS: usize = 8;

/// Follows aliases: the canonical key, its lock, and how many steps it took.
fn follow(
    contact: &ContactKey,
    row: impl Fn(&ContactKey) -> Step<Option<Contact>>,
) -> Step<(ContactKey, Option<Lock>, usize)> {
    let mut key = contact.clone();
    for steps in 0..STEPS {
        match row(&key)?.unwrap_or_default() {
            Contact { alias_of: Some(next), .. } => key = next,
            Contact { lock, .. } => return Ok((key, lock, steps)),
        }
    }
    Ok((key, None, STEPS))
}

fn row(batch: &Batch<'_>, contact: &ContactKey) -> Step<Option<Contact>> {
    let table = batch.tables.contacts.get()?;
    let found = table.get(contact.as_str().as_bytes())?;
    Ok(found.map(|row| Contact::read(row.value())).transpose()?)
}

/// Finds the key under which this person is kept: the one that is known already, by lock or alias,
/// else the one that the message came with. Of several locks of one person the oldest wins: who was
/// locked under a hidden id stays under it when the phone number is learnt.
pub fn resolve(batch: &Batch<'_>, contact: &ContactKey, aliases: &[ContactKey]) -> Step<Known> {
    // Each key of the message, where it leads, and in how many steps.
    let mut keys: Vec<(ContactKey, ContactKey, usize)> = Vec::with_capacity(1 + aliases.len());
    let mut found: Option<(ContactKey, Option<Lock>)> = None;
    let mut locks: Vec<(ContactKey, Lock)> = Vec::new();
    for key in std::iter::once(contact).chain(aliases) {
        let (canonical, lock, steps) = follow(key, |key| row(batch, key))?;
        if let Some(lock) = &lock
            && locks.iter().all(|(other, _)| *other != canonical)
        {
            locks.push((canonical.clone(), lock.clone()));
        }
        let known = steps > 0 || lock.is_some();
        let better = match &found {
            None => known,
            Some((_, old)) => match (&lock, old) {
                (Some(new), Some(old)) => new.since < old.since,
                (Some(_), None) => true,
                (None, _) => false,
            },
        };
        if better {
            found = Some((canonical.clone(), lock));
        }
        keys.push((key.clone(), canonical, steps));
    }
    let (canonical, lock) = found.unwrap_or_else(|| (contact.clone(), None));
    let mut new_aliases: Vec<ContactKey> = Vec::new();
    let mut learn = |key: ContactKey| {
        if key != canonical && !new_aliases.contains(&key) {
            new_aliases.push(key);
        }
    };
    for (key, end, steps) in keys {
        if end != canonical || steps != 1 {
            learn(key);
        }
        // What it led to so far is the same person too.
        learn(end);
    }
    locks.retain(|(key, _)| *key != canonical);
    Ok(Known { canonical, lock, new_aliases, merged: locks })
}

/// What a message proved of a person is kept: each key leads to the canonical one, and a lock that
/// another key had goes.
pub fn merge(batch: &mut Batch<'_>, known: &Known, now: Timestamp) -> Step<()> {
    for alias in &known.new_aliases {
        put(batch, alias, &Contact { alias_of: Some(known.canonical.clone()), lock: None })?;
    }
    for (key, lock) in &known.merged {
        batch.count_lock(lock.tenant.get(), -1);
        batch.audit(&AuditEntry {
            at: now,
            actor: "gateway".into(),
            action: "merge".into(),
            subject: known.canonical.to_string(),
            detail: serde_json::json!({
                "merged": key, "was_locked_to": lock.tenant, "since": lock.since.to_string(),
                "locked_to": known.lock.as_ref().map(|lock| lock.tenant),
            }),
        })?;
    }
    Ok(())
}

pub fn put(batch: &mut Batch<'_>, contact: &ContactKey, row: &Contact) -> Step<()> {
    row.write(&mut batch.buffer);
    batch.tables.contacts.put()?.insert(contact.as_str().as_bytes(), batch.buffer.as_slice())?;
    Ok(())
}

/// Locks a contact that has no lock, and counts it.
pub fn lock(batch: &mut Batch<'_>, contact: &ContactKey, lock: Lock) -> Step<()> {
    batch.count_lock(lock.tenant.get(), 1);
    put(batch, contact, &Contact { alias_of: None, lock: Some(lock) })
}

/// From a snapshot: the canonical key and its lock.
pub fn find(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    contact: &ContactKey,
) -> Step<(ContactKey, Option<Lock>)> {
    let read = |key: &ContactKey| -> Step<Option<Contact>> {
        let row = table.get(key.as_str().as_bytes())?;
        Ok(row.map(|row| Contact::read(row.value())).transpose()?)
    };
    let (canonical, lock, _) = follow(contact, read)?;
    Ok((canonical, lock))
}
