//! What is kept. [`Store`] is the list of everything the gateway asks of its storage, each verb the
//! size of a commit: after `Ok` it is durable as a whole, after `Err` nothing of it happened.
//!
//! Two kinds of verbs: those on the way of a message (`accept`, `claim_turns`, `commit_turn`,
//! `fail_turn`, `claim_sends`, `settle_send`), and those of the operator (`put_tenant`, `unlock`,
//! `turns`, ...). Claims live in memory and end with the process; what was claimed and not
//! committed is claimed again after a start. A send is marked in the store when it begins, between its
//! claim and its request, so that one interrupted by a crash is known to be of unknown outcome, and
//! one that had not begun is simply sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use self::error::{Error, Limit};
pub use self::handover::Handover;
pub use self::send_id::SendId;
use self::watchers::Watchers;
use crate::conversation::{
    Author, Conversation, JournalEntry, Lead, LeadChange, Mode, Occasion, TimerChange, Trigger,
};
use crate::event::{Receipt, SessionChange};
use crate::glyph::Shown;
use crate::message::{
    ContactKey, ConversationKey, DeliveryState, Inbound, OrganizationId, Outbound, Provider, SenderName,
    TenantId, Timestamp,
};
use crate::route::{Answer, Lock, Via};
use crate::schedule::{Candidate, Pace};
use crate::tenant::{Directory, Organization, Sender, Tenant};

mod audit;
mod claims;
pub mod contacts;
pub mod embedded;
mod error;
mod handover;
pub mod listed;
pub mod media;
pub mod numbers;
pub mod packages;
pub mod pages;
pub mod quotas;
pub mod rows;
pub mod rules;
pub mod secrets;
mod send_id;
pub mod shared;
pub mod templates;
mod told;
pub mod unread;
pub mod upkeep;
pub mod watchers;
pub mod ways;

pub type Result<T> = std::result::Result<T, Error>;

/// One message that a verified webhook brought.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub inbound: Inbound,
    /// The sender that received it.
    pub sender: SenderName,
    /// Whose it is on a shared sender, where the webhook's address said so; a lock comes before it.
    pub tenant: Option<TenantId>,
    pub received_at: Timestamp,
}

/// What became of an arrival. A duplicate gets the first one's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    pub answer: Answer,
    pub duplicate: bool,
    /// Its arrival number, by which its whole way is followed. What finds no tenant has none.
    pub message: Option<u64>,
    /// By what it found its tenant; of a duplicate that is not remembered.
    pub via: Option<Via>,
    /// Not for the brain: a human answers.
    pub for_human: bool,
}

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

/// A reply on its way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    pub sender: SenderName,
    pub to: String,
    pub outbound: Outbound,
    /// In whose words it is.
    pub author: Author,
    #[serde(default)]
    pub occasion: Occasion,
    /// The arrival number of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
    /// When that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    pub state: OutboxState,
    /// Attempts begun.
    pub attempts: u32,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    /// When an operator last asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// Waits for `due_at`, or for those before it.
    Waiting,
    /// An attempt has begun. After a restart: [`OutboxState::Unknown`].
    Sending,
    /// Refused for good. Those after it go on.
    Dead,
    /// It may have gone out or not. Never sent again by itself.
    Unknown,
}

impl OutboxState {
    /// Will more come of it without anybody's word?
    pub const fn is_under_way(self) -> bool {
        matches!(self, OutboxState::Waiting | OutboxState::Sending)
    }

    pub const fn name(self) -> &'static str {
        match self {
            OutboxState::Waiting => "waiting",
            OutboxState::Sending => "sending",
            OutboxState::Dead => "dead",
            OutboxState::Unknown => "unknown",
        }
    }
}

/// A reply, and the right to send it: until it is settled none of its conversation follows.
#[derive(Clone, Debug)]
pub struct SendClaim {
    pub id: SendId,
    pub entry: OutboxEntry,
    /// Our name for this attempt at the provider: the same only after one of unknown outcome.
    pub reference: String,
}

/// How far a receipt moved a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub id: SendId,
    /// The arrival number of the message that it answers.
    pub message: Option<u64>,
    pub state: DeliveryState,
    /// It did not arrive after all, and is among the dead now.
    pub returned: bool,
}

#[derive(Clone, Debug)]
pub enum Settlement {
    /// The provider took it under this id, where it names one.
    Sent {
        provider_id: Option<String>,
    },
    /// The provider took this in its place, under this id.
    Replaced {
        provider_id: Option<String>,
        by: Outbound,
    },
    Later {
        at: Timestamp,
        error: String,
    },
    /// Nothing is wrong, only the hour: it waits until then, or until the contact writes, so that no
    /// answer waits behind it.
    Postponed {
        until: Timestamp,
        why: String,
    },
    Dead {
        error: String,
    },
    Unknown {
        error: String,
    },
    /// This may have gone out in its place. From now on it is what was said: sent again, it is this.
    PerhapsReplaced {
        error: String,
        by: Outbound,
    },
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

/// A reply as `switchboard outbox` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendSummary {
    pub id: String,
    pub tenant: TenantId,
    pub contact: ContactKey,
    #[serde(flatten)]
    pub entry: OutboxEntry,
}

/// The name of a template that may go out in place of a reply of this name in the same attempt: it must not
/// be taken for a repeat of it.
pub fn template_reference(reference: &str) -> String {
    format!("{reference}-t")
}

/// Narrow a listing. `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub tenant: Option<TenantId>,
    pub contact: Option<ContactKey>,
    pub sender: Option<SenderName>,
    /// As [`OutboxState::name`] and [`TurnState::name`] say it.
    pub state: Option<String>,
    /// A part of its error.
    pub error: Option<String>,
    /// What is older than this.
    pub before: Option<Timestamp>,
    /// Only what has given up: dead turns; dead and unknown sends.
    pub ended: bool,
    pub limit: usize,
    /// Goes on where a page ended: its `next`.
    pub after: Option<String>,
}

/// Kept, never recounted per request; [`Store::recount`] proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Locks there are.
    pub users: u64,
    pub users_per_tenant: BTreeMap<u32, u64>,
    pub inbox: u64,
    pub outbox_waiting: u64,
    pub outbox_dead: u64,
    pub outbox_unknown: u64,
    pub dead_turns: u64,
    /// Locked contacts who came with another tenant's link.
    pub conflicts: u64,
    /// Messages accepted, over all time.
    pub accepted: u64,
    pub last_updated: Timestamp,
}

/// Who may call the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Hex SHA-256 of the key. The key itself is shown once and kept nowhere.
    pub hash: String,
    /// `None`: the operator.
    pub tenant: Option<TenantId>,
    pub name: String,
    pub created_at: Timestamp,
}

/// One thing an administrator did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// `operator`, `tenant 2`, `gateway`.
    pub actor: String,
    /// `unlock`, `put tenant`.
    pub action: String,
    pub subject: String,
    pub detail: serde_json::Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ImportReport {
    pub imported: u64,
    /// Already so.
    pub unchanged: u64,
    /// `971501234567: locked to 1, the file says 2`.
    pub conflicts: Vec<String>,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub dedup_ms: i64,
    pub history_ms: i64,
    /// Dead turns, and replies that are dead or of unknown outcome.
    pub ended_ms: i64,
    pub journal_ms: i64,
    pub audit_ms: i64,
    /// Which templates were sent to whom.
    pub template_log_ms: i64,
}

/// What the loops sleep on. Signalled after a commit; a missed signal costs one timer tick.
#[derive(Debug, Default)]
pub struct Wakes {
    pub turns: Notify,
    pub sends: Notify,
    /// A conversation grew a line or changed one; for those who watch it.
    pub history: Watchers,
    /// A file is to be fetched.
    pub files: Notify,
    /// A tenant waits until something of it is trimmed.
    pub trims: Notify,
}

/// May this sender send for this tenant now?
pub type Paced<'p> = dyn FnMut(&Candidate<'_, SenderName>) -> Pace + Send + 'p;

#[async_trait]
pub trait Store:
    contacts::Contacts
    + templates::Templates
    + media::MediaShelf
    + listed::Listed
    + pages::Pages
    + secrets::Secrets
    + quotas::Accounts
    + numbers::Numbers
    + upkeep::Upkeep
    + unread::Unread
    + packages::OwnPackages
    + ways::Ways
    + Send
    + Sync
    + 'static
{
    fn wakes(&self) -> &Wakes;
    fn directory(&self) -> Arc<Directory>;
    fn counters(&self) -> Counters;

    // The way of a message.

    /// Deduplicates, decides the tenant ([`crate::route::decide`]), locks, and puts the message in
    /// the inbox: one commit.
    async fn accept(&self, arrival: Arrival) -> Result<Accepted>;
    /// Up to `n` turns that are due, fair between tenants, one per conversation. Due timers become
    /// turns here.
    async fn claim_turns(&self, n: usize, now: Timestamp) -> Result<Vec<TurnClaim>>;
    /// A turn that would leave too many timers or too large a lead is refused with
    /// [`Error::Limit`]. The mode of a conversation that a human has taken over stays as it is.
    async fn commit_turn(&self, turn: TurnCommit) -> Result<()>;
    async fn fail_turn(&self, failure: TurnFailure) -> Result<()>;
    /// Gives a claim back untouched: the gateway stops.
    fn release_turn(&self, key: &ConversationKey);
    /// Gives the claim back that began with this entry. It is not claimed again before `until`, as long as this
    /// process lives.
    fn postpone_turn(&self, key: &ConversationKey, first: InboxId, until: Timestamp);
    /// When the next turn that nobody waits for becomes due.
    fn next_turn_at(&self) -> Option<Timestamp>;
    /// Up to `n` sends that are due, in order per conversation, fair between senders and between a
    /// sender's tenants. `pace` is asked before each: what it holds up is asked for again after its
    /// time. Nothing is written: what has not begun when the process ends is claimed again by the next.
    async fn claim_sends(&self, n: usize, now: Timestamp, pace: &mut Paced<'_>) -> Result<Vec<SendClaim>>;
    /// Marks claimed sends as [`OutboxState::Sending`], durably and in one commit: from here on a crash
    /// leaves them unknown. What its sender does not carry any more ([`crate::route::carries`]) is dead
    /// instead. Returns those that are still there, as they are kept now. The claims of the
    /// others end; after an error all of them are still the caller's.
    async fn begin_sends(&self, ids: &[SendId]) -> Result<Vec<SendClaim>>;
    /// Gives a claim back that has not begun. It is not claimed again before `until`, as long as this
    /// process lives.
    fn postpone_send(&self, id: &SendId, until: Timestamp);
    /// The sender answers again: answers of its that wait for another attempt are due at once, as long as
    /// this process lives.
    fn hurry_sends(&self, sender: &SenderName, now: Timestamp);
    /// What this sender's replies were made to wait for is to be asked again.
    fn resume_sends(&self, sender: &SenderName);
    /// Writes down what came of a send. One that is settled already stays as it is; of one that was
    /// claimed and has not begun only [`Settlement::Later`], [`Settlement::Postponed`] and
    /// [`Settlement::Dead`] can be said.
    /// A brain that wants receipts hears of the death of what it said.
    async fn settle_send(&self, id: &SendId, settlement: Settlement, now: Timestamp) -> Result<()>;
    fn next_send_at(&self) -> Option<Timestamp>;
    /// Our name for a reply of that many attempts.
    fn reference_of(&self, id: &SendId, attempts: u32) -> String;
    /// What a provider told when it was asked. Whether it settles a reply of unknown outcome; one that is not
    /// ours by its name is left alone.
    async fn recognize_receipt(&self, receipt: Receipt, now: Timestamp) -> Result<bool>;
    /// Moves the state of what was sent forward. Becomes a turn where the brain wants to be told. What it
    /// moved; nothing, if it is about nothing of ours or tells nothing new.
    async fn record_receipt(&self, receipt: Receipt) -> Result<Option<Moved>>;
    /// The sender that a message of ours went through, by our name for it; none for what we have not
    /// named or no longer keep.
    async fn sender_of_reply(&self, reference: &str) -> Result<Option<SenderName>>;
    async fn record_session(&self, sender: SenderName, change: SessionChange) -> Result<()>;

    // What the operator asks and does. Everything that changes something takes the actor and writes
    // the audit log in the same commit.

    async fn put_organization(&self, organization: Organization, actor: &str) -> Result<()>;
    async fn put_tenant(&self, tenant: Tenant, actor: &str) -> Result<()>;
    /// One that would give a sender to another owner is refused: see [`Store::give_sender`].
    async fn put_sender(&self, sender: Sender, actor: &str) -> Result<()>;
    /// Another owner for a sender; `None`: shared. In one commit with what becomes of what the old one has
    /// there. A dry run tells what it would come to.
    async fn give_sender(
        &self,
        sender: &SenderName,
        to: Option<TenantId>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Handover>;
    /// Replaces the whole collection. Each record is an object with a text or integer `id`.
    async fn put_collection(
        &self,
        tenant: TenantId,
        collection: &str,
        records: Vec<serde_json::Value>,
        actor: &str,
    ) -> Result<()>;
    async fn lock_of(&self, contact: &ContactKey) -> Result<Option<Lock>>;
    /// Frees the contact; its next deep link decides anew. Pending turns and timers of the old tenant still
    /// run; what they say reaches the contact only until it is another tenant's. Its history stays with it.
    async fn unlock(&self, contact: &ContactKey, actor: &str, now: Timestamp) -> Result<Lock>;
    /// A human answers from now on; the brain is not asked, and its timers wait.
    async fn take_over(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()>;
    /// The brain answers again: a turn tells it what was said since the human took over.
    async fn hand_back(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()>;
    /// Locks from another system. Conflicts are listed and left as they are.
    async fn import_locks(
        &self,
        locks: Vec<(ContactKey, TenantId)>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<ImportReport>;
    /// Locks in key order, after `after`.
    async fn locks(&self, after: Option<&ContactKey>, limit: usize) -> Result<Vec<(ContactKey, Lock)>>;
    async fn conversation(&self, key: &ConversationKey) -> Result<Option<Conversation>>;
    async fn lead(&self, organization: OrganizationId, contact: &ContactKey) -> Result<Option<Lead>>;
    async fn collection(
        &self,
        tenant: TenantId,
        collection: &str,
    ) -> Result<Option<Arc<Vec<serde_json::Value>>>>;
    /// The same at once, where it lies ready.
    fn parsed_collection(&self, tenant: TenantId, collection: &str) -> Option<Arc<Vec<serde_json::Value>>>;
    /// Adds its records to `into` as they are kept: a list in JSON. `false`: there is no such collection.
    async fn collection_json(&self, tenant: TenantId, collection: &str, into: &mut Vec<u8>) -> Result<bool>;
    async fn session(&self, sender: &SenderName) -> Result<Option<SessionChange>>;
    /// Puts a dead turn back in line, or makes a waiting one due now.
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>>;
    async fn api_keys(&self) -> Result<Vec<ApiKey>>;
    async fn put_api_key(&self, key: ApiKey, actor: &str) -> Result<()>;
    /// From now on nobody is let in with it.
    async fn remove_api_key(&self, hash: &str, actor: &str, now: Timestamp) -> Result<ApiKey>;
    async fn audit(&self, entry: AuditEntry) -> Result<()>;

    // Housekeeping.

    /// Removes what is past its time, at most `limit` things; how many it removed.
    async fn prune(&self, retention: Retention, now: Timestamp, limit: usize) -> Result<usize>;
    /// Counts everything anew. Equals [`Store::counters`] while nothing is being written.
    async fn recount(&self) -> Result<Counters>;
    /// Writes a consistent copy into `file` from the byte `from` on, while the gateway runs, and verifies it.
    /// How many bytes it has; nothing is to lie behind them in the file yet.
    async fn backup(&self, file: File, from: u64) -> Result<u64>;
    /// Is the store able to commit? An empty commit proves it.
    async fn probe(&self) -> Result<()>;
}

/// For keys in URLs and listings.
pub fn provider_key(provider: Provider, account: &str, id: &str) -> String {
    format!("{provider}\u{0}{account}\u{0}{id}")
}
