//! What is asked of the store without changing it. Everything is read from one snapshot.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::batch::Step;
use super::codec::{Place, conversation_key, owned_by, place, under, unpack};
use super::lines::Back;
use super::mirror::Mirror;
use super::rows::contact::Contact;
use super::rows::{Journaled, Kept, Reply, Spoken, Waiting};
use super::tables::define;
use crate::conversation::{Conversation, HistoryEntry, JournalEntry, Lead};
use crate::message::{ContactKey, ConversationKey, OrganizationId};
use crate::route::Lock;
use crate::store::{ApiKey, AuditEntry};

/// As it stands, with what the messages that wait for their turn tell of it.
pub fn conversation(
    mirror: &Mirror,
    key: &ConversationKey,
    snapshot: impl FnOnce() -> Step<ReadTransaction>,
) -> Step<Option<Conversation>> {
    // The waiting first: an entry that is used up in between is part of the later snapshot's row.
    let waiting: Vec<u64> = mirror.turns().items(key).map(|id| id.seq).collect();
    let snapshot = snapshot()?;
    let table = snapshot.open_table(define::conversations)?;
    let row = ReadableTable::get(&table, conversation_key(key).as_slice())?;
    let mut kept = row.as_ref().map(|row| Kept::read(row.value())).transpose()?;
    if !waiting.is_empty() {
        let inbox = snapshot.open_table(define::inbox)?;
        for seq in waiting {
            let Some(row) = ReadableTable::get(&inbox, &place(seq, key.tenant))? else { continue };
            kept.get_or_insert_default().hear(&Waiting::read(row.value())?);
        }
    }
    Ok(kept.map(|kept| kept.conversation))
}

/// The tables in which lines lie: what was heard and what reached its provider in one, what has not
/// in the outbox.
struct Lines {
    history: ReadOnlyTable<&'static Place, &'static [u8]>,
    outbox: ReadOnlyTable<&'static Place, &'static [u8]>,
    ended: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Lines {
    fn open(snapshot: &ReadTransaction) -> Step<Self> {
        Ok(Lines {
            history: snapshot.open_table(define::history)?,
            outbox: snapshot.open_table(define::outbox)?,
            ended: snapshot.open_table(define::ended_sends)?,
        })
    }

    /// Reads a line of this conversation; nothing if it has been pruned.
    fn with<T>(
        &self,
        key: &ConversationKey,
        kept: &Kept,
        seq: u64,
        read: impl FnOnce(&Spoken<'_>) -> Step<T>,
    ) -> Step<Option<T>> {
        let at = place(seq, key.tenant);
        let settled = ReadableTable::get(&self.history, &at)?;
        let waiting = if settled.is_none() { ReadableTable::get(&self.outbox, &at)? } else { None };
        let ended = match (&settled, &waiting) {
            (None, None) => ReadableTable::get(&self.ended, under(key, &seq.to_be_bytes()).as_slice())?,
            _ => None,
        };
        let line = match (&settled, waiting.as_ref().or(ended.as_ref())) {
            (Some(row), _) => Spoken::read(row.value())?,
            (None, Some(row)) => Reply::read(row.value())?.line(),
            (None, None) => return Ok(None),
        };
        if kept.holds(key, line.contact) { read(&line).map(Some) } else { Ok(None) }
    }
}

/// Walks back from the newest line. With `after`, everything newer than it is passed, and the oldest
/// `limit` of that are returned.
pub fn history(
    snapshot: &ReadTransaction,
    key: &ConversationKey,
    after: Option<u64>,
    limit: usize,
) -> Step<Vec<(u64, HistoryEntry)>> {
    let Some(kept) = kept(snapshot, key)? else { return Ok(Vec::new()) };
    let lines = Lines::open(snapshot)?;
    let mut back = Back::through_lines(&kept);
    let mut places = std::collections::VecDeque::new();
    while back.newest() > after.unwrap_or(0) {
        if after.is_none() && places.len() == limit {
            break;
        }
        let next = back.newest();
        let previous = lines.with(key, &kept, next, |line| Ok(line.previous))?;
        back.pass(next, previous);
        if previous.is_some() {
            places.push_front(next);
        }
        if places.len() > limit {
            places.pop_back();
        }
    }
    let mut entries = Vec::with_capacity(places.len());
    for seq in places {
        if let Some(entry) = lines.with(key, &kept, seq, |line| Ok(line.entry()?))? {
            entries.push((seq, entry));
        }
    }
    Ok(entries)
}

fn kept(snapshot: &ReadTransaction, key: &ConversationKey) -> Step<Option<Kept>> {
    let conversations = snapshot.open_table(define::conversations)?;
    let row = ReadableTable::get(&conversations, conversation_key(key).as_slice())?;
    Ok(row.map(|row| Kept::read(row.value())).transpose()?)
}

/// The newest `limit`, oldest first.
pub fn journal(snapshot: &ReadTransaction, key: &ConversationKey, limit: usize) -> Step<Vec<JournalEntry>> {
    let Some(kept) = kept(snapshot, key)? else { return Ok(Vec::new()) };
    let journal = snapshot.open_table(define::journal)?;
    let mut back = Back::through_journal(&kept);
    let mut entries = Vec::new();
    while back.newest() > 0 && entries.len() < limit {
        let next = back.newest();
        let row = ReadableTable::get(&journal, &place(next, key.tenant))?;
        let entry = row.as_ref().map(|row| Journaled::read(row.value())).transpose()?;
        let entry = entry.filter(|entry| kept.holds(key, entry.contact));
        back.pass(next, entry.as_ref().map(|entry| entry.previous));
        if let Some(entry) = entry {
            entries.push(unpack("journal", entry.payload)?);
        }
    }
    entries.reverse();
    Ok(entries)
}

/// In key order, after `after`.
pub fn locks(
    snapshot: &ReadTransaction,
    after: Option<&ContactKey>,
    limit: usize,
) -> Step<Vec<(ContactKey, Lock)>> {
    let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str().as_bytes()));
    let table = snapshot.open_table(define::contacts)?;
    let mut locks = Vec::new();
    for row in ReadableTable::range::<&[u8]>(&table, (from, Bound::Unbounded))? {
        if locks.len() == limit {
            break;
        }
        let (contact, row) = row?;
        if let Some(lock) = Contact::read(row.value())?.lock {
            locks.push((ContactKey::from_stored(String::from_utf8_lossy(contact.value())), lock));
        }
    }
    Ok(locks)
}

pub fn lead(
    snapshot: &ReadTransaction,
    organization: OrganizationId,
    contact: &ContactKey,
) -> Step<Option<Lead>> {
    let table = snapshot.open_table(define::leads)?;
    let row = ReadableTable::get(&table, owned_by(organization.0, contact.as_str()).as_slice())?;
    Ok(row.map(|row| unpack("leads", row.value())).transpose()?)
}

pub fn api_key(snapshot: &ReadTransaction, hash: &str) -> Step<Option<ApiKey>> {
    let table = snapshot.open_table(define::api_keys)?;
    let row = ReadableTable::get(&table, hash)?;
    Ok(row.map(|row| unpack("api_keys", row.value())).transpose()?)
}

pub fn api_keys(snapshot: &ReadTransaction) -> Step<Vec<ApiKey>> {
    let mut keys = Vec::new();
    for row in snapshot.open_table(define::api_keys)?.iter()? {
        keys.push(unpack("api_keys", row?.1.value())?);
    }
    Ok(keys)
}

/// Newest first.
pub fn audit_log(snapshot: &ReadTransaction, limit: usize) -> Step<Vec<AuditEntry>> {
    let mut entries = Vec::new();
    for row in snapshot.open_table(define::audit)?.iter()?.rev().take(limit) {
        entries.push(unpack("audit", row?.1.value())?);
    }
    Ok(entries)
}
