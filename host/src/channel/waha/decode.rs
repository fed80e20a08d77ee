//! A WAHA webhook becomes events. One body is one event of WAHA's; unknown ones are acknowledged and
//! ignored under their name, because an error makes WAHA send the same again fifteen times. One that is
//! known and would be lost or mistaken if it were read on (no id, no sender, a text that is no text) is
//! unreadable. Errors are for bodies that are no event of WAHA's.

use serde_json::Value;

use crate::channel::json::{self, Object, Wanted, as_object, missing, short};
use crate::channel::said::Found;
use crate::channel::waha::content;
use crate::channel::waha::person::{Person, ourselves};
use crate::channel::waha::{bare_id, chat_of};
use crate::channel::{DecodeError, time};
use crate::event::session::Status;
use crate::event::{Event, Ignored, Receipt, SessionChange, Topic, Unread};
use crate::identity::{self, Address};
use crate::message::{Choice, ContactKey, Content, DeliveryState, Fate, Inbound, Provider, Timestamp};

/// Reads a body. Old versions have no `timestamp`; `me` is null before the login.
pub fn events(body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
    let envelope: Object = json::parse(body)?;
    let field = |name| json::field(&envelope, name).unwrap_or(&Value::Null);
    let webhook = Webhook {
        account: json::required_text(&envelope, "session", "")?,
        event: json::required_text(&envelope, "event", "")?,
        at: time::read(field("timestamp")),
        me: ourselves(field("me")),
        groups,
    };
    let payload = field("payload");
    let event = webhook.read(payload).unwrap_or_else(|error| webhook.unreadable(&error, payload));
    Ok(vec![event])
}

/// The envelope, read.
pub(super) struct Webhook<'a> {
    pub(super) account: &'a str,
    event: &'a str,
    /// When WAHA made the event.
    at: Option<Timestamp>,
    /// Our own keys: the number first, where it is known, then the hidden id.
    pub(super) me: Vec<ContactKey>,
    groups: bool,
}

impl Webhook<'_> {
    fn read(&self, payload: &Value) -> Result<Event, DecodeError> {
        match self.event {
            "message" | "message.any" => self.message(as_object(payload, "payload")?),
            "message.ack" => self.receipt(as_object(payload, "payload")?),
            "session.status" => self.session(as_object(payload, "payload")?),
            "poll.vote" => self.vote(as_object(payload, "payload")?),
            event => Ok(self.other(event, payload)),
        }
    }

    fn topic(&self) -> Topic {
        match self.event {
            "message.ack" => Topic::Receipt,
            "session.status" => Topic::Session,
            _ => Topic::Message,
        }
    }

    fn unreadable(&self, error: &DecodeError, payload: &Value) -> Event {
        let nothing = Object::new();
        self.unread(&format!("unreadable item: {error}"), payload.as_object().unwrap_or(&nothing))
    }

    /// As [`Webhook::ignored`], for what should have been read.
    fn unread(&self, why: &str, payload: &Object) -> Event {
        match self.ignored(why, payload) {
            Event::Ignored(left) => Event::Unread(Unread { topic: self.topic(), left }),
            other => other,
        }
    }

    /// Why a message has nobody whose words it could be.
    fn nobody(&self, address: &str, payload: &Object) -> Event {
        match identity::is_service(address) {
            true => self.ignored("WhatsApp itself", payload),
            false => self.unread("unreadable sender address", payload),
        }
    }

    /// Events that are acknowledged and left alone.
    fn other(&self, event: &str, payload: &Value) -> Event {
        let nothing = Object::new();
        let payload = payload.as_object().unwrap_or(&nothing);
        let inner = |name| json::object(payload, &[name]);
        match event {
            "message.reaction" => self.ignored("reaction", payload),
            "message.edited" => self.ignored("edit", payload),
            "message.revoked" => {
                self.ignored("revoke", inner("after").or_else(|| inner("before")).unwrap_or(payload))
            }
            // Not readable yet; the message itself follows when it is.
            "message.waiting" => self.ignored("message not readable yet", payload),
            "message.ack.group" => self.ignored("group receipt", payload),
            "poll.vote.failed" => self.ignored("unreadable poll vote", inner("vote").unwrap_or(payload)),
            "call.received" | "call.accepted" | "call.rejected" => self.ignored("call", payload),
            "presence.update" => {
                // Its id is the chat.
                let chat = json::text(payload, "id").unwrap_or_default().to_owned();
                let payload = Object::from_iter([("from".to_owned(), Value::String(chat))]);
                self.ignored("presence", &payload)
            }
            "event.response" | "event.response.failed" => self.ignored("event response", payload),
            "chat.archive" => self.ignored("chat archive", &nothing),
            "state.change" => self.ignored("state change", &nothing),
            "engine.event" => self.ignored("engine event", &nothing),
            event if event.starts_with("label.") => self.ignored("label", &nothing),
            event if event.starts_with("group.") => self.ignored("group change", &nothing),
            event => self.ignored(&format!("unknown event {}", short(event)), payload),
        }
    }

    fn message(&self, payload: &Object) -> Result<Event, DecodeError> {
        let id = message_id(payload).ok_or_else(|| missing(payload, "id", "payload"))?;
        if self.is_own(payload, &id) {
            return Ok(self.own(payload, id));
        }
        let from = json::strict_text(payload, "from", "payload")?
            .filter(|from| !from.is_empty())
            .or_else(|| chat_of(&id))
            .ok_or_else(|| missing(payload, "from", "payload"))?;
        let person = Person::of(payload);
        let (contact, aliases) = match self.chat(payload, &id, from) {
            Ok(Address::Person(key)) => person.keys(key, &self.me),
            Ok(Address::Group(key)) if self.groups => (key, Vec::new()),
            Ok(Address::Group(_)) => return Ok(self.ignored("group", payload)),
            Ok(Address::Status) => return Ok(self.ignored("status broadcast", payload)),
            Ok(Address::Broadcast) => return Ok(self.ignored("broadcast list", payload)),
            Ok(Address::Newsletter) => return Ok(self.ignored("newsletter", payload)),
            Err(_) => return Ok(self.nobody(from, payload)),
        };
        let content = match content::read(payload)? {
            Found::Content(content) => content,
            Found::Nothing(reason) => return Ok(self.ignored(reason, payload)),
            Found::Unknown(word) => {
                return Ok(self.unread(&format!("message of an unknown kind {}", short(&word)), payload));
            }
        };
        Ok(Event::Message(Box::new(Inbound {
            provider: Provider::Waha,
            account: self.account.to_owned(),
            contact,
            aliases,
            from_raw: from.to_owned(),
            display_name: person.display_name(),
            sent_at: self.sent_at(payload).unwrap_or(Timestamp::ZERO),
            content,
            quoted: Self::quoted(payload),
            referral: content::referral(payload),
            id,
        })))
    }

    /// Whom the message came from or through. Some engines name the person in `from` and the group or
    /// story elsewhere; what is not from one person to us must not pass for it.
    fn chat(&self, payload: &Object, id: &str, from: &str) -> Result<Address, identity::Error> {
        let from = identity::address(from)?;
        if matches!(from, Address::Person(_)) {
            let elsewhere = [chat_of(id), json::text(payload, "to")];
            for chat in elsewhere.into_iter().flatten() {
                match identity::address(chat) {
                    Ok(Address::Person(_)) | Err(_) => {}
                    Ok(other) => return Ok(other),
                }
            }
        }
        Ok(from)
    }

    /// Did we say this ourselves, through the API or on the phone? Any evidence counts: answering
    /// oneself is a loop. `from` is ours on some engines and the peer's on others.
    fn is_own(&self, payload: &Object, id: &str) -> bool {
        let raw = json::object(payload, &["_data"]);
        json::flag(payload, "fromMe")
            || id.starts_with("true_")
            || raw.and_then(|raw| json::object(raw, &["key"])).is_some_and(|key| json::flag(key, "fromMe"))
            || raw
                .and_then(|raw| json::object(raw, &["Info"]))
                .is_some_and(|info| json::flag(info, "IsFromMe"))
            || self.is_me(json::text(payload, "from"))
    }

    pub(super) fn is_me(&self, address: Option<&str>) -> bool {
        address.and_then(|address| identity::contact(address).ok()).is_some_and(|key| self.me.contains(&key))
    }

    /// A vote in a poll is a choice where one option is chosen: the option is its own id.
    fn vote(&self, payload: &Object) -> Result<Event, DecodeError> {
        let vote = match json::field(payload, "vote") {
            Some(Value::Object(vote)) => vote,
            other => return Err(json::unlike(Wanted::Object, other, "payload.vote")),
        };
        let id = message_id(vote).ok_or_else(|| missing(vote, "id", "payload.vote"))?;
        if self.is_own(vote, &id) || json::text(vote, "from") == Some("me") {
            return Ok(self.ignored("own message", vote));
        }
        let from = json::text(vote, "from").or_else(|| chat_of(&id));
        let from = from.ok_or_else(|| missing(vote, "from", "payload.vote"))?;
        let options: Vec<&str> = match json::field(vote, "selectedOptions") {
            Some(Value::Array(options)) => options.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let content = match options.as_slice() {
            [] => return Ok(self.ignored("poll vote withdrawn", vote)),
            [option] => Content::Choice(Choice { id: (*option).to_owned(), title: (*option).to_owned() }),
            options => Content::Unknown {
                kind: "poll vote".into(),
                data: serde_json::json!({ "selected_options": options }).to_string(),
            },
        };
        let contact = match self.chat(vote, &id, from) {
            Ok(Address::Person(key)) => key,
            Ok(Address::Group(key)) if self.groups => key,
            Ok(Address::Group(_)) => return Ok(self.ignored("group", vote)),
            Ok(_) => return Ok(self.ignored("broadcast list", vote)),
            Err(_) => return Ok(self.nobody(from, vote)),
        };
        Ok(Event::Message(Box::new(Inbound {
            provider: Provider::Waha,
            account: self.account.to_owned(),
            contact,
            aliases: Vec::new(),
            from_raw: from.to_owned(),
            display_name: None,
            sent_at: self.sent_at(vote).unwrap_or(Timestamp::ZERO),
            content,
            quoted: json::object(payload, &["poll"]).and_then(message_id),
            referral: None,
            id,
        })))
    }

    /// An ack is a report on a message of ours only if its id says so: `false_` means that we read
    /// theirs on another device.
    fn receipt(&self, payload: &Object) -> Result<Event, DecodeError> {
        let id = message_id(payload).ok_or_else(|| missing(payload, "id", "payload"))?;
        let own = if id.starts_with("true_") {
            true
        } else if id.starts_with("false_") {
            false
        } else {
            json::flag(payload, "fromMe")
        };
        if !own {
            return Ok(self.ignored("receipt of a received message", payload));
        }
        let named = |name| json::text(payload, name).filter(|address| !self.is_me(Some(address)));
        let peer = chat_of(&id).or_else(|| named("from")).or_else(|| named("to"));
        match peer.map(identity::address) {
            Some(Ok(Address::Group(_))) => return Ok(self.ignored("group receipt", payload)),
            Some(Ok(Address::Status | Address::Broadcast | Address::Newsletter)) => {
                return Ok(self.ignored("broadcast receipt", payload));
            }
            _ => {}
        }
        let Some(state) = delivery_state(payload) else {
            // Some engines say themselves that they do not know.
            return Ok(match json::field(payload, "ack") {
                None => self.ignored("receipt of an unknown state", payload),
                Some(_) => self.unread("receipt of an unknown state", payload),
            });
        };
        Ok(Event::Receipt(Receipt {
            provider: Provider::Waha,
            account: Some(self.account.to_owned()),
            message_id: id.clone(),
            // The chat in the id may be the hidden id where we wrote to the phone, or the other way.
            other_ids: bare_id(&id).map(str::to_owned).into_iter().collect(),
            reference: None,
            contact: peer.and_then(|peer| identity::contact(peer).ok()),
            from_raw: json::text(payload, "from").map(str::to_owned),
            state,
            at: self.sent_at(payload).unwrap_or(Timestamp::ZERO),
            reason: (state == DeliveryState::Failed).then(|| "WhatsApp reported an error".to_owned()),
            fate: (state == DeliveryState::Failed).then_some(Fate::Permanent),
        }))
    }

    fn session(&self, payload: &Object) -> Result<Event, DecodeError> {
        let status = json::strict_text(payload, "status", "payload")?
            .ok_or_else(|| missing(payload, "status", "payload"))?;
        let last = || {
            let statuses = json::field(payload, "statuses")?.as_array()?;
            time::read(statuses.last()?.get("timestamp")?)
        };
        Ok(Event::Session(SessionChange {
            provider: Provider::Waha,
            account: self.account.to_owned(),
            status: Status::read(status),
            number: self.me.iter().find(|key| identity::is_phone(key)).cloned(),
            at: self.at.or_else(last).unwrap_or(Timestamp::ZERO),
        }))
    }

    /// The message's own time; else the engine's; else the event's.
    pub(super) fn sent_at(&self, payload: &Object) -> Option<Timestamp> {
        let raw = |path: &[&str], name: &str| {
            time::read(json::field(json::object(json::object(payload, &["_data"])?, path)?, name)?)
        };
        json::field(payload, "timestamp")
            .and_then(time::read)
            .or_else(|| raw(&[], "t"))
            .or_else(|| raw(&[], "messageTimestamp"))
            .or_else(|| raw(&["Info"], "Timestamp"))
            .or(self.at)
    }

    /// Bare on some engines, serialized on others, missing on the rest.
    pub(super) fn quoted(payload: &Object) -> Option<String> {
        let reply = json::object(payload, &["replyTo"]).and_then(message_id);
        let raw = || json::text(json::object(payload, &["_data"])?, "quotedStanzaID").map(str::to_owned);
        reply.or_else(raw)
    }

    /// As much as the payload tells; nothing of it is needed.
    fn ignored(&self, reason: &str, payload: &Object) -> Event {
        let id = message_id(payload);
        let from = json::text(payload, "from");
        let to = json::text(payload, "to");
        // The author in a group; the peer of what we said ourselves; else who it is from.
        let own = json::flag(payload, "fromMe") || self.is_me(from);
        let author = json::text(payload, "participant").or_else(|| json::text(payload, "author"));
        let candidates = if own {
            [id.as_deref().and_then(chat_of), to, from.filter(|from| !self.is_me(Some(from)))]
        } else {
            [author, from, None]
        };
        let contact = candidates.into_iter().flatten().find_map(|address| identity::contact(address).ok());
        Event::Ignored(Ignored {
            provider: Provider::Waha,
            account: Some(self.account.to_owned()),
            contact,
            from_raw: from.map(str::to_owned),
            sent_at: self.sent_at(payload),
            reason: reason.to_owned(),
            message_id: id,
        })
    }
}

/// Serialized, or as WEBJS's object, or in the engine's raw data.
fn message_id(payload: &Object) -> Option<String> {
    let serialized = |object: &Object| match json::field(object, "id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Object(id) => json::text(id, "_serialized").map(str::to_owned),
        _ => None,
    };
    let raw = || json::object(payload, &["_data"]);
    serialized(payload).or_else(|| serialized(raw()?)).or_else(|| serialized(json::object(raw()?, &["key"])?))
}

/// -1 ERROR, 0 PENDING, 1 SERVER, 2 DEVICE, 3 READ, 4 PLAYED.
fn delivery_state(payload: &Object) -> Option<DeliveryState> {
    let ack = json::field(payload, "ack").and_then(json::number).map(|ack| ack as i64);
    match (ack, json::text(payload, "ackName")) {
        (Some(-1), _) | (None, Some("ERROR")) => Some(DeliveryState::Failed),
        (Some(0), _) | (None, Some("PENDING")) => Some(DeliveryState::Queued),
        (Some(1), _) | (None, Some("SERVER")) => Some(DeliveryState::Sent),
        (Some(2), _) | (None, Some("DEVICE")) => Some(DeliveryState::Delivered),
        (Some(3 | 4), _) | (None, Some("READ" | "PLAYED")) => Some(DeliveryState::Read),
        _ => None,
    }
}
