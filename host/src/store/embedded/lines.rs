//! A conversation's row and its lines. Lines lie in order of arrival, whoever they belong to; each
//! names the one before it in its conversation, and the conversation's row names the last. One that was
//! merged has several such chains, which are read as one.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{conversation_key, place, under};
use super::rows::{Kept, Reply, Spoken, Times, Waiting};
use crate::conversation::Author;
use crate::message::{ConversationKey, Timestamp};
use crate::store::SendId;

/// What a contact said, to be put into the history.
pub struct NewLine<'a> {
    at: Timestamp,
    message: u64,
    payload: &'a [u8],
}

impl<'a> NewLine<'a> {
    /// `message`: its arrival number.
    pub fn heard(entry: &Waiting<'a>, message: u64) -> Self {
        NewLine { at: entry.received_at, message, payload: entry.payload }
    }
}

pub fn kept(batch: &Batch<'_>, row: &[u8]) -> Step<Option<Kept>> {
    let found = batch.tables.conversations.get()?.get(row)?;
    Ok(found.map(|found| Kept::read(found.value())).transpose()?)
}

pub fn keep(batch: &mut Batch<'_>, row: &[u8], kept: &Kept) -> Step<()> {
    kept.write(&mut batch.buffer);
    batch.tables.conversations.put()?.insert(row, batch.buffer.as_slice())?;
    Ok(())
}

/// Adds a line under `seq`; the caller keeps the row.
pub fn append(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    line: NewLine<'_>,
    seq: u64,
) -> Step<()> {
    let spoken = Spoken {
        at: line.at,
        author: Author::Contact,
        said: false,
        state: None,
        previous: kept.last_line,
        message: line.message,
        sent_id: None,
        provider_id: None,
        times: Times::default(),
        on_receipt: false,
        attempt: 0,
        contact: key.contact.as_str(),
        payload: line.payload,
    };
    put(batch, key, seq, &spoken)?;
    kept.last_line = seq;
    Ok(())
}

pub fn put(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64, line: &Spoken<'_>) -> Step<()> {
    line.write(&mut batch.buffer);
    batch.tables.history.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    Ok(())
}

/// What was said is to be said again: it is no line until then, and no receipt finds what it was.
pub fn unsay(batch: &mut Batch<'_>, id: &SendId) -> Step<()> {
    let at = place(id.seq, id.key.tenant);
    let row = batch.tables.history.put()?.remove(&at)?.map(|row| row.value().to_vec());
    if let Some(sent_id) = row.map(|row| Spoken::read(&row).map(|line| line.sent_id)).transpose()?.flatten() {
        batch.tables.sent_ids.put()?.remove(&sent_id)?;
    }
    Ok(())
}

/// Walks the chains of a conversation together, from the newest entry back.
pub struct Back(Vec<u64>);

impl Back {
    /// From these entries on, one of each chain.
    pub fn from(ends: Vec<u64>) -> Self {
        Back(ends)
    }

    pub fn through_lines(kept: &Kept) -> Self {
        Back(std::iter::once(kept.last_line).chain(kept.chains.iter().map(|chain| chain.last_line)).collect())
    }

    pub fn through_journal(kept: &Kept) -> Self {
        let others = kept.chains.iter().map(|chain| chain.last_journal);
        Back(std::iter::once(kept.last_journal).chain(others).collect())
    }

    /// The next entry of each chain.
    pub fn ends(&self) -> &[u64] {
        &self.0
    }

    /// The place of the next entry; 0: there is none.
    pub fn newest(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// Goes on behind this entry. `None`: it is not there any more, and neither is what was before it.
    pub fn pass(&mut self, seq: u64, previous: Option<u64>) {
        // A chain that does not lead back is damaged; it must not be walked for ever.
        let next = previous.filter(|previous| *previous < seq).unwrap_or_default();
        if let Some(end) = self.0.iter_mut().find(|end| **end == seq) {
            *end = next;
        }
    }
}

/// Further back no line is looked for that is to be taken out.
const REACH: usize = 1000;

/// Takes a line out of its conversation: what it says turned out to be said by another line. Not if it
/// is not found among the newest.
pub fn take_out(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64) -> Step<bool> {
    let row = conversation_key(key);
    let at = place(seq, key.tenant);
    let line = batch.tables.history.get()?.get(&at)?.map(|line| line.value().to_vec());
    let (Some(mut kept), Some(line)) = (kept(batch, &row)?, line) else { return Ok(false) };
    let before = Spoken::read(&line)?.previous;
    let mut ends = vec![&mut kept.last_line];
    ends.extend(kept.chains.iter_mut().map(|chain| &mut chain.last_line));
    let mut found = false;
    for end in ends.into_iter().filter(|end| **end == seq) {
        *end = before;
        found = true;
    }
    if found {
        if kept.handed_off == seq {
            kept.handed_off = before;
        }
        keep(batch, &row, &kept)?;
    } else if !link_past(batch, key, &kept, seq, before)? {
        return Ok(false);
    }
    batch.tables.history.put()?.remove(&at)?;
    Ok(true)
}

/// Makes the line after `seq` name the one before it.
fn link_past(batch: &mut Batch<'_>, key: &ConversationKey, kept: &Kept, seq: u64, before: u64) -> Step<bool> {
    let mut back = Back::through_lines(kept);
    for _ in 0..REACH {
        let next = back.newest();
        if next <= seq {
            return Ok(false);
        }
        let at = place(next, key.tenant);
        let said = batch.tables.history.get()?.get(&at)?.map(|row| row.value().to_vec());
        if let Some(row) = said {
            let line = Spoken::read(&row)?;
            if line.previous == seq {
                return put(batch, key, next, &Spoken { previous: before, ..line }).map(|()| true);
            }
            back.pass(next, Some(line.previous));
            continue;
        }
        let waiting = batch.tables.outbox.get()?.get(&at)?.map(|row| row.value().to_vec());
        let name = under(key, &next.to_be_bytes());
        let ended = match &waiting {
            Some(_) => None,
            None => batch.tables.ended_sends.get()?.get(name.as_slice())?.map(|row| row.value().to_vec()),
        };
        let Some(row) = waiting.as_ref().or(ended.as_ref()) else {
            back.pass(next, None);
            continue;
        };
        let reply = Reply::read(row)?;
        if reply.previous == seq {
            Reply { previous: before, ..reply }.write(&mut batch.buffer);
            match waiting {
                Some(_) => drop(batch.tables.outbox.put()?.insert(&at, batch.buffer.as_slice())?),
                None => {
                    drop(batch.tables.ended_sends.put()?.insert(name.as_slice(), batch.buffer.as_slice())?)
                }
            }
            return Ok(true);
        }
        back.pass(next, Some(reply.previous));
    }
    Ok(false)
}
