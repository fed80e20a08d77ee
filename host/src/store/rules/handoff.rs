//! Between brain and human: a conversation is taken over, and given back with what was said
//! meanwhile.

use std::collections::VecDeque;

use super::history::{self, Back};
use super::{inbox, timers, waiting};
use crate::conversation::{HistoryEntry, Mode, Trigger};
use crate::message::{ConversationKey, Timestamp};
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::inbox::What;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Fault, Humans, Inbox, ReadRows, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::{AuditEntry, Error};

/// Of what was said to the human, the brain is told the newest lines, at most so many
const SAID: usize = 50;

/// and at most so many bytes of them.
const SAID_BYTES: usize = 256 << 10;

/// Who has taken over is kept apart too: arrivals ask for it, and for nothing else. The caller keeps the conversation.
pub fn change_mode(
    rows: &mut impl Rows,
    key: &ConversationKey,
    row: &mut ConversationRow,
    mode: Mode,
) -> Step<()> {
    let before = std::mem::replace(&mut row.conversation.mode, mode) == Mode::Human;
    let answers = mode == Mode::Human;
    if answers && !before {
        row.handed_off = row.last_line;
        rows.put::<Humans>(key, &())?;
    } else if before && !answers {
        rows.remove::<Humans>(key)?;
        timers::resume(rows, key)?;
    }
    if answers != before {
        rows.effect(Effect::Human { key: key.clone(), answers });
    }
    Ok(())
}

/// A human answers from now on, before the brain has asked for one.
pub fn take_over(rows: &mut impl Rows, key: &ConversationKey, by: &AuditEntry) -> Step<()> {
    let mut row = known(rows, key)?;
    if row.conversation.mode == Mode::Human {
        return Err(Error::Conflict("a human answers this contact already".into()).into());
    }
    change_mode(rows, key, &mut row, Mode::Human)?;
    history::keep(rows, key, &row)?;
    rows.touch(by.at);
    rows.audit(by)
}

/// The brain answers from now on. It is told what was said since the hand-off, in a turn of its own,
/// and what its timers had to say meanwhile rings after that, as far as they still may without a word of the
/// contact.
pub fn hand_back(rows: &mut impl Rows, key: &ConversationKey, by: &AuditEntry) -> Step<()> {
    let mut row = known(rows, key)?;
    if row.conversation.mode != Mode::Human {
        return Err(Error::Conflict("no human answers this contact; the bot does".into()).into());
    }
    let said = said(rows, key, &row)?;
    change_mode(rows, key, &mut row, Mode::Bot)?;
    history::keep(rows, key, &row)?;
    // The oldest of all that waits: the brain hears of it before it hears anything else.
    let what = What::Handback(Packed::new(&Trigger::Handback { said }));
    inbox::enter(rows, key, &row.conversation, what, (Timestamp::ZERO, by.at))?;
    rows.audit(by)
}

/// The conversation as it is kept. Where its first message still waits for its turn, what that tells of
/// it is heard now: whoever is asked next, human or brain, answers to where it came from.
fn known(rows: &impl Rows, key: &ConversationKey) -> Step<ConversationRow> {
    let row = history::conversation(rows, key)?;
    if let Some(row) = row.as_ref().filter(|row| row.conversation.sender.is_some()) {
        return Ok(row.clone());
    }
    let is_known = row.is_some();
    let mut row = row.unwrap_or_default();
    for id in waiting::turns(rows, key) {
        let entry = rows.get::<Inbox>(&Place::new(id.seq, key.tenant))?;
        if let Some(entry) = entry.filter(|entry| entry.contact == key.contact) {
            row.hear(&entry);
        }
    }
    if is_known || row.conversation.sender.is_some() { Ok(row) } else { Err(unknown(key)) }
}

fn unknown(key: &ConversationKey) -> Fault {
    Error::NotFound(format!("this contact has no conversation with tenant {}", key.tenant)).into()
}

/// The newest lines since the hand-off, oldest first.
fn said(rows: &impl ReadRows, key: &ConversationKey, row: &ConversationRow) -> Step<Vec<HistoryEntry>> {
    let (mut said, mut bytes) = (VecDeque::new(), 0);
    let mut back = Back::through_lines(row);
    while back.newest() > row.handed_off && said.len() < SAID {
        let next = back.newest();
        let line = history::line(rows, key, row, next)?;
        back.pass(next, line.as_ref().map(|line| line.previous));
        let Some(line) = line else { continue };
        bytes += line.size();
        if bytes > SAID_BYTES {
            break;
        }
        said.push_front(line.entry()?);
    }
    Ok(said.into())
}
