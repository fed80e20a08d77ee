//! A conversation and its lines. Lines lie in order of arrival, whoever they belong to; each names the one before it in
//! its conversation, and the conversation names the last. One that was merged has several such chains, which are
//! read as one.

use crate::conversation::Author;
use crate::message::{ConversationKey, Timestamp};
use crate::store::SendId;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::history::{HistoryRow, Line, Times};
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Conversations, EndedSends, History, Outbox, ReadRows, Rows, SentIds, Step};

/// What a contact said, to be put into the history.
pub struct NewLine {
    pub at: Timestamp,
    /// Its arrival number.
    pub message: u64,
    pub heard: Packed<crate::conversation::Heard>,
}

pub fn conversation(rows: &impl ReadRows, key: &ConversationKey) -> Step<Option<ConversationRow>> {
    rows.get::<Conversations>(key)
}

pub fn keep(rows: &mut impl Rows, key: &ConversationKey, conversation: &ConversationRow) -> Step<()> {
    rows.put::<Conversations>(key, conversation)?;
    Ok(())
}

/// Adds a line under `seq`; the caller keeps the conversation.
pub fn append(
    rows: &mut impl Rows,
    key: &ConversationKey,
    conversation: &mut ConversationRow,
    line: NewLine,
    seq: u64,
) -> Step<()> {
    let row = HistoryRow {
        at: line.at,
        author: Author::Contact,
        line: Line::Heard(line.heard),
        state: None,
        previous: conversation.last_line,
        message: Some(line.message),
        sent_id: None,
        provider_id: None,
        times: Times::default(),
        on_receipt: false,
        attempt: 0,
        contact: key.contact.clone(),
    };
    put(rows, key, seq, &row)?;
    conversation.last_line = seq;
    Ok(())
}

pub fn put(rows: &mut impl Rows, key: &ConversationKey, seq: u64, line: &HistoryRow) -> Step<()> {
    rows.put::<History>(&Place::new(seq, key.tenant), line)?;
    Ok(())
}

/// What was said is to be said again: it is no line until then, and no receipt finds what it was.
pub fn unsay(rows: &mut impl Rows, id: &SendId) -> Step<()> {
    if let Some(line) = rows.take::<History>(&Place::new(id.seq, id.key.tenant))?
        && let Some(sent_id) = line.sent_id
    {
        rows.remove::<SentIds>(&sent_id)?;
    }
    Ok(())
}

/// A line: from the history, or from where replies are until they have been sent.
pub fn line(
    rows: &impl ReadRows,
    key: &ConversationKey,
    row: &ConversationRow,
    seq: u64,
) -> Step<Option<HistoryRow>> {
    let at = Place::new(seq, key.tenant);
    let line = if let Some(line) = rows.get::<History>(&at)? {
        Some(line)
    } else if let Some(reply) = rows.get::<Outbox>(&at)? {
        Some(reply.line())
    } else {
        rows.get::<EndedSends>(&(key.clone(), seq))?.map(|reply| reply.line())
    };
    Ok(line.filter(|line| row.holds(key, &line.contact)))
}

/// Walks the chains of a conversation together, from the newest entry back.
pub struct Back(Vec<u64>);

impl Back {
    /// From these entries on, one of each chain.
    pub fn from(ends: Vec<u64>) -> Self {
        Back(ends)
    }

    pub fn through_lines(row: &ConversationRow) -> Self {
        Back(std::iter::once(row.last_line).chain(row.chains.iter().map(|chain| chain.last_line)).collect())
    }

    pub fn through_journal(row: &ConversationRow) -> Self {
        let others = row.chains.iter().map(|chain| chain.last_journal);
        Back(std::iter::once(row.last_journal).chain(others).collect())
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
pub fn take_out(rows: &mut impl Rows, key: &ConversationKey, seq: u64) -> Step<bool> {
    let at = Place::new(seq, key.tenant);
    let (Some(mut row), Some(line)) = (conversation(rows, key)?, rows.get::<History>(&at)?) else {
        return Ok(false);
    };
    let before = line.previous;
    let mut ends = vec![&mut row.last_line];
    ends.extend(row.chains.iter_mut().map(|chain| &mut chain.last_line));
    let mut found = false;
    for end in ends.into_iter().filter(|end| **end == seq) {
        *end = before;
        found = true;
    }
    if found {
        if row.handed_off == seq {
            row.handed_off = before;
        }
        keep(rows, key, &row)?;
    } else if !link_past(rows, key, &row, (seq, before))? {
        return Ok(false);
    }
    rows.remove::<History>(&at)?;
    Ok(true)
}

/// Makes the line after `seq` name the one before it.
fn link_past(
    rows: &mut impl Rows,
    key: &ConversationKey,
    row: &ConversationRow,
    (seq, before): (u64, u64),
) -> Step<bool> {
    let mut back = Back::through_lines(row);
    for _ in 0..REACH {
        let next = back.newest();
        if next <= seq {
            return Ok(false);
        }
        let (at, name) = (Place::new(next, key.tenant), (key.clone(), next));
        if let Some(line) = rows.get::<History>(&at)? {
            if line.previous == seq {
                return put(rows, key, next, &HistoryRow { previous: before, ..line }).map(|()| true);
            }
            back.pass(next, Some(line.previous));
        } else if let Some(reply) = rows.get::<Outbox>(&at)? {
            if reply.previous == seq {
                rows.put::<Outbox>(&at, &OutboxRow { previous: before, ..reply })?;
                return Ok(true);
            }
            back.pass(next, Some(reply.previous));
        } else if let Some(reply) = rows.get::<EndedSends>(&name)? {
            if reply.previous == seq {
                rows.put::<EndedSends>(&name, &OutboxRow { previous: before, ..reply })?;
                return Ok(true);
            }
            back.pass(next, Some(reply.previous));
        } else {
            back.pass(next, None);
        }
    }
    Ok(false)
}
