//! Who wants no messages: kept per tenant and contact, set by the contact's own word, by its provider,
//! or by an operator.

use super::{contact_tenants, contacts, views};
use crate::event::Consent;
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::contacts::{Cause, OptOut};
use crate::store::quotas::Shelf;
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{OptOuts, OptedIn, ReadRows, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::{AuditEntry, Error};
use crate::tenant::quotas::Kind;

fn find(rows: &impl ReadRows, key: &ConversationKey) -> Step<Option<OptOut>> {
    rows.get::<OptOuts>(key)
}

fn write(rows: &mut impl Rows, key: &ConversationKey, opt_out: &OptOut) -> Step<()> {
    if !rows.put::<OptOuts>(key, opt_out)? {
        rows.effect(Effect::OptedOut(1));
    }
    Ok(())
}

fn remove(rows: &mut impl Rows, key: &ConversationKey) -> Step<bool> {
    let was_there = rows.remove::<OptOuts>(key)?;
    if was_there {
        rows.effect(Effect::OptedOut(-1));
    }
    Ok(was_there)
}

/// Since when messages are wanted again, if they ever were not.
fn lifted(rows: &impl ReadRows, key: &ConversationKey) -> Step<Option<Timestamp>> {
    rows.get::<OptedIn>(key)
}

fn remember_lifted(rows: &mut impl Rows, key: &ConversationKey, at: Timestamp) -> Step<()> {
    if lifted(rows, key)?.is_none_or(|before| before < at) {
        rows.put::<OptedIn>(key, &at)?;
    }
    Ok(())
}

/// Was it taken back already by what was wished later?
pub fn is_past(rows: &impl ReadRows, key: &ConversationKey, at: Timestamp) -> Step<bool> {
    Ok(lifted(rows, key)?.is_some_and(|since| at < since))
}

fn is_providers(opt_out: &OptOut) -> bool {
    opt_out.cause == Cause::Provider
}

/// From now on nothing goes out. One that is there stays: it tells since when; but the contact's own
/// word takes the place of its provider's. Whether this is new.
pub fn refuse(rows: &mut impl Rows, key: &ConversationKey, opt_out: OptOut) -> Step<bool> {
    let known = find(rows, key)?;
    if known.as_ref().is_some_and(|known| is_providers(&opt_out) || !is_providers(known)) {
        return Ok(false);
    }
    let since = known.map_or(opt_out.since, |known| known.since.min(opt_out.since));
    write(rows, key, &OptOut { since, ..opt_out })?;
    Ok(true)
}

/// Messages are wanted again, as was said at `at`. Whether there was anything to lift.
pub fn lift(rows: &mut impl Rows, key: &ConversationKey, at: Timestamp) -> Step<bool> {
    let was_there = remove(rows, key)?;
    if was_there {
        remember_lifted(rows, key, at)?;
    }
    Ok(was_there)
}

/// The contact wrote, and no stop word: what its provider told of it before is lifted. A switch of
/// the provider's is mostly about advertisements, and nobody asks without wanting an answer. What the
/// contact wrote itself stays, and so does what an operator set.
pub fn wrote(rows: &mut impl Rows, key: &ConversationKey, at: Timestamp) -> Step<()> {
    if find(rows, key)?.is_some_and(|known| is_providers(&known) && known.since <= at) {
        lift(rows, key, at)?;
    }
    Ok(())
}

/// Would a stop word of the contact's change anything?
pub fn may_refuse(rows: &impl ReadRows, key: &ConversationKey) -> Step<bool> {
    Ok(find(rows, key)?.is_none_or(|known| is_providers(&known)))
}

pub fn is_opted_out(rows: &impl ReadRows, key: &ConversationKey) -> Step<bool> {
    rows.has::<OptOuts>(key)
}

/// For one more that is put down.
fn has_room(rows: &impl Rows, tenant: TenantId) -> Step<()> {
    let kept = rows.usage(tenant).of(Shelf::OptOuts).rows + 1;
    Ok(rows.index().allow(tenant, Kind::OptOuts, kept)?)
}

/// By an operator or a tenant. Of somebody whom the tenant has nothing of it is kept under the key as
/// written, and holds from when the tenant has the person.
pub fn set(
    rows: &mut impl Rows,
    key: &ConversationKey,
    opt_out: Option<&OptOut>,
    actor: &str,
    now: Timestamp,
) -> Step<()> {
    let contact = views::of_tenant(rows, key.tenant, &key.contact)?;
    let key = ConversationKey { tenant: key.tenant, contact };
    let (action, detail) = match opt_out {
        // What a provider tells does not take the place of what was wished.
        Some(opt_out) if is_providers(opt_out) && is_opted_out(rows, &key)? => return Ok(()),
        Some(opt_out) => {
            if !is_opted_out(rows, &key)? {
                has_room(rows, key.tenant)?;
            }
            write(rows, &key, opt_out)?;
            ("opt out", serde_json::json!({ "reason": opt_out.note }))
        }
        None if !is_opted_out(rows, &key)? => {
            let what = format!("this contact has not opted out of tenant {}", key.tenant);
            return Err(Error::NotFound(what).into());
        }
        None => {
            lift(rows, &key, now)?;
            ("opt in", serde_json::Value::Null)
        }
    };
    rows.touch(now);
    let subject = super::named(&key);
    rows.audit(&AuditEntry { at: now, actor: actor.into(), action: action.into(), subject, detail })
}

/// A switch of the provider's own: it is about the tenant that the contact talks to through this sender.
/// `named`: the tenant that the webhook's address names.
pub fn consent(
    rows: &mut impl Rows,
    consent: &Consent,
    (sender, named): (&SenderName, Option<TenantId>),
    now: Timestamp,
) -> Step<()> {
    let directory = rows.index().directory.load_full();
    let person = contacts::resolve(rows, &consent.contact, &consent.aliases)?;
    let dedicated = directory.senders.get(sender).and_then(|sender| sender.tenant);
    let tenant = dedicated.or(person.lock.map(|lock| lock.tenant)).or(named);
    let Some(tenant) = tenant else { return Ok(()) };
    let known = match dedicated {
        Some(tenant) => views::resolve(rows, tenant, &consent.contact, &consent.aliases)?.canonical,
        None => person.canonical,
    };
    let key = ConversationKey { tenant, contact: views::of_tenant(rows, tenant, &known)? };
    let at = if consent.at > Timestamp::ZERO && consent.at < now { consent.at } else { now };
    // A tenant's own number may tell of anybody.
    if dedicated.is_some()
        && !is_opted_out(rows, &key)?
        && !(consent.opted_in && lifted(rows, &key)?.is_some())
    {
        has_room(rows, tenant)?;
    }
    // What is told late or again does not undo what was wished since.
    if !consent.opted_in {
        if !is_past(rows, &key, at)? {
            refuse(rows, &key, OptOut::by_provider(at))?;
        }
        return Ok(());
    }
    if find(rows, &key)?.is_none_or(|known| known.since <= at) {
        remove(rows, &key)?;
        remember_lifted(rows, &key, at)?;
        contact_tenants::put(rows, &key.contact, tenant, KnownBy::Own)?;
    }
    Ok(())
}

/// Of one person's two wishes the stricter holds.
pub fn join(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<()> {
    if let Some(since) = lifted(rows, from)? {
        rows.remove::<OptedIn>(from)?;
        remember_lifted(rows, into, since)?;
    }
    let Some(theirs) = find(rows, from)? else { return Ok(()) };
    remove(rows, from)?;
    let strictness = |opt_out: &OptOut| (is_providers(opt_out), opt_out.since);
    match find(rows, into)? {
        Some(ours) if strictness(&ours) <= strictness(&theirs) => Ok(()),
        _ => write(rows, into, &theirs),
    }
}

/// The other one wants none either, as far as can be told.
pub fn share(rows: &mut impl Rows, of: &ConversationKey, with: &ConversationKey) -> Step<()> {
    match find(rows, of)? {
        Some(opt_out) if find(rows, with)?.is_none() => write(rows, with, &opt_out),
        _ => Ok(()),
    }
}

/// By any key that the tenant knows the contact by.
pub fn read(rows: &impl ReadRows, key: &ConversationKey) -> Step<Option<OptOut>> {
    if let Some(found) = find(rows, key)? {
        return Ok(Some(found));
    }
    let contact = views::of_tenant(rows, key.tenant, &key.contact)?;
    if contact == key.contact {
        Ok(None)
    } else {
        find(rows, &ConversationKey { tenant: key.tenant, contact })
    }
}

/// A tenant's, in the order of the contacts, after `after`.
pub fn list(
    rows: &impl ReadRows,
    tenant: TenantId,
    after: Option<&ContactKey>,
    limit: usize,
) -> Step<Vec<(ContactKey, OptOut)>> {
    let first = after.cloned().unwrap_or_else(|| ContactKey::from_stored(""));
    let first = ConversationKey { tenant, contact: first };
    let mut found = Vec::new();
    // The first may be the one that was seen last.
    rows.each_of::<OptOuts>(
        &first,
        limit.saturating_add(1),
        |key| key.tenant == tenant,
        |key, opt_out| {
            if after != Some(&key.contact) && found.len() < limit {
                found.push((key.contact, opt_out?));
            }
            Ok(())
        },
    )?;
    Ok(found)
}
