//! What waits for its turn.

use super::Read;
use super::packed::Packed;
use crate::conversation::{Heard, Trigger};
use crate::message::{ContactKey, SenderName, Timestamp};
use crate::route::Via;
use crate::schedule::Class;
use crate::store::InboxId;

/// An inbox entry. What it tells of its conversation is kept here until its turn is committed, so
/// that taking a message in writes the conversation only when it is new.
#[derive(Clone, Debug)]
pub struct InboxRow {
    pub what: What,
    /// By what it found its tenant.
    pub via: Via,
    /// Its contact was told something for it, and its line is in the history: it died once, or it was a
    /// word about messages themselves.
    pub told: bool,
    pub failures: u32,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub due: Timestamp,
    pub contact: ContactKey,
    /// Through which it came, where its conversation knows one.
    pub sender: Option<SenderName>,
    pub reply_to: String,
    pub display_name: Option<String>,
    /// What brought the contact: the link's attribution, or the advertisement.
    pub attribution: Option<String>,
    /// Of the last failure.
    pub error: Option<String>,
}

/// An entry and its name.
pub type Entry = (InboxId, InboxRow);

/// What a turn is for.
#[derive(Clone, Debug)]
pub enum What {
    Message(Packed<Heard>),
    /// A deep link.
    Started {
        first: bool,
        heard: Packed<Heard>,
    },
    Timer {
        key: String,
        payload: String,
    },
    /// A human gave the conversation back.
    Handback(Packed<Trigger>),
    Receipt(Packed<Trigger>),
}

impl What {
    /// What the contact said, if the contact said it.
    pub fn heard(&self) -> Option<&Packed<Heard>> {
        match self {
            What::Message(heard) | What::Started { heard, .. } => Some(heard),
            What::Timer { .. } | What::Handback(_) | What::Receipt(_) => None,
        }
    }

    pub fn is_heard(&self) -> bool {
        self.heard().is_some()
    }

    /// A contact, or whoever gives a conversation back, waits for its turn.
    pub fn class(&self) -> Class {
        match self {
            What::Message(_) | What::Started { .. } | What::Handback(_) => Class::Answer,
            What::Timer { .. } | What::Receipt(_) => Class::Reminder,
        }
    }

    /// Of what it holds.
    fn bytes(&self) -> usize {
        match self {
            What::Message(heard) | What::Started { heard, .. } => heard.as_kept().len(),
            What::Timer { key, payload } => key.len() + payload.len(),
            What::Handback(trigger) | What::Receipt(trigger) => trigger.as_kept().len(),
        }
    }

    /// Only plain messages are handed to a brain together.
    pub fn alone(&self) -> bool {
        !matches!(self, What::Message(_))
    }
}

impl InboxRow {
    /// Of what it holds, and of what is told of its failures.
    pub fn bytes(&self) -> usize {
        self.what.bytes() + self.error.as_deref().map_or(0, str::len)
    }

    /// Why it makes a turn run.
    pub fn trigger(&self) -> Read<Trigger> {
        Ok(match &self.what {
            What::Message(heard) => Trigger::Messages { messages: vec![heard.unpack("inbox")?] },
            What::Started { first, heard } => Trigger::Started {
                first: *first,
                attribution: self.attribution.clone(),
                message: heard.unpack("inbox")?,
            },
            What::Timer { key, payload } => Trigger::Timer { key: key.clone(), payload: payload.clone() },
            What::Handback(trigger) | What::Receipt(trigger) => trigger.unpack("inbox")?,
        })
    }
}
