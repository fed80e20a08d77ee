//! What providers report of what was sent.

use async_trait::async_trait;

use super::{Result, SendId};
use crate::event::Receipt;
use crate::message::{DeliveryState, SenderName, Timestamp};

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

/// Receipts move what was sent forward.
#[async_trait]
pub trait Receipts: Send + Sync {
    /// What a provider told when it was asked. Whether it settles a reply of unknown outcome; one that is not
    /// ours by its name is left alone.
    async fn recognize_receipt(&self, receipt: Receipt, now: Timestamp) -> Result<bool>;
    /// Moves the state of what was sent forward. Becomes a turn where the brain wants to be told. What it
    /// moved; nothing, if it is about nothing of ours or tells nothing new.
    async fn record_receipt(&self, receipt: Receipt) -> Result<Option<Moved>>;
    /// The sender that a message of ours went through, by our name for it; none for what we have not
    /// named or no longer keep.
    async fn sender_of_reply(&self, reference: &str) -> Result<Option<SenderName>>;
}
