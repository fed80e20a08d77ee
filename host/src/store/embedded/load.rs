//! Fills what is kept in memory from the file: at start, and after the file had to be opened again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::batch::{Batch, Fault, Step, file_error};
use super::codec::{read_conversation_key, read_place};
use super::cursors::Trims;
use super::opened::Shared;
use super::rows::{Reply, Waiting, contact, state as state_row};
use super::tables::define;
use super::{files, usage};
use crate::clock;
use crate::message::{ContactKey, ConversationKey, SenderName, Timestamp};
use crate::schedule::{Class, Item};
use crate::store::rules::{directory, lookups, sends, timers, users};
use crate::store::shared::index::Index;
use crate::store::shared::index::Loaded;
use crate::store::shared::lock::lock;
use crate::store::shared::schedules::schedules;
use crate::store::shared::state::State;
use crate::store::{Counters, InboxId, OutboxState, SendId};

/// What somebody waits for and the clock says is yet to come into being was written under another clock,
/// which tells nothing of when it is due.
fn due_by(due: Timestamp, class: Class, since: Timestamp, now: Timestamp) -> Timestamp {
    if class == Class::Answer && since > now { due.min(now) } else { due }
}

/// Everything what is kept in memory hold.
pub fn load(index: &Index, snapshot: &ReadTransaction) -> Step<Loaded> {
    let (turns, sends, files) = schedules(&index.settings);
    let mut loaded = Loaded {
        directory: directory::read(snapshot, &index.keys.load())?,
        state: state(snapshot)?,
        users: users::all(snapshot)?,
        usage: usage::load(snapshot)?,
        turns,
        sends,
        files,
        next_timer: timers::first_due(snapshot)?,
        next_lookup: lookups::first_due(snapshot)?,
        opted_out: snapshot.open_table(define::opt_outs)?.len()? as i64,
        humans: HashSet::new(),
    };
    let now = clock::now();
    for row in snapshot.open_table(define::humans)?.iter()? {
        loaded.humans.insert(read_conversation_key("humans", row?.0.value())?);
    }
    for row in snapshot.open_table(define::inbox)?.iter()? {
        let (place, row) = row?;
        let (seq, tenant) = read_place(place.value());
        let entry = Waiting::read(row.value())?;
        let key = ConversationKey { tenant, contact: ContactKey::from_stored(entry.contact) };
        let (class, alone) = (entry.class(), entry.alone());
        let due = due_by(entry.due, class, entry.received_at, now);
        let item = Item { group: (), tenant, due, class, alone };
        loaded.turns.put(&key, InboxId { at: entry.at, seq }, item);
    }
    for row in snapshot.open_table(define::outbox)?.iter()? {
        let (place, row) = row?;
        let (seq, tenant) = read_place(place.value());
        let reply = Reply::read(row.value())?;
        let key = ConversationKey { tenant, contact: ContactKey::from_stored(reply.contact) };
        let (group, class) = (SenderName::new(reply.sender), reply.class());
        let due = due_by(reply.due, class, reply.retried_at.unwrap_or(reply.created_at), now);
        loaded.sends.put(&key, seq, Item { group, tenant, due, class, alone: true });
    }
    files::waiting(snapshot, &mut loaded.files)?;
    Ok(loaded)
}

fn state(snapshot: &ReadTransaction) -> Step<State> {
    let meta = snapshot.open_table(define::meta)?;
    let row = ReadableTable::get(&meta, "state")?;
    Ok(row.map(|row| state_row::read(row.value())).transpose()?.unwrap_or_default())
}

/// As they are kept, from the file.
pub fn counters(snapshot: &ReadTransaction) -> Step<Counters> {
    Ok(state(snapshot)?.counters(users::all(snapshot)?))
}

/// After an I/O error: the last commit may or may not have reached the file, so everything is read
/// again.
pub fn again(shared: &Arc<Shared>) -> Result<(), redb::Error> {
    let index = &shared.index;
    let read = || -> Step<()> {
        index.replace(load(index, &shared.disk.snapshot()?)?);
        *lock(&shared.cursors.trims) = Trims::default();
        Ok(())
    };
    read().map_err(|fault| match fault {
        Fault::Engine(error) => file_error(error),
        other => redb::Error::Corrupted(other.to_string()),
    })
}

/// At start: replies that the last process was sending. Whether they went out nobody knows.
pub fn interrupted(snapshot: &ReadTransaction) -> Step<Vec<SendId>> {
    let mut ids = Vec::new();
    for row in snapshot.open_table(define::outbox)?.iter()? {
        let (place, row) = row?;
        let reply = Reply::read(row.value())?;
        if reply.state == OutboxState::Sending {
            let (seq, tenant) = read_place(place.value());
            let key = ConversationKey { tenant, contact: ContactKey::from_stored(reply.contact) };
            ids.push(SendId { key, seq });
        }
    }
    Ok(ids)
}

pub const INTERRUPTED: &str = "the gateway stopped while this was being sent; it may have gone out or not";

pub fn declare_unknown(batch: &mut Batch<'_>, ids: &[SendId]) -> Step<()> {
    for id in ids {
        sends::declare_unknown(batch, id, INTERRUPTED, clock::now())?;
    }
    Ok(())
}

/// Locks, inbox, outbox and dead turns, counted row by row. What leaves no rows (conflicts, messages
/// over all time) is taken from where it is kept.
pub fn recount(snapshot: &ReadTransaction) -> Step<Counters> {
    let mut counted = state(snapshot)?;
    let mut users = BTreeMap::new();
    for row in snapshot.open_table(define::contacts)?.iter()? {
        let (_, row) = row?;
        if let Some(lock) = contact::read(row.value())?.lock {
            *users.entry(lock.tenant.get()).or_default() += 1;
        }
    }
    counted.users = users.values().sum();
    counted.inbox = snapshot.open_table(define::inbox)?.len()?;
    counted.outbox_waiting = snapshot.open_table(define::outbox)?.len()?;
    counted.dead_turns = snapshot.open_table(define::dead_turns)?.len()?;
    (counted.outbox_dead, counted.outbox_unknown) = (0, 0);
    for row in snapshot.open_table(define::ended_sends)?.iter()? {
        match Reply::read(row?.1.value())?.state {
            OutboxState::Unknown => counted.outbox_unknown += 1,
            _ => counted.outbox_dead += 1,
        }
    }
    Ok(counted.counters(users))
}
