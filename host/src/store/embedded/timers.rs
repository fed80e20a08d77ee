//! Timers: one per conversation and key. A due one becomes an inbox entry, in a commit of its own.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Eye, Pen, Unreadable, conversation_key, pack, place, read_under, under};
use super::lines;
use super::mirror::Effect;
use super::rows::{Waiting, WaitingKind};
use crate::conversation::Mode;
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::store::InboxId;

/// How many become due in one commit.
const AT_ONCE: usize = 1000;

fn name(key: &ConversationKey, timer: &str) -> Vec<u8> {
    under(key, timer.as_bytes())
}

fn due_key(at: Timestamp, name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + name.len());
    bytes.extend_from_slice(&(at.as_ms().max(0) as u64).to_be_bytes());
    bytes.extend_from_slice(name);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Timestamp, &str), Unreadable> {
    let mut eye = Eye::new("timers", bytes, 1)?;
    Ok((eye.time()?, eye.text()?))
}

pub fn set(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    timer: &str,
    at: Timestamp,
    payload: &str,
) -> Step<()> {
    cancel(batch, key, timer)?;
    let name = name(key, timer);
    let mut pen = Pen::new(&mut batch.buffer, 1);
    pen.time(at);
    pen.text(payload);
    batch.tables.timers.put()?.insert(name.as_slice(), batch.buffer.as_slice())?;
    batch.tables.timers_due.put()?.insert(due_key(at, &name).as_slice(), ())?;
    batch.timers_changed = true;
    Ok(())
}

pub fn cancel(batch: &mut Batch<'_>, key: &ConversationKey, timer: &str) -> Step<()> {
    let name = name(key, timer);
    let at = match batch.tables.timers.get()?.get(name.as_slice())? {
        None => return Ok(()),
        Some(row) => read(row.value())?.0,
    };
    batch.tables.timers.put()?.remove(name.as_slice())?;
    batch.tables.timers_due.put()?.remove(due_key(at, &name).as_slice())?;
    batch.timers_changed = true;
    Ok(())
}

/// When the first is due; far in the future if there is none.
pub fn next_due(batch: &Batch<'_>) -> Step<Timestamp> {
    first_due(batch.tables.timers_due.get()?)
}

pub fn first_due(table: &impl ReadableTable<&'static [u8], ()>) -> Step<Timestamp> {
    let first = table.first()?;
    let at = first.and_then(|(key, _)| key.value().first_chunk().map(|bytes| u64::from_be_bytes(*bytes)));
    Ok(Timestamp::from_ms(at.map_or(i64::MAX, |at| i64::try_from(at).unwrap_or(i64::MAX))))
}

/// Makes inbox entries of the timers that are due.
pub fn ring(batch: &mut Batch<'_>, now: Timestamp) -> Step<()> {
    let end = due_key(now.plus_ms(1), &[]);
    let mut due = Vec::new();
    for row in batch.tables.timers_due.get()?.range(..end.as_slice())?.take(AT_ONCE) {
        due.push(row?.0.value().to_vec());
    }
    for due in due {
        let name = &due[8..];
        batch.tables.timers_due.put()?.remove(due.as_slice())?;
        batch.timers_changed = true;
        let row = batch.tables.timers.put()?.remove(name)?.map(|row| row.value().to_vec());
        let Some(row) = row else { continue };
        let (at, payload) = read(&row)?;
        let (key, timer) = read_under("timers", name)?;
        let timer = String::from_utf8_lossy(timer);
        enter(batch, &key, &timer, at, payload, now)?;
    }
    Ok(())
}

fn enter(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    timer: &str,
    at: Timestamp,
    payload: &str,
    now: Timestamp,
) -> Step<()> {
    let Some(kept) = lines::kept(batch, &conversation_key(key))? else { return Ok(()) };
    // What the brain wanted to be reminded of is not the human's business.
    if kept.conversation.mode == Mode::Human {
        return Ok(());
    }
    let seq = batch.seq();
    let payload = pack(&(timer, payload));
    let entry = Waiting {
        kind: WaitingKind::Timer,
        died: false,
        failures: 0,
        at,
        received_at: now,
        due: now,
        contact: key.contact.as_str(),
        sender: kept.conversation.sender.as_ref().map_or("", SenderName::as_str),
        reply_to: &kept.conversation.reply_to,
        display_name: None,
        attribution: None,
        error: None,
        payload: &payload,
    };
    entry.write(&mut batch.buffer);
    batch.tables.inbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    batch.state.inbox += 1;
    batch.state.touch(now);
    batch.effects.push(Effect::Waits { key: key.clone(), id: InboxId { at, seq }, due: now, alone: true });
    Ok(())
}
