//! What is asked of the store without changing it. Everything is read from one snapshot.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::batch::Step;
use super::codec::{Place, conversation_key, owned_by, place, under, unpack};
use super::lines::Back;
use super::mirror::Mirror;
use super::pages::Free;
use super::rows::contact::Contact;
use super::rows::{Journaled, Kept, Reply, Spoken, Waiting};
use super::tables::define;
use crate::conversation::{Conversation, HistoryEntry, JournalEntry, Lead};
use crate::message::{ContactKey, ConversationKey, OrganizationId};
use crate::route::Lock;
use crate::store::pages::{Before, Page, Span, Stretch};
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

/// So many entries that were not asked for are passed at a time.
const PASSED: usize = 10_000;

/// An entry met on the way back.
struct Met<T> {
    previous: u64,
    /// With its size; `None`: there is no room for it.
    entry: Option<(usize, T)>,
}

/// Walks back from the newest entry, or from where the span says, and no further than the page. `read`
/// reads the entry at a place if it has no more bytes than this; nothing if it is not there any more.
fn stretch<T>(
    ends: Vec<u64>,
    span: &Span,
    mut read: impl FnMut(u64, usize) -> Step<Option<Met<T>>>,
) -> Step<Stretch<T>> {
    let before = span.before.as_ref().map_or(u64::MAX, |before| before.seq);
    let mut back = Back::from(start(ends, span, &mut read)?);
    let (mut entries, mut free, mut passed) = (Vec::new(), Free::new(span.limit, span.bytes), 0);
    let mut earlier = None;
    while back.newest() > span.after.unwrap_or(0) {
        let seq = back.newest();
        let wanted = seq < before;
        let Some(met) = read(seq, if wanted { free.room() } else { 0 })? else {
            back.pass(seq, None);
            continue;
        };
        match met.entry {
            Some((bytes, entry)) => {
                free.take(bytes);
                entries.push((seq, entry));
            }
            None if !wanted && passed < PASSED => passed += 1,
            None => {
                let seq = entries.last().map(|(seq, _)| *seq);
                let chains = if back.ends().len() > 1 || seq.is_none() { back.ends() } else { &[] };
                earlier = Some(Before { seq: seq.unwrap_or(before), chains: chains.to_vec() });
                break;
            }
        }
        back.pass(seq, Some(met.previous));
    }
    entries.reverse();
    Ok(Stretch { entries, earlier })
}

/// The entries to begin with, one of each chain.
fn start<T>(
    mut ends: Vec<u64>,
    span: &Span,
    read: &mut impl FnMut(u64, usize) -> Step<Option<Met<T>>>,
) -> Step<Vec<u64>> {
    let Some(before) = &span.before else { return Ok(ends) };
    if before.chains.len() == ends.len() {
        return Ok(ends.into_iter().zip(&before.chains).map(|(end, place)| end.min(*place)).collect());
    }
    let mut reach = ends.iter_mut().filter(|end| **end >= before.seq);
    // The only chain that reaches so far is the one that the entry stands in.
    if let (Some(end), None) = (reach.next(), reach.next())
        && let Some(met) = read(before.seq, 0)?
        && met.previous < before.seq
    {
        *end = met.previous;
    }
    Ok(ends)
}

/// A conversation's lines.
pub fn history(
    snapshot: &ReadTransaction,
    key: &ConversationKey,
    span: &Span,
) -> Step<Stretch<HistoryEntry>> {
    let kept = kept(snapshot, key)?.unwrap_or_default();
    let lines = Lines::open(snapshot)?;
    stretch(Back::through_lines(&kept).ends().to_vec(), span, |seq, room| {
        lines.with(key, &kept, seq, |line| {
            let bytes = size_of::<Spoken<'_>>() + line.payload.len();
            let entry = (bytes <= room).then(|| line.entry()).transpose()?;
            Ok(Met { previous: line.previous, entry: entry.map(|entry| (bytes, entry)) })
        })
    })
}

fn kept(snapshot: &ReadTransaction, key: &ConversationKey) -> Step<Option<Kept>> {
    let conversations = snapshot.open_table(define::conversations)?;
    let row = ReadableTable::get(&conversations, conversation_key(key).as_slice())?;
    Ok(row.map(|row| Kept::read(row.value())).transpose()?)
}

/// What its turns saw and did.
pub fn journal(
    snapshot: &ReadTransaction,
    key: &ConversationKey,
    span: &Span,
) -> Step<Stretch<JournalEntry>> {
    let kept = kept(snapshot, key)?.unwrap_or_default();
    let journal = snapshot.open_table(define::journal)?;
    stretch(Back::through_journal(&kept).ends().to_vec(), span, |seq, room| {
        let row = ReadableTable::get(&journal, &place(seq, key.tenant))?;
        let entry = row.as_ref().map(|row| Journaled::read(row.value())).transpose()?;
        let Some(entry) = entry.filter(|entry| kept.holds(key, entry.contact)) else { return Ok(None) };
        let bytes = size_of::<Journaled<'_>>() + entry.payload.len();
        let read = (bytes <= room).then(|| unpack("journal", entry.payload)).transpose()?;
        Ok(Some(Met { previous: entry.previous, entry: read.map(|read| (bytes, read)) }))
    })
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
pub fn audit_log(snapshot: &ReadTransaction, limit: usize, bytes: usize) -> Step<Page<AuditEntry>> {
    let mut page = Page { entries: Vec::new(), more: false, next: None };
    let mut free = Free::new(limit, bytes);
    for row in snapshot.open_table(define::audit)?.iter()?.rev() {
        let row = row?.1;
        if !free.take(row.value().len()) {
            page.more = true;
            break;
        }
        page.entries.push(unpack("audit", row.value())?);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = 200_000;

    /// Reads a conversation whose entries stand at all even places: their places, where the earlier ones
    /// are, and how many were looked at.
    fn read(span: &Span) -> (Vec<u64>, Option<Before>, usize) {
        let mut looked_at = 0;
        let stretch = stretch(vec![LAST], span, |seq, room| {
            looked_at += 1;
            let met = Met { previous: seq.saturating_sub(2), entry: (room > 0).then_some((1, ())) };
            Ok((seq % 2 == 0).then_some(met))
        });
        let Ok(stretch) = stretch else { panic!("it reads") };
        (stretch.entries.iter().map(|(seq, ())| *seq).collect(), stretch.earlier, looked_at)
    }

    #[test]
    fn a_page_of_a_long_conversation_costs_a_page() {
        let newest = Span { after: Some(0), ..Span::newest(1) };
        let (found, earlier, looked_at) = read(&newest);
        assert_eq!((found, looked_at), (vec![LAST], 2));
        let (found, _, looked_at) = read(&Span { before: earlier, ..newest });
        assert_eq!((found, looked_at), (vec![LAST - 2], 3), "it goes on where the first ended");
    }

    #[test]
    fn who_asks_from_where_nothing_stands_is_led_there_by_and_by() {
        let mut before = Some(Before { seq: 5, chains: Vec::new() });
        let mut asked = 0;
        while let Some(place) = before {
            asked += 1;
            let (found, earlier, looked_at) = read(&Span { before: Some(place), ..Span::newest(10) });
            assert!(looked_at <= PASSED + 3, "{looked_at}");
            assert!(found.is_empty() || (found == [2, 4] && earlier.is_none()), "{found:?}");
            before = earlier;
        }
        assert_eq!(asked, 10);
    }
}
