//! Sends: replies on their way out.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Result, SendId};
use crate::conversation::{Author, Occasion};
use crate::message::{ContactKey, Outbound, SenderName, TenantId, Timestamp};
use crate::schedule::{Candidate, Pace};

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

/// May this sender send for this tenant now?
pub type Paced<'p> = dyn FnMut(&Candidate<'_, SenderName>) -> Pace + Send + 'p;

/// Replies are claimed, begun and settled.
#[async_trait]
pub trait Sends: Send + Sync {
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
    /// When the next reply that nothing holds up becomes due.
    fn next_send_at(&self) -> Option<Timestamp>;
    /// Our name for a reply of that many attempts.
    fn reference_of(&self, id: &SendId, attempts: u32) -> String;
}
