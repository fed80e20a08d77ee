//! Finds the way of a message by whatever name somebody has of it. Every name leads to a place without a search: our
//! numbers are places, the provider's ids have hashes, one for each account that there is.

use std::collections::BTreeSet;

use crate::conversation::JournalEntry;
use crate::message::{ContactKey, ConversationKey, DeliveryState, SenderName, TenantId, Timestamp};
use crate::route::Answer;
use crate::store::SendId;
use crate::store::rows::history::{HistoryRow, Line, Times};
use crate::store::rows::inbox::InboxRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::way::{Dealt, Way};
use crate::store::rows::{
    self, DeadTurns, Dedup, EndedPlaces, EndedSends, History, Inbox, Journal, Outbox, ReadRows, SentIds, Step,
};
use crate::store::rules::{names, references, views};
use crate::store::ways::{self, Found, Message, State};
use crate::tenant::Directory;

/// What has this name: ours of a message or a reply, or a provider's. `secret`: the store's. `of`: nobody else's are found.
pub fn search(
    rows: &impl ReadRows,
    of: Option<TenantId>,
    (name, secret): (&str, &[u8; 32]),
    directory: &Directory,
) -> Step<Option<Found>> {
    Search { rows, of }.search(name, directory, secret)
}

struct Search<'s, R> {
    rows: &'s R,
    /// Nobody else's are found.
    of: Option<TenantId>,
}

impl<R: ReadRows> Search<'_, R> {
    fn search(&self, name: &str, directory: &Directory, secret: &[u8; 32]) -> Step<Option<Found>> {
        if let Ok(number) = name.parse()
            && let Some(place) = self.numbered(number)?
            && let Some(found) = self.at(place)?
        {
            return Ok(Some(found));
        }
        if let Some(id) = SendId::parse(name)
            && let Some(Found::Way(way)) = self.at(Place::new(id.seq, id.key.tenant))?
        {
            // A number alone must not make another contact's message out of a wrong id.
            let is_theirs = way.contact == id.key.contact
                || views::of_tenant(self.rows, way.tenant, &id.key.contact)? == way.contact;
            return Ok(is_theirs.then_some(Found::Way(way)));
        }
        if let Some(named) = references::read(secret, name) {
            return self.at(named.place);
        }
        self.provided(name, directory)
    }

    /// Numbers are given once, whoever they are for.
    fn numbered(&self, number: u64) -> Step<Option<Place>> {
        if let Some(tenant) = self.of {
            return Ok(Some(Place::new(number, tenant)));
        }
        let first = Place::new(number, TenantId::GATEWAY);
        let found = [
            self.rows.first::<rows::Ways>(&first)?,
            self.rows.first::<Inbox>(&first)?,
            self.rows.first::<History>(&first)?,
            self.rows.first::<Outbox>(&first)?,
            self.rows.first::<EndedPlaces>(&first)?,
        ];
        Ok(found.into_iter().flatten().find(|place| place.seq == number))
    }

    /// By the provider's id, at whichever account that there is.
    fn provided(&self, id: &str, directory: &Directory) -> Step<Option<Found>> {
        let senders = directory.senders.values();
        let accounts: BTreeSet<_> =
            senders.map(|sender| (sender.provider(), sender.account.as_str(), &sender.name)).collect();
        let mut left_alone = None;
        for (provider, account, sender) in accounts {
            if let Some(place) = self.rows.get::<SentIds>(&names::sent(provider, account, id))?
                && let Some(found) = self.at(place)?
            {
                return Ok(Some(found));
            }
            let answered = self.rows.get::<Dedup>(&names::heard(provider, account, id))?;
            let Some(answered) = answered else { continue };
            match answered {
                (Answer::Routed { tenant, .. }, Some(message)) => {
                    if let Some(found) = self.at(Place::new(message, tenant))? {
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
    fn at(&self, at: Place) -> Step<Option<Found>> {
        if self.of.is_some_and(|of| of != at.tenant) {
            return Ok(None);
        }
        if let Some(way) = self.whole(at)? {
            return Ok(Some(way));
        }
        let Some((contact, message)) = self.line(at)? else { return Ok(None) };
        if let Some(message) = message
            && let Some(way) = self.whole(Place::new(message, at.tenant))?
        {
            return Ok(Some(way));
        }
        let contact = views::of_tenant(self.rows, at.tenant, &contact)?;
        let replies = self.reply(at, &contact)?.into_iter().collect();
        Ok(Some(Found::Way(Box::new(ways::Way { tenant: at.tenant, contact, message: None, replies }))))
    }

    /// Whose the line or reply at this place is, and which message it is or answers.
    fn line(&self, at: Place) -> Step<Option<(ContactKey, Option<u64>)>> {
        if let Some(line) = self.rows.get::<History>(&at)? {
            return Ok(Some((line.contact, line.message)));
        }
        Ok(self.unsent(at)?.map(|reply| (reply.contact, reply.message)))
    }

    /// A reply that is not on its way to be a line.
    fn unsent(&self, at: Place) -> Step<Option<OutboxRow>> {
        if let Some(reply) = self.rows.get::<Outbox>(&at)? {
            return Ok(Some(reply));
        }
        let Some(contact) = self.rows.get::<EndedPlaces>(&at)? else { return Ok(None) };
        self.rows.get::<EndedSends>(&(ConversationKey { tenant: at.tenant, contact }, at.seq))
    }

    /// All that is known of a message, by its arrival number.
    fn whole(&self, at: Place) -> Step<Option<Found>> {
        let (number, tenant) = (at.seq, at.tenant);
        let (way, waiting) = (self.rows.get::<rows::Ways>(&at)?, self.rows.get::<Inbox>(&at)?);
        let line = match way.as_ref().and_then(|way| way.line) {
            Some(line) => self.rows.get::<History>(&Place::new(line, tenant))?,
            None => None,
        };
        let (mut turns, mut contact) = (Vec::new(), None);
        for journal in way.iter().flat_map(|way| &way.journal) {
            let Some(row) = self.rows.get::<Journal>(&Place::new(*journal, tenant))? else { continue };
            turns.push(turn(row.entry.unpack("journal")?));
            contact = Some(row.contact);
        }
        let (heard, whose) = match (&waiting, &line) {
            (Some(waiting), _) => (waiting.what.heard(), Some(&waiting.contact)),
            (None, Some(HistoryRow { line: Line::Heard(heard), contact, .. })) => {
                (Some(heard), Some(contact))
            }
            (None, Some(line)) => (None, Some(&line.contact)),
            (None, None) => (None, None),
        };
        let Some(contact) = whose.cloned().or(contact) else { return Ok(None) };
        let contact = views::of_tenant(self.rows, tenant, &contact)?;
        let heard = heard.map(|heard| heard.unpack("history")).transpose()?;
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
            replies.extend(self.reply(Place::new(*seq, tenant), &contact)?);
        }
        let way = ways::Way { tenant, contact, message: Some(message), replies };
        Ok(Some(Found::Way(Box::new(way))))
    }

    /// Why a turn died that the journal knows no more.
    fn death(&self, turn: u64, tenant: TenantId, contact: &ContactKey) -> Step<Option<String>> {
        let key = ConversationKey { tenant, contact: contact.clone() };
        Ok(self.rows.get::<DeadTurns>(&(key, turn))?.map(|dead| dead.error))
    }

    /// What became of a reply; nothing, if it is kept no more.
    fn reply(&self, at: Place, contact: &ContactKey) -> Step<Option<ways::Reply>> {
        let (line, reply) = (self.rows.get::<History>(&at)?, self.unsent(at)?);
        let key = ConversationKey { tenant: at.tenant, contact: contact.clone() };
        let id = SendId { key, seq: at.seq }.text();
        Ok(match (line, reply) {
            (Some(line), ended) => {
                let (sender, error) = ended.map_or((None, None), |ended| (Some(ended.sender), ended.error));
                Some(ways::Reply {
                    id,
                    author: line.author,
                    state: line.state.map_or("sent", DeliveryState::name),
                    created_at: line.at,
                    attempts: u32::from(line.attempt),
                    due_at: None,
                    sender,
                    error,
                    provider_id: line.provider_id,
                    reached: reached(&line.times),
                })
            }
            (None, Some(reply)) => Some(ways::Reply {
                id,
                author: reply.author,
                state: reply.state.name(),
                created_at: reply.created_at,
                attempts: reply.attempts,
                due_at: reply.state.is_under_way().then_some(reply.due),
                sender: Some(reply.sender),
                error: reply.error,
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

fn message(number: u64, way: Option<&Way>, waiting: Option<&InboxRow>) -> Option<Message> {
    let (received_at, sender, via) = match (waiting, way) {
        (Some(waiting), _) => (waiting.received_at, &waiting.sender, waiting.via),
        (None, Some(way)) => (way.received_at, &way.sender, way.via),
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
        sender: sender.clone().unwrap_or_else(|| SenderName::new("")),
        heard: None,
        via,
        state,
        failures: waiting.map(|waiting| waiting.failures).or(way.map(|way| way.failures)).unwrap_or_default(),
        error: waiting.and_then(|waiting| waiting.error.clone()),
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
