//! Dead turns: they lie by conversation, for who looks at one, and by their places, so that the oldest of a
//! tenant are found first. Both change together, here alone.

use super::inbox;
use crate::message::{ConversationKey, Timestamp};
use crate::store::rows::dead_turn::DeadTurnRow;
use crate::store::rows::inbox::InboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{DeadPlaces, DeadTurns, Inbox, Rows, Step};
use crate::store::{Error, SendId};

/// `seq`: of its first entry.
pub fn keep(rows: &mut impl Rows, key: &ConversationKey, seq: u64, dead: &DeadTurnRow) -> Step<()> {
    rows.put::<DeadTurns>(&(key.clone(), seq), dead)?;
    rows.put::<DeadPlaces>(&Place::new(seq, key.tenant), &key.contact)?;
    rows.changes_mut().state.dead_turns += 1;
    Ok(())
}

pub fn forget(rows: &mut impl Rows, key: &ConversationKey, seq: u64) -> Step<()> {
    rows.remove::<DeadPlaces>(&Place::new(seq, key.tenant))?;
    if rows.remove::<DeadTurns>(&(key.clone(), seq))? {
        let dead = &mut rows.changes_mut().state.dead_turns;
        *dead = dead.saturating_sub(1);
    }
    Ok(())
}

/// They go on under another key of the same person. Whether there were any.
pub fn rename(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let mut found = Vec::new();
    rows.each::<DeadTurns>(
        &(from.clone(), 0),
        |(of, _)| of == from,
        |(_, seq), dead| {
            found.push((seq, dead?));
            Ok(())
        },
    )?;
    for (seq, mut dead) in found.iter().cloned() {
        for (_, entry) in &mut dead.entries {
            entry.contact.clone_from(&into.contact);
        }
        rows.remove::<DeadTurns>(&(from.clone(), seq))?;
        rows.put::<DeadTurns>(&(into.clone(), seq), &dead)?;
        rows.put::<DeadPlaces>(&Place::new(seq, into.tenant), &into.contact)?;
    }
    Ok(!found.is_empty())
}

/// Puts a dead turn back in line, or makes a waiting one due.
pub fn retry(rows: &mut impl Rows, id: &SendId, now: Timestamp) -> Step<()> {
    let SendId { key, seq } = id;
    if let Some(dead) = rows.get::<DeadTurns>(&(key.clone(), *seq))? {
        forget(rows, key, *seq)?;
        rows.changes_mut().state.inbox += dead.entries.len() as u64;
        for (seq, entry) in dead.entries {
            inbox::put(rows, key, seq, &InboxRow { failures: 0, due: now, ..entry }, now)?;
        }
    } else {
        let entry = rows.get::<Inbox>(&Place::new(*seq, key.tenant))?;
        let entry = entry.filter(|entry| entry.contact == key.contact);
        let entry = entry.ok_or_else(|| Error::NotFound(format!("there is no turn {}", id.text())))?;
        inbox::put(rows, key, *seq, &InboxRow { due: now, ..entry }, now)?;
    }
    rows.touch(now);
    Ok(())
}
