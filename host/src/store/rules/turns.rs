//! How turns end: committed as a whole, to be tried again, or dead.

use super::replies::Why;
use super::ways::{self, Done};
use super::{dead_turns, handoff, history, inbox, leads, replies, timers};
use crate::conversation::{Author, JournalEntry, Mode, Occasion, TimerChange};
use crate::message::{ConversationKey, Outbound, SenderName, Timestamp};
use crate::store::quotas::Shelf;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::dead_turn::DeadTurnRow;
use crate::store::rows::inbox::{Entry, InboxRow, What};
use crate::store::rows::journal::JournalRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::way::Dealt;
use crate::store::rows::{Fault, Inbox, Journal, ReadRows, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::shared::index::Index;
use crate::store::{Error, InboxId, TurnCommit, TurnFailure, TurnFate};
use crate::tenant::quotas::Kind;

pub mod taken_in;

/// The entries of a turn, as they stand in the inbox. There is at least one, and all must be there.
fn entries_of(rows: &impl ReadRows, key: &ConversationKey, ids: &[InboxId]) -> Step<Vec<Entry>> {
    if ids.is_empty() {
        return Err(Error::Conflict(format!("a turn of {key} uses up at least one entry")).into());
    }
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        let entry = match rows.get::<Inbox>(&Place::new(id.seq, key.tenant)) {
            Ok(entry) => entry.filter(|entry| entry.contact == key.contact),
            Err(Fault::Row(_)) => None,
            Err(other) => return Err(other),
        };
        let gone = || Error::Conflict(format!("entry {} of {key} is not in the inbox any more", id.seq));
        entries.push((*id, entry.ok_or_else(gone)?));
    }
    Ok(entries)
}

/// What the entries tell of their conversation. Nothing is written yet.
fn hear(row: &mut ConversationRow, entries: &[Entry]) {
    entries.iter().for_each(|(_, entry)| row.hear(entry));
}

/// Takes entries that were heard out of the inbox. What the contact said goes into the history, unless it
/// went there before. Where each went, if anywhere.
fn use_up(
    rows: &mut impl Rows,
    key: &ConversationKey,
    row: &mut ConversationRow,
    entries: &[Entry],
) -> Step<Vec<Option<u64>>> {
    let mut lines = Vec::with_capacity(entries.len());
    for (id, entry) in entries {
        rows.remove::<Inbox>(&Place::new(id.seq, key.tenant))?;
        let mut line = None;
        if let Some(heard) = entry.what.heard() {
            timers::awake(rows, key, row)?;
            if !entry.told {
                let seq = rows.seq();
                let said = history::NewLine { at: entry.received_at, message: id.seq, heard: heard.clone() };
                history::append(rows, key, row, said, seq)?;
                line = Some(seq);
            }
        }
        lines.push(line);
    }
    let inbox = &mut rows.changes_mut().state.inbox;
    *inbox = inbox.saturating_sub(entries.len() as u64);
    Ok(lines)
}

/// The message by which the turn is named, and when it came in; of a timer that rang nobody waits for the answer.
fn first(entries: &[Entry]) -> (Option<u64>, Option<Timestamp>) {
    let first = entries.first();
    let heard = first.filter(|(_, entry)| entry.what.is_heard());
    (first.map(|(id, _)| id.seq), heard.map(|(_, entry)| entry.received_at))
}

/// What the turn of this entry was for, where that is no line.
fn inside(entries: &[Entry]) -> Option<u64> {
    entries.first().filter(|(_, entry)| !entry.what.is_heard()).map(|(id, _)| id.seq)
}

/// Under `seq`; the caller keeps the conversation.
fn journal(
    rows: &mut impl Rows,
    key: &ConversationKey,
    row: &mut ConversationRow,
    (seq, entry): (u64, JournalRow),
) -> Step<()> {
    rows.put::<Journal>(&Place::new(seq, key.tenant), &entry)?;
    row.last_journal = seq;
    Ok(())
}

/// A turn's outcome, packed before it reaches the writer.
pub struct Outcome {
    turn: TurnCommit,
    sends: Vec<Packed<Outbound>>,
    journal: Packed<JournalEntry>,
}

impl Outcome {
    pub fn new(turn: TurnCommit, index: &Index) -> Self {
        Outcome {
            sends: turn.sends.iter().map(Packed::new).collect(),
            journal: index.journaled(turn.key.tenant, &turn.journal, turn.now),
            turn,
        }
    }
}

pub fn commit(rows: &mut impl Rows, outcome: &Outcome) -> Step<()> {
    let Outcome { turn, sends, journal: entry } = outcome;
    let TurnCommit { key, now, .. } = turn;
    let entries = entries_of(rows, key, &turn.entries)?;
    let mut row = history::conversation(rows, key)?.unwrap_or_default();
    // Whatever may be refused is looked at before anything is written.
    hear(&mut row, &entries);
    let sender = if sends.is_empty() { None } else { Some(replies::sender_of(key, &row)?) };
    let lead = leads::change(rows, key, &turn.leads, row.conversation.source.clone(), *now)?;
    let overtaken = timers::check(rows, key, &turn.timers, &turn.entries)?;
    remembers(rows, key, &row, turn.memory.as_deref())?;
    let place = rows.seq();
    let lines = use_up(rows, key, &mut row, &entries)?;
    row.conversation.turns += 1;
    row.conversation.brain_version = Some(turn.brain_version.clone());
    row.conversation.wants_receipts = turn.wants_receipts;
    if let Some(memory) = &turn.memory {
        row.conversation.memory = Some(memory.clone());
    }
    let said = match sender {
        Some(sender) => say(rows, key, (&mut row, sender), &entries, sends, *now)?,
        None => Vec::new(),
    };
    // Who took over while this turn ran keeps the conversation.
    if let Some(mode) = turn.mode.filter(|_| row.conversation.mode != Mode::Human) {
        handoff::change_mode(rows, key, &mut row, mode)?;
    }
    change_timers(rows, turn)?;
    for id in &overtaken {
        inbox::withdraw(rows, key, id)?;
    }
    if let Some(lead) = &lead {
        leads::put(rows, lead)?;
    }
    let entry = JournalRow {
        at: *now,
        previous: row.last_journal,
        way: inside(&entries),
        contact: key.contact.clone(),
        entry: entry.clone(),
    };
    journal(rows, key, &mut row, (place, entry))?;
    let done = Done { dealt: Dealt::Turn, journal: Some(place), replies: &said, now: *now };
    ways::write(rows, key.tenant, &entries, &lines, &done)?;
    history::keep(rows, key, &row)?;
    rows.changes_mut().count_turn(key.tenant, turn.journal.cost.fuel, *now);
    rows.touch(*now);
    let gone = [turn.entries.as_slice(), &overtaken].concat();
    rows.effect(Effect::TurnDone { key: key.clone(), gone });
    Ok(())
}

fn change_timers(rows: &mut impl Rows, turn: &TurnCommit) -> Step<()> {
    let floor = turn.now.plus_ms(rows.index().settings.timer_floor_ms);
    for timer in &turn.timers {
        match timer {
            TimerChange::Set { key, at, payload } => {
                timers::set(rows, &turn.key, key, *at.max(&floor), payload)?;
            }
            TimerChange::Cancel { key } => timers::cancel(rows, &turn.key, key)?,
        }
    }
    Ok(())
}

/// What the brain said, each at its place.
fn say(
    rows: &mut impl Rows,
    key: &ConversationKey,
    (row, sender): (&mut ConversationRow, SenderName),
    entries: &[Entry],
    sends: &[Packed<Outbound>],
    now: Timestamp,
) -> Step<Vec<u64>> {
    let (occasion, (message, heard_at)) = (occasion(entries), first(entries));
    if occasion == Occasion::Answer && !sends.is_empty() {
        replies::wake(rows, key, now)?;
    }
    let why = Why { author: Author::Brain, occasion, message, heard_at };
    let mut said = Vec::with_capacity(sends.len());
    for send in sends {
        said.push(replies::queue_on(rows, key, (row, sender.clone()), why, send.clone(), now)?);
    }
    Ok(said)
}

/// May the brain remember this?
fn remembers(
    rows: &impl Rows,
    key: &ConversationKey,
    row: &ConversationRow,
    memory: Option<&str>,
) -> Step<()> {
    let before = row.conversation.memory.as_ref().map_or(0, String::len);
    let more = memory.map_or(0, str::len).saturating_sub(before) as u64;
    if more > 0 {
        let kept = rows.usage(key.tenant).of(Shelf::Conversations).bytes;
        rows.index().allow(key.tenant, Kind::ConversationBytes, kept.saturating_add(more))?;
    }
    Ok(())
}

/// What the replies of a turn with these entries are said for.
fn occasion(entries: &[Entry]) -> Occasion {
    match entries.first().map(|(_, entry)| &entry.what) {
        Some(What::Timer { .. }) => Occasion::Timer,
        Some(What::Receipt(_)) => Occasion::Receipt,
        _ => Occasion::Answer,
    }
}

/// A failed turn, packed before it reaches the writer.
pub struct Failed {
    failure: TurnFailure,
    fallback: Option<Packed<Outbound>>,
    journal: Option<Packed<JournalEntry>>,
    error: String,
}

impl Failed {
    pub fn new(failure: TurnFailure, index: &Index) -> Self {
        let fallback = match &failure.fate {
            TurnFate::Dead { fallback } => fallback.as_ref().map(Packed::new),
            TurnFate::Retry { .. } => None,
        };
        let journaled = |journal| index.journaled(failure.key.tenant, journal, failure.now);
        Failed {
            fallback,
            journal: failure.journal.as_ref().map(journaled),
            error: format!("{}: {}", failure.code, failure.message),
            failure,
        }
    }
}

pub fn fail(rows: &mut impl Rows, failed: &Failed) -> Step<()> {
    let TurnFailure { key, entries: ids, fate, now, .. } = &failed.failure;
    let entries = entries_of(rows, key, ids)?;
    let mut row = history::conversation(rows, key)?.unwrap_or_default();
    let mut gone = Vec::new();
    let place = failed.journal.as_ref().map(|_| rows.seq());
    match fate {
        TurnFate::Retry { at } => put_off(rows, failed, &entries, *at)?,
        TurnFate::Dead { .. } => {
            bury(rows, failed, (&mut row, &entries), place)?;
            gone.clone_from(ids);
        }
    }
    if let Some((entry, place)) = failed.journal.clone().zip(place) {
        let way = inside(&entries).filter(|_| !gone.is_empty());
        let (previous, contact) = (row.last_journal, key.contact.clone());
        journal(rows, key, &mut row, (place, JournalRow { at: *now, previous, way, contact, entry }))?;
    }
    if failed.journal.is_some() || !gone.is_empty() {
        history::keep(rows, key, &row)?;
    }
    let fuel = failed.failure.journal.as_ref().map_or(0, |journal| journal.cost.fuel);
    rows.changes_mut().count_turn(key.tenant, fuel, *now);
    rows.touch(*now);
    rows.effect(Effect::TurnDone { key: key.clone(), gone });
    Ok(())
}

fn put_off(rows: &mut impl Rows, failed: &Failed, entries: &[Entry], due: Timestamp) -> Step<()> {
    for (id, entry) in entries {
        let error = Some(failed.error.clone());
        let entry = InboxRow { failures: entry.failures + 1, due, error, ..entry.clone() };
        inbox::put(rows, &failed.failure.key, id.seq, &entry, failed.failure.now)?;
    }
    Ok(())
}

/// Keeps the entries as a dead turn, marked so that their lines and their fallback come only once,
/// however often the turn is tried again. `place`: of its journal entry. The caller keeps the conversation.
fn bury(
    rows: &mut impl Rows,
    failed: &Failed,
    (row, entries): (&mut ConversationRow, &[Entry]),
    place: Option<u64>,
) -> Step<()> {
    let TurnFailure { key, now, .. } = &failed.failure;
    hear(row, entries);
    let marked = entries.iter().map(|(id, entry)| {
        let (failures, error) = (entry.failures + 1, Some(failed.error.clone()));
        (id.seq, InboxRow { told: true, failures, error, ..entry.clone() })
    });
    let dead = DeadTurnRow { at: *now, error: failed.error.clone(), entries: marked.collect() };
    dead_turns::keep(rows, key, entries.first().map_or(0, |(id, _)| id.seq), &dead)?;
    let lines = use_up(rows, key, row, entries)?;
    let told = entries.iter().any(|(_, entry)| entry.told);
    let fallback = failed.fallback.clone().filter(|_| !told);
    let mut said = None;
    if let Some((fallback, sender)) = fallback.zip(row.conversation.sender.clone()) {
        let (message, heard_at) = first(entries);
        let why = Why::answer(Author::Gateway, message, heard_at);
        said = Some(replies::queue(rows, key, (row, sender), why, fallback, *now)?);
    }
    let done = Done { dealt: Dealt::Dead, journal: place, replies: said.as_slice(), now: *now };
    ways::write(rows, key.tenant, entries, &lines, &done)
}
