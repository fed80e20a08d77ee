//! The ways of messages: what came of each, written down in the commit that deals with it, and read by whatever
//! name somebody has of it. Every name leads to a place without a search: our numbers are places, the provider's
//! ids have hashes, one for each account that there is.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Place, conversation_prefix, heard_hash, place, read_place, sent_hash, under, unpack};
use super::rows::way::{Dealt, Way};
use super::rows::{Dead, Journaled, Reply, Spoken, Times, Waiting, answer};
use super::tables::define;
use super::{Embedded, listing, references, sends, views};
use crate::conversation::{Heard, JournalEntry};
use crate::message::{ContactKey, ConversationKey, DeliveryState, SenderName, TenantId, Timestamp};
use crate::route::Answer;
use crate::store::ways::{self, Found, Message, State, Ways};
use crate::store::{InboxId, Result};
use crate::tenant::Directory;

/// A turn that dies again and again is not written down longer than this.
const KEPT: usize = 64;

/// What was done about messages, in one turn.
pub struct Done<'a> {
    pub dealt: Dealt,
    pub journal: Option<u64>,
    pub replies: &'a [u64],
    pub now: Timestamp,
}

/// Writes the ways of what a turn used up. `lines`: where each stands in the history now, 0 for what stood there
/// before, or is no line.
pub fn write(
    batch: &mut Batch<'_>,
    tenant: TenantId,
    rows: &[(InboxId, Vec<u8>)],
    lines: &[u64],
    done: &Done<'_>,
) -> Step<()> {
    let turn = rows.first().map_or(0, |(id, _)| id.seq);
    for ((id, row), line) in rows.iter().zip(lines) {
        let entry = Waiting::read(row)?;
        let at = place(id.seq, tenant);
        let before = match entry.told {
            true => batch.tables.ways.get()?.get(&at)?.map(|row| row.value().to_vec()),
            false => None,
        };
        let before = before.as_deref().map(Way::read).transpose()?;
        // Nothing would ever remove it: its line has gone, or it has neither line nor turn.
        if *line == 0 && (entry.told && before.is_none() || done.journal.is_none() && !entry.told) {
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
            sender: entry.sender,
        };
        way.write(&mut batch.buffer);
        batch.tables.ways.put()?.insert(&at, batch.buffer.as_slice())?;
    }
    Ok(())
}

/// Of what went straight into the history, as a line under its own number. `confirmed`: the reply that says so.
pub fn put_down(
    batch: &mut Batch<'_>,
    (tenant, seq): (TenantId, u64),
    entry: &Waiting<'_>,
    confirmed: Option<u64>,
) -> Step<()> {
    let way = Way {
        dealt: Dealt::PutDown,
        via: entry.via,
        failures: 0,
        received_at: entry.received_at,
        dealt_at: entry.received_at,
        turn: seq,
        line: seq,
        journal: Vec::new(),
        replies: confirmed.into_iter().collect(),
        sender: entry.sender,
    };
    way.write(&mut batch.buffer);
    batch.tables.ways.put()?.insert(&place(seq, tenant), batch.buffer.as_slice())?;
    Ok(())
}

/// What it leaves with has gone.
pub fn forget(batch: &mut Batch<'_>, message: u64, tenant: TenantId) -> Step<()> {
    batch.tables.ways.put()?.remove(&place(message, tenant))?;
    Ok(())
}

impl Ways for Embedded {
    fn way(&self, name: &str, of: Option<TenantId>) -> Result<Option<Found>> {
        let (directory, secret) = (self.mirror().directory.load_full(), self.mirror().secret);
        self.read(|snapshot| Search { snapshot, of }.search(name, &directory, &secret))
    }
}

type Placed = redb::ReadOnlyTable<&'static Place, &'static [u8]>;

struct Search<'s> {
    snapshot: &'s ReadTransaction,
    /// Nobody else's are found.
    of: Option<TenantId>,
}

impl Search<'_> {
    fn search(&self, name: &str, directory: &Directory, secret: &[u8; 32]) -> Step<Option<Found>> {
        if let Ok(number) = name.parse()
            && let Some(place) = self.numbered(number)?
            && let Some(found) = self.at(&place)?
        {
            return Ok(Some(found));
        }
        if let Some(id) = listing::parse(name)
            && let Some(Found::Way(way)) = self.at(&place(id.seq, id.key.tenant))?
        {
            // A number alone must not make another contact's message out of a wrong id.
            let is_theirs = way.contact == id.key.contact
                || views::find(self.snapshot, way.tenant, &id.key.contact)? == way.contact;
            return Ok(is_theirs.then_some(Found::Way(way)));
        }
        if let Some(named) = references::read(secret, name) {
            return self.at(&named.place);
        }
        self.provided(name, directory)
    }

    fn placed(&self, table: redb::TableDefinition<'static, &'static Place, &'static [u8]>) -> Step<Placed> {
        Ok(self.snapshot.open_table(table)?)
    }

    fn row(
        &self,
        table: redb::TableDefinition<'static, &'static Place, &'static [u8]>,
        at: &Place,
    ) -> Step<Option<Vec<u8>>> {
        Ok(ReadableTable::get(&self.placed(table)?, at)?.map(|row| row.value().to_vec()))
    }

    /// Numbers are given once, whoever they are for.
    fn numbered(&self, number: u64) -> Step<Option<Place>> {
        if let Some(tenant) = self.of {
            return Ok(Some(place(number, tenant)));
        }
        let (first, last) =
            (place(number, TenantId::GATEWAY), place(number, TenantId::from_stored(u32::MAX)));
        for table in [define::ways, define::inbox, define::history, define::outbox, define::ended_places] {
            let table = self.placed(table)?;
            if let Some(row) = ReadableTable::range::<&Place>(&table, &first..=&last)?.next() {
                return Ok(Some(*row?.0.value()));
            }
        }
        Ok(None)
    }

    /// By the provider's id, at whichever account that there is.
    fn provided(&self, id: &str, directory: &Directory) -> Step<Option<Found>> {
        let senders = directory.senders.values();
        let accounts: BTreeSet<_> =
            senders.map(|sender| (sender.provider(), sender.account.as_str(), &sender.name)).collect();
        let (heard, sent) =
            (self.snapshot.open_table(define::dedup)?, self.snapshot.open_table(define::sent_ids)?);
        let mut left_alone = None;
        for (provider, account, sender) in accounts {
            let line = ReadableTable::get(&sent, &sent_hash(provider, account, id))?.map(|row| *row.value());
            if let Some(place) = line
                && let Some(found) = self.at(&place)?
            {
                return Ok(Some(found));
            }
            let Some(row) = ReadableTable::get(&heard, &heard_hash(provider, account, id))? else { continue };
            match answer::read(row.value())? {
                (Answer::Routed { tenant, .. }, Some(message)) => {
                    if let Some(found) = self.at(&place(message, tenant))? {
                        return Ok(Some(found));
                    }
                }
                (Answer::Routed { .. }, None) => {}
                (Answer::Ignored(reason), _) if self.of.is_none() => {
                    left_alone = Some(Found::LeftAlone { sender: sender.clone(), reason });
                }
                (Answer::Ignored(_), _) => {}
            }
        }
        Ok(left_alone)
    }

    /// A message or a reply, by its place.
    fn at(&self, at: &Place) -> Step<Option<Found>> {
        let (seq, tenant) = read_place(at);
        if self.of.is_some_and(|of| of != tenant) {
            return Ok(None);
        }
        if let Some(way) = self.whole(seq, tenant)? {
            return Ok(Some(way));
        }
        let Some((contact, message)) = self.line(seq, tenant)? else { return Ok(None) };
        if let Some(way) = self.whole(message, tenant)? {
            return Ok(Some(way));
        }
        let contact = views::find(self.snapshot, tenant, &contact)?;
        let replies = self.reply(seq, tenant, &contact)?.into_iter().collect();
        Ok(Some(Found::Way(Box::new(ways::Way { tenant, contact, message: None, replies }))))
    }

    /// Whose the line or reply at this place is, and which message it is or answers.
    fn line(&self, seq: u64, tenant: TenantId) -> Step<Option<(ContactKey, u64)>> {
        let at = place(seq, tenant);
        if let Some(row) = self.row(define::history, &at)? {
            let line = Spoken::read(&row)?;
            return Ok(Some((ContactKey::from_stored(line.contact), line.message)));
        }
        let row = match self.row(define::outbox, &at)? {
            Some(row) => Some(row),
            None => self.ended(seq, tenant)?,
        };
        let Some(row) = row else { return Ok(None) };
        let reply = Reply::read(&row)?;
        Ok(Some((ContactKey::from_stored(reply.contact), reply.message)))
    }

    fn ended(&self, seq: u64, tenant: TenantId) -> Step<Option<Vec<u8>>> {
        let Some(contact) = self.row(define::ended_places, &place(seq, tenant))? else { return Ok(None) };
        let contact = ContactKey::from_stored(String::from_utf8_lossy(&contact));
        let name = under(&ConversationKey { tenant, contact }, &seq.to_be_bytes());
        let ended = self.snapshot.open_table(define::ended_sends)?;
        Ok(ReadableTable::get(&ended, name.as_slice())?.map(|row| row.value().to_vec()))
    }

    /// All that is known of a message, by its arrival number.
    fn whole(&self, number: u64, tenant: TenantId) -> Step<Option<Found>> {
        let at = place(number, tenant);
        let (row, waiting) = (self.row(define::ways, &at)?, self.row(define::inbox, &at)?);
        let way = row.as_deref().map(Way::read).transpose()?;
        let waiting = waiting.as_deref().map(Waiting::read).transpose()?;
        let line = match &way {
            Some(way) if way.line > 0 => self.row(define::history, &place(way.line, tenant))?,
            _ => None,
        };
        let line = line.as_deref().map(Spoken::read).transpose()?;
        let (mut turns, mut contact) = (Vec::new(), None);
        for journal in way.iter().flat_map(|way| &way.journal) {
            let Some(row) = self.row(define::journal, &place(*journal, tenant))? else { continue };
            let row = Journaled::read(&row)?;
            contact = Some(row.contact.to_owned());
            turns.push(turn(unpack("journal", row.payload)?));
        }
        let (payload, whose) = match (&waiting, &line) {
            (Some(waiting), _) if waiting.kind.is_heard() => (Some(waiting.payload), Some(waiting.contact)),
            (Some(waiting), _) => (None, Some(waiting.contact)),
            (None, Some(line)) => (Some(line.payload), Some(line.contact)),
            (None, None) => (None, None),
        };
        let Some(contact) = whose.map(str::to_owned).or(contact) else { return Ok(None) };
        let contact = views::find(self.snapshot, tenant, &ContactKey::from_stored(contact))?;
        let heard: Option<Heard> = payload.map(|payload| unpack("history", payload)).transpose()?;
        let Some(mut message) = message(number, way.as_ref(), waiting.as_ref()) else { return Ok(None) };
        message.heard = heard.map(|heard| (heard.id, heard.sent_at));
        message.error = match (message.error, turns.last().and_then(|turn: &ways::Turn| turn.fault.clone())) {
            (None, None) if message.state == State::Dead => {
                self.death(message.together_with.unwrap_or(number), tenant, &contact)?
            }
            (error, fault) => error.or(fault),
        };
        message.turns = turns;
        let mut replies = Vec::new();
        for seq in way.iter().flat_map(|way| &way.replies) {
            replies.extend(self.reply(*seq, tenant, &contact)?);
        }
        let way = ways::Way { tenant, contact, message: Some(message), replies };
        Ok(Some(Found::Way(Box::new(way))))
    }

    /// Why a turn died that the journal knows no more.
    fn death(&self, turn: u64, tenant: TenantId, contact: &ContactKey) -> Step<Option<String>> {
        let key = ConversationKey { tenant, contact: contact.clone() };
        let name = [conversation_prefix(&key).as_slice(), &turn.to_be_bytes()].concat();
        let dead = self.snapshot.open_table(define::dead_turns)?;
        let row = ReadableTable::get(&dead, name.as_slice())?;
        Ok(row.map(|row| Dead::read(row.value()).map(|dead| dead.error.to_owned())).transpose()?)
    }

    /// What became of a reply; nothing, if it is kept no more.
    fn reply(&self, seq: u64, tenant: TenantId, contact: &ContactKey) -> Step<Option<ways::Reply>> {
        let at = place(seq, tenant);
        let line = self.row(define::history, &at)?;
        let line = line.as_deref().map(Spoken::read).transpose()?;
        let row = match self.row(define::outbox, &at)? {
            Some(row) => Some(row),
            None => self.ended(seq, tenant)?,
        };
        let reply = row.as_deref().map(Reply::read).transpose()?;
        let id = sends::text(&ConversationKey { tenant, contact: contact.clone() }, seq);
        Ok(match (line, reply) {
            (Some(line), ended) => Some(ways::Reply {
                id,
                author: line.author,
                state: line.state.map_or("sent", DeliveryState::name),
                created_at: line.at,
                attempts: u32::from(line.attempt),
                due_at: None,
                sender: ended.map(|ended| SenderName::new(ended.sender)),
                error: ended.and_then(|ended| ended.error.map(str::to_owned)),
                provider_id: line.provider_id.map(str::to_owned),
                reached: reached(&line.times),
            }),
            (None, Some(reply)) => Some(ways::Reply {
                id,
                author: reply.author,
                state: reply.state.name(),
                created_at: reply.created_at,
                attempts: reply.attempts,
                due_at: reply.state.is_under_way().then_some(reply.due),
                sender: Some(SenderName::new(reply.sender)),
                error: reply.error.map(str::to_owned),
                provider_id: None,
                reached: Vec::new(),
            }),
            (None, None) => None,
        })
    }
}

fn reached(times: &Times) -> Vec<(&'static str, Timestamp)> {
    let all = [
        (DeliveryState::Sent, times.sent),
        (DeliveryState::Delivered, times.delivered),
        (DeliveryState::Read, times.read),
        (DeliveryState::Failed, times.failed),
    ];
    let told = all.into_iter().filter(|(_, at)| *at != Timestamp::ZERO);
    told.map(|(state, at)| (state.name(), at)).collect()
}

fn message(number: u64, way: Option<&Way<'_>>, waiting: Option<&Waiting<'_>>) -> Option<Message> {
    let (received_at, sender, via) = match (waiting, way) {
        (Some(waiting), _) => (waiting.received_at, waiting.sender, waiting.via),
        (None, Some(way)) => (way.received_at, way.sender, way.via),
        (None, None) => return None,
    };
    let state = match (waiting, way.map(|way| way.dealt)) {
        (Some(waiting), _) => State::Waiting { due_at: waiting.due },
        (None, Some(Dealt::Dead)) => State::Dead,
        (None, Some(Dealt::PutDown)) => State::PutDown,
        (None, Some(Dealt::Turn) | None) => State::Answered,
    };
    Some(Message {
        number,
        received_at,
        sender: SenderName::new(sender),
        heard: None,
        via,
        state,
        failures: waiting.map(|waiting| waiting.failures).or(way.map(|way| way.failures)).unwrap_or_default(),
        error: waiting.and_then(|waiting| waiting.error.map(str::to_owned)),
        dealt_at: way.filter(|_| waiting.is_none()).map(|way| way.dealt_at),
        together_with: way.map(|way| way.turn).filter(|turn| *turn != number),
        turns: Vec::new(),
    })
}

fn turn(entry: JournalEntry) -> ways::Turn {
    let fault = entry.outcome.get("fault").map(|fault| {
        let word = |key: &str| fault[key].as_str().unwrap_or_default();
        format!("{}: {}", word("code"), word("message"))
    });
    let JournalEntry { turn: number, at, brain_version, cost, .. } = entry;
    ways::Turn { number, at, brain_version, cost, fault }
}
