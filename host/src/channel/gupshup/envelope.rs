//! The envelope of version 2: whose a body is, what happened and when; and what is said of a payload that is left
//! alone or cannot be read.

use crate::channel::cloud::person;
use crate::channel::json::{self, Object, word};
use crate::channel::{DecodeError, time};
use crate::event::{Event, Ignored, Topic, Unread};
use crate::message::{ContactKey, Provider, Timestamp};

/// The envelope, read.
pub struct Webhook<'a> {
    pub app: &'a str,
    pub event: &'a str,
    /// When Gupshup had it.
    pub at: Option<Timestamp>,
    /// Our own number, which few bodies tell.
    pub ours: Option<ContactKey>,
}

impl Webhook<'_> {
    fn topic(&self) -> Topic {
        match self.event {
            "message-event" => Topic::Receipt,
            "user-event" | "preference-event" => Topic::Consent,
            "template-event" => Topic::Template,
            "message" | "order" => Topic::Message,
            _ => Topic::Item,
        }
    }

    /// The payload's own time, in whatever unit; else the envelope's.
    pub fn time(&self, payload: &Object) -> Option<Timestamp> {
        time::of(payload, &["ts", "timestamp"]).or(self.at)
    }

    pub fn unreadable(&self, error: &DecodeError, payload: &Object) -> Event {
        self.unread(&format!("unreadable item: {error}"), payload)
    }

    /// As [`Webhook::ignored`], for what should have been read.
    pub fn unread(&self, why: &str, payload: &Object) -> Event {
        match self.ignored(why, payload) {
            Event::Ignored(left) => Event::Unread(Unread { topic: self.topic(), left }),
            other => other,
        }
    }

    /// As much as the payload tells; nothing of it is needed.
    pub fn ignored(&self, reason: &str, payload: &Object) -> Event {
        let sender = || json::object(payload, &["sender"]).and_then(|sender| word(sender, "phone"));
        let from =
            ["source", "phone", "destination"].iter().find_map(|name| word(payload, name)).or_else(sender);
        Event::Ignored(Ignored {
            provider: Provider::Gupshup,
            account: Some(self.app.to_owned()),
            message_id: word(payload, "id").or_else(|| word(payload, "gsId")),
            contact: from.as_deref().and_then(|from| person(from).ok()),
            from_raw: from,
            sent_at: self.time(payload),
            reason: reason.to_owned(),
        })
    }
}
