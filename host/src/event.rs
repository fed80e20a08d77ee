//! What a webhook told us, item by item: a message, a report on one of ours, a change of a session, a
//! template or a person. Shapes only. This file knows no provider, no store and no clock.

use serde::{Deserialize, Serialize};

use crate::glyph;
use crate::message::{ContactKey, Content, DeliveryState, Fate, Inbound, Provider, Timestamp};

pub mod session;

/// A reason that a provider gives.
const REASON_BYTES: usize = 500;
/// A state or kind of a provider's.
const WORD_BYTES: usize = 100;

/// One thing a webhook body told us. A body may hold several; each stands alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Message(Box<Inbound>),
    /// What our own number said, through us or typed on its phone.
    Own(Box<Own>),
    Receipt(Receipt),
    Session(SessionChange),
    Template(TemplateChange),
    SamePerson(SamePerson),
    /// The contact told the provider itself that it wants messages, or wants no more.
    Consent(Consent),
    /// Nothing to do here, but the operator should hear of it: the account is restricted, the number's
    /// quality falls, the provider cannot do something at all.
    Alert(Ignored),
    /// Known for what it is, but not in a shape that can be read here: it is kept until it can be.
    Unread(Unread),
    Ignored(Ignored),
}

impl Event {
    /// With what it tells in words as bounded lines: reasons, states and names go into the log, the audit,
    /// the store and answers.
    #[must_use]
    pub fn in_lines(mut self) -> Self {
        let line = |text: &mut String, at_most: usize| *text = glyph::shown(&*text, at_most);
        let some = |text: &mut Option<String>, at_most: usize| {
            if let Some(text) = text {
                line(text, at_most);
            }
        };
        match &mut self {
            Event::Receipt(receipt) => some(&mut receipt.reason, REASON_BYTES),
            Event::Template(change) => {
                some(&mut change.reason, REASON_BYTES);
                for word in [&mut change.status, &mut change.category, &mut change.language] {
                    some(word, WORD_BYTES);
                }
            }
            Event::Alert(left) | Event::Ignored(left) | Event::Unread(Unread { left, .. }) => {
                line(&mut left.reason, REASON_BYTES);
            }
            // A message's words are the contact's; the others hold words of ours alone.
            Event::Message(_)
            | Event::Own(_)
            | Event::Consent(_)
            | Event::Session(_)
            | Event::SamePerson(_) => {}
        }
        self
    }

    /// The provider's account that it is about, where the body says so.
    pub fn account(&self) -> Option<&str> {
        let account = match self {
            Event::Message(inbound) => Some(inbound.account.as_str()),
            Event::Own(own) => Some(own.account.as_str()),
            Event::Receipt(receipt) => receipt.account.as_deref(),
            Event::Session(change) => Some(change.account.as_str()),
            Event::Template(change) => change.account.as_deref(),
            Event::SamePerson(same) => Some(same.account.as_str()),
            Event::Consent(consent) => Some(consent.account.as_str()),
            Event::Alert(left) | Event::Ignored(left) | Event::Unread(Unread { left, .. }) => {
                left.account.as_deref()
            }
        };
        account.filter(|account| !account.is_empty())
    }

    /// Is it about one account, which the body should have named and does not?
    pub fn lacks_account(&self) -> bool {
        let is_told = self.account().is_some();
        match self {
            // Reports of some providers name none; the ids are unique without.
            Event::Receipt(receipt) => receipt.account.is_some() && !is_told,
            Event::Message(_)
            | Event::Own(_)
            | Event::Session(_)
            | Event::SamePerson(_)
            | Event::Consent(_) => !is_told,
            Event::Template(_) | Event::Alert(_) | Event::Unread(_) | Event::Ignored(_) => false,
        }
    }

    pub fn topic(&self) -> Topic {
        match self {
            Event::Message(_) | Event::Own(_) => Topic::Message,
            Event::Receipt(_) => Topic::Receipt,
            Event::Session(_) => Topic::Session,
            Event::Template(_) => Topic::Template,
            Event::SamePerson(_) => Topic::Person,
            Event::Consent(_) => Topic::Consent,
            Event::Unread(unread) => unread.topic,
            Event::Alert(_) | Event::Ignored(_) => Topic::Item,
        }
    }
}

/// A message from our own number. Never a contact's words: it is kept as history, or, if we sent it
/// ourselves, it is known already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Own {
    pub provider: Provider,
    pub account: String,
    pub id: String,
    /// Whom it was said to; `None` where the payload does not tell, or it was not said to a person.
    pub contact: Option<ContactKey>,
    pub from_raw: Option<String>,
    /// The address it went to, exactly as received.
    pub to_raw: Option<String>,
    pub sent_at: Timestamp,
    /// `None` where there is nothing to keep.
    pub content: Option<Content>,
    pub quoted: Option<String>,
    /// How it came to be said, where the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// How a message of our own number came to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// By a program: us, or somebody beside us.
    Api,
    /// Typed on a phone or a linked device.
    App,
}

/// Two addresses of one person: a number that changed, a form of it that the network prefers, a hidden
/// id beside its phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamePerson {
    pub provider: Provider,
    pub account: String,
    /// As we have known it.
    pub known: ContactKey,
    /// What it is as well.
    pub also: ContactKey,
    pub message_id: Option<String>,
    pub at: Timestamp,
    pub because: SameBecause,
}

/// Why two addresses are one person's, which decides what may be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameBecause {
    /// The person took another number or got another id: the only reason for which two phone numbers are one
    /// person's.
    NumberChanged,
    /// The network writes the number otherwise than we did.
    NumberForm,
    /// The provider was asked whose phone is behind a hidden id.
    LookedUp,
}

impl SameBecause {
    /// For a person, and for the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            SameBecause::NumberChanged => "number changed",
            SameBecause::NumberForm => "number form",
            SameBecause::LookedUp => "hidden id looked up",
        }
    }
}

/// The contact's wish, told through a switch of the provider's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consent {
    pub provider: Provider,
    pub account: String,
    pub contact: ContactKey,
    /// Other keys of the same person that the event itself names.
    pub aliases: Vec<ContactKey>,
    pub from_raw: String,
    pub opted_in: bool,
    pub at: Timestamp,
}

/// A provider's word on a message that we sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub provider: Provider,
    /// `None` where reports do not say whose they are (Infobip); the ids are unique without it then.
    pub account: Option<String>,
    /// The id of our message, at the provider.
    pub message_id: String,
    /// Further ids of it: Gupshup's own beside WhatsApp's.
    pub other_ids: Vec<String>,
    /// What we had called it, where the provider gives that back.
    pub reference: Option<String>,
    /// Whom we had written to, where the report says so.
    pub contact: Option<ContactKey>,
    pub from_raw: Option<String>,
    pub state: DeliveryState,
    pub at: Timestamp,
    pub reason: Option<String>,
    /// Of a failure: what follows from it.
    pub fate: Option<Fate>,
}

/// What became of a template at the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateChange {
    pub provider: Provider,
    /// Meta's WhatsApp business account, Gupshup's app.
    pub account: Option<String>,
    /// The provider's id of the template.
    pub template_id: Option<String>,
    pub name: Option<String>,
    pub language: Option<String>,
    /// The provider's word: `APPROVED`, `REJECTED`, `PAUSED`.
    pub status: Option<String>,
    /// The provider's word: `MARKETING`, `UTILITY`, `AUTHENTICATION`.
    pub category: Option<String>,
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// A WAHA session changed its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionChange {
    pub provider: Provider,
    pub account: String,
    pub status: session::Status,
    /// Our number, once logged in.
    pub number: Option<ContactKey>,
    pub at: Timestamp,
}

/// Something that we should be able to read, and cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    pub topic: Topic,
    /// As much as could be read; the reason says what could not, and where.
    pub left: Ignored,
}

impl Unread {
    /// One that says neither whose it is nor whom it is from.
    pub fn nameless(topic: Topic, provider: Provider, reason: impl Into<String>) -> Self {
        let left = Ignored {
            provider,
            account: None,
            message_id: None,
            contact: None,
            from_raw: None,
            sent_at: None,
            reason: reason.into(),
        };
        Unread { topic, left }
    }
}

/// What an event is about, in a word that may be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    Message,
    Receipt,
    Session,
    Template,
    /// A contact's wish to hear of us or not.
    Consent,
    /// Who somebody is.
    Person,
    /// It could not even be seen what it is.
    Item,
}

impl Topic {
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Message => "message",
            Topic::Receipt => "receipt",
            Topic::Session => "session",
            Topic::Template => "template",
            Topic::Consent => "consent",
            Topic::Person => "person",
            Topic::Item => "item",
        }
    }
}

/// Something we acknowledge and leave alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ignored {
    pub provider: Provider,
    pub account: Option<String>,
    pub message_id: Option<String>,
    pub contact: Option<ContactKey>,
    pub from_raw: Option<String>,
    pub sent_at: Option<Timestamp>,
    /// A stable phrase: `own message`, `group`, `status broadcast`.
    pub reason: String,
}
