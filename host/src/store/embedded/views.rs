//! Who a person is to one tenant. What the operator's shared numbers and the operator prove of two keys
//! holds for everybody ([`super::contacts`]); a tenant sees by it only the people that it has, or had, by a
//! shared number: those locked to it, and those who were. All else that it is told, by a number of its
//! own or by whoever writes a key into a request, it is told under the key as written. So nobody learns
//! the phone behind a hidden id by naming the id, and nobody's number makes heirs of another's contacts.
//!
//! What a tenant's own number proves is kept here, tenant by tenant: an alias leads to the key that the
//! tenant keeps the person under. So does every key that something of the tenant's was moved away from.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{contact_prefix, of_contact, read_of_contact};
use super::contacts::{self, Known};
use super::merge::conversation;
use super::tables::define;
use super::ties::By;
use super::{leads, opt_outs, ties};
use crate::message::{ContactKey, ConversationKey, TenantId};

/// Aliases are not deeper; damaged ones must not be followed for ever.
const STEPS: usize = 64;

fn name(contact: &ContactKey, tenant: TenantId) -> Vec<u8> {
    of_contact(contact, &tenant.get().to_be_bytes())
}

/// The end of a tenant's own aliases.
fn root(
    own: &impl ReadableTable<&'static [u8], &'static [u8]>,
    tenant: TenantId,
    contact: ContactKey,
) -> Step<ContactKey> {
    let mut key = contact;
    for _ in 0..STEPS {
        let Some(next) = own.get(name(&key, tenant).as_slice())? else { break };
        key = ContactKey::from_stored(String::from_utf8_lossy(next.value()));
    }
    Ok(key)
}

fn seen(
    known: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ties: &impl ReadableTable<&'static [u8], bool>,
    own: &impl ReadableTable<&'static [u8], &'static [u8]>,
    (tenant, contact): (TenantId, &ContactKey),
) -> Step<ContactKey> {
    let (canonical, lock) = contacts::find(known, contact)?;
    let has = lock.is_some_and(|lock| lock.tenant == tenant)
        || ties::find(ties, &canonical, tenant)? == Some(By::Shared);
    root(own, tenant, if has { canonical } else { contact.clone() })
}

/// The key that this tenant keeps the person under, by any key that it may know; of somebody it has
/// nothing of, the key as it is.
pub fn of_tenant(batch: &Batch<'_>, tenant: TenantId, contact: &ContactKey) -> Step<ContactKey> {
    let tables = &batch.tables;
    seen(tables.contacts.get()?, tables.ties.get()?, tables.own_aliases.get()?, (tenant, contact))
}

/// The same, from a snapshot.
pub fn find(snapshot: &ReadTransaction, tenant: TenantId, contact: &ContactKey) -> Step<ContactKey> {
    seen(
        &snapshot.open_table(define::contacts)?,
        &snapshot.open_table(define::ties)?,
        &snapshot.open_table(define::own_aliases)?,
        (tenant, contact),
    )
}

/// Does the tenant keep anything of who has this key, by the lock or by whichever number?
fn tie(batch: &Batch<'_>, tenant: TenantId, contact: &ContactKey) -> Step<Option<By>> {
    let lock = contacts::find(batch.tables.contacts.get()?, contact)?.1;
    if lock.is_some_and(|lock| lock.tenant == tenant) {
        return Ok(Some(By::Shared));
    }
    ties::find(batch.tables.ties.get()?, contact, tenant)
}

/// Every key by which the tenant knows the person, beginning with the one that it keeps it under.
pub fn keys_of(batch: &Batch<'_>, tenant: TenantId, contact: &ContactKey) -> Step<Vec<ContactKey>> {
    let mut keys = vec![contact.clone()];
    let mut at = 0;
    while at < keys.len() {
        let prefix = name(&keys[at], tenant);
        for row in batch.tables.own_keys.get()?.range::<&[u8]>(prefix.as_slice()..)? {
            let (key, _) = row?;
            let Some(alias) = key.value().strip_prefix(prefix.as_slice()) else { break };
            let alias = ContactKey::from_stored(String::from_utf8_lossy(alias));
            if !keys.contains(&alias) {
                keys.push(alias);
            }
        }
        at += 1;
    }
    let canonical = contacts::canonical(batch, contact)?;
    if tie(batch, tenant, &canonical)? == Some(By::Shared) {
        for key in contacts::keys_of(batch, &canonical)? {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

/// Finds the key that this tenant keeps a person under, by the key that a message came with through the
/// tenant's own number and others that it names. Of several the one that something is kept under.
pub fn resolve(
    batch: &Batch<'_>,
    tenant: TenantId,
    contact: &ContactKey,
    aliases: &[ContactKey],
) -> Step<Known> {
    let first = of_tenant(batch, tenant, contact)?;
    let lock = contacts::find(batch.tables.contacts.get()?, contact)?.1;
    let mut roots = vec![first.clone()];
    for alias in aliases {
        let root = of_tenant(batch, tenant, alias)?;
        if roots.contains(&root)
            || contacts::are_apart(batch, contact, alias)?
            || contacts::are_apart(batch, &first, &root)?
        {
            continue;
        }
        // Nobody has two hidden ids.
        let (ones, others) = (keys_of(batch, tenant, &first)?, keys_of(batch, tenant, &root)?);
        if !contacts::both_have(&ones, &others, contacts::is_hidden) {
            roots.push(root);
        }
    }
    let mut chosen = 0;
    if roots.len() > 1 {
        for (at, root) in roots.iter().enumerate() {
            if tie(batch, tenant, root)?.is_some() {
                chosen = at;
                break;
            }
        }
    }
    let canonical = roots.swap_remove(chosen);
    Ok(Known { canonical, lock, others: roots })
}

/// What this tenant keeps under `from` is kept under `into` from now on, and `from` leads there. Whether
/// there was a conversation to move. Another tenant of its organization keeps the lead that it shares.
pub fn unify(batch: &mut Batch<'_>, tenant: TenantId, from: &ContactKey, into: &ContactKey) -> Step<bool> {
    let own = batch.tables.own_aliases.get()?;
    let (from, into) = (root(own, tenant, from.clone())?, root(own, tenant, into.clone())?);
    if from == into {
        return Ok(false);
    }
    let key = |contact: &ContactKey| ConversationKey { tenant, contact: contact.clone() };
    let moved = conversation::join(batch, &key(&from), &key(&into))?;
    opt_outs::join(batch, &key(&from), &key(&into))?;
    let organization = batch.mirror.directory.load().organization_of(tenant);
    if let Some(organization) = organization {
        leads::join(batch, organization.0, &from, &into, &BTreeSet::from([tenant]))?;
    }
    if tenant != TenantId::GATEWAY {
        ties::put(batch, &into, tenant, By::Own)?;
    }
    let reverse = [name(&into, tenant), from.as_str().as_bytes().to_vec()].concat();
    batch.tables.own_keys.put()?.insert(reverse.as_slice(), ())?;
    let target = into.as_str().as_bytes();
    batch.tables.own_aliases.put()?.insert(name(&from, tenant).as_slice(), target)?;
    Ok(moved)
}

/// The tenant has this person now, by its one key: what it kept or was told under the others comes along.
pub fn gain(batch: &mut Batch<'_>, tenant: TenantId, canonical: &ContactKey) -> Step<()> {
    for key in contacts::keys_of(batch, canonical)?.iter().skip(1) {
        let of = ConversationKey { tenant, contact: key.clone() };
        if ties::find(batch.tables.ties.get()?, key, tenant)?.is_some() || opt_outs::is_opted_out(batch, &of)?
        {
            unify(batch, tenant, key, canonical)?;
        }
    }
    Ok(())
}

/// Where a key leads for tenants with numbers of their own.
pub fn aliases_of(
    own: &impl ReadableTable<&'static [u8], &'static [u8]>,
    contact: &ContactKey,
) -> Step<Vec<(TenantId, ContactKey)>> {
    let prefix = contact_prefix(contact);
    let mut found = Vec::new();
    for row in own.range::<&[u8]>(prefix.as_slice()..)? {
        let (key, target) = row?;
        if !key.value().starts_with(&prefix) {
            break;
        }
        let tenant = read_of_contact("own_aliases", key.value())?;
        let Some(tenant) = tenant.first_chunk::<4>() else { continue };
        let target = ContactKey::from_stored(String::from_utf8_lossy(target.value()));
        found.push((TenantId::from_stored(u32::from_be_bytes(*tenant)), target));
    }
    Ok(found)
}

/// The key is a person of its own again for every tenant. Whose alias it was.
pub fn leave(batch: &mut Batch<'_>, alias: &ContactKey) -> Step<Vec<(TenantId, ContactKey)>> {
    let left = aliases_of(batch.tables.own_aliases.get()?, alias)?;
    for (tenant, target) in &left {
        batch.tables.own_aliases.put()?.remove(name(alias, *tenant).as_slice())?;
        let reverse = [name(target, *tenant), alias.as_str().as_bytes().to_vec()].concat();
        batch.tables.own_keys.put()?.remove(reverse.as_slice())?;
    }
    Ok(left)
}
