//! Between brain and human: a conversation is taken over, and given back with what was said
//! meanwhile.

use std::collections::VecDeque;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{conversation_key, pack, place, under};
use super::lines::Back;
use super::merge::moved::waiting_turns;
use super::mirror::Effect;
use super::rows::{Kept, Reply, Spoken, Waiting, WaitingKind};
use super::{inbox, lines, timers};
use crate::conversation::{HistoryEntry, Mode, Trigger};
use crate::message::{ConversationKey, Timestamp};
use crate::store::{AuditEntry, Error};

/// Of what was said to the human, the brain is told the newest lines, at most so many
const SAID: usize = 50;

/// and at most so many bytes of them.
const SAID_BYTES: usize = 256 << 10;

/// Who has taken over is kept apart too: arrivals ask for it, and for nothing else.
pub fn change_mode(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    row: &[u8],
    kept: &mut Kept,
    mode: Mode,
) -> Step<()> {
    let before = std::mem::replace(&mut kept.conversation.mode, mode) == Mode::Human;
    let answers = mode == Mode::Human;
    if answers && !before {
        kept.handed_off = kept.last_line;
        batch.tables.humans.put()?.insert(row, ())?;
    } else if before && !answers {
        batch.tables.humans.put()?.remove(row)?;
        timers::resume(batch, key)?;
    }
    if answers != before {
        batch.effects.push(Effect::Human { key: key.clone(), answers });
    }
    Ok(())
}

/// A human answers from now on, before the brain has asked for one.
pub fn take_over(batch: &mut Batch<'_>, key: &ConversationKey, by: &AuditEntry) -> Step<()> {
    let row = conversation_key(key);
    let mut kept = known(batch, key, &row)?;
    if kept.conversation.mode == Mode::Human {
        return Err(Error::Conflict("a human answers this contact already".into()).into());
    }
    change_mode(batch, key, &row, &mut kept, Mode::Human)?;
    lines::keep(batch, &row, &kept)?;
    batch.state.touch(by.at);
    batch.audit(by)
}

/// The brain answers from now on. It is told what was said since the hand-off, in a turn of its own,
/// and what its timers had to say meanwhile rings after that, as far as they still may without a word of the
/// contact.
pub fn hand_back(batch: &mut Batch<'_>, key: &ConversationKey, by: &AuditEntry) -> Step<()> {
    let row = conversation_key(key);
    let mut kept = known(batch, key, &row)?;
    if kept.conversation.mode != Mode::Human {
        return Err(Error::Conflict("no human answers this contact; the bot does".into()).into());
    }
    let said = said(batch, key, &kept)?;
    change_mode(batch, key, &row, &mut kept, Mode::Bot)?;
    lines::keep(batch, &row, &kept)?;
    // The oldest of all that waits: the brain hears of it before it hears anything else.
    let at = Timestamp::ZERO;
    let payload = pack(&Trigger::Handback { said });
    inbox::enter(batch, key, &kept.conversation, WaitingKind::Handback, at, &payload, by.at)?;
    batch.audit(by)
}

/// The conversation as it is kept. Where its first message still waits for its turn, what that tells of
/// it is heard now: whoever is asked next, human or brain, answers to where it came from.
fn known(batch: &Batch<'_>, key: &ConversationKey, row: &[u8]) -> Step<Kept> {
    let kept = lines::kept(batch, row)?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.conversation.sender.is_some()) {
        return Ok(kept.clone());
    }
    let is_known = kept.is_some();
    let mut kept = kept.unwrap_or_default();
    for id in waiting_turns(batch, key) {
        let Some(row) = batch.tables.inbox.get()?.get(&place(id.seq, key.tenant))? else { continue };
        let entry = Waiting::read(row.value())?;
        if entry.contact == key.contact.as_str() {
            kept.hear(&entry);
        }
    }
    if is_known || kept.conversation.sender.is_some() { Ok(kept) } else { Err(unknown(key)) }
}

fn unknown(key: &ConversationKey) -> super::batch::Fault {
    Error::NotFound(format!("this contact has no conversation with tenant {}", key.tenant)).into()
}

/// The newest lines since the hand-off, oldest first.
fn said(batch: &Batch<'_>, key: &ConversationKey, kept: &Kept) -> Step<Vec<HistoryEntry>> {
    let (mut said, mut bytes) = (VecDeque::new(), 0);
    let mut back = Back::through_lines(kept);
    while back.newest() > kept.handed_off && said.len() < SAID {
        let next = back.newest();
        let line = line(batch, key, kept, next)?;
        back.pass(next, line.as_ref().map(|(previous, ..)| *previous));
        let Some((_, size, entry)) = line else { continue };
        bytes += size;
        if bytes > SAID_BYTES {
            break;
        }
        said.push_front(entry);
    }
    Ok(said.into())
}

/// A line with the place of the one before it and its size: from the history, or from where replies
/// are until they have been sent.
fn line(
    batch: &Batch<'_>,
    key: &ConversationKey,
    kept: &Kept,
    seq: u64,
) -> Step<Option<(u64, usize, HistoryEntry)>> {
    let at = place(seq, key.tenant);
    let read = |line: Spoken<'_>| -> Step<Option<(u64, usize, HistoryEntry)>> {
        if !kept.holds(key, line.contact) {
            return Ok(None);
        }
        Ok(Some((line.previous, line.payload.len(), line.entry()?)))
    };
    if let Some(row) = batch.tables.history.get()?.get(&at)? {
        return read(Spoken::read(row.value())?);
    }
    if let Some(row) = batch.tables.outbox.get()?.get(&at)? {
        return read(Reply::read(row.value())?.line());
    }
    let ended = under(key, &seq.to_be_bytes());
    match batch.tables.ended_sends.get()?.get(ended.as_slice())? {
        Some(row) => read(Reply::read(row.value())?.line()),
        None => Ok(None),
    }
}
