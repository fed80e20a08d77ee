//! Turns: what a conversation waits for, run one after another.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::conversation::{Conversation, JournalEntry, Lead, LeadChange, Mode, TimerChange, Trigger};
use crate::glyph::Shown;
use crate::message::{ContactKey, ConversationKey, Outbound, TenantId, Timestamp};

/// Everything a turn needs, and the right to run it: until it is committed or failed no other turn
/// of this conversation is handed out.
#[derive(Clone, Debug)]
pub struct TurnClaim {
    pub key: ConversationKey,
    /// The inbox entries that this turn uses up.
    pub entries: Vec<InboxId>,
    pub trigger: Trigger,
    pub conversation: Conversation,
    pub lead: Option<Lead>,
    /// How often this turn has failed already.
    pub failures: u32,
    /// Random, the same whenever this turn is run again.
    pub seed: u64,
}

/// Orders a conversation's pending entries: by provider time, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InboxId {
    pub at: Timestamp,
    pub seq: u64,
}

/// What a turn came to. Committed as a whole: memory, replies, timers, lead, journal and the inbox
/// acknowledgement.
#[derive(Clone, Debug)]
pub struct TurnCommit {
    pub key: ConversationKey,
    pub entries: Vec<InboxId>,
    /// `None` keeps the memory as it is.
    pub memory: Option<String>,
    pub brain_version: String,
    pub sends: Vec<Outbound>,
    pub timers: Vec<TimerChange>,
    pub leads: Vec<LeadChange>,
    pub mode: Option<Mode>,
    /// Its brain is to be told what becomes of its replies, from now on.
    pub wants_receipts: bool,
    pub journal: JournalEntry,
    pub now: Timestamp,
}

/// A turn that could not be done.
#[derive(Clone, Debug)]
pub struct TurnFailure {
    pub key: ConversationKey,
    pub entries: Vec<InboxId>,
    pub trigger: Trigger,
    pub code: String,
    pub message: Shown,
    pub fate: TurnFate,
    pub journal: Option<JournalEntry>,
    pub now: Timestamp,
}

#[derive(Clone, Debug)]
pub enum TurnFate {
    /// The entries stay first in line and are claimed again at this time.
    Retry { at: Timestamp },
    /// The entries move to the dead turns; the fallback goes out, if there is one.
    Dead { fallback: Option<Outbound> },
}

/// A turn that waits or died, as `switchboard turns` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TurnSummary {
    /// `2-971501234567-17`: tenant, contact, arrival number.
    pub id: String,
    pub tenant: TenantId,
    pub contact: ContactKey,
    /// By which it came in; empty before there was one.
    pub sender: String,
    pub state: TurnState,
    pub at: Timestamp,
    pub failures: u32,
    pub error: Option<String>,
    pub trigger: Trigger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnState {
    Waiting,
    Dead,
}

impl TurnState {
    pub const fn name(self) -> &'static str {
        match self {
            TurnState::Waiting => "waiting",
            TurnState::Dead => "dead",
        }
    }
}

/// Turns are claimed, and come to something.
#[async_trait]
pub trait Turns: Send + Sync {
    /// Up to `n` turns that are due, fair between tenants, one per conversation. Due timers become
    /// turns here.
    async fn claim_turns(&self, n: usize, now: Timestamp) -> Result<Vec<TurnClaim>>;
    /// A turn that would leave too many timers or too large a lead is refused with
    /// [`super::Error::Limit`]. The mode of a conversation that a human has taken over stays as it is.
    async fn commit_turn(&self, turn: TurnCommit) -> Result<()>;
    /// What became of a turn that could not be done: [`TurnFate`]. It ends the claim.
    async fn fail_turn(&self, failure: TurnFailure) -> Result<()>;
    /// Gives a claim back untouched: the gateway stops.
    fn release_turn(&self, key: &ConversationKey);
    /// Gives the claim back that began with this entry. It is not claimed again before `until`, as long as this
    /// process lives.
    fn postpone_turn(&self, key: &ConversationKey, first: InboxId, until: Timestamp);
    /// When the next turn that nobody waits for becomes due.
    fn next_turn_at(&self) -> Option<Timestamp>;
}
