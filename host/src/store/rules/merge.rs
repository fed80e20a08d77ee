//! Two keys turn out to be one person's: one becomes an alias of the other, and everything that is kept
//! under it is kept under the other from then on, in one commit. And back: an alias becomes a person of
//! its own again, with the lock it had. What was said meanwhile stays where it is.

use std::collections::BTreeSet;

use serde_json::json;

use super::contacts::{self, Known};
use super::{contact_tenants, leads, lookups, opt_outs, views};
use crate::event::{SameBecause, SamePerson};
use crate::identity;
use crate::message::{ContactKey, ConversationKey, OrganizationId, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::contacts::Person;
use crate::store::rows::contact::Contact;
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{Aliases, Contacts, Notices, Rows, Step};
use crate::store::{AuditEntry, Error};
use crate::tenant::Sender;

pub mod conversation;
pub mod unify;

/// Who acts when nobody asked.
pub const GATEWAY: &str = "gateway";

/// Who merges, and why.
pub struct By<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
    pub now: Timestamp,
}

/// What a message proved of a person is kept.
pub fn all(rows: &mut impl Rows, known: &Known, by: &By<'_>) -> Step<()> {
    for other in &known.others {
        join(rows, other, &known.canonical, by)?;
    }
    Ok(())
}

/// `from` becomes an alias of `into`; both are canonical and not the same. The older lock wins, and
/// what is kept under both is joined tenant by tenant.
fn join(rows: &mut impl Rows, from: &ContactKey, into: &ContactKey, by: &By<'_>) -> Step<()> {
    let theirs = contacts::row(rows, from)?.unwrap_or_default().lock;
    let ours = contacts::row(rows, into)?.unwrap_or_default().lock;
    let lock = older(ours.clone(), theirs.clone());
    let by_hand = by.actor != GATEWAY;
    let moved =
        move_everything(rows, (from, theirs.as_ref()), (into, ours.as_ref()), lock.as_ref(), by_hand)?;
    let replaced = ours.clone().filter(|_| lock != ours);
    if let Some(replaced) = &replaced {
        // No lock tells of this conversation any more.
        contact_tenants::put(rows, into, replaced.tenant, KnownBy::Shared)?;
    }
    for gone in theirs.iter().chain(&ours) {
        rows.changes_mut().count_lock(gone.tenant, -1);
    }
    if let Some(lock) = &lock {
        rows.changes_mut().count_lock(lock.tenant, 1);
        contacts::put(rows, into, &Contact { lock: Some(lock.clone()), ..Contact::default() })?;
    }
    let alias = Contact {
        alias_of: Some(into.clone()),
        former: theirs.clone(),
        replaced: replaced.clone(),
        lock: None,
    };
    contacts::put(rows, from, &alias)?;
    rows.put::<Aliases>(&(into.clone(), from.clone()), &())?;
    for key in [from, into] {
        lookups::answered(rows, key, None)?;
    }
    // A hidden id that brought nothing with it is no deed; there is one for nearly every contact.
    if theirs.is_some() || !moved.is_empty() || by.actor != GATEWAY {
        rows.audit(&AuditEntry {
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
    rows.touch(by.now);
    Ok(())
}

/// Conversations, opt-outs, leads, and the notice to strangers, of the tenants that have both keys or win
/// the lock; by hand, of all. The others go on under the key that they have: the other one is no news for
/// them. The tenants whose conversations moved.
fn move_everything(
    rows: &mut impl Rows,
    (from, theirs): (&ContactKey, Option<&Lock>),
    (into, ours): (&ContactKey, Option<&Lock>),
    winner: Option<&Lock>,
    by_hand: bool,
) -> Step<Vec<TenantId>> {
    let of = |key: &ContactKey, lock: Option<&Lock>| -> Step<BTreeSet<TenantId>> {
        let ties =
            contact_tenants::of(rows, key)?.into_iter().filter(|(_, by)| by_hand || *by == KnownBy::Shared);
        let mut tenants: BTreeSet<TenantId> = ties.map(|(tenant, _)| tenant).collect();
        tenants.extend(lock.map(|lock| lock.tenant));
        Ok(tenants)
    };
    let (old, mut knowing) = (of(from, theirs)?, of(into, ours)?);
    knowing.extend(winner.map(|lock| lock.tenant));
    if by_hand {
        knowing.extend(&old);
    }
    let keys = contacts::keys_of(rows, from)?;
    let mut moved = Vec::new();
    for tenant in old.union(&knowing).copied().collect::<Vec<_>>() {
        if !knowing.contains(&tenant) {
            // No lock tells of this conversation any more.
            contact_tenants::put(rows, from, tenant, KnownBy::Shared)?;
            continue;
        }
        contact_tenants::put(rows, into, tenant, KnownBy::Shared)?;
        let mut any = false;
        for key in &keys {
            let of = ConversationKey { tenant, contact: key.clone() };
            let is_kept = key == from && old.contains(&tenant)
                || contact_tenants::find(rows, key, tenant)?.is_some()
                || opt_outs::is_opted_out(rows, &of)?;
            any |= is_kept && unify::unify(rows, tenant, key, into)?;
        }
        if any {
            moved.push(tenant);
        }
    }
    if let Some(told) = rows.take::<Notices>(from)? {
        unify::unify(rows, TenantId::GATEWAY, from, into)?;
        let known = rows.get::<Notices>(into)?.unwrap_or(told);
        rows.put::<Notices>(into, &told.max(known))?;
    }
    let directory = rows.index().directory.load_full();
    let organizations: BTreeSet<OrganizationId> =
        knowing.iter().filter_map(|tenant| directory.organization_of(*tenant)).collect();
    for organization in organizations {
        leads::join(rows, organization, from, into, &knowing)?;
    }
    Ok(moved)
}

/// First contact wins; of two at the same moment the first of these two.
fn older(one: Option<Lock>, other: Option<Lock>) -> Option<Lock> {
    [one, other].into_iter().flatten().min_by_key(|lock| lock.since)
}

/// What was learnt of a person is kept. What comes through nobody's number proves nothing.
pub fn hear(rows: &mut impl Rows, same: &SamePerson, now: Timestamp) -> Step<bool> {
    let directory = rows.index().directory.load_full();
    let Some(sender) = directory.sender_of(same.provider, &same.account) else { return Ok(false) };
    let by = By { actor: GATEWAY, reason: same.because.name(), now };
    let number_changed = same.because == SameBecause::NumberChanged;
    learn(rows, sender, (&same.known, &same.also), number_changed, &by)
}

/// What a provider says of two keys, through this sender: to everybody through a shared one, to its tenant
/// alone through a dedicated one. Two phone numbers are two people, unless a number changed.
fn learn(
    rows: &mut impl Rows,
    sender: &Sender,
    (known, also): (&ContactKey, &ContactKey),
    number_changed: bool,
    by: &By<'_>,
) -> Step<bool> {
    // Whatever comes of it, this owner's numbers need not be asked again.
    for key in [known, also] {
        lookups::answered(rows, key, sender.tenant)?;
    }
    let one_person = |ones: &[ContactKey], others: &[ContactKey]| {
        ones.first() != others.first()
            && (number_changed || !contacts::both_have(ones, others, identity::is_phone))
    };
    let Some(tenant) = sender.tenant else {
        let of = |key| contacts::keys_of(rows, &contacts::canonical(rows, key)?);
        if !one_person(&of(known)?, &of(also)?) {
            return Ok(false);
        }
        let person = contacts::resolve(rows, known, std::slice::from_ref(also))?;
        all(rows, &person, by)?;
        return Ok(!person.others.is_empty());
    };
    let of = |key| views::keys_of(rows, tenant, &views::of_tenant(rows, tenant, key)?);
    if !one_person(&of(known)?, &of(also)?) {
        return Ok(false);
    }
    let person = views::resolve(rows, tenant, known, std::slice::from_ref(also))?;
    for_tenant(rows, tenant, &person, by)?;
    Ok(!person.others.is_empty())
}

/// What a number of this tenant's own proved is kept, for this tenant.
pub fn for_tenant(rows: &mut impl Rows, tenant: TenantId, known: &Known, by: &By<'_>) -> Step<()> {
    for other in &known.others {
        if unify::unify(rows, tenant, other, &known.canonical)? {
            rows.audit(&AuditEntry {
                at: by.now,
                actor: by.actor.into(),
                action: "merge".into(),
                subject: known.canonical.to_string(),
                detail: json!({ "merged": other, "reason": by.reason, "conversations_with": [tenant] }),
            })?;
        }
        rows.touch(by.now);
    }
    Ok(())
}

/// By an operator, who may join whatever he likes; `into` stays what it is called.
pub fn merge(rows: &mut impl Rows, from: &ContactKey, into: &ContactKey, by: &By<'_>) -> Step<Person> {
    let (one, other) = (contacts::canonical(rows, from)?, contacts::canonical(rows, into)?);
    if one == other {
        return Err(Error::Conflict(format!("{from} and {into} are one person already")).into());
    }
    for (left, right) in [(from, into), (&one, &other)] {
        contacts::forget_apart(rows, left, right)?;
    }
    join(rows, &one, &other, by)?;
    person(rows, &other)
}

fn person(rows: &impl Rows, canonical: &ContactKey) -> Step<Person> {
    let mut aliases = contacts::keys_of(rows, canonical)?;
    let canonical = aliases.remove(0);
    let lock = contacts::row(rows, &canonical)?.and_then(|row| row.lock);
    Ok(Person { canonical, aliases, lock, own: Vec::new() })
}

/// `alias` and whatever was merged into it earlier leave, with the lock it had. Payloads that name both
/// do not merge them again.
pub fn unmerge(rows: &mut impl Rows, alias: &ContactKey, by: &By<'_>) -> Step<Person> {
    let row = contacts::row(rows, alias)?.unwrap_or_default();
    let own = views::leave(rows, alias)?;
    for (_, key) in &own {
        contacts::tell_apart(rows, alias, key)?;
    }
    let Some(parent) = row.alias_of else {
        if let Some((_, key)) = own.first() {
            return told_apart(rows, alias, key, &own, by);
        }
        let what = format!("{alias} is nobody's alias; unmerge one of the aliases that `contact show` lists");
        return Err(Error::Conflict(what).into());
    };
    let canonical = contacts::canonical(rows, &parent)?;
    give_back(rows, &parent, row.former.as_ref(), row.replaced)?;
    rows.remove::<Aliases>(&(parent.clone(), alias.clone()))?;
    rows.remove::<Contacts>(alias)?;
    if let Some(lock) = &row.former {
        contacts::lock(rows, alias, lock.clone())?;
    }
    contacts::tell_apart(rows, alias, &parent)?;
    contacts::tell_apart(rows, alias, &canonical)?;
    // Whose wish it was nobody knows any more: both of them get no messages.
    for (tenant, _) in contact_tenants::of(rows, &canonical)? {
        let of = |contact: &ContactKey| ConversationKey { tenant, contact: contact.clone() };
        opt_outs::share(rows, &of(&canonical), &of(alias))?;
    }
    let person = person(rows, &canonical)?;
    rows.touch(by.now);
    rows.audit(&AuditEntry {
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
    rows: &mut impl Rows,
    alias: &ContactKey,
    from: &ContactKey,
    own: &[(TenantId, ContactKey)],
    by: &By<'_>,
) -> Step<Person> {
    let tenants: Vec<TenantId> = own.iter().map(|(tenant, _)| *tenant).collect();
    rows.audit(&AuditEntry {
        at: by.now,
        actor: by.actor.into(),
        action: "unmerge".into(),
        subject: alias.to_string(),
        detail: json!({ "was_alias_of": from, "at_tenants": tenants }),
    })?;
    rows.touch(by.now);
    let canonical = contacts::canonical(rows, from)?;
    person(rows, &canonical)
}

/// Takes the alias's lock from whoever has it by the merge, and gives back the one it had replaced.
fn give_back(
    rows: &mut impl Rows,
    parent: &ContactKey,
    former: Option<&Lock>,
    replaced: Option<Lock>,
) -> Step<()> {
    let (mut key, mut next) = (parent.clone(), replaced);
    loop {
        let mut row = contacts::row(rows, &key)?.unwrap_or_default();
        let taken = former.is_some() && row.lock.as_ref().or(row.former.as_ref()) == former;
        let Some(above) = row.alias_of.clone() else {
            if taken {
                for (lock, by) in [(&row.lock, -1), (&next, 1)] {
                    if let Some(lock) = lock {
                        rows.changes_mut().count_lock(lock.tenant, by);
                    }
                }
                contacts::put(rows, &key, &Contact { lock: next, ..row })?;
            }
            return Ok(());
        };
        if taken {
            let own = next.clone();
            next = older(next, row.replaced.clone());
            row.former = own;
            contacts::put(rows, &key, &row)?;
        }
        key = above;
    }
}
