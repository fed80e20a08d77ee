//! What a contact says and what came of it: the shapes a brain is given. Plain Rust data with the
//! same JSON as the gateway's own. Knows nothing of WebAssembly.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Why a turn runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Trigger {
    /// The contact opened the conversation with a deep link.
    Started {
        /// Is this the first time this contact starts with this tenant?
        first: bool,
        /// What the link carried after the tenant: `instagram`.
        attribution: Option<String>,
        /// The message that carried the link, with whatever was written after it.
        message: Message,
    },
    /// What the contact said: one message, or several that came close together.
    Messages { messages: Vec<Message> },
    /// A timer that the brain set is due.
    Timer {
        key: String,
        /// JSON text, as it was set.
        payload: String,
    },
    /// A human who had taken over gives the conversation back, with what was said meanwhile.
    Handback { said: Vec<HistoryEntry> },
    /// A message changed its delivery state. Only if the package asks for receipts.
    Receipt { message_id: String, state: DeliveryState, reason: Option<String> },
}

/// One message of the contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The provider's id, for quoting and reacting.
    pub id: String,
    pub sent_at: Timestamp,
    pub content: Content,
    /// The id of the message this one answers, where the contact quoted one.
    pub quoted: Option<String>,
}

/// What a message holds. JSON: `{"type":"text","text":"hi"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    Text {
        text: String,
    },
    Media(Media),
    Location(Location),
    Contacts {
        contacts: Vec<ContactCard>,
    },
    /// A button pressed or a list row chosen.
    Choice(Choice),
    Reaction(Reaction),
    Order(Order),
    /// Something WhatsApp has and this contract has no word for yet.
    Unknown {
        /// The provider's word for it.
        kind: String,
        /// JSON text.
        data: String,
    },
}

impl Content {
    pub fn from_text(text: impl Into<String>) -> Self {
        Content::Text { text: text.into() }
    }

    /// What was said in words: the text, a caption, a choice's title.
    pub fn text(&self) -> Option<&str> {
        match self {
            Content::Text { text } => Some(text),
            Content::Media(media) => media.caption.as_deref(),
            Content::Choice(choice) => Some(&choice.title),
            Content::Order(order) => order.text.as_deref(),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Image,
    Video,
    Audio,
    Voice,
    Document,
    Sticker,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    pub kind: MediaKind,
    /// Names the file within the gateway; empty when the provider did not hand the file over.
    pub handle: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
    pub caption: Option<String>,
    /// In bytes, where known.
    pub size: Option<u64>,
}

/// Degrees, WGS 84.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    pub latitude: f64,
    pub longitude: f64,
    pub name: Option<String>,
    pub address: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    pub name: String,
    /// As written on the card.
    pub phones: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

impl ContactCard {
    pub fn new(name: impl Into<String>) -> Self {
        ContactCard { name: name.into(), ..ContactCard::default() }
    }

    /// With its country, `+971 50 123 4567`, it can be written to from the card.
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.phones.push(phone.into());
        self
    }

    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.emails.push(email.into());
        self
    }

    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }
}

/// A button or a row: one the brain offers, or the one the contact chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub title: String,
}

impl Choice {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Choice { id: id.into(), title: title.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub message_id: String,
    /// Empty: the reaction was taken back.
    pub emoji: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub catalog_id: String,
    pub text: Option<String>,
    pub items: Vec<OrderItem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItem {
    pub product_id: String,
    pub quantity: u32,
    /// In the currency's main unit, as decimal text: `12.50`.
    pub price: String,
    /// ISO 4217.
    pub currency: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    Queued,
    Sent,
    Delivered,
    Read,
    Failed,
    Unknown,
}

/// Who wrote a line of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    Contact,
    Brain,
    Human,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub at: Timestamp,
    pub author: Author,
    pub content: Content,
}

/// What led a contact here: an advertisement that opens a chat (click to WhatsApp), or a post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// `ad` or `post`, or the provider's own word.
    pub kind: String,
    /// The advertisement's or post's id.
    pub source_id: Option<String>,
    pub url: Option<String>,
    pub headline: Option<String>,
    pub body: Option<String>,
    /// For reporting a conversion.
    pub click_id: Option<String>,
}

/// Where a turn runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    pub now: Timestamp,
    /// Random, one per turn; a turn run again sees the same.
    pub seed: u64,
    pub tenant_id: u32,
    pub tenant_name: String,
    /// IANA, such as `Asia/Dubai`.
    pub time_zone: String,
    /// BCP 47, the tenant's own: `en`.
    pub language: String,
    pub contact: Contact,
    /// Our number or session that received the message.
    pub sender: String,
    /// Until when free-form replies are allowed; none where the provider has no such window.
    pub window_open_until: Option<Timestamp>,
    /// 1 for the first turn of a conversation.
    pub turn: u64,
    pub brain_version: String,
    pub lead: Option<LeadSummary>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The canonical key: digits of a phone number, or a whole provider id.
    pub key: String,
    pub display_name: Option<String>,
    /// BCP 47, where known.
    pub language: Option<String>,
}

/// What the organization knows of the contact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeadSummary {
    pub stage: String,
    pub fields: serde_json::Map<String, serde_json::Value>,
}
