//! Two keys turn out to be one person's: one becomes an alias of the other, and everything that is kept
//! under it is kept under the other from then on, in one commit. And back: an alias becomes a person of
//! its own again, with the lock it had. What was said meanwhile stays where it is.

use std::collections::BTreeSet;

use redb::ReadableTable;
use serde_json::json;

use super::batch::{Batch, Step};
use super::codec::of_contact;
use super::contacts::{self, Known};
use super::rows::contact::Contact;
use super::ties::By as Tied;
use super::{leads, lookups, opt_outs, ties, views};
use crate::identity;
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::contacts::Person;
use crate::store::{AuditEntry, Error};
use crate::tenant::Sender;

pub mod conversation;
pub mod moved;

/// Who acts when nobody asked.
pub const GATEWAY: &str = "gateway";

/// Who merges, and why.
pub struct By<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
    pub now: Timestamp,
}

/// What a message proved of a person is kept.
pub fn all(batch: &mut Batch<'_>, known: &Known, by: &By<'_>) -> Step<()> {
    for other in &known.others {
        join(batch, other, &known.canonical, by)?;
    }
    Ok(())
}

/// `from` becomes an alias of `into`; both are canonical and not the same. The older lock wins, and
/// what is kept under both is joined tenant by tenant.
fn join(batch: &mut Batch<'_>, from: &ContactKey, into: &ContactKey, by: &By<'_>) -> Step<()> {
    let theirs = contacts::row(batch, from)?.unwrap_or_default().lock;
    let ours = contacts::row(batch, into)?.unwrap_or_default().lock;
    let lock = older(ours.clone(), theirs.clone());
    let by_hand = by.actor != GATEWAY;
    let moved =
        move_everything(batch, (from, theirs.as_ref()), (into, ours.as_ref()), lock.as_ref(), by_hand)?;
    let replaced = ours.clone().filter(|_| lock != ours);
    if let Some(replaced) = &replaced {
        // No lock tells of this conversation any more.
        ties::put(batch, into, replaced.tenant, Tied::Shared)?;
    }
    for gone in theirs.iter().chain(&ours) {
        batch.count_lock(gone.tenant.get(), -1);
    }
    if let Some(lock) = &lock {
        batch.count_lock(lock.tenant.get(), 1);
        contacts::put(batch, into, &Contact { lock: Some(lock.clone()), ..Contact::default() })?;
    }
    let alias = Contact {
        alias_of: Some(into.clone()),
        former: theirs.clone(),
        replaced: replaced.clone(),
        lock: None,
    };
    contacts::put(batch, from, &alias)?;
    let key = of_contact(into, from.as_str().as_bytes());
    batch.tables.aliases.put()?.insert(key.as_slice(), ())?;
    for key in [from, into] {
        lookups::answered(batch, key, None)?;
    }
    // A hidden id that brought nothing with it is no deed; there is one for nearly every contact.
    if theirs.is_some() || !moved.is_empty() || by.actor != GATEWAY {
        batch.audit(&AuditEntry {
            at: by.now,
            actor: by.actor.into(),
            action: "merge".into(),
            subject: into.to_string(),
            detail: json!({
                "merged": from, "reason": by.reason,
                "was_locked_to": theirs.as_ref().map(|lock| lock.tenant),
                "since": theirs.as_ref().map(|lock| lock.since.to_string()),
                "locked_to": lock.as_ref().map(|lock| lock.tenant),
                "replaced_lock_to": replaced.map(|lock| lock.tenant),
                "conversations_with": moved,
            }),
        })?;
    }
    batch.state.touch(by.now);
    Ok(())
}

/// Conversations, opt-outs, leads, and the notice to strangers, of the tenants that have both keys or win
/// the lock; by hand, of all. The others go on under the key that they have: the other one is no news for
/// them. The tenants whose conversations moved.
fn move_everything(
    batch: &mut Batch<'_>,
    (from, theirs): (&ContactKey, Option<&Lock>),
    (into, ours): (&ContactKey, Option<&Lock>),
    winner: Option<&Lock>,
    by_hand: bool,
) -> Step<Vec<TenantId>> {
    let of = |batch: &Batch<'_>, key: &ContactKey, lock: Option<&Lock>| -> Step<BTreeSet<TenantId>> {
        let ties = ties::of(batch, key)?.into_iter().filter(|(_, by)| by_hand || *by == Tied::Shared);
        let mut tenants: BTreeSet<TenantId> = ties.map(|(tenant, _)| tenant).collect();
        tenants.extend(lock.map(|lock| lock.tenant));
        Ok(tenants)
    };
    let (old, mut knowing) = (of(batch, from, theirs)?, of(batch, into, ours)?);
    knowing.extend(winner.map(|lock| lock.tenant));
    if by_hand {
        knowing.extend(&old);
    }
    let keys = contacts::keys_of(batch, from)?;
    let mut moved = Vec::new();
    for tenant in old.union(&knowing).copied().collect::<Vec<_>>() {
        if !knowing.contains(&tenant) {
            // No lock tells of this conversation any more.
            ties::put(batch, from, tenant, Tied::Shared)?;
            continue;
        }
        ties::put(batch, into, tenant, Tied::Shared)?;
        let mut any = false;
        for key in &keys {
            let of = ConversationKey { tenant, contact: key.clone() };
            let is_kept = key == from && old.contains(&tenant)
                || ties::find(batch.tables.ties.get()?, key, tenant)?.is_some()
                || opt_outs::is_opted_out(batch, &of)?;
            any |= is_kept && views::unify(batch, tenant, key, into)?;
        }
        if any {
            moved.push(tenant);
        }
    }
    let told = batch.tables.notices.get()?.get(from.as_str().as_bytes())?.map(|row| row.value());
    if let Some(told) = told {
        views::unify(batch, TenantId::GATEWAY, from, into)?;
        let notices = batch.tables.notices.put()?;
        notices.remove(from.as_str().as_bytes())?;
        let known = notices.get(into.as_str().as_bytes())?.map_or(told, |row| row.value());
        notices.insert(into.as_str().as_bytes(), told.max(known))?;
    }
    let directory = batch.mirror.directory.load_full();
    let organizations: BTreeSet<u32> =
        knowing.iter().filter_map(|tenant| directory.organization_of(*tenant)).map(|id| id.0).collect();
    for organization in organizations {
        leads::join(batch, organization, from, into, &knowing)?;
    }
    Ok(moved)
}

/// First contact wins; of two at the same moment the first of these two.
fn older(one: Option<Lock>, other: Option<Lock>) -> Option<Lock> {
    [one, other].into_iter().flatten().min_by_key(|lock| lock.since)
}

/// What a provider says of two keys, through this sender: to everybody through a shared one, to its tenant
/// alone through a dedicated one. Two phone numbers are two people, unless a number changed.
pub fn learn(
    batch: &mut Batch<'_>,
    sender: &Sender,
    (known, also): (&ContactKey, &ContactKey),
    number_changed: bool,
    by: &By<'_>,
) -> Step<bool> {
    // Whatever comes of it, this owner's numbers need not be asked again.
    for key in [known, also] {
        lookups::answered(batch, key, sender.tenant)?;
    }
    let one_person = |ones: &[ContactKey], others: &[ContactKey]| {
        ones.first() != others.first()
            && (number_changed || !contacts::both_have(ones, others, identity::is_phone))
    };
    let Some(tenant) = sender.tenant else {
        let of = |batch: &Batch<'_>, key| contacts::keys_of(batch, &contacts::canonical(batch, key)?);
        if !one_person(&of(batch, known)?, &of(batch, also)?) {
            return Ok(false);
        }
        let person = contacts::resolve(batch, known, std::slice::from_ref(also))?;
        all(batch, &person, by)?;
        return Ok(!person.others.is_empty());
    };
    let of = |batch: &Batch<'_>, key| views::keys_of(batch, tenant, &views::of_tenant(batch, tenant, key)?);
    if !one_person(&of(batch, known)?, &of(batch, also)?) {
        return Ok(false);
    }
    let person = views::resolve(batch, tenant, known, std::slice::from_ref(also))?;
    for_tenant(batch, tenant, &person, by)?;
    Ok(!person.others.is_empty())
}

/// What a number of this tenant's own proved is kept, for this tenant.
pub fn for_tenant(batch: &mut Batch<'_>, tenant: TenantId, known: &Known, by: &By<'_>) -> Step<()> {
    for other in &known.others {
        if views::unify(batch, tenant, other, &known.canonical)? {
            batch.audit(&AuditEntry {
                at: by.now,
                actor: by.actor.into(),
                action: "merge".into(),
                subject: known.canonical.to_string(),
                detail: json!({ "merged": other, "reason": by.reason, "conversations_with": [tenant] }),
            })?;
        }
        batch.state.touch(by.now);
    }
    Ok(())
}

/// By an operator, who may join whatever he likes; `into` stays what it is called.
pub fn merge(batch: &mut Batch<'_>, from: &ContactKey, into: &ContactKey, by: &By<'_>) -> Step<Person> {
    let (one, other) = (contacts::canonical(batch, from)?, contacts::canonical(batch, into)?);
    if one == other {
        return Err(Error::Conflict(format!("{from} and {into} are one person already")).into());
    }
    for (left, right) in [(from, into), (&one, &other)] {
        contacts::forget_apart(batch, left, right)?;
    }
    join(batch, &one, &other, by)?;
    person(batch, &other)
}

fn person(batch: &Batch<'_>, canonical: &ContactKey) -> Step<Person> {
    let mut aliases = contacts::keys_of(batch, canonical)?;
    let canonical = aliases.remove(0);
    let lock = contacts::row(batch, &canonical)?.and_then(|row| row.lock);
    Ok(Person { canonical, aliases, lock, own: Vec::new() })
}

/// `alias` and whatever was merged into it earlier leave, with the lock it had. Payloads that name both
/// do not merge them again.
pub fn unmerge(batch: &mut Batch<'_>, alias: &ContactKey, by: &By<'_>) -> Step<Person> {
    let row = contacts::row(batch, alias)?.unwrap_or_default();
    let own = views::leave(batch, alias)?;
    for (_, key) in &own {
        contacts::tell_apart(batch, alias, key)?;
    }
    let Some(parent) = row.alias_of else {
        if let Some((_, key)) = own.first() {
            return told_apart(batch, alias, key, &own, by);
        }
        let what = format!("{alias} is nobody's alias; unmerge one of the aliases that `contact show` lists");
        return Err(Error::Conflict(what).into());
    };
    let canonical = contacts::canonical(batch, &parent)?;
    give_back(batch, &parent, row.former.as_ref(), row.replaced)?;
    let key = of_contact(&parent, alias.as_str().as_bytes());
    batch.tables.aliases.put()?.remove(key.as_slice())?;
    batch.tables.contacts.put()?.remove(alias.as_str().as_bytes())?;
    if let Some(lock) = &row.former {
        contacts::lock(batch, alias, lock.clone())?;
    }
    contacts::tell_apart(batch, alias, &parent)?;
    contacts::tell_apart(batch, alias, &canonical)?;
    // Whose wish it was nobody knows any more: both of them get no messages.
    for (tenant, _) in ties::of(batch, &canonical)? {
        let of = |contact: &ContactKey| ConversationKey { tenant, contact: contact.clone() };
        opt_outs::share(batch, &of(&canonical), &of(alias))?;
    }
    let person = person(batch, &canonical)?;
    batch.state.touch(by.now);
    batch.audit(&AuditEntry {
        at: by.now,
        actor: by.actor.into(),
        action: "unmerge".into(),
        subject: alias.to_string(),
        detail: json!({
            "was_alias_of": canonical,
            "locked_to": row.former.map(|lock| lock.tenant),
            "left_locked_to": person.lock.as_ref().map(|lock| lock.tenant),
            "conversations": format!("what was merged stays with {canonical}"),
        }),
    })?;
    Ok(person)
}

/// It was an alias for tenants with numbers of their own alone.
fn told_apart(
    batch: &mut Batch<'_>,
    alias: &ContactKey,
    from: &ContactKey,
    own: &[(TenantId, ContactKey)],
    by: &By<'_>,
) -> Step<Person> {
    let tenants: Vec<TenantId> = own.iter().map(|(tenant, _)| *tenant).collect();
    batch.audit(&AuditEntry {
        at: by.now,
        actor: by.actor.into(),
        action: "unmerge".into(),
        subject: alias.to_string(),
        detail: json!({ "was_alias_of": from, "at_tenants": tenants }),
    })?;
    batch.state.touch(by.now);
    let canonical = contacts::canonical(batch, from)?;
    person(batch, &canonical)
}

/// Takes the alias's lock from whoever has it by the merge, and gives back the one it had replaced.
fn give_back(
    batch: &mut Batch<'_>,
    parent: &ContactKey,
    former: Option<&Lock>,
    replaced: Option<Lock>,
) -> Step<()> {
    let (mut key, mut next) = (parent.clone(), replaced);
    loop {
        let mut row = contacts::row(batch, &key)?.unwrap_or_default();
        let taken = former.is_some() && row.lock.as_ref().or(row.former.as_ref()) == former;
        let Some(above) = row.alias_of.clone() else {
            if taken {
                for (lock, by) in [(&row.lock, -1), (&next, 1)] {
                    if let Some(lock) = lock {
                        batch.count_lock(lock.tenant.get(), by);
                    }
                }
                contacts::put(batch, &key, &Contact { lock: next, ..row })?;
            }
            return Ok(());
        };
        if taken {
            let own = next.clone();
            next = older(next, row.replaced.clone());
            row.former = own;
            contacts::put(batch, &key, &row)?;
        }
        key = above;
    }
}
