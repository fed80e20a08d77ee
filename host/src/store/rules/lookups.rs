//! Hidden ids whose phone numbers are asked for. One that was asked for once stays written down, so
//! that it is not asked for again with every message.

use super::{contacts, views};
use crate::identity;
use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::store::contacts::Lookup;
use crate::store::rows::lookup::LookupRow;
use crate::store::rows::{Lookups, LookupsDue, ReadRows, Rows, Step};

/// Between two that are made due together: what others wait for is not behind all of them.
const APART_MS: i64 = 50;

fn write(rows: &mut impl Rows, contact: &ContactKey, row: &LookupRow) -> Step<()> {
    rows.put::<Lookups>(contact, row)?;
    if let Some(due) = row.due {
        rows.put::<LookupsDue>(&(due, contact.clone()), &())?;
    }
    rows.changes_mut().lookups_changed = true;
    Ok(())
}

/// A message came from this hidden id and did not say more: its phone number is asked for, unless it
/// was before or is known.
pub fn wanted(
    rows: &mut impl Rows,
    contact: &ContactKey,
    canonical: &ContactKey,
    sender: &SenderName,
    now: Timestamp,
) -> Step<()> {
    if !contacts::is_hidden(contact) || identity::is_phone(canonical) {
        return Ok(());
    }
    let directory = rows.index().directory.load_full();
    let whose = |name: &SenderName| directory.senders.get(name).and_then(|sender| sender.tenant);
    if directory.senders.get(sender).is_none_or(|sender| !sender.provider().has_sessions()) {
        return Ok(());
    }
    // What another owner's number was told does not hold here.
    if rows.get::<Lookups>(contact)?.is_some_and(|before| whose(&before.sender) == whose(sender)) {
        return Ok(());
    }
    let keys = match whose(sender) {
        Some(tenant) => views::keys_of(rows, tenant, canonical)?,
        None => contacts::keys_of(rows, canonical)?,
    };
    if keys.iter().any(identity::is_phone) {
        return Ok(());
    }
    stop(rows, contact)?;
    write(rows, contact, &LookupRow { due: Some(now), sender: sender.clone(), misses: 0, since: now })
}

/// Its phone number is known now to whom it is asked for, if it was ever asked for. `owner`: of the sender
/// that told it.
pub fn answered(rows: &mut impl Rows, contact: &ContactKey, owner: Option<TenantId>) -> Step<()> {
    let Some(asked) = rows.get::<Lookups>(contact)? else { return Ok(()) };
    let directory = rows.index().directory.load_full();
    let whose = directory.senders.get(&asked.sender).and_then(|sender| sender.tenant);
    if whose == owner { stop(rows, contact) } else { Ok(()) }
}

fn stop(rows: &mut impl Rows, contact: &ContactKey) -> Step<()> {
    change(rows, contact, |asked| asked.due = None)
}

/// Nobody knew: asked again at this time, or never.
pub fn missed(rows: &mut impl Rows, contact: &ContactKey, again: Option<Timestamp>) -> Step<()> {
    change(rows, contact, |asked| {
        asked.due = again;
        asked.misses = asked.misses.saturating_add(1);
    })
}

/// Nobody could be asked.
pub fn put_off(rows: &mut impl Rows, contact: &ContactKey, again: Timestamp) -> Step<()> {
    change(rows, contact, |asked| asked.due = Some(again))
}

/// What waits through this sender is due from now on, one after the other.
pub fn again(rows: &mut impl Rows, sender: &SenderName, now: Timestamp, limit: usize) -> Step<usize> {
    let mut waiting = Vec::new();
    rows.each::<Lookups>(
        &nobody(),
        |_| true,
        |contact, asked| {
            let asked = asked?;
            if waiting.len() < limit && asked.sender == *sender && asked.due.is_some_and(|due| due > now) {
                waiting.push(contact);
            }
            Ok(())
        },
    )?;
    for (contact, place) in waiting.iter().zip(0..) {
        put_off(rows, contact, now.plus_ms(place * APART_MS))?;
    }
    Ok(waiting.len())
}

fn change(rows: &mut impl Rows, contact: &ContactKey, change: impl FnOnce(&mut LookupRow)) -> Step<()> {
    let Some(mut asked) = rows.get::<Lookups>(contact)? else { return Ok(()) };
    if let Some(due) = asked.due {
        rows.remove::<LookupsDue>(&(due, contact.clone()))?;
    }
    change(&mut asked);
    write(rows, contact, &asked)
}

/// Forgets those that were first wanted before then; whoever writes again is asked for again. They lie
/// in order of their keys, not of time: each call looks at the next `limit` of them after `after`. How many went, and
/// where to go on; `None`: at the beginning.
pub fn prune(
    rows: &mut impl Rows,
    before: Timestamp,
    after: Option<&ContactKey>,
    limit: usize,
) -> Step<(usize, Option<ContactKey>)> {
    let (mut old, mut last, mut looked) = (Vec::new(), None, 0);
    let from = after.cloned().unwrap_or_else(nobody);
    rows.each_of::<Lookups>(
        &from,
        limit.saturating_add(1),
        |_| true,
        |contact, asked| {
            if after == Some(&contact) || looked == limit {
                return Ok(());
            }
            looked += 1;
            if asked?.since < before {
                old.push(contact.clone());
            }
            last = Some(contact);
            Ok(())
        },
    )?;
    for contact in &old {
        stop(rows, contact)?;
        rows.remove::<Lookups>(contact)?;
    }
    Ok((old.len(), last.filter(|_| looked == limit)))
}

fn nobody() -> ContactKey {
    ContactKey::from_stored("")
}

/// When the first is due; far in the future if there is none.
pub fn first_due(rows: &impl ReadRows) -> Step<Timestamp> {
    let first = rows.first::<LookupsDue>(&(Timestamp::ZERO, nobody()))?;
    Ok(first.map_or(Timestamp::from_ms(i64::MAX), |(at, _)| at))
}

/// Those that are due, the longest due first.
pub fn due(rows: &impl ReadRows, now: Timestamp, limit: usize) -> Step<Vec<Lookup>> {
    let mut names = Vec::new();
    rows.each_of::<LookupsDue>(
        &(Timestamp::ZERO, nobody()),
        limit,
        |(at, _)| *at <= now,
        |(_, contact), _| {
            names.push(contact);
            Ok(())
        },
    )?;
    let mut found = Vec::with_capacity(names.len());
    for contact in names {
        let Some(LookupRow { sender, misses, .. }) = rows.get::<Lookups>(&contact)? else { continue };
        found.push(Lookup { contact, sender, misses });
    }
    Ok(found)
}
