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
use super::{leads, lookups, opt_outs, ties};
use crate::identity;
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::contacts::Person;
use crate::store::{AuditEntry, Error};
use crate::tenant::Sender;

pub mod conversation;
pub mod moved;
pub mod scope;

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
    let moved = move_everything(batch, from, into, theirs.as_ref())?;
    let replaced = ours.clone().filter(|_| lock != ours);
    if let Some(replaced) = &replaced {
        // No lock tells of this conversation any more.
        ties::put(batch, into, replaced.tenant)?;
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
        lookups::answered(batch, key)?;
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

/// Conversations, opt-outs, leads, and the notice to strangers. The tenants whose conversations moved.
fn move_everything(
    batch: &mut Batch<'_>,
    from: &ContactKey,
    into: &ContactKey,
    lock: Option<&Lock>,
) -> Step<Vec<TenantId>> {
    let mut tenants: BTreeSet<TenantId> = ties::of(batch, from)?.into_iter().collect();
    tenants.extend(lock.map(|lock| lock.tenant));
    let mut moved = Vec::new();
    for tenant in &tenants {
        let key = |contact: &ContactKey| ConversationKey { tenant: *tenant, contact: contact.clone() };
        let (from, into) = (key(from), key(into));
        if conversation::join(batch, &from, &into)? {
            moved.push(*tenant);
        }
        opt_outs::join(batch, &from, &into)?;
        ties::put(batch, &into.contact, *tenant)?;
        ties::remove(batch, &from.contact, *tenant)?;
    }
    let told = batch.tables.notices.get()?.get(from.as_str().as_bytes())?.map(|row| row.value());
    if let Some(told) = told {
        let stranger =
            |contact: &ContactKey| ConversationKey { tenant: TenantId::GATEWAY, contact: contact.clone() };
        conversation::join(batch, &stranger(from), &stranger(into))?;
        let notices = batch.tables.notices.put()?;
        notices.remove(from.as_str().as_bytes())?;
        let known = notices.get(into.as_str().as_bytes())?.map_or(told, |row| row.value());
        notices.insert(into.as_str().as_bytes(), told.max(known))?;
    }
    let directory = batch.mirror.directory.load_full();
    let organizations: BTreeSet<u32> =
        tenants.iter().filter_map(|tenant| directory.organization_of(*tenant)).map(|id| id.0).collect();
    for organization in organizations {
        leads::join(batch, organization, from, into)?;
    }
    Ok(moved)
}

/// First contact wins; of two at the same moment the first of these two.
fn older(one: Option<Lock>, other: Option<Lock>) -> Option<Lock> {
    [one, other].into_iter().flatten().min_by_key(|lock| lock.since)
}

/// What a provider says of two keys, through this sender. Two phone numbers are two people, unless a
/// number changed.
pub fn learn(
    batch: &mut Batch<'_>,
    sender: &Sender,
    (known, also): (&ContactKey, &ContactKey),
    number_changed: bool,
    by: &By<'_>,
) -> Step<bool> {
    let (one, other) = (contacts::canonical(batch, known)?, contacts::canonical(batch, also)?);
    if one == other {
        return Ok(false);
    }
    let (ones, others) = (contacts::keys_of(batch, &one)?, contacts::keys_of(batch, &other)?);
    if !number_changed && contacts::both_have(&ones, &others, identity::is_phone) {
        return Ok(false);
    }
    let also = scope::believed(batch, sender, (known, std::slice::from_ref(also)), by.now)?;
    let person = contacts::resolve(batch, known, &also)?;
    all(batch, &person, by)?;
    Ok(!person.others.is_empty())
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
    Ok(Person { canonical, aliases, lock })
}

/// `alias` and whatever was merged into it earlier leave, with the lock it had. Payloads that name both
/// do not merge them again.
pub fn unmerge(batch: &mut Batch<'_>, alias: &ContactKey, by: &By<'_>) -> Step<Person> {
    let row = contacts::row(batch, alias)?.unwrap_or_default();
    let Some(parent) = row.alias_of else {
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
    for tenant in ties::of(batch, &canonical)? {
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
