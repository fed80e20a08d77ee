//! The lines of conversations.

use super::Read;
use super::packed::Packed;
use crate::conversation::{self, Author, Heard, HistoryEntry};
use crate::message::{ContactKey, DeliveryState, Outbound, Timestamp};

/// A line counts attempts so far.
pub const MOST_ATTEMPTS: u8 = 127;

/// What a line says.
#[derive(Clone, Debug)]
pub enum Line {
    Heard(Packed<Heard>),
    /// By us.
    Said(Packed<Outbound>),
}

/// A line of a conversation. It names the one before it.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    pub at: Timestamp,
    pub author: Author,
    pub line: Line,
    pub state: Option<DeliveryState>,
    /// The line before it; 0: none.
    pub previous: u64,
    /// The arrival number of the message that it is, or answers. What is kept of the way of a message leaves with the
    /// line that it is.
    pub message: Option<u64>,
    /// Under which receipts find it; leaves with it.
    pub sent_id: Option<[u8; 16]>,
    /// As its provider calls what was said.
    pub provider_id: Option<String>,
    /// When what was said came how far.
    pub times: Times,
    /// It was said when the brain was told of a receipt.
    pub on_receipt: bool,
    /// With which it reached its provider, up to [`MOST_ATTEMPTS`]; 0: not known.
    pub attempt: u8,
    pub contact: ContactKey,
}

impl HistoryRow {
    /// Bytes of what it says.
    pub fn size(&self) -> usize {
        match &self.line {
            Line::Heard(heard) => heard.as_kept().len(),
            Line::Said(said) => said.as_kept().len(),
        }
    }

    /// The message whose way leaves with this line.
    pub fn way(&self) -> Option<u64> {
        self.message.filter(|_| self.author == Author::Contact)
    }

    /// Is a brain told what became of it? Not of others' words, nor of what it says when it is told of
    /// such a thing: it would be told, and say something, for ever.
    pub fn is_told_of(&self) -> bool {
        self.author == Author::Brain && !self.on_receipt
    }

    pub fn entry(&self) -> Read<HistoryEntry> {
        let line = match &self.line {
            Line::Said(said) => conversation::Line::Said(said.unpack("history")?),
            Line::Heard(heard) => conversation::Line::Heard(heard.unpack("history")?),
        };
        Ok(HistoryEntry { at: self.at, author: self.author, line, state: self.state })
    }
}

/// When what was said came how far, by our clock.
/// [`Timestamp::ZERO`] for what has not been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub sent: Timestamp,
    pub delivered: Timestamp,
    pub read: Timestamp,
    pub failed: Timestamp,
}

impl Times {
    /// With this state reached now. The first word on it counts.
    #[must_use]
    pub fn reached(mut self, state: DeliveryState, now: Timestamp) -> Self {
        let time = match state {
            DeliveryState::Sent => &mut self.sent,
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Read => &mut self.read,
            DeliveryState::Failed => &mut self.failed,
            DeliveryState::Queued | DeliveryState::Unknown => return self,
        };
        if *time == Timestamp::ZERO {
            *time = now;
        }
        self
    }
}
