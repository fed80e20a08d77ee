//! What is kept in memory, read from the rows: at a start, and after an engine failed.

use std::collections::{BTreeMap, HashSet};

use super::{directory, files, lookups, sends, timers, usage, users};
use crate::message::{ConversationKey, Timestamp};
use crate::schedule::{Class, Item};
use crate::store::rows::{
    Contacts, DeadTurns, EndedSends, Humans, Inbox, OptOuts, Outbox, ReadRows, ReadTable, Rows, Step, Totals,
};
use crate::store::shared::index::{Index, Loaded};
use crate::store::shared::schedules::schedules;
use crate::store::shared::state::State;
use crate::store::{Counters, InboxId, OutboxState, SendId};

/// What somebody waits for and the clock says is yet to come into being was written under another clock,
/// which tells nothing of when it is due.
fn due_by(due: Timestamp, class: Class, since: Timestamp, now: Timestamp) -> Timestamp {
    if class == Class::Answer && since > now { due.min(now) } else { due }
}

/// Everything that is kept in memory.
pub fn load(rows: &impl ReadRows, index: &Index, now: Timestamp) -> Step<Loaded> {
    let (turns, sends, files) = schedules(&index.settings);
    let mut loaded = Loaded {
        directory: directory::read(rows, &index.keys.load())?,
        state: state(rows)?,
        users: users::all(rows)?,
        usage: usage::all(rows)?,
        turns,
        sends,
        files,
        next_timer: timers::first_due(rows)?,
        next_lookup: lookups::first_due(rows)?,
        opted_out: i64::try_from(ReadTable::<OptOuts>::count_rows(rows)?).unwrap_or(i64::MAX),
        humans: HashSet::new(),
    };
    rows.every::<Humans>(|key, _| {
        loaded.humans.insert(key);
        Ok(())
    })?;
    rows.every::<Inbox>(|place, entry| {
        let entry = entry?;
        let key = ConversationKey { tenant: place.tenant, contact: entry.contact };
        let (class, alone) = (entry.what.class(), entry.what.alone());
        let due = due_by(entry.due, class, entry.received_at, now);
        let item = Item { group: (), tenant: place.tenant, due, class, alone };
        loaded.turns.put(&key, InboxId { at: entry.at, seq: place.seq }, item);
        Ok(())
    })?;
    rows.every::<Outbox>(|place, reply| {
        let reply = reply?;
        let (class, since) = (reply.class(), reply.retried_at.unwrap_or(reply.created_at));
        let due = due_by(reply.due, class, since, now);
        let key = ConversationKey { tenant: place.tenant, contact: reply.contact };
        let item = Item { group: reply.sender, tenant: place.tenant, due, class, alone: true };
        loaded.sends.put(&key, place.seq, item);
        Ok(())
    })?;
    files::waiting(rows, &mut loaded.files)?;
    Ok(loaded)
}

fn state(rows: &impl ReadRows) -> Step<State> {
    Ok(rows.get::<Totals>(&())?.unwrap_or_default())
}

/// As they are kept.
pub fn counters(rows: &impl ReadRows) -> Step<Counters> {
    Ok(state(rows)?.counters(users::all(rows)?))
}

/// At a start: replies that the last process was sending. Whether they went out nobody knows.
pub fn interrupted(rows: &impl ReadRows) -> Step<Vec<SendId>> {
    let mut ids = Vec::new();
    rows.every::<Outbox>(|place, reply| {
        let reply = reply?;
        if reply.state == OutboxState::Sending {
            let key = ConversationKey { tenant: place.tenant, contact: reply.contact };
            ids.push(SendId { key, seq: place.seq });
        }
        Ok(())
    })?;
    Ok(ids)
}

pub const INTERRUPTED: &str = "the gateway stopped while this was being sent; it may have gone out or not";

pub fn declare_unknown(rows: &mut impl Rows, ids: &[SendId], now: Timestamp) -> Step<()> {
    ids.iter().try_for_each(|id| sends::declare_unknown(rows, id, INTERRUPTED, now))
}

/// Locks, inbox, outbox and dead turns, counted row by row. What leaves no rows (conflicts, messages
/// over all time) is taken from where it is kept.
pub fn recount(rows: &impl ReadRows) -> Step<Counters> {
    let mut counted = state(rows)?;
    let mut users = BTreeMap::new();
    rows.every::<Contacts>(|_, contact| {
        if let Some(lock) = contact?.lock {
            *users.entry(lock.tenant.get()).or_default() += 1;
        }
        Ok(())
    })?;
    counted.users = users.values().sum();
    counted.inbox = ReadTable::<Inbox>::count_rows(rows)?;
    counted.outbox_waiting = ReadTable::<Outbox>::count_rows(rows)?;
    counted.dead_turns = ReadTable::<DeadTurns>::count_rows(rows)?;
    (counted.outbox_dead, counted.outbox_unknown) = (0, 0);
    rows.every::<EndedSends>(|_, reply| {
        match reply?.state {
            OutboxState::Unknown => counted.outbox_unknown += 1,
            _ => counted.outbox_dead += 1,
        }
        Ok(())
    })?;
    Ok(counted.counters(users))
}
