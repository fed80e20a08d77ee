//! Hands out turns and takes them back: committed as a whole, to be tried again, or dead.

use std::collections::HashSet;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use sha2::{Digest, Sha256};

use super::asleep;
use super::batch::{Batch, Fault, Step};
use super::codec::{conversation_key, owned_by, pack, place, unpack};
use super::lines::{self, NewLine};
use super::mirror::{Due, Effect, Mirror};
use super::replies::Why;
use super::rows::way::Dealt;
use super::rows::{Dead, Journaled, Kept, Waiting, WaitingKind};
use super::tables::define;
use super::ways::{self, Done};
use super::writer::Shared;
use super::{coalesce_ms, dead, handoff, inbox, leads, replies, timers};
use crate::conversation::{Author, Mode, Occasion, TimerChange, Trigger};
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::schedule::Pace;
use crate::store::quotas::Shelf;
use crate::store::{Error, InboxId, TurnClaim, TurnCommit, TurnFailure, TurnFate};
use crate::tenant::quotas::Kind;

mod taken_in;

/// More messages than this do not make one turn, however close together they came.
pub const TOGETHER: usize = 20;

/// What a claimed conversation turned out to hold.
pub enum Found {
    Turn(Box<TurnClaim>),
    /// A human answers now: these entries are not for the brain.
    ForHuman(ConversationKey, Vec<InboxId>),
    /// Its number is switched off: what would be said could not leave.
    Asleep(ConversationKey, InboxId, SenderName),
    /// The entries have gone.
    Nothing,
}

/// Reads what a turn needs, from a snapshot.
pub struct Reader<'m> {
    mirror: &'m Mirror,
    conversations: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
    inbox: redb::ReadOnlyTable<&'static super::codec::Place, &'static [u8]>,
    leads: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl<'m> Reader<'m> {
    pub fn new(mirror: &'m Mirror, snapshot: &ReadTransaction) -> Step<Self> {
        Ok(Reader {
            mirror,
            conversations: snapshot.open_table(define::conversations)?,
            inbox: snapshot.open_table(define::inbox)?,
            leads: snapshot.open_table(define::leads)?,
        })
    }

    pub fn read(&self, key: &ConversationKey, entries: Vec<InboxId>) -> Step<Found> {
        let row = conversation_key(key);
        let kept = ReadableTable::get(&self.conversations, row.as_slice())?;
        let mut kept = kept.map(|row| Kept::read(row.value())).transpose()?.unwrap_or_default();
        if kept.conversation.mode == Mode::Human {
            return Ok(Found::ForHuman(key.clone(), entries));
        }
        let mut failures = 0;
        let mut triggers = Vec::with_capacity(1);
        for id in &entries {
            let Some(row) = ReadableTable::get(&self.inbox, &place(id.seq, key.tenant))? else {
                return Ok(Found::Nothing);
            };
            let entry = Waiting::read(row.value())?;
            failures = failures.max(entry.failures);
            kept.hear(&entry);
            triggers.push(trigger(&entry)?);
        }
        let Some(trigger) = together(triggers) else { return Ok(Found::Nothing) };
        let directory = self.mirror.directory.load();
        let sender = kept.conversation.sender.as_ref().and_then(|name| directory.senders.get(name));
        if let Some(first) = entries.first()
            && let Some(sender) = sender.filter(|sender| !sender.active)
        {
            return Ok(Found::Asleep(key.clone(), *first, sender.name.clone()));
        }
        let organization = directory.organization_of(key.tenant);
        let lead = match organization {
            None => None,
            Some(organization) => {
                let row = owned_by(organization.0, key.contact.as_str());
                let found = ReadableTable::get(&self.leads, row.as_slice())?;
                found.map(|row| unpack("leads", row.value())).transpose()?
            }
        };
        let seed = seed(&self.mirror.secret, key, &entries);
        let conversation = kept.conversation;
        let claim = TurnClaim { key: key.clone(), entries, trigger, conversation, lead, failures, seed };
        Ok(Found::Turn(Box::new(claim)))
    }
}

/// Why an entry makes a turn run.
pub fn trigger(entry: &Waiting<'_>) -> Step<Trigger> {
    Ok(match entry.kind {
        WaitingKind::Message => Trigger::Messages { messages: vec![unpack("inbox", entry.payload)?] },
        WaitingKind::Started { first } => Trigger::Started {
            first,
            attribution: entry.attribution.map(str::to_owned),
            message: unpack("inbox", entry.payload)?,
        },
        WaitingKind::Timer => {
            let (key, payload) = unpack("inbox", entry.payload)?;
            Trigger::Timer { key, payload }
        }
        WaitingKind::Handback | WaitingKind::Receipt => unpack("inbox", entry.payload)?,
    })
}

/// Several plain messages make one trigger; everything else comes alone.
fn together(triggers: Vec<Trigger>) -> Option<Trigger> {
    let mut triggers = triggers.into_iter();
    let mut first = triggers.next()?;
    if let Trigger::Messages { messages } = &mut first {
        for other in triggers {
            if let Trigger::Messages { messages: others } = other {
                messages.extend(others);
            }
        }
    }
    Some(first)
}

/// Random to whoever does not know the store's secret, and the same for every attempt at a turn.
fn seed(secret: &[u8; 32], key: &ConversationKey, entries: &[InboxId]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(secret);
    hash.update(conversation_key(key));
    hash.update([0]);
    hash.update(entries.first().map_or(0, |id| id.seq).to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The claims of one call. Those that are not handed over are given back when this is dropped, be it
/// because the caller went away.
pub struct Held {
    shared: Arc<Shared>,
    keys: Vec<Arc<ConversationKey>>,
}

impl Held {
    pub fn claim(shared: &Arc<Shared>, n: usize, now: Timestamp) -> Self {
        let mirror = &shared.mirror;
        let mut turns = mirror.turns();
        if mirror.was_set_back(now) {
            turns.resume(&());
        }
        let keys = turns.claim(n, now, &mut |candidate| match mirror.admit(candidate.tenant, now) {
            Ok(()) => Pace::Go,
            Err(until) => Pace::TenantWaits(until),
        });
        drop(turns);
        Held { shared: shared.clone(), keys }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What each claimed conversation holds. One that cannot be read stays claimed, out of the way of
    /// the others, until the next start: asked again it would fail again.
    pub fn read(&mut self, snapshot: &ReadTransaction) -> Step<Vec<Found>> {
        let mirror = &self.shared.mirror;
        let entries: Vec<Vec<InboxId>> = {
            let turns = mirror.turns();
            let cap = |key: &ConversationKey| if coalesce_ms(mirror, key.tenant) > 0 { TOGETHER } else { 1 };
            self.keys.iter().map(|key| turns.run(key, cap(key))).collect()
        };
        let reader = Reader::new(mirror, snapshot)?;
        let mut found = Vec::with_capacity(self.keys.len());
        let mut unreadable = Vec::new();
        for (key, entries) in self.keys.iter().zip(entries) {
            match reader.read(key, entries) {
                Ok(one) => found.push(one),
                Err(Fault::Row(error)) => {
                    tracing::error!(conversation = %key, %error, "a turn cannot be read and waits for the next start");
                    unreadable.push(key.clone());
                }
                Err(other) => return Err(other),
            }
        }
        self.keys.retain(|key| !unreadable.contains(key));
        Ok(found)
    }

    /// These claims are the caller's now.
    pub fn hand_over(&mut self, claims: &[TurnClaim]) {
        let handed: HashSet<&ConversationKey> = claims.iter().map(|claim| &claim.key).collect();
        self.keys.retain(|key| !handed.contains(key.as_ref()));
    }

    /// This one waits, and has cost its tenant no turn.
    pub fn put_to_sleep(&mut self, key: ConversationKey, first: &InboxId, of: SenderName, now: Timestamp) {
        let mirror = &self.shared.mirror;
        let mut turns = mirror.turns();
        // Switched on since it was read: nobody called what was claimed then. It is given back with the others.
        if mirror.directory.load().senders.get(&of).is_none_or(|sender| sender.active) {
            return;
        }
        self.keys.retain(|held| held.as_ref() != &key);
        turns.postpone(&key, first, now.plus_ms(asleep::AGAIN_MS));
        let tenant = key.tenant;
        mirror.asleep.put(key, of);
        drop(turns);
        mirror.take_back(tenant, now);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut turns = self.shared.mirror.turns();
        for key in self.keys.drain(..) {
            turns.release(&key);
        }
    }
}

/// The entries of a turn, as they stand in the inbox. There is at least one, and all must be there.
fn entries_of(
    batch: &Batch<'_>,
    key: &ConversationKey,
    entries: &[InboxId],
) -> Step<Vec<(InboxId, Vec<u8>)>> {
    if entries.is_empty() {
        return Err(Error::Conflict(format!("a turn of {key} uses up at least one entry")).into());
    }
    let inbox = batch.tables.inbox.get()?;
    let mut rows = Vec::with_capacity(entries.len());
    for id in entries {
        let row = inbox.get(&place(id.seq, key.tenant))?.map(|row| row.value().to_vec());
        let row =
            row.filter(|row| Waiting::read(row).is_ok_and(|entry| entry.contact == key.contact.as_str()));
        let row = row.ok_or_else(|| {
            Error::Conflict(format!("entry {} of {key} is not in the inbox any more", id.seq))
        })?;
        rows.push((*id, row));
    }
    Ok(rows)
}

/// As it is kept; a new one where its first message is only now used up.
fn conversation_of(batch: &Batch<'_>, row: &[u8]) -> Step<Kept> {
    Ok(lines::kept(batch, row)?.unwrap_or_default())
}

/// What the entries tell of their conversation. Nothing is written yet.
fn hear(kept: &mut Kept, rows: &[(InboxId, Vec<u8>)]) -> Step<()> {
    for (_, row) in rows {
        kept.hear(&Waiting::read(row)?);
    }
    Ok(())
}

/// Takes entries that were heard out of the inbox. What the contact said goes into the history, unless it
/// went there before. Where each went; 0: nowhere.
fn use_up(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    rows: &[(InboxId, Vec<u8>)],
) -> Step<Vec<u64>> {
    let mut lines = Vec::with_capacity(rows.len());
    for (id, row) in rows {
        let entry = Waiting::read(row)?;
        batch.tables.inbox.put()?.remove(&place(id.seq, key.tenant))?;
        if entry.kind.is_heard() {
            timers::awake(batch, key, kept)?;
        }
        let mut line = 0;
        if entry.kind.is_heard() && !entry.told {
            line = batch.seq();
            lines::append(batch, key, kept, NewLine::heard(&entry, id.seq), line)?;
        }
        lines.push(line);
    }
    batch.state.inbox = batch.state.inbox.saturating_sub(rows.len() as u64);
    Ok(lines)
}

/// The entry by which the turn is named, and when it came in; of a timer that rang nobody waits for the answer.
fn first(rows: &[(InboxId, Vec<u8>)]) -> (u64, Timestamp) {
    let Some((id, row)) = rows.first() else { return (0, Timestamp::ZERO) };
    let heard = Waiting::read(row).ok().filter(|entry| entry.kind.is_heard());
    (id.seq, heard.map_or(Timestamp::ZERO, |entry| entry.received_at))
}

/// What the turn of this entry was for, where that is no line.
fn inside(rows: &[(InboxId, Vec<u8>)]) -> u64 {
    let first = rows.first().and_then(|(id, row)| Waiting::read(row).ok().map(|entry| (id.seq, entry.kind)));
    first.filter(|(_, kind)| !kind.is_heard()).map_or(0, |(seq, _)| seq)
}

fn journal(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    (seq, way, at): (u64, u64, Timestamp),
    payload: &[u8],
) -> Step<()> {
    let entry = Journaled { at, previous: kept.last_journal, way, contact: key.contact.as_str(), payload };
    entry.write(&mut batch.buffer);
    batch.tables.journal.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    kept.last_journal = seq;
    Ok(())
}

/// A turn's outcome, encoded before it reaches the writer.
pub struct Outcome {
    turn: TurnCommit,
    sends: Vec<Vec<u8>>,
    journal: Vec<u8>,
    row: Vec<u8>,
}

impl Outcome {
    pub fn new(turn: TurnCommit, mirror: &Mirror) -> Self {
        Outcome {
            sends: turn.sends.iter().map(pack).collect(),
            journal: mirror.journaled(turn.key.tenant, &turn.journal, turn.now),
            row: conversation_key(&turn.key),
            turn,
        }
    }
}

pub fn commit(batch: &mut Batch<'_>, outcome: &Outcome) -> Step<()> {
    let Outcome { turn, sends, journal: entry, row } = outcome;
    let TurnCommit { key, now, .. } = turn;
    let rows = entries_of(batch, key, &turn.entries)?;
    let mut kept = conversation_of(batch, row)?;
    // Whatever may be refused is looked at before anything is written.
    hear(&mut kept, &rows)?;
    let sender = if sends.is_empty() { None } else { Some(replies::sender_of(key, &kept)?) };
    let lead = leads::change(batch, key, &turn.leads, kept.conversation.source.clone(), *now)?;
    let overtaken = timers::check(batch, key, &turn.timers, &turn.entries)?;
    remembers(batch, key, &kept, turn.memory.as_deref())?;
    let place = batch.seq();
    let lines = use_up(batch, key, &mut kept, &rows)?;
    kept.conversation.turns += 1;
    kept.conversation.brain_version = Some(turn.brain_version.clone());
    kept.conversation.wants_receipts = turn.wants_receipts;
    if let Some(memory) = &turn.memory {
        kept.conversation.memory = Some(memory.clone());
    }
    let said = match sender {
        Some(sender) => say(batch, key, (&mut kept, sender), &rows, sends, *now)?,
        None => Vec::new(),
    };
    // Who took over while this turn ran keeps the conversation.
    if let Some(mode) = turn.mode.filter(|_| kept.conversation.mode != Mode::Human) {
        handoff::change_mode(batch, key, row, &mut kept, mode)?;
    }
    for timer in &turn.timers {
        match timer {
            TimerChange::Set { key: name, at, payload } => {
                let at = *at.max(&now.plus_ms(batch.mirror.settings.timer_floor_ms));
                timers::set(batch, key, name, at, payload)?;
            }
            TimerChange::Cancel { key: name } => timers::cancel(batch, key, name)?,
        }
    }
    for id in &overtaken {
        inbox::withdraw(batch, key, id)?;
    }
    if let Some(lead) = &lead {
        leads::put(batch, lead)?;
    }
    journal(batch, key, &mut kept, (place, inside(&rows), *now), entry)?;
    let done = Done { dealt: Dealt::Turn, journal: Some(place), replies: &said, now: *now };
    ways::write(batch, key.tenant, &rows, &lines, &done)?;
    lines::keep(batch, row, &kept)?;
    batch.count_turn(key.tenant, turn.journal.cost.fuel, *now);
    batch.state.touch(*now);
    let gone = [turn.entries.as_slice(), &overtaken].concat();
    batch.effects.push(Effect::TurnDone { key: key.clone(), gone });
    Ok(())
}

/// What the brain said, each at its place.
fn say(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    (kept, sender): (&mut Kept, SenderName),
    rows: &[(InboxId, Vec<u8>)],
    sends: &[Vec<u8>],
    now: Timestamp,
) -> Step<Vec<u64>> {
    let (occasion, (message, heard_at)) = (occasion(rows), first(rows));
    if occasion == Occasion::Answer && !sends.is_empty() {
        replies::wake(batch, key, now)?;
    }
    let why = Why { author: Author::Brain, occasion, message, heard_at };
    sends.iter().map(|send| replies::queue_on(batch, key, (kept, sender.clone()), why, send, now)).collect()
}

/// May the brain remember this?
fn remembers(batch: &Batch<'_>, key: &ConversationKey, kept: &Kept, memory: Option<&str>) -> Step<()> {
    let before = kept.conversation.memory.as_ref().map_or(0, String::len);
    let more = memory.map_or(0, str::len).saturating_sub(before) as u64;
    if more > 0 {
        let kept = batch.usage(key.tenant).of(Shelf::Conversations).bytes;
        batch.mirror.allow(key.tenant, Kind::ConversationBytes, kept.saturating_add(more))?;
    }
    Ok(())
}

/// What the replies of a turn with these entries are said for.
fn occasion(rows: &[(InboxId, Vec<u8>)]) -> Occasion {
    match rows.first().and_then(|(_, row)| Waiting::read(row).ok()).map(|entry| entry.kind) {
        Some(WaitingKind::Timer) => Occasion::Timer,
        Some(WaitingKind::Receipt) => Occasion::Receipt,
        _ => Occasion::Answer,
    }
}

/// A failed turn, encoded before it reaches the writer.
pub struct Failed {
    failure: TurnFailure,
    fallback: Option<Vec<u8>>,
    journal: Option<Vec<u8>>,
    row: Vec<u8>,
    error: String,
}

impl Failed {
    pub fn new(failure: TurnFailure, mirror: &Mirror) -> Self {
        let fallback = match &failure.fate {
            TurnFate::Dead { fallback } => fallback.as_ref().map(pack),
            TurnFate::Retry { .. } => None,
        };
        Failed {
            fallback,
            journal: failure
                .journal
                .as_ref()
                .map(|journal| mirror.journaled(failure.key.tenant, journal, failure.now)),
            row: conversation_key(&failure.key),
            error: format!("{}: {}", failure.code, failure.message),
            failure,
        }
    }
}

pub fn fail(batch: &mut Batch<'_>, failed: &Failed) -> Step<()> {
    let TurnFailure { key, entries, fate, now, .. } = &failed.failure;
    let rows = entries_of(batch, key, entries)?;
    let mut kept = conversation_of(batch, &failed.row)?;
    let mut gone = Vec::new();
    let place = failed.journal.as_ref().map(|_| batch.seq());
    match fate {
        TurnFate::Retry { at } => {
            put_off(batch, key, &rows, Due { at: *at, decided_at: *now }, &failed.error)?
        }
        TurnFate::Dead { .. } => {
            hear(&mut kept, &rows)?;
            bury(batch, failed, &rows)?;
            let (lines, mut said) = (use_up(batch, key, &mut kept, &rows)?, None);
            let told = rows.iter().any(|(_, row)| Waiting::read(row).is_ok_and(|entry| entry.told));
            let fallback = failed.fallback.as_ref().filter(|_| !told);
            if let Some((fallback, sender)) = fallback.zip(kept.conversation.sender.clone()) {
                let (message, heard_at) = first(&rows);
                let why = Why::answer(Author::Gateway, message, heard_at);
                said = Some(replies::queue(batch, key, (&mut kept, sender), why, fallback, *now)?);
            }
            let done = Done { dealt: Dealt::Dead, journal: place, replies: said.as_slice(), now: *now };
            ways::write(batch, key.tenant, &rows, &lines, &done)?;
            gone.clone_from(entries);
        }
    }
    if let Some((entry, place)) = failed.journal.as_ref().zip(place) {
        let way = if gone.is_empty() { 0 } else { inside(&rows) };
        journal(batch, key, &mut kept, (place, way, *now), entry)?;
    }
    if failed.journal.is_some() || !gone.is_empty() {
        lines::keep(batch, &failed.row, &kept)?;
    }
    let fuel = failed.failure.journal.as_ref().map_or(0, |journal| journal.cost.fuel);
    batch.count_turn(key.tenant, fuel, *now);
    batch.state.touch(*now);
    batch.effects.push(Effect::TurnDone { key: key.clone(), gone });
    Ok(())
}

fn put_off(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    rows: &[(InboxId, Vec<u8>)],
    due: Due,
    error: &str,
) -> Step<()> {
    for (id, row) in rows {
        let entry = Waiting::read(row)?;
        let entry = Waiting { failures: entry.failures + 1, due: due.at, error: Some(error), ..entry };
        entry.write(&mut batch.buffer);
        batch.tables.inbox.put()?.insert(&place(id.seq, key.tenant), batch.buffer.as_slice())?;
        let (class, alone) = (entry.class(), entry.alone());
        batch.effects.push(Effect::Waits { key: key.clone(), id: *id, due, class, alone });
    }
    Ok(())
}

/// Keeps the entries as a dead turn, marked so that their lines and their fallback come only once,
/// however often the turn is tried again.
fn bury(batch: &mut Batch<'_>, failed: &Failed, rows: &[(InboxId, Vec<u8>)]) -> Step<()> {
    let key = &failed.failure.key;
    let mut marked = Vec::with_capacity(rows.len());
    for (id, row) in rows {
        let entry = Waiting::read(row)?;
        let entry = Waiting { told: true, failures: entry.failures + 1, error: Some(&failed.error), ..entry };
        let mut bytes = Vec::with_capacity(row.len() + failed.error.len());
        entry.write(&mut bytes);
        marked.push((id.seq, bytes));
    }
    let first = rows.first().map_or(0, |(id, _)| id.seq);
    let entries = marked.iter().map(|(seq, row)| (*seq, row.as_slice())).collect();
    dead::keep(batch, key, first, &Dead { at: failed.failure.now, error: &failed.error, entries })
}
