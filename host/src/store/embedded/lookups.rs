//! Hidden ids whose phone numbers are asked for. One that was asked for once stays written down, so
//! that it is not asked for again with every message.

use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Eye, Pen, Unreadable};
use super::mirror::lock;
use super::tables::define;
use super::{contacts, views};
use crate::identity;
use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::store::contacts::Lookup;

/// Not asked for any more.
const NEVER: i64 = i64::MAX;

/// A row of the table.
#[derive(Debug, PartialEq)]
struct Asked {
    due: i64,
    sender: String,
    /// How often nobody knew.
    misses: u32,
    /// When it was first wanted. Rows of earlier versions end before it.
    since: Timestamp,
}

impl Asked {
    fn read(row: &[u8]) -> Result<Self, Unreadable> {
        let mut eye = Eye::new("lookups", row, 1)?;
        let (due, sender) = (eye.time()?.as_ms(), eye.text()?.to_owned());
        let (misses, since) = match eye.is_over() {
            true => (0, Timestamp::ZERO),
            false => (eye.u32()?, eye.time()?),
        };
        Ok(Asked { due, sender, misses, since })
    }

    fn write(&self, batch: &mut Batch<'_>, contact: &ContactKey) -> Step<()> {
        let mut pen = Pen::new(&mut batch.buffer, 1);
        pen.time(Timestamp::from_ms(self.due));
        pen.text(&self.sender);
        pen.u32(self.misses);
        pen.time(self.since);
        batch.tables.lookups.put()?.insert(contact.as_str().as_bytes(), batch.buffer.as_slice())?;
        if self.due != NEVER {
            batch.tables.lookups_due.put()?.insert(due_key(self.due, contact).as_slice(), ())?;
        }
        batch.lookups_changed = true;
        Ok(())
    }
}

fn due_key(due: i64, contact: &ContactKey) -> Vec<u8> {
    let mut key = (due.max(0) as u64).to_be_bytes().to_vec();
    key.extend_from_slice(contact.as_str().as_bytes());
    key
}

/// A message came from this hidden id and did not say more: its phone number is asked for, unless it
/// was before or is known.
pub fn wanted(
    batch: &mut Batch<'_>,
    contact: &ContactKey,
    canonical: &ContactKey,
    sender: &SenderName,
    now: Timestamp,
) -> Step<()> {
    if !contacts::is_hidden(contact) || identity::is_phone(canonical) {
        return Ok(());
    }
    let directory = batch.mirror.directory.load_full();
    let whose = |name: &SenderName| directory.senders.get(name).and_then(|sender| sender.tenant);
    if directory.senders.get(sender).is_none_or(|sender| !sender.provider().has_sessions()) {
        return Ok(());
    }
    let row = batch.tables.lookups.get()?.get(contact.as_str().as_bytes())?.map(|row| row.value().to_vec());
    let before = row.map(|row| Asked::read(&row)).transpose()?;
    // What another owner's number was told does not hold here.
    if before.is_some_and(|before| whose(&SenderName::new(before.sender)) == whose(sender)) {
        return Ok(());
    }
    let keys = match whose(sender) {
        Some(tenant) => views::keys_of(batch, tenant, canonical)?,
        None => contacts::keys_of(batch, canonical)?,
    };
    if keys.iter().any(identity::is_phone) {
        return Ok(());
    }
    stop(batch, contact)?;
    let asked = Asked { due: now.as_ms(), sender: sender.as_str().to_owned(), misses: 0, since: now };
    asked.write(batch, contact)
}

/// Its phone number is known now to whom it is asked for, if it was ever asked for. `owner`: of the sender
/// that told it.
pub fn answered(batch: &mut Batch<'_>, contact: &ContactKey, owner: Option<TenantId>) -> Step<()> {
    let directory = batch.mirror.directory.load_full();
    let row = batch.tables.lookups.get()?.get(contact.as_str().as_bytes())?.map(|row| row.value().to_vec());
    let asked = row.map(|row| Asked::read(&row)).transpose()?;
    let whose = |asked: Asked| directory.senders.get(&SenderName::new(asked.sender))?.tenant;
    if asked.is_some_and(|asked| whose(asked) == owner) { stop(batch, contact) } else { Ok(()) }
}

fn stop(batch: &mut Batch<'_>, contact: &ContactKey) -> Step<()> {
    change(batch, contact, |asked| asked.due = NEVER)
}

/// Nobody knew: asked again at this time, or never.
pub fn missed(batch: &mut Batch<'_>, contact: &ContactKey, again: Option<Timestamp>) -> Step<()> {
    change(batch, contact, |asked| {
        asked.due = again.map_or(NEVER, Timestamp::as_ms);
        asked.misses = asked.misses.saturating_add(1);
    })
}

/// Nobody could be asked.
pub fn put_off(batch: &mut Batch<'_>, contact: &ContactKey, again: Timestamp) -> Step<()> {
    change(batch, contact, |asked| asked.due = again.as_ms())
}

/// Between two that are made due together: what others wait for is not behind all of them.
const APART_MS: i64 = 50;

/// What waits through this sender is due from now on, one after the other.
pub fn again(batch: &mut Batch<'_>, sender: &SenderName, now: Timestamp, limit: usize) -> Step<usize> {
    let mut waiting = Vec::new();
    for row in batch.tables.lookups.get()?.iter()? {
        if waiting.len() == limit {
            break;
        }
        let (contact, row) = row?;
        let asked = Asked::read(row.value())?;
        if asked.sender == sender.as_str() && asked.due != NEVER && asked.due > now.as_ms() {
            waiting.push(ContactKey::from_stored(String::from_utf8_lossy(contact.value())));
        }
    }
    for (contact, place) in waiting.iter().zip(0..) {
        put_off(batch, contact, now.plus_ms(place * APART_MS))?;
    }
    Ok(waiting.len())
}

fn change(batch: &mut Batch<'_>, contact: &ContactKey, change: impl FnOnce(&mut Asked)) -> Step<()> {
    let row = batch.tables.lookups.get()?.get(contact.as_str().as_bytes())?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(()) };
    let mut asked = Asked::read(&row)?;
    if asked.due != NEVER {
        batch.tables.lookups_due.put()?.remove(due_key(asked.due, contact).as_slice())?;
    }
    change(&mut asked);
    asked.write(batch, contact)
}

/// Forgets those that were first wanted before then; whoever writes again is asked for again. They lie
/// in order of their keys, not of time: each call looks at the next `limit` of them.
pub fn prune(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let from = lock(&batch.mirror.lookup).clone();
    let (mut old, mut last, mut looked) = (Vec::new(), None, 0);
    for row in
        batch.tables.lookups.get()?.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))?
    {
        if looked == limit {
            break;
        }
        looked += 1;
        let (contact, row) = row?;
        last = Some(contact.value().to_vec());
        if Asked::read(row.value())?.since < before {
            old.push(ContactKey::from_stored(String::from_utf8_lossy(contact.value())));
        }
    }
    *lock(&batch.mirror.lookup) = if looked == limit { last.unwrap_or_default() } else { Vec::new() };
    for contact in &old {
        stop(batch, contact)?;
        batch.tables.lookups.put()?.remove(contact.as_str().as_bytes())?;
    }
    Ok(old.len())
}

/// When the first is due; far in the future if there is none.
pub fn first_due(table: &impl ReadableTable<&'static [u8], ()>) -> Step<Timestamp> {
    super::timers::first_due(table)
}

/// Those that are due, the longest due first.
pub fn due(snapshot: &ReadTransaction, now: Timestamp, limit: usize) -> Step<Vec<Lookup>> {
    let (due, lookups) = (snapshot.open_table(define::lookups_due)?, snapshot.open_table(define::lookups)?);
    let end = due_key(now.as_ms().saturating_add(1), &ContactKey::from_stored(""));
    let mut found = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&due, ..end.as_slice())?.take(limit) {
        let (key, _) = row?;
        let name = key.value().get(8..).unwrap_or_default();
        let Some(row) = ReadableTable::get(&lookups, name)? else { continue };
        let Asked { sender, misses, .. } = Asked::read(row.value())?;
        let contact = ContactKey::from_stored(String::from_utf8_lossy(name));
        found.push(Lookup { contact, sender: SenderName::new(sender), misses });
    }
    Ok(found)
}
