//! Who a contact is: aliases are followed to the canonical key, and the lock is found there.
//!
//! An alias names the key that it was merged into, which may have become an alias itself since: the
//! keys of one person form a tree, so that a branch can be taken off again.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{contact_prefix, of_contact, read_of_contact};
use super::rows::contact::Contact;
use super::ties;
use crate::message::ContactKey;
use crate::route::Lock;

/// A contact as the store knows it.
pub struct Known {
    pub canonical: ContactKey,
    /// The oldest of all its keys.
    pub lock: Option<Lock>,
    /// The canonical keys of those who turn out to be the same person and are kept apart so far.
    pub others: Vec<ContactKey>,
}

/// A tree is not deeper; a damaged one must not be climbed for ever.
const STEPS: usize = 64;

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

pub fn row(batch: &Batch<'_>, contact: &ContactKey) -> Step<Option<Contact>> {
    let table = batch.tables.contacts.get()?;
    let found = table.get(contact.as_str().as_bytes())?;
    Ok(found.map(|row| Contact::read(row.value())).transpose()?)
}

/// The key under which everything of this person is kept.
pub fn canonical(batch: &Batch<'_>, contact: &ContactKey) -> Step<ContactKey> {
    Ok(follow(contact, |key| row(batch, key))?.0)
}

/// One of several who turn out to be the same person.
struct Root {
    key: ContactKey,
    lock: Option<Lock>,
    /// Was it there before this message?
    known: bool,
}

/// Finds the key under which this person is kept, by the key that a message came with and others that
/// the message proves to be the same person's. Of several locks of one person the oldest wins: who was
/// locked under a hidden id stays under it when the phone number is learnt. Without any, the key that
/// something is kept under.
pub fn resolve(batch: &Batch<'_>, contact: &ContactKey, aliases: &[ContactKey]) -> Step<Known> {
    let (key, lock, steps) = follow(contact, |key| row(batch, key))?;
    if aliases.is_empty() {
        return Ok(Known { canonical: key, lock, others: Vec::new() });
    }
    let known = steps > 0 || lock.is_some();
    let mut roots = vec![Root { key, lock, known }];
    for alias in aliases {
        let (key, lock, steps) = follow(alias, |key| row(batch, key))?;
        if roots.iter().any(|root| root.key == key) || !may_join(batch, (contact, alias), &roots, &key)? {
            continue;
        }
        let known = steps > 0 || lock.is_some();
        roots.push(Root { key, lock, known });
    }
    if roots.len() > 1 {
        for root in &mut roots {
            let ties = ties::of(batch, &root.key)?;
            root.known = root.known || ties.iter().any(|(_, by)| *by == ties::By::Shared);
        }
    }
    // Without locks the first of those known before, or the first of all.
    let rank = |root: &Root| (root.lock.as_ref().map_or(i64::MAX, |lock| lock.since.as_ms()), !root.known);
    let first = (0..roots.len()).min_by_key(|at| (rank(&roots[*at]), *at)).unwrap_or_default();
    let Root { key: canonical, lock, .. } = roots.swap_remove(first);
    Ok(Known { canonical, lock, others: roots.into_iter().map(|root| root.key).collect() })
}

/// An operator may have told the two apart; and nobody has two hidden ids, so that who has another one
/// has got the phone number of somebody else.
fn may_join(
    batch: &Batch<'_>,
    pair: (&ContactKey, &ContactKey),
    roots: &[Root],
    other: &ContactKey,
) -> Step<bool> {
    let first = &roots[0].key;
    if are_apart(batch, pair.0, pair.1)? || are_apart(batch, first, other)? {
        return Ok(false);
    }
    Ok(!both_have(&keys_of(batch, first)?, &keys_of(batch, other)?, is_hidden))
}

/// Has each of the two at least one such key?
pub fn both_have(one: &[ContactKey], other: &[ContactKey], such: fn(&ContactKey) -> bool) -> bool {
    one.iter().any(such) && other.iter().any(such)
}

pub fn is_hidden(key: &ContactKey) -> bool {
    key.as_str().ends_with("@lid")
}

/// All keys of a person, beginning with the one that everything is kept under.
pub fn keys_of(batch: &Batch<'_>, canonical: &ContactKey) -> Step<Vec<ContactKey>> {
    tree(batch.tables.aliases.get()?, canonical)
}

/// From any view of the table.
pub fn tree(table: &impl ReadableTable<&'static [u8], ()>, canonical: &ContactKey) -> Step<Vec<ContactKey>> {
    let mut keys = vec![canonical.clone()];
    let mut at = 0;
    while at < keys.len() {
        let prefix = contact_prefix(&keys[at]);
        for row in table.range::<&[u8]>(prefix.as_slice()..)? {
            let (key, _) = row?;
            if !key.value().starts_with(&prefix) {
                break;
            }
            let alias = String::from_utf8_lossy(read_of_contact("aliases", key.value())?).into_owned();
            let alias = ContactKey::from_stored(alias);
            // A damaged tree must not be walked for ever.
            if !keys.contains(&alias) {
                keys.push(alias);
            }
        }
        at += 1;
    }
    Ok(keys)
}

/// The same for both orders of the two.
pub fn pair(one: &ContactKey, other: &ContactKey) -> Vec<u8> {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    of_contact(first, second.as_str().as_bytes())
}

pub fn are_apart(batch: &Batch<'_>, one: &ContactKey, other: &ContactKey) -> Step<bool> {
    Ok(batch.tables.apart.get()?.get(pair(one, other).as_slice())?.is_some())
}

pub fn tell_apart(batch: &mut Batch<'_>, one: &ContactKey, other: &ContactKey) -> Step<()> {
    batch.tables.apart.put()?.insert(pair(one, other).as_slice(), ())?;
    Ok(())
}

pub fn forget_apart(batch: &mut Batch<'_>, one: &ContactKey, other: &ContactKey) -> Step<()> {
    batch.tables.apart.put()?.remove(pair(one, other).as_slice())?;
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
    put(batch, contact, &Contact { lock: Some(lock), ..Contact::default() })
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
