//! Timers: one per conversation and key. A due one becomes an inbox entry, in a commit of its own,
//! unless a human answers: then it waits until the conversation is given back. After so many that rang
//! without a word of the contact (the quota `turns_unprompted`) the others wait for one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Bound;

use redb::ReadableTable;

use super::batch::{Batch, Fault, Step};
use super::codec::{
    Eye, Pen, Unreadable, after_prefix, conversation_key, conversation_prefix, pack, place, read_under,
    under, unpack,
};
use super::mirror::Effect;
use super::rows::{Kept, Waiting, WaitingKind};
use super::tally::size;
use super::{inbox, lines};
use crate::conversation::{Mode, TimerChange};
use crate::message::{ConversationKey, Timestamp};
use crate::store::limit::Limit;
use crate::store::quotas::Shelf;
use crate::store::{Error, InboxId};
use crate::tenant::quotas::Kind;

/// How many become due in one commit at most,
const AT_ONCE: usize = 1000;

/// and how many bytes of timers and conversations that may write, nearly.
const RING_BYTES: usize = 4 << 20;

/// Timers that a conversation may have, those that have rung and wait for their turn among them.
const MOST: usize = 64;

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
    write(batch, &name, at, payload)?;
    batch.tables.timers_due.put()?.insert(due_key(at, &name).as_slice(), ())?;
    batch.timers_changed = true;
    Ok(())
}

fn write(batch: &mut Batch<'_>, name: &[u8], at: Timestamp, payload: &str) -> Step<()> {
    frame(&mut batch.buffer, at, payload);
    batch.tables.timers.put()?.insert(name, batch.buffer.as_slice())?;
    Ok(())
}

fn frame(buffer: &mut Vec<u8>, at: Timestamp, payload: &str) {
    let mut pen = Pen::new(buffer, 1);
    pen.time(at);
    pen.text(payload);
}

pub fn cancel(batch: &mut Batch<'_>, key: &ConversationKey, timer: &str) -> Step<()> {
    let name = name(key, timer);
    let at = match batch.tables.timers.get()?.get(name.as_slice())? {
        None => return Ok(()),
        Some(row) => read(row.value()).map(|(at, _)| at),
    };
    batch.tables.timers.put()?.remove(name.as_slice())?;
    // Without its time it rings no more: see [`ring`].
    if let Ok(at) = at {
        batch.tables.timers_due.put()?.remove(due_key(at, &name).as_slice())?;
    }
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

/// Makes inbox entries of the timers that are due. One that cannot be read rings no more and keeps
/// nobody else's from ringing. Tenants take turns, so that who has many that are large does not fill a
/// commit alone.
pub fn ring(batch: &mut Batch<'_>, now: Timestamp) -> Step<()> {
    let mut bytes = 0;
    let mut tenants = due(batch, now)?;
    while !tenants.is_empty() {
        for keys in &mut tenants {
            let Some(key) = keys.pop_front() else { continue };
            batch.tables.timers_due.put()?.remove(key.as_slice())?;
            batch.timers_changed = true;
            match ring_one(batch, &key[8..], now) {
                Err(Fault::Row(error)) => tracing::error!(%error, "a timer cannot be read and does not ring"),
                written => bytes += written?,
            }
            if bytes >= RING_BYTES {
                return Ok(());
            }
        }
        tenants.retain(|keys| !keys.is_empty());
    }
    Ok(())
}

/// The first that are due, by tenant, and in order within each and among them.
fn due(batch: &Batch<'_>, now: Timestamp) -> Step<Vec<VecDeque<Vec<u8>>>> {
    let end = due_key(now.plus_ms(1), &[]);
    let (mut tenants, mut known) = (Vec::new(), HashMap::new());
    for row in batch.tables.timers_due.get()?.range(..end.as_slice())?.take(AT_ONCE) {
        let key = row?.0.value().to_vec();
        let tenant = key.get(8..12).map(<[u8]>::to_vec);
        let at = *known.entry(tenant).or_insert_with(|| {
            tenants.push(VecDeque::new());
            tenants.len() - 1
        });
        tenants[at].push_back(key);
    }
    Ok(tenants)
}

/// How many bytes that took, about.
fn ring_one(batch: &mut Batch<'_>, name: &[u8], now: Timestamp) -> Step<usize> {
    let row = batch.tables.timers.get()?.get(name)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(0) };
    let (at, payload) = read(&row)?;
    let (key, timer) = read_under("timers", name)?;
    let kept = lines::kept(batch, &conversation_key(&key))?;
    // What the brain wanted to be reminded of is not the human's business: it stays, due at no time,
    // until the conversation is given back.
    if kept.as_ref().is_some_and(|kept| kept.conversation.mode == Mode::Human) {
        return Ok(0);
    }
    let Some(mut kept) = kept else {
        batch.tables.timers.put()?.remove(name)?;
        return Ok(0);
    };
    let most = batch.mirror.quotas_of(key.tenant).turns_unprompted;
    let row = conversation_key(&key);
    if u64::from(kept.rang) >= most {
        if !std::mem::replace(&mut kept.silenced, true) {
            batch.count_silenced(key.tenant, 1);
            batch.mirror.tell_silenced(&key, most, now);
            lines::keep(batch, &row, &kept)?;
        }
        return Ok(batch.buffer.len());
    }
    kept.rang += 1;
    lines::keep(batch, &row, &kept)?;
    let written = batch.buffer.len() + 2 * payload.len();
    batch.tables.timers.put()?.remove(name)?;
    let payload = pack(&(String::from_utf8_lossy(timer), payload));
    inbox::enter(batch, &key, &kept.conversation, WaitingKind::Timer, at, &payload, now)?;
    Ok(written)
}

/// A timer that rang for a brain that is not asked any more waits on with the others. One that was
/// set again meanwhile stands.
pub fn put_back(batch: &mut Batch<'_>, key: &ConversationKey, entry: &Waiting<'_>) -> Step<()> {
    let (timer, payload): (String, String) = unpack("inbox", entry.payload)?;
    let name = name(key, &timer);
    if batch.tables.timers.get()?.get(name.as_slice())?.is_none() {
        write(batch, &name, entry.at, &payload)?;
    }
    Ok(())
}

/// The contact has written, and nothing less: timers ring again. The caller keeps the row.
pub fn awake(batch: &mut Batch<'_>, key: &ConversationKey, kept: &mut Kept) -> Step<()> {
    kept.rang = 0;
    if std::mem::take(&mut kept.silenced) {
        batch.count_silenced(key.tenant, -1);
        resume(batch, key)?;
    }
    Ok(())
}

/// The brain is asked again: what was due meanwhile rings.
pub fn resume(batch: &mut Batch<'_>, key: &ConversationKey) -> Step<()> {
    for (name, row) in of(batch, key)? {
        match read(&row) {
            Ok((at, _)) => {
                batch.tables.timers_due.put()?.insert(due_key(at, &name).as_slice(), ())?;
                batch.timers_changed = true;
            }
            Err(error) => {
                tracing::error!(conversation = %key, %error, "a timer cannot be read and does not ring")
            }
        }
    }
    Ok(())
}

/// The conversation goes on under another key. A timer that is set there under the same name stands, and
/// there are not more than there may be. Whether there were any.
pub fn rename(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let rows = of(batch, from)?;
    let mut there = of(batch, into)?.len();
    for (old, row) in &rows {
        batch.tables.timers.put()?.remove(old.as_slice())?;
        let Ok((at, _)) = read(row) else { continue };
        batch.tables.timers_due.put()?.remove(due_key(at, old).as_slice())?;
        let new = under(into, read_under("timers", old)?.1);
        if there < MOST && batch.tables.timers.get()?.get(new.as_slice())?.is_none() {
            there += 1;
            batch.tables.timers.put()?.insert(new.as_slice(), row.as_slice())?;
            // While a human answers it does not ring, due or not.
            batch.tables.timers_due.put()?.insert(due_key(at, &new).as_slice(), ())?;
        }
    }
    batch.timers_changed |= !rows.is_empty();
    Ok(!rows.is_empty())
}

/// A conversation's timers: names and rows.
fn of(batch: &Batch<'_>, key: &ConversationKey) -> Step<Vec<(Vec<u8>, Vec<u8>)>> {
    let first = conversation_prefix(key);
    let end = after_prefix(&first).map_or(Bound::Unbounded, Bound::Excluded);
    let range = (Bound::Included(first.as_slice()), end.as_ref().map(Vec::as_slice));
    let mut found = Vec::new();
    for row in batch.tables.timers.get()?.range::<&[u8]>(range)? {
        let (name, row) = row?;
        found.push((name.value().to_vec(), row.value().to_vec()));
    }
    Ok(found)
}

/// Timers of a conversation that have rung and whose turn has not come, by their keys.
fn rung(batch: &Batch<'_>, key: &ConversationKey) -> Step<Vec<(InboxId, String)>> {
    let mut ids: Vec<InboxId> = batch.mirror.turns().alone(key).copied().collect();
    if batch.timers_changed {
        // The mirror does not show yet what rang in this very group.
        ids.extend(batch.effects.iter().filter_map(|effect| match effect {
            Effect::Waits { key: other, id, alone: true, .. } if other == key => Some(*id),
            _ => None,
        }));
    }
    let table = batch.tables.inbox.get()?;
    let mut found = Vec::new();
    for id in ids {
        let Some(row) = table.get(&place(id.seq, key.tenant))? else { continue };
        // One that cannot be read is told of where it is claimed; it must not stop this turn.
        let Ok(entry) = Waiting::read(row.value()) else { continue };
        if entry.kind == WaitingKind::Timer
            && entry.contact == key.contact.as_str()
            && let Ok((timer, _)) = unpack::<(String, String)>("inbox", entry.payload)
        {
            found.push((id, timer));
        }
    }
    Ok(found)
}

/// Before a turn is committed: may it change these timers? Returns what has rung already and is
/// overtaken by its changes. `used`: the entries that the turn uses up.
pub fn check(
    batch: &Batch<'_>,
    key: &ConversationKey,
    changes: &[TimerChange],
    used: &[InboxId],
) -> Step<Vec<InboxId>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut rung = rung(batch, key)?;
    rung.retain(|(id, _)| !used.contains(id));
    let mut timers: HashSet<String> = rung.iter().map(|(_, timer)| timer.clone()).collect();
    let mut sizes = HashMap::new();
    for (name, row) in of(batch, key)? {
        sizes.insert(name.clone(), size(&name, &row));
        timers.insert(String::from_utf8_lossy(read_under("timers", &name)?.1).into_owned());
    }
    let before: i64 = sizes.values().sum();
    let mut changed = HashSet::new();
    for change in changes {
        let (TimerChange::Set { key: timer, .. } | TimerChange::Cancel { key: timer }) = change;
        changed.insert(timer.as_str());
        let name = name(key, timer);
        match change {
            TimerChange::Set { at, payload, .. } => {
                let mut row = Vec::new();
                frame(&mut row, *at, payload);
                sizes.insert(name.clone(), size(&name, &row));
                timers.insert(timer.clone());
            }
            TimerChange::Cancel { .. } => {
                sizes.remove(&name);
                timers.remove(timer);
            }
        }
    }
    if timers.len() > MOST {
        let message = format!(
            "the conversation would have {} timers; the limit is {MOST}. Set them under keys that are used \
             again, and cancel those that are not needed",
            timers.len()
        );
        return Err(Error::Limit { of: Limit::Timers, message }.into());
    }
    let more = sizes.values().sum::<i64>() - before;
    if more > 0 {
        let kept = batch.usage(key.tenant).of(Shelf::Timers).bytes;
        batch.mirror.allow(key.tenant, Kind::TimerBytes, kept.saturating_add_signed(more))?;
    }
    Ok(rung.into_iter().filter(|(_, timer)| changed.contains(timer.as_str())).map(|(id, _)| id).collect())
}
