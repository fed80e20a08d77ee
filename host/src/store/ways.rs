//! The way of one message: when and where it came in, who it was routed to and why, which turn answered it,
//! and what became of the replies.

use super::Result;
use crate::conversation::{Author, Cost};
use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::route::{Reason, Via};
use async_trait::async_trait;

/// What is known of a message by now.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    pub tenant: TenantId,
    pub contact: ContactKey,
    /// `None` for what no message of a contact caused: a human said it, or it is kept no more.
    pub message: Option<Message>,
    pub replies: Vec<Reply>,
}

/// What a name led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Way(Box<Way>),
    /// It came in and found no tenant.
    LeftAlone {
        sender: SenderName,
        reason: Reason,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its arrival number.
    pub number: u64,
    pub received_at: Timestamp,
    pub sender: SenderName,
    /// As the provider calls it, and when the provider says it was sent; `None` where no contact wrote it.
    pub heard: Option<(String, Timestamp)>,
    pub via: Via,
    pub state: State,
    /// How often its turn has failed.
    pub failures: u32,
    /// Of the last failure.
    pub error: Option<String>,
    pub dealt_at: Option<Timestamp>,
    /// The first message of its turn, if that is another one.
    pub together_with: Option<u64>,
    /// Those that are still in the journal, the oldest first.
    pub turns: Vec<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// For its turn, which is due then.
    Waiting {
        due_at: Timestamp,
    },
    Answered,
    /// Its turn was given up.
    Dead,
    /// A human answers, or it was a word about messages themselves (`stop`).
    PutDown,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            State::Waiting { .. } => "waiting",
            State::Answered => "answered",
            State::Dead => "dead",
            State::PutDown => "put_down",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its number in the conversation.
    pub number: u64,
    pub at: Timestamp,
    pub brain_version: String,
    pub cost: Cost,
    /// `code: message`, if it failed.
    pub fault: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// `2-971501234567-18`.
    pub id: String,
    pub author: Author,
    /// `waiting`, `sending`, `dead`, `unknown`; of what reached its provider `sent`, `delivered`, `read`,
    /// `failed`.
    pub state: &'static str,
    pub created_at: Timestamp,
    pub attempts: u32,
    /// Of what waits.
    pub due_at: Option<Timestamp>,
    /// Of what has not reached its provider.
    pub sender: Option<SenderName>,
    pub error: Option<String>,
    pub provider_id: Option<String>,
    /// What it reached, in this order, and when we were told: `sent`, `delivered`, `read`, `failed`.
    pub reached: Vec<(&'static str, Timestamp)>,
}

/// The way of one message.
#[async_trait]
pub trait Ways: Send + Sync {
    /// Follows a message by any name of it or of a reply to it: our arrival number, the id of a turn or a reply
    /// (`2-971501234567-17`), our name for a reply at its provider, the provider's id. `of`: nobody else's are
    /// found.
    async fn way(&self, name: &str, of: Option<TenantId>) -> Result<Option<Found>>;
}
