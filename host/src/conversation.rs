//! One contact with one tenant: what is remembered, what was said, why a turn runs and what it did.
//! Shapes only, shared by the store, which keeps them, and the brain, which is shown them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::{Content, DeliveryState, Outbound, Referral, SenderName, Timestamp};

/// Why a turn is to run.
#[expect(clippy::large_enum_variant, reason = "there is one a turn, and nobody keeps many of them")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Trigger {
    Started { first: bool, attribution: Option<String>, message: Heard },
    Messages { messages: Vec<Heard> },
    Timer { key: String, payload: String },
    Handback { said: Vec<HistoryEntry> },
    Receipt { message_id: String, state: DeliveryState, reason: Option<String> },
}

impl Trigger {
    /// As it is serialized.
    pub const fn kind(&self) -> &'static str {
        match self {
            Trigger::Started { .. } => "started",
            Trigger::Messages { .. } => "messages",
            Trigger::Timer { .. } => "timer",
            Trigger::Handback { .. } => "handback",
            Trigger::Receipt { .. } => "receipt",
        }
    }
}

/// A message as it waits for its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    pub id: String,
    pub sent_at: Timestamp,
    pub content: Content,
    pub quoted: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
}

/// A conversation as it stands between turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The brain's memory, one JSON document.
    pub memory: Option<String>,
    pub mode: Mode,
    /// Turns committed so far.
    pub turns: u64,
    /// The version that wrote `memory`.
    pub brain_version: Option<String>,
    /// Replies leave by the sender that received last,
    pub sender: Option<SenderName>,
    /// to the address that wrote last.
    pub reply_to: String,
    pub display_name: Option<String>,
    /// When a message came last,
    pub last_inbound_at: Timestamp,
    /// and when the contact wrote last: a provider's window counts from there.
    #[serde(default)]
    pub wrote_at: Timestamp,
    pub created_at: Timestamp,
    /// Its brain is to be told what becomes of its replies.
    #[serde(default)]
    pub wants_receipts: bool,
    /// What first brought the contact: a link's attribution (`instagram`) or an advertisement
    /// (`ad 120210000000000`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Bot,
    /// A human has taken over; the brain is not asked.
    Human,
    /// The brain ended it; the contact's next message opens it again.
    Ended,
}

/// A contact in the organization's registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub stage: String,
    /// An object.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Which tenants know it, since when, and what brought it there.
    pub threads: BTreeMap<u32, LeadThread>,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeadThread {
    pub since: Timestamp,
    /// The deep link's attribution, or the advertisement; the first that there was.
    pub source: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TimerChange {
    Set { key: String, at: Timestamp, payload: String },
    Cancel { key: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadChange {
    pub stage: Option<String>,
    /// Merged; a null takes a field away.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// What a turn saw and did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The number of the turn in its conversation, from 1.
    pub turn: u64,
    pub at: Timestamp,
    pub brain_version: String,
    pub seed: u64,
    pub trigger: Trigger,
    pub memory_before: Option<String>,
    pub host_calls: Vec<HostCall>,
    /// The actions as JSON, or the fault.
    pub outcome: serde_json::Value,
    pub cost: Cost,
}

impl JournalEntry {
    /// The same with what is long in it left out: `bytes` and `digest` are of the whole.
    pub fn brief(&self, bytes: usize, digest: &str) -> JournalEntry {
        let short = |text: &str| text.chars().take(64).collect::<String>();
        let trigger = match &self.trigger {
            Trigger::Started { .. } | Trigger::Messages { .. } => Trigger::Messages { messages: Vec::new() },
            Trigger::Timer { key, .. } => Trigger::Timer { key: short(key), payload: String::new() },
            Trigger::Handback { .. } => Trigger::Handback { said: Vec::new() },
            Trigger::Receipt { message_id, state, .. } => {
                Trigger::Receipt { message_id: short(message_id), state: *state, reason: None }
            }
        };
        JournalEntry {
            turn: self.turn,
            at: self.at,
            brain_version: self.brain_version.clone(),
            seed: self.seed,
            trigger,
            memory_before: None,
            host_calls: Vec::new(),
            outcome: serde_json::json!({ "omitted": { "bytes": bytes, "sha256": digest } }),
            cost: self.cost,
        }
    }
}

/// One call of the brain to the gateway and its answer, both as JSON text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostCall {
    /// `records.find`.
    pub function: String,
    pub arguments: String,
    pub answer: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub fuel: u64,
    pub wall_time_us: u64,
    pub memory_bytes: u64,
    pub host_calls: u32,
}

impl Cost {
    /// What another run of the same turn took as well.
    pub fn add(&mut self, other: &Cost) {
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.wall_time_us = self.wall_time_us.saturating_add(other.wall_time_us);
    }
}

/// A line of a conversation, for the brain, the terminal chat and the dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub at: Timestamp,
    pub author: Author,
    pub line: Line,
    /// Of what we sent; `None` for what the contact said.
    pub state: Option<DeliveryState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    Contact,
    Brain,
    Human,
    /// The fallback text, and notices in the gateway's own name.
    Gateway,
}

/// What made us say something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// The contact wrote, or somebody wants it said now.
    #[default]
    Answer,
    /// A timer rang: the contact waits for nothing.
    Timer,
    /// The brain was told what became of an earlier reply.
    Receipt,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Heard(Heard),
    Said(Outbound),
}
