//! The webhook of WhatsApp's Cloud API: entries of business accounts, in them changes, in each change
//! a value with messages, statuses and the rest. Meta sends it; Gupshup passes it on with ids of its
//! own. What differs between the two is said by [`Dialect`], and nothing here asks who it is.
//!
//! - [`value`] reads the value of messages: who wrote, what is ours, what is left alone and why.
//! - [`content`] reads what a message holds.
//! - [`status`] reads what became of a message of ours.
//! - [`field`] reads the other changes: templates, the account itself; [`wish`] what contacts wish.
//!
//! One bad item never costs the others: it is unread, with `unreadable item: WHAT at PLACE`.

use std::collections::HashSet;

use serde_json::Value;

use crate::channel::claim::Look;
use crate::channel::json::{self, Object, Wanted, as_object, list, short, word};
use crate::channel::{DecodeError, time};
use crate::event::{Event, Ignored, Topic, Unread};
use crate::identity;
use crate::message::{ContactKey, Fate, Inbound, Provider, Timestamp};

pub mod content;
mod field;
pub mod status;
pub mod value;
pub mod wish;

/// The only object there is here; pages and other products have webhooks of the same outer form.
const OBJECT: &str = "whatsapp_business_account";

/// How one provider writes the common form.
#[derive(Clone, Copy, Debug)]
pub struct Dialect<'a> {
    pub provider: Provider,
    /// Whose everything in the body is; empty where it does not say. `None`: each value names its own
    /// number, and what is about no number its business account.
    pub account: Option<&'a str>,
    /// Are group messages wanted?
    pub groups: bool,
    /// The fields with the ids of a message of ours. The first one that is there is the id that the
    /// provider gave when it took the message.
    pub own_ids: &'static [&'static str],
    /// The fields of a file that say where it is, the best one first.
    pub file: &'static [&'static str],
    /// What follows from a failure of this code, where it is known.
    pub fate: fn(i64) -> Option<Fate>,
}

/// What is known around an item.
struct Surroundings<'a> {
    dialect: &'a Dialect<'a>,
    /// Of the number that the value is about, as [`Dialect::account`] says.
    account: Option<String>,
    /// The WhatsApp business account.
    business: Option<String>,
    /// When the provider made the entry.
    at: Option<Timestamp>,
}

/// Reads a whole body.
pub fn events(body: &Object, dialect: &Dialect<'_>) -> Result<Vec<Event>, DecodeError> {
    let entries = list(body, "entry", "entry")?.ok_or_else(|| json::unlike(Wanted::List, None, "entry"))?;
    if let Some(object) = json::text(body, "object").filter(|object| *object != OBJECT) {
        let around =
            Surroundings { dialect, account: dialect.account.map(str::to_owned), business: None, at: None };
        return Ok(vec![around.ignored(&format!("unknown object {}", short(object)), Item::default())]);
    }
    let mut events = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        changes(entry, dialect, &format!("entry[{at}]"), &mut events);
    }
    Ok(once(events))
}

fn changes(entry: &Value, dialect: &Dialect<'_>, place: &str, events: &mut Vec<Event>) {
    let mut around =
        Surroundings { dialect, account: dialect.account.map(str::to_owned), business: None, at: None };
    let changes = match as_object(entry, place) {
        Err(error) => Err(error),
        Ok(entry) => {
            around.business = word(entry, "id");
            around.at = time::of(entry, &["time"]);
            list(entry, "changes", &format!("{place}.changes"))
        }
    };
    let changes = match changes {
        Ok(changes) => changes.map(Vec::as_slice).unwrap_or_default(),
        Err(error) => return events.push(around.unreadable(Topic::Item, &error, Item::default())),
    };
    for (at, change) in changes.iter().enumerate() {
        let place = format!("{place}.changes[{at}]");
        match read_change(change, &mut around, &place) {
            Ok(found) => events.extend(found),
            Err(error) => events.push(around.unreadable(Topic::Item, &error, Item::default())),
        }
    }
}

fn read_change(
    change: &Value,
    around: &mut Surroundings<'_>,
    place: &str,
) -> Result<Vec<Event>, DecodeError> {
    let change = as_object(change, place)?;
    let field = json::strict_text(change, "field", place)?.unwrap_or("messages");
    let place = format!("{place}.value");
    let value = match json::field(change, "value") {
        Some(value) => as_object(value, &place)?,
        None => return Err(json::unlike(Wanted::Object, None, &place)),
    };
    around.account = around.dialect.account.map(str::to_owned).or_else(|| {
        let metadata = json::object(value, &["metadata"]);
        metadata.and_then(|it| word(it, "phone_number_id")).or_else(|| word(value, "phone_number_id"))
    });
    Ok(match field {
        "messages" | "smb_message_echoes" | "message_echoes" => value::read(value, around, &place),
        field => field::read(field, value, around, &place),
    })
}

/// The same message twice in one body is one message.
fn once(events: Vec<Event>) -> Vec<Event> {
    let mut seen = HashSet::new();
    let mut first = |inbound: &Inbound| seen.insert((inbound.account.clone(), inbound.id.clone()));
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        kept.push(match event {
            Event::Message(inbound) if !first(&inbound) => Event::Ignored(Ignored {
                provider: inbound.provider,
                account: Some(inbound.account),
                message_id: Some(inbound.id),
                contact: Some(inbound.contact),
                from_raw: Some(inbound.from_raw),
                sent_at: Some(inbound.sent_at),
                reason: "repeated in the same webhook".into(),
            }),
            event => event,
        });
    }
    kept
}

/// As much of an item as is known when it is left out.
#[derive(Default)]
struct Item {
    id: Option<String>,
    from: Option<String>,
    at: Option<Timestamp>,
}

impl Item {
    fn of(object: &Object) -> Self {
        Item {
            id: word(object, "id"),
            from: word(object, "from").or_else(|| word(object, "from_user_id")),
            at: time::of(object, &["timestamp"]),
        }
    }
}

impl Surroundings<'_> {
    fn ignored(&self, reason: &str, item: Item) -> Event {
        Event::Ignored(Ignored {
            provider: self.dialect.provider,
            account: self.account.clone().or_else(|| self.business.clone()),
            message_id: item.id,
            contact: item.from.as_deref().and_then(|from| person(from).ok()),
            from_raw: item.from,
            sent_at: item.at.or(self.at),
            reason: reason.to_owned(),
        })
    }

    /// The same for what the operator should hear of.
    fn alert(&self, reason: &str) -> Event {
        match self.ignored(reason, Item::default()) {
            Event::Ignored(left) => Event::Alert(left),
            other => other,
        }
    }

    fn unreadable(&self, topic: Topic, error: &DecodeError, item: Item) -> Event {
        self.unread(topic, &format!("unreadable item: {error}"), item)
    }

    /// The same for what should have been read.
    fn unread(&self, topic: Topic, why: &str, item: Item) -> Event {
        match self.ignored(why, item) {
            Event::Ignored(left) => Event::Unread(Unread { topic, left }),
            other => other,
        }
    }
}

/// Every account that a body names: the numbers and the business accounts.
pub const CLAIMS: Look = Look::Fields(&[("entry", Look::Each(&ENTRY))]);

const ENTRY: Look = Look::Fields(&[("id", Look::Account), ("changes", Look::Each(&CHANGE))]);

const CHANGE: Look =
    Look::Fields(&[("value", Look::Fields(&[NUMBER, ("metadata", Look::Fields(&[NUMBER]))]))]);

const NUMBER: (&str, Look) = ("phone_number_id", Look::Account);

/// A person's key. The network's own ids are believed whatever their length: services have short ones.
pub fn person(raw: &str) -> Result<ContactKey, identity::Error> {
    identity::network_id(raw)
}

#[cfg(test)]
mod tests;
