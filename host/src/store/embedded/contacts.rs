//! Who a contact is: aliases are followed to the canonical key, and the lock is found there.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::rows::Contact;
use crate::message::ContactKey;
use crate::route::Lock;
use crate::store::{Error, Result};

/// A contact as the store knows it.
pub struct Known {
    pub canonical: ContactKey,
    pub lock: Option<Lock>,
    /// Keys that the payload proved to be the same person's, and that the store does not know yet.
    pub new_aliases: Vec<ContactKey>,
}

fn row(batch: &Batch<'_>, contact: &ContactKey) -> Step<Option<Contact>> {
    let table = batch.tables.contacts.get()?;
    let found = table.get(contact.as_str().as_bytes())?;
    Ok(found.map(|row| Contact::read(row.value())).transpose()?)
}

/// Finds the key under which this person is kept: the one that is known already, by lock or alias,
/// else the one that the message came with. A person who was locked under a hidden id stays under
/// it when the phone number is learnt: the older lock wins.
pub fn resolve(batch: &Batch<'_>, contact: &ContactKey, aliases: &[ContactKey]) -> Step<Known> {
    let mut unknown = Vec::new();
    let mut found: Option<(ContactKey, Option<Lock>)> = None;
    for key in std::iter::once(contact).chain(aliases) {
        let row = row(batch, key)?.unwrap_or_default();
        let claim = match (row.alias_of, row.lock) {
            (Some(canonical), _) => {
                // One step is enough: an alias always points at a canonical key.
                let lock = self::row(batch, &canonical)?.and_then(|row| row.lock);
                Some((canonical, lock))
            }
            (None, Some(lock)) => Some((key.clone(), Some(lock))),
            (None, None) => {
                unknown.push(key);
                None
            }
        };
        let older = |new: &Option<Lock>, old: &Option<Lock>| match (new, old) {
            (Some(new), Some(old)) => new.since < old.since,
            (Some(_), None) => true,
            (None, _) => false,
        };
        found = match (found, claim) {
            (Some(old), Some(new)) if older(&new.1, &old.1) => Some(new),
            (None, claim) => claim,
            (found, _) => found,
        };
    }
    let (canonical, lock) = found.unwrap_or_else(|| (contact.clone(), None));
    let new_aliases = unknown.into_iter().filter(|key| **key != canonical).cloned().collect();
    Ok(Known { canonical, lock, new_aliases })
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
) -> Result<(ContactKey, Option<Lock>)> {
    let read = |key: &ContactKey| -> Result<Contact> {
        let row = table.get(key.as_str().as_bytes()).map_err(|error| Error::Failed(error.to_string()))?;
        let row = row.map(|row| Contact::read(row.value())).transpose();
        Ok(row.map_err(|error| Error::Failed(error.to_string()))?.unwrap_or_default())
    };
    let row = read(contact)?;
    match row.alias_of {
        None => Ok((contact.clone(), row.lock)),
        Some(canonical) => {
            let lock = read(&canonical)?.lock;
            Ok((canonical, lock))
        }
    }
}
