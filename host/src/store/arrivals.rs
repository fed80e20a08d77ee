//! What comes in.

use async_trait::async_trait;

use super::Result;
use crate::message::{Inbound, SenderName, TenantId, Timestamp};
use crate::route::{Answer, Via};

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

/// Messages come in.
#[async_trait]
pub trait Arrivals: Send + Sync {
    /// Deduplicates, decides the tenant ([`crate::route::decide`]), locks, and puts the message in
    /// the inbox: one commit.
    async fn accept(&self, arrival: Arrival) -> Result<Accepted>;
}
