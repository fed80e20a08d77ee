//! Hidden ids whose phone numbers are asked for. One that was asked for once stays written down, so
//! that it is not asked for again with every message.

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Eye, Pen, Unreadable};
use super::contacts;
use super::tables::define;
use crate::message::{ContactKey, Provider, SenderName, Timestamp};
use crate::store::contacts::Lookup;

/// Not asked for any more.
const NEVER: i64 = i64::MAX;

fn write(batch: &mut Batch<'_>, contact: &ContactKey, due: i64, sender: &str) -> Step<()> {
    let mut pen = Pen::new(&mut batch.buffer, 1);
    pen.time(Timestamp::from_ms(due));
    pen.text(sender);
    batch.tables.lookups.put()?.insert(contact.as_str().as_bytes(), batch.buffer.as_slice())?;
    if due != NEVER {
        batch.tables.lookups_due.put()?.insert(due_key(due, contact).as_slice(), ())?;
    }
    batch.lookups_changed = true;
    Ok(())
}

fn read(row: &[u8]) -> Result<(i64, &str), Unreadable> {
    let mut eye = Eye::new("lookups", row, 1)?;
    Ok((eye.time()?.as_ms(), eye.text()?))
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
    if !contacts::is_hidden(contact) || contacts::is_phone(canonical) {
        return Ok(());
    }
    let directory = batch.mirror.directory.load();
    if directory.senders.get(sender).is_none_or(|sender| sender.provider != Provider::Waha) {
        return Ok(());
    }
    let asked = batch.tables.lookups.get()?.get(contact.as_str().as_bytes())?.is_some();
    if asked || contacts::keys_of(batch, canonical)?.iter().any(contacts::is_phone) {
        return Ok(());
    }
    write(batch, contact, now.as_ms(), sender.as_str())
}

/// Its phone number is known now, if it was ever asked for.
pub fn answered(batch: &mut Batch<'_>, contact: &ContactKey) -> Step<()> {
    again(batch, contact, None)
}

/// Asked again at this time, or never.
pub fn again(batch: &mut Batch<'_>, contact: &ContactKey, at: Option<Timestamp>) -> Step<()> {
    let row = batch.tables.lookups.get()?.get(contact.as_str().as_bytes())?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(()) };
    let (due, sender) = read(&row)?;
    if due != NEVER {
        batch.tables.lookups_due.put()?.remove(due_key(due, contact).as_slice())?;
    }
    write(batch, contact, at.map_or(NEVER, Timestamp::as_ms), sender)
}

/// A stranger who is remembered no more may be asked for again.
pub fn forget(batch: &mut Batch<'_>, contact: &ContactKey) -> Step<()> {
    again(batch, contact, None)?;
    batch.tables.lookups.put()?.remove(contact.as_str().as_bytes())?;
    Ok(())
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
        let (_, sender) = read(row.value())?;
        let contact = ContactKey::from_stored(String::from_utf8_lossy(name));
        found.push(Lookup { contact, sender: SenderName::new(sender) });
    }
    Ok(found)
}
