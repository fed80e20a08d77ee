//! Who a contact is: aliases are followed to the canonical key, and the lock is found there.
//!
//! An alias names the key that it was merged into, which may have become an alias itself since: the
//! keys of one person form a tree, so that a branch can be taken off again.

use super::contact_tenants;
use crate::message::ContactKey;
use crate::route::Lock;
use crate::store::rows::contact::Contact;
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{Aliases, Apart, Contacts, ReadRows, Rows, Step};

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
fn follow(rows: &impl ReadRows, contact: &ContactKey) -> Step<(ContactKey, Option<Lock>, usize)> {
    let mut key = contact.clone();
    for steps in 0..STEPS {
        match row(rows, &key)?.unwrap_or_default() {
            Contact { alias_of: Some(next), .. } => key = next,
            Contact { lock, .. } => return Ok((key, lock, steps)),
        }
    }
    Ok((key, None, STEPS))
}

pub fn row(rows: &impl ReadRows, contact: &ContactKey) -> Step<Option<Contact>> {
    rows.get::<Contacts>(contact)
}

/// The key under which everything of this person is kept.
pub fn canonical(rows: &impl ReadRows, contact: &ContactKey) -> Step<ContactKey> {
    Ok(follow(rows, contact)?.0)
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
pub fn resolve(rows: &impl ReadRows, contact: &ContactKey, aliases: &[ContactKey]) -> Step<Known> {
    let (key, lock, steps) = follow(rows, contact)?;
    if aliases.is_empty() {
        return Ok(Known { canonical: key, lock, others: Vec::new() });
    }
    let known = steps > 0 || lock.is_some();
    let mut roots = vec![Root { key, lock, known }];
    for alias in aliases {
        let (key, lock, steps) = follow(rows, alias)?;
        if roots.iter().any(|root| root.key == key) || !may_join(rows, (contact, alias), &roots, &key)? {
            continue;
        }
        let known = steps > 0 || lock.is_some();
        roots.push(Root { key, lock, known });
    }
    if roots.len() > 1 {
        for root in &mut roots {
            let tenants = contact_tenants::of(rows, &root.key)?;
            root.known = root.known || tenants.iter().any(|(_, by)| *by == KnownBy::Shared);
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
    rows: &impl ReadRows,
    pair: (&ContactKey, &ContactKey),
    roots: &[Root],
    other: &ContactKey,
) -> Step<bool> {
    let first = &roots[0].key;
    if are_apart(rows, pair.0, pair.1)? || are_apart(rows, first, other)? {
        return Ok(false);
    }
    Ok(!both_have(&keys_of(rows, first)?, &keys_of(rows, other)?, is_hidden))
}

/// Has each of the two at least one such key?
pub fn both_have(one: &[ContactKey], other: &[ContactKey], such: fn(&ContactKey) -> bool) -> bool {
    one.iter().any(such) && other.iter().any(such)
}

pub fn is_hidden(key: &ContactKey) -> bool {
    key.as_str().ends_with("@lid")
}

/// All keys of a person, beginning with the one that everything is kept under.
pub fn keys_of(rows: &impl ReadRows, canonical: &ContactKey) -> Step<Vec<ContactKey>> {
    let mut keys = vec![canonical.clone()];
    let mut at = 0;
    while let Some(key) = keys.get(at).cloned() {
        let first = (key.clone(), ContactKey::from_stored(""));
        rows.each::<Aliases>(
            &first,
            |(of, _)| *of == key,
            |(_, alias), _| {
                // A damaged tree must not be walked for ever.
                if !keys.contains(&alias) {
                    keys.push(alias);
                }
                Ok(())
            },
        )?;
        at += 1;
    }
    Ok(keys)
}

/// The same for both orders of the two.
fn pair(one: &ContactKey, other: &ContactKey) -> (ContactKey, ContactKey) {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    (first.clone(), second.clone())
}

pub fn are_apart(rows: &impl ReadRows, one: &ContactKey, other: &ContactKey) -> Step<bool> {
    rows.has::<Apart>(&pair(one, other))
}

pub fn tell_apart(rows: &mut impl Rows, one: &ContactKey, other: &ContactKey) -> Step<()> {
    rows.put::<Apart>(&pair(one, other), &())?;
    Ok(())
}

pub fn forget_apart(rows: &mut impl Rows, one: &ContactKey, other: &ContactKey) -> Step<()> {
    rows.remove::<Apart>(&pair(one, other))?;
    Ok(())
}

pub fn put(rows: &mut impl Rows, contact: &ContactKey, row: &Contact) -> Step<()> {
    rows.put::<Contacts>(contact, row)?;
    Ok(())
}

/// Locks a contact that has no lock, and counts it.
pub fn lock(rows: &mut impl Rows, contact: &ContactKey, lock: Lock) -> Step<()> {
    rows.changes_mut().count_lock(lock.tenant, 1);
    put(rows, contact, &Contact { lock: Some(lock), ..Contact::default() })
}

/// The canonical key and its lock.
pub fn find(rows: &impl ReadRows, contact: &ContactKey) -> Step<(ContactKey, Option<Lock>)> {
    let (canonical, lock, _) = follow(rows, contact)?;
    Ok((canonical, lock))
}
