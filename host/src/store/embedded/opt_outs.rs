//! Who wants no messages: kept per tenant and contact, set by the contact's own word, by its provider,
//! or by an operator.

use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{conversation_key, owned_by, pack, read_conversation_key, unpack};
use super::mirror::Effect;
use super::tables::define;
use super::{contacts, ties, views};
use crate::event::Consent;
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::contacts::{Cause, OptOut};
use crate::store::quotas::Shelf;
use crate::store::{AuditEntry, Error};
use crate::tenant::quotas::Kind;

fn find(batch: &Batch<'_>, key: &ConversationKey) -> Step<Option<OptOut>> {
    let row = batch.tables.opt_outs.get()?.get(conversation_key(key).as_slice())?;
    Ok(row.map(|row| unpack("opt_outs", row.value())).transpose()?)
}

fn write(batch: &mut Batch<'_>, key: &ConversationKey, opt_out: &OptOut) -> Step<()> {
    let row = conversation_key(key);
    let known = batch.tables.opt_outs.put()?.insert(row.as_slice(), pack(opt_out).as_slice())?.is_some();
    if !known {
        batch.effects.push(Effect::OptedOut(1));
    }
    Ok(())
}

fn remove(batch: &mut Batch<'_>, key: &ConversationKey) -> Step<bool> {
    let row = conversation_key(key);
    if batch.tables.opt_outs.get()?.get(row.as_slice())?.is_none() {
        return Ok(false);
    }
    batch.tables.opt_outs.put()?.remove(row.as_slice())?;
    batch.effects.push(Effect::OptedOut(-1));
    Ok(true)
}

/// Since when messages are wanted again, if they ever were not.
fn lifted(batch: &Batch<'_>, key: &ConversationKey) -> Step<Option<Timestamp>> {
    let row = batch.tables.opted_in.get()?.get(conversation_key(key).as_slice())?;
    Ok(row.map(|row| Timestamp::from_ms(row.value())))
}

fn remember_lifted(batch: &mut Batch<'_>, key: &ConversationKey, at: Timestamp) -> Step<()> {
    if lifted(batch, key)?.is_none_or(|before| before < at) {
        batch.tables.opted_in.put()?.insert(conversation_key(key).as_slice(), at.as_ms())?;
    }
    Ok(())
}

/// Was it taken back already by what was wished later?
pub fn is_past(batch: &Batch<'_>, key: &ConversationKey, at: Timestamp) -> Step<bool> {
    Ok(lifted(batch, key)?.is_some_and(|since| at < since))
}

fn is_providers(opt_out: &OptOut) -> bool {
    opt_out.cause == Cause::Provider
}

/// From now on nothing goes out. One that is there stays: it tells since when; but the contact's own
/// word takes the place of its provider's. Whether this is new.
pub fn refuse(batch: &mut Batch<'_>, key: &ConversationKey, opt_out: OptOut) -> Step<bool> {
    let known = find(batch, key)?;
    if known.as_ref().is_some_and(|known| is_providers(&opt_out) || !is_providers(known)) {
        return Ok(false);
    }
    let since = known.map_or(opt_out.since, |known| known.since.min(opt_out.since));
    write(batch, key, &OptOut { since, ..opt_out })?;
    Ok(true)
}

/// Messages are wanted again, as was said at `at`. Whether there was anything to lift.
pub fn lift(batch: &mut Batch<'_>, key: &ConversationKey, at: Timestamp) -> Step<bool> {
    let was_there = remove(batch, key)?;
    if was_there {
        remember_lifted(batch, key, at)?;
    }
    Ok(was_there)
}

/// The contact wrote, and no stop word: what its provider told of it before is lifted. A switch of
/// the provider's is mostly about advertisements, and nobody asks without wanting an answer. What the
/// contact wrote itself stays, and so does what an operator set.
pub fn wrote(batch: &mut Batch<'_>, key: &ConversationKey, at: Timestamp) -> Step<()> {
    if find(batch, key)?.is_some_and(|known| is_providers(&known) && known.since <= at) {
        lift(batch, key, at)?;
    }
    Ok(())
}

/// Would a stop word of the contact's change anything?
pub fn may_refuse(batch: &Batch<'_>, key: &ConversationKey) -> Step<bool> {
    Ok(find(batch, key)?.is_none_or(|known| is_providers(&known)))
}

pub fn is_opted_out(batch: &Batch<'_>, key: &ConversationKey) -> Step<bool> {
    Ok(batch.tables.opt_outs.get()?.get(conversation_key(key).as_slice())?.is_some())
}

/// For one more that is put down.
fn has_room(batch: &Batch<'_>, tenant: TenantId) -> Step<()> {
    let kept = batch.usage(tenant).of(Shelf::OptOuts).rows + 1;
    Ok(batch.mirror.allow(tenant, Kind::OptOuts, kept)?)
}

/// By an operator or a tenant. Of somebody whom the tenant has nothing of it is kept under the key as
/// written, and holds from when the tenant has the person.
pub fn set(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    opt_out: Option<&OptOut>,
    actor: &str,
    now: Timestamp,
) -> Step<()> {
    let contact = views::of_tenant(batch, key.tenant, &key.contact)?;
    let key = ConversationKey { tenant: key.tenant, contact };
    let (action, detail) = match opt_out {
        // What a provider tells does not take the place of what was wished.
        Some(opt_out) if is_providers(opt_out) && is_opted_out(batch, &key)? => return Ok(()),
        Some(opt_out) => {
            if !is_opted_out(batch, &key)? {
                has_room(batch, key.tenant)?;
            }
            write(batch, &key, opt_out)?;
            ("opt out", serde_json::json!({ "reason": opt_out.note }))
        }
        None if !is_opted_out(batch, &key)? => {
            let what = format!("this contact has not opted out of tenant {}", key.tenant);
            return Err(Error::NotFound(what).into());
        }
        None => {
            lift(batch, &key, now)?;
            ("opt in", serde_json::Value::Null)
        }
    };
    batch.state.touch(now);
    let subject = super::named(&key);
    batch.audit(&AuditEntry { at: now, actor: actor.into(), action: action.into(), subject, detail })
}

/// A switch of the provider's own: it is about the tenant that the contact talks to through this sender.
/// `named`: the tenant that the webhook's address names.
pub fn consent(
    batch: &mut Batch<'_>,
    consent: &Consent,
    (sender, named): (&SenderName, Option<TenantId>),
    now: Timestamp,
) -> Step<()> {
    let directory = batch.mirror.directory.load_full();
    let person = contacts::resolve(batch, &consent.contact, &consent.aliases)?;
    let dedicated = directory.senders.get(sender).and_then(|sender| sender.tenant);
    let tenant = dedicated.or(person.lock.map(|lock| lock.tenant)).or(named);
    let Some(tenant) = tenant else { return Ok(()) };
    let known = match dedicated {
        Some(tenant) => views::resolve(batch, tenant, &consent.contact, &consent.aliases)?.canonical,
        None => person.canonical,
    };
    let key = ConversationKey { tenant, contact: views::of_tenant(batch, tenant, &known)? };
    let at = if consent.at > Timestamp::ZERO && consent.at < now { consent.at } else { now };
    // A tenant's own number may tell of anybody.
    if dedicated.is_some()
        && !is_opted_out(batch, &key)?
        && !(consent.opted_in && lifted(batch, &key)?.is_some())
    {
        has_room(batch, tenant)?;
    }
    // What is told late or again does not undo what was wished since.
    if !consent.opted_in {
        if !is_past(batch, &key, at)? {
            refuse(batch, &key, OptOut::by_provider(at))?;
        }
        return Ok(());
    }
    if find(batch, &key)?.is_none_or(|known| known.since <= at) {
        remove(batch, &key)?;
        remember_lifted(batch, &key, at)?;
        ties::put(batch, &key.contact, tenant, ties::By::Own)?;
    }
    Ok(())
}

/// Of one person's two wishes the stricter holds.
pub fn join(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<()> {
    let row = conversation_key(from);
    if let Some(since) = lifted(batch, from)? {
        batch.tables.opted_in.put()?.remove(row.as_slice())?;
        remember_lifted(batch, into, since)?;
    }
    let Some(theirs) = find(batch, from)? else { return Ok(()) };
    remove(batch, from)?;
    let strictness = |opt_out: &OptOut| (is_providers(opt_out), opt_out.since);
    match find(batch, into)? {
        Some(ours) if strictness(&ours) <= strictness(&theirs) => Ok(()),
        _ => write(batch, into, &theirs),
    }
}

/// The other one wants none either, as far as can be told.
pub fn share(batch: &mut Batch<'_>, of: &ConversationKey, with: &ConversationKey) -> Step<()> {
    match find(batch, of)? {
        Some(opt_out) if find(batch, with)?.is_none() => write(batch, with, &opt_out),
        _ => Ok(()),
    }
}

/// By any key that the tenant knows the contact by.
pub fn read(snapshot: &ReadTransaction, key: &ConversationKey) -> Step<Option<OptOut>> {
    let table = snapshot.open_table(define::opt_outs)?;
    let of = |key: &ConversationKey| -> Step<Option<OptOut>> {
        let row = ReadableTable::get(&table, conversation_key(key).as_slice())?;
        Ok(row.map(|row| unpack("opt_outs", row.value())).transpose()?)
    };
    if let Some(found) = of(key)? {
        return Ok(Some(found));
    }
    let contact = views::find(snapshot, key.tenant, &key.contact)?;
    if contact == key.contact { Ok(None) } else { of(&ConversationKey { tenant: key.tenant, contact }) }
}

/// A tenant's, in the order of the contacts, after `after`.
pub fn list(
    snapshot: &ReadTransaction,
    tenant: TenantId,
    after: Option<&ContactKey>,
    limit: usize,
) -> Step<Vec<(ContactKey, OptOut)>> {
    let first = owned_by(tenant.get(), after.map_or("", ContactKey::as_str));
    let from = if after.is_some() { Bound::Excluded(first) } else { Bound::Included(first) };
    let table = snapshot.open_table(define::opt_outs)?;
    let mut found = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&table, (from.as_ref().map(Vec::as_slice), Bound::Unbounded))? {
        let (key, row) = row?;
        let key = read_conversation_key("opt_outs", key.value())?;
        if key.tenant != tenant || found.len() == limit {
            break;
        }
        found.push((key.contact, unpack("opt_outs", row.value())?));
    }
    Ok(found)
}
