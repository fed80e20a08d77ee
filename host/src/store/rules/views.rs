//! Who a person is to one tenant. What the operator's shared numbers and the operator prove of two keys
//! holds for everybody ([`super::contacts`]); a tenant sees by it only the people that it has, or had, by a
//! shared number: those locked to it, and those who were. All else that it is told, by a number of its
//! own or by whoever writes a key into a request, it is told under the key as written. So nobody learns
//! the phone behind a hidden id by naming the id, and nobody's number makes heirs of another's contacts.
//!
//! What a tenant's own number proves is kept here, tenant by tenant: an alias leads to the key that the
//! tenant keeps the person under. So does every key that something of the tenant's was moved away from.

use super::contact_tenants;
use super::contacts::{self, Known};
use crate::message::{ContactKey, TenantId};
use crate::store::contacts::{OwnAlias, Person};
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{OwnAliases, OwnKeys, ReadRows, Rows, Step};

/// Aliases are not deeper; damaged ones must not be followed for ever.
const STEPS: usize = 64;

/// The end of a tenant's own aliases.
pub fn root(rows: &impl ReadRows, tenant: TenantId, contact: ContactKey) -> Step<ContactKey> {
    let mut name = (contact, tenant);
    for _ in 0..STEPS {
        let Some(next) = rows.get::<OwnAliases>(&name)? else { break };
        name.0 = next;
    }
    Ok(name.0)
}

/// The key that this tenant keeps the person under, by any key that it may know; of somebody it has
/// nothing of, the key as it is.
pub fn of_tenant(rows: &impl ReadRows, tenant: TenantId, contact: &ContactKey) -> Step<ContactKey> {
    let (canonical, lock) = contacts::find(rows, contact)?;
    let has = lock.is_some_and(|lock| lock.tenant == tenant)
        || contact_tenants::find(rows, &canonical, tenant)? == Some(KnownBy::Shared);
    root(rows, tenant, if has { canonical } else { contact.clone() })
}

/// Does the tenant keep anything of who has this key, by the lock or by whichever number?
fn known_by(rows: &impl ReadRows, tenant: TenantId, contact: &ContactKey) -> Step<Option<KnownBy>> {
    let lock = contacts::find(rows, contact)?.1;
    if lock.is_some_and(|lock| lock.tenant == tenant) {
        return Ok(Some(KnownBy::Shared));
    }
    contact_tenants::find(rows, contact, tenant)
}

/// Every key by which the tenant knows the person, beginning with the one that it keeps it under.
pub fn keys_of(rows: &impl ReadRows, tenant: TenantId, contact: &ContactKey) -> Step<Vec<ContactKey>> {
    let mut keys = vec![contact.clone()];
    let mut at = 0;
    while let Some(key) = keys.get(at).cloned() {
        let first = (key.clone(), tenant, ContactKey::from_stored(""));
        let is_its = |(of, by, _): &(ContactKey, TenantId, ContactKey)| *of == key && *by == tenant;
        rows.each::<OwnKeys>(&first, is_its, |(_, _, alias), _| {
            if !keys.contains(&alias) {
                keys.push(alias);
            }
            Ok(())
        })?;
        at += 1;
    }
    let canonical = contacts::canonical(rows, contact)?;
    if known_by(rows, tenant, &canonical)? == Some(KnownBy::Shared) {
        for key in contacts::keys_of(rows, &canonical)? {
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
    rows: &impl ReadRows,
    tenant: TenantId,
    contact: &ContactKey,
    aliases: &[ContactKey],
) -> Step<Known> {
    let first = of_tenant(rows, tenant, contact)?;
    let lock = contacts::find(rows, contact)?.1;
    let mut roots = vec![first.clone()];
    for alias in aliases {
        let root = of_tenant(rows, tenant, alias)?;
        if roots.contains(&root)
            || contacts::are_apart(rows, contact, alias)?
            || contacts::are_apart(rows, &first, &root)?
        {
            continue;
        }
        // Nobody has two hidden ids.
        let (ones, others) = (keys_of(rows, tenant, &first)?, keys_of(rows, tenant, &root)?);
        if !contacts::both_have(&ones, &others, contacts::is_hidden) {
            roots.push(root);
        }
    }
    let mut chosen = 0;
    if roots.len() > 1 {
        for (at, root) in roots.iter().enumerate() {
            if known_by(rows, tenant, root)?.is_some() {
                chosen = at;
                break;
            }
        }
    }
    let canonical = roots.swap_remove(chosen);
    Ok(Known { canonical, lock, others: roots })
}

/// Where a key leads for tenants with numbers of their own.
pub fn aliases_of(rows: &impl ReadRows, contact: &ContactKey) -> Step<Vec<(TenantId, ContactKey)>> {
    let mut found = Vec::new();
    let first = (contact.clone(), TenantId::GATEWAY);
    rows.each::<OwnAliases>(
        &first,
        |(of, _)| of == contact,
        |(_, tenant), target| {
            found.push((tenant, target?));
            Ok(())
        },
    )?;
    Ok(found)
}

/// From here on `from` leads to `into`, for this tenant.
pub fn lead(rows: &mut impl Rows, tenant: TenantId, from: &ContactKey, into: &ContactKey) -> Step<()> {
    rows.put::<OwnKeys>(&(into.clone(), tenant, from.clone()), &())?;
    rows.put::<OwnAliases>(&(from.clone(), tenant), into)?;
    Ok(())
}

/// The key is a person of its own again for every tenant. Whose alias it was.
pub fn leave(rows: &mut impl Rows, alias: &ContactKey) -> Step<Vec<(TenantId, ContactKey)>> {
    let left = aliases_of(rows, alias)?;
    for (tenant, target) in &left {
        rows.remove::<OwnAliases>(&(alias.clone(), *tenant))?;
        rows.remove::<OwnKeys>(&(target.clone(), *tenant, alias.clone()))?;
    }
    Ok(left)
}

/// All keys of a person, and where single tenants have others.
pub fn person(rows: &impl ReadRows, contact: &ContactKey) -> Step<Person> {
    let (canonical, lock) = contacts::find(rows, contact)?;
    let mut keys = contacts::keys_of(rows, &canonical)?;
    let mut own = Vec::new();
    for alias in &keys {
        for (tenant, of) in aliases_of(rows, alias)? {
            // What holds for everybody needs no mention for one.
            if contacts::find(rows, &of)?.0 != canonical {
                own.push(OwnAlias { tenant, alias: alias.clone(), of });
            }
        }
    }
    let canonical = keys.remove(0);
    Ok(Person { canonical, aliases: keys, lock, own })
}
