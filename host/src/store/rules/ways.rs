//! The ways of messages: what came of each, written down in the commit that deals with it.

use crate::message::{TenantId, Timestamp};
use crate::store::rows::inbox::{Entry, InboxRow};
use crate::store::rows::place::Place;
use crate::store::rows::way::{Dealt, Way};
use crate::store::rows::{Rows, Step, Ways};

pub mod search;

/// A turn that dies again and again is not written down longer than this.
const KEPT: usize = 64;

/// What was done about messages, in one turn.
pub struct Done<'a> {
    pub dealt: Dealt,
    pub journal: Option<u64>,
    pub replies: &'a [u64],
    pub now: Timestamp,
}

/// Writes the ways of what a turn used up. `lines`: where each stands in the history now; none for what stood there
/// before, or is no line.
pub fn write(
    rows: &mut impl Rows,
    tenant: TenantId,
    entries: &[Entry],
    lines: &[Option<u64>],
    done: &Done<'_>,
) -> Step<()> {
    let turn = entries.first().map_or(0, |(id, _)| id.seq);
    for ((id, entry), line) in entries.iter().zip(lines) {
        let at = Place::new(id.seq, tenant);
        let before = if entry.told { rows.get::<Ways>(&at)? } else { None };
        // Nothing would ever remove it: its line has gone, or it has neither line nor turn.
        if line.is_none() && (entry.told && before.is_none() || done.journal.is_none() && !entry.told) {
            continue;
        }
        let (mut journal, mut replies, line) = match before {
            Some(before) => (before.journal, before.replies, before.line.max(*line)),
            None => (Vec::new(), Vec::new(), *line),
        };
        journal.extend(done.journal);
        replies.extend_from_slice(done.replies);
        for places in [&mut journal, &mut replies] {
            places.drain(..places.len().saturating_sub(KEPT));
        }
        let way = Way {
            dealt: done.dealt,
            via: entry.via,
            failures: entry.failures + u32::from(done.dealt == Dealt::Dead),
            received_at: entry.received_at,
            dealt_at: done.now,
            turn,
            line,
            journal,
            replies,
            sender: entry.sender.clone(),
        };
        rows.put::<Ways>(&at, &way)?;
    }
    Ok(())
}

/// Of what went straight into the history, as a line under its own number. `confirmed`: the reply that says so.
pub fn put_down(
    rows: &mut impl Rows,
    (tenant, seq): (TenantId, u64),
    entry: &InboxRow,
    confirmed: Option<u64>,
) -> Step<()> {
    let way = Way {
        dealt: Dealt::PutDown,
        via: entry.via,
        failures: 0,
        received_at: entry.received_at,
        dealt_at: entry.received_at,
        turn: seq,
        line: Some(seq),
        journal: Vec::new(),
        replies: confirmed.into_iter().collect(),
        sender: entry.sender.clone(),
    };
    rows.put::<Ways>(&Place::new(seq, tenant), &way)?;
    Ok(())
}

/// What it leaves with has gone.
pub fn forget(rows: &mut impl Rows, message: u64, tenant: TenantId) -> Step<()> {
    rows.remove::<Ways>(&Place::new(message, tenant))?;
    Ok(())
}
