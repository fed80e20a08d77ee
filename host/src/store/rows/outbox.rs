//! Replies that have not reached their provider.

use super::Read;
use super::history::{HistoryRow, Line, MOST_ATTEMPTS, Times};
use super::packed::Packed;
use crate::conversation::{Author, Occasion};
use crate::message::{ContactKey, DeliveryState, Outbound, SenderName, Timestamp};
use crate::schedule::Class;
use crate::store::{OutboxEntry, OutboxState};

/// A reply that has not reached its provider. It is the line of the history too until it has.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    pub state: OutboxState,
    pub author: Author,
    pub occasion: Occasion,
    /// It was said when the brain was told of a receipt, whatever its occasion has become since.
    pub on_receipt: bool,
    /// It waits for its hour, see [`crate::store::Settlement::Postponed`].
    pub postponed: bool,
    pub attempts: u32,
    /// Nobody knows what became of the last attempt: the next one is the same again, under its name.
    pub repeats: bool,
    /// When an operator last asked for it.
    pub retried_at: Option<Timestamp>,
    pub due: Timestamp,
    pub created_at: Timestamp,
    /// The line before it; 0: none.
    pub previous: u64,
    /// The arrival number of the message that it answers.
    pub message: Option<u64>,
    /// When that came in.
    pub heard_at: Option<Timestamp>,
    pub contact: ContactKey,
    pub sender: SenderName,
    pub to: String,
    pub error: Option<String>,
    pub said: Packed<Outbound>,
}

impl OutboxRow {
    pub fn class(&self) -> Class {
        match self.occasion {
            Occasion::Answer => Class::Answer,
            Occasion::Timer | Occasion::Receipt => Class::Reminder,
        }
    }

    /// Is a brain told what became of it? See [`HistoryRow::is_told_of`].
    pub fn is_told_of(&self) -> bool {
        self.author == Author::Brain && !self.on_receipt
    }

    /// How far it has come, as its line in the history says.
    pub fn delivery(&self) -> DeliveryState {
        match self.state {
            OutboxState::Waiting | OutboxState::Sending => DeliveryState::Queued,
            OutboxState::Dead => DeliveryState::Failed,
            OutboxState::Unknown => DeliveryState::Unknown,
        }
    }

    /// The line of the history that this reply is.
    pub fn line(&self) -> HistoryRow {
        HistoryRow {
            at: self.created_at,
            author: self.author,
            line: Line::Said(self.said.clone()),
            state: Some(self.delivery()),
            previous: self.previous,
            message: self.message,
            sent_id: None,
            provider_id: None,
            times: Times::default(),
            on_receipt: self.on_receipt,
            attempt: u8::try_from(self.attempts).unwrap_or(MOST_ATTEMPTS).min(MOST_ATTEMPTS),
            contact: self.contact.clone(),
        }
    }

    pub fn entry(&self) -> Read<OutboxEntry> {
        Ok(OutboxEntry {
            sender: self.sender.clone(),
            to: self.to.clone(),
            outbound: self.said.unpack("outbox")?,
            author: self.author,
            occasion: self.occasion,
            message: self.message,
            heard_at: self.heard_at,
            state: self.state,
            attempts: self.attempts,
            due_at: self.due,
            created_at: self.created_at,
            retried_at: self.retried_at,
            last_error: self.error.clone(),
        })
    }
}
