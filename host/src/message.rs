//! What travels: a message that came in, a message that goes out, and the ids they carry. Shapes only. This file knows no store and no clock; [`provider`] alone knows the providers.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::provider::Provider;

pub mod provider;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const ZERO: Timestamp = Timestamp(0);

    pub const fn from_ms(ms: i64) -> Self {
        Timestamp(ms)
    }

    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Saturates at the ends of time.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Timestamp(self.0.saturating_add(ms))
    }

    /// The same distance from `to` as from `from`: a time told by another clock.
    pub const fn moved(self, from: Self, to: Self) -> Self {
        to.plus_ms(self.0.saturating_sub(from.0))
    }

    /// Whole days since 1970, for indexes that prune by day.
    pub const fn day(self) -> u32 {
        let day = self.0.div_euclid(86_400_000);
        if day < 0 { 0 } else { day as u32 }
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.000Z`.
impl Timestamp {
    /// To the second, for those who read no fractions.
    pub fn in_seconds(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => format!("{at:.0}"),
            Err(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// One business. Never 0 for a tenant; 0 is the gateway itself, for what it says in its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(u32);

impl TenantId {
    /// Speaks for no tenant: the notice to contacts that nobody has claimed.
    pub const GATEWAY: TenantId = TenantId(0);

    /// `None` for 0.
    pub const fn new(id: u32) -> Option<Self> {
        if id == 0 { None } else { Some(TenantId(id)) }
    }

    /// For ids read back from our own store, where 0 is the gateway.
    pub const fn from_stored(id: u32) -> Self {
        TenantId(id)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrganizationId(pub u32);

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sender's name in our configuration: `main`, `office-dubai`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SenderName(String);

impl SenderName {
    pub fn new(name: impl Into<String>) -> Self {
        SenderName(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical key of a contact: the digits of a phone number (`971501234567`), or a provider's
/// hidden id kept whole (`245800000000182@lid`). Made by [`crate::identity`], nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContactKey(String);

impl ContactKey {
    /// For keys read back from our own store, and for [`crate::identity`].
    pub fn from_stored(key: impl Into<String>) -> Self {
        ContactKey(key.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For logs: `971*****567`.
    pub fn masked(&self) -> String {
        let chars: Vec<char> = self.0.chars().collect();
        if chars.len() <= 6 {
            return "*".repeat(chars.len());
        }
        let shown: String = chars[..3].iter().collect();
        let last: String = chars[chars.len() - 3..].iter().collect();
        format!("{shown}*****{last}")
    }
}

impl fmt::Display for ContactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One contact with one tenant. The order of the fields is the order of keys in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConversationKey {
    pub tenant: TenantId,
    pub contact: ContactKey,
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.contact.masked())
    }
}

/// A message from a contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    pub provider: Provider,
    /// The provider's account the message came to, see [`provider::Facts::account`]. Part of the
    /// deduplication key.
    pub account: String,
    /// The provider's id, whole.
    pub id: String,
    pub contact: ContactKey,
    /// Other keys of the same person that the payload itself proves (a `@lid` beside its phone).
    pub aliases: Vec<ContactKey>,
    /// The address exactly as received; replies go there.
    pub from_raw: String,
    /// The contact's own name for themselves.
    pub display_name: Option<String>,
    /// The provider's time; [`Timestamp::ZERO`] when it gave none that can be read.
    pub sent_at: Timestamp,
    pub content: Content,
    /// The id of the message this one quotes.
    pub quoted: Option<String>,
    /// The advertisement or post that led here.
    pub referral: Option<Referral>,
}

/// What led a contact here: an advertisement that opens a chat (click to WhatsApp), or a post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// `ad` or `post`, or the provider's own word.
    pub kind: String,
    /// The advertisement's or post's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Meta's click id (`ctwa_clid`), for reporting a conversion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<String>,
}

/// What a message holds, as the brain sees it. JSON: `{"type":"text","text":"hi"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    Text { text: String },
    Media(Media),
    Location(Location),
    Contacts { contacts: Vec<ContactCard> },
    Choice(Choice),
    Reaction(Reaction),
    Order(Order),
    Unknown { kind: String, data: String },
}

impl Content {
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
    /// Where the provider keeps the file; empty when it did not hand it over.
    pub handle: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
    pub caption: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    pub latitude: f64,
    pub longitude: f64,
    pub name: Option<String>,
    pub address: Option<String>,
}

/// Somebody's card: one that a contact sends, or one of ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactCard {
    pub name: String,
    /// As written.
    pub phones: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// A button pressed or a list row chosen; also a button offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reaction {
    pub message_id: String,
    /// Empty: taken back.
    pub emoji: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub catalog_id: String,
    pub text: Option<String>,
    pub items: Vec<OrderItem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderItem {
    pub product_id: String,
    pub quantity: u32,
    /// Decimal text in the currency's main unit.
    pub price: String,
    /// ISO 4217.
    pub currency: String,
}

/// How far a message we sent has come. Only ever moves to a greater one, see [`DeliveryState::after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    Queued,
    /// Handed to the provider's API; the outcome never came back.
    Unknown,
    Sent,
    Failed,
    Delivered,
    Read,
}

impl DeliveryState {
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryState::Queued => "queued",
            DeliveryState::Unknown => "unknown",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Read => "read",
        }
    }

    /// The state after a report: reports come late, twice and out of order.
    pub fn after(self, report: DeliveryState) -> DeliveryState {
        self.max(report)
    }
}

/// What follows from a failure, as the provider's code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nothing went out; the same may go well later.
    Retry,
    /// Nothing went out, and nothing will until the sender has a key that the provider takes.
    KeyRefused,
    /// Never again.
    Permanent,
    /// The contact does not want messages.
    OptedOut,
    /// More than 24 hours since the contact wrote: only an approved template may go out.
    WindowClosed,
    /// It may have gone out.
    Unknown,
}

impl Fate {
    /// As it is serialized.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Retry => "retry",
            Fate::KeyRefused => "key_refused",
            Fate::Permanent => "permanent",
            Fate::OptedOut => "opted_out",
            Fate::WindowClosed => "window_closed",
            Fate::Unknown => "unknown",
        }
    }
}

/// A message to a contact, as the brain asked for it. The adapter makes a request of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outbound {
    pub content: OutboundContent,
    /// The provider's id of the message to quote.
    pub reply_to: Option<String>,
}

impl Outbound {
    pub fn text(text: impl Into<String>) -> Self {
        Outbound { content: OutboundContent::Text { text: text.into() }, reply_to: None }
    }
}

/// JSON: `{"type":"text","text":"hello"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum OutboundContent {
    Text { text: String },
    Media(OutboundMedia),
    Buttons(Buttons),
    List(ListMenu),
    Location(Location),
    Contacts { contacts: Vec<ContactCard> },
    Template(Template),
    Reaction(Reaction),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboundMedia {
    pub kind: MediaKind,
    /// An `https` address, or a handle of a received file.
    pub source: String,
    pub caption: Option<String>,
    pub filename: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buttons {
    pub body: String,
    pub footer: Option<String>,
    pub buttons: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListMenu {
    pub body: String,
    pub footer: Option<String>,
    /// What opens the list.
    pub button: String,
    pub sections: Vec<ListSection>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListSection {
    pub title: Option<String>,
    pub rows: Vec<ListRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRow {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    pub name: String,
    pub language: String,
    pub parameters: Vec<TemplateParameter>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateParameter {
    pub name: String,
    pub value: String,
}
