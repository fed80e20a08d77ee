//! The log of the way of every message: one line a step, under one number. The number is the message's arrival
//! number; each line has it as `msg` (`message` is what a log calls its texts), in the same words and fields wherever
//! it is written, so that one search shows the whole way and `switchboard message show` takes what the line says.
//! What goes wrong is logged where it is handled, louder, with the same `msg`.
//!
//! The lines have a target of their own: `log.level = "info,switchboard::way=warn"` leaves them out.

use crate::message::{ContactKey, ConversationKey, DeliveryState, Provider, SenderName};

/// What `log.level` calls these lines.
const TARGET: &str = "switchboard::way";

/// A message as it came in. `id`: the provider's, without the chat that it names.
#[derive(Clone, Copy)]
pub struct In<'a> {
    pub provider: Provider,
    pub sender: &'a SenderName,
    pub id: &'a str,
}

/// It is kept, and this tenant's: `via` says why.
pub fn received(message: u64, key: &ConversationKey, from: In<'_>, via: Option<&'static str>) {
    tracing::info!(
        target: TARGET,
        msg = message, tenant = %key.tenant, contact = key.contact.masked(), sender = %from.sender,
        provider = %from.provider, provider_id = from.id, via,
        "received"
    );
}

/// The provider sent it once more; nothing was done.
pub fn received_again(message: Option<u64>, contact: &ContactKey, from: In<'_>) {
    tracing::info!(
        target: TARGET,
        msg = message, contact = contact.masked(), sender = %from.sender, provider = %from.provider,
        provider_id = from.id,
        "received again"
    );
}

/// It finds no tenant.
pub fn left_alone(contact: &ContactKey, from: In<'_>, reason: &str) {
    tracing::info!(
        target: TARGET,
        contact = contact.masked(), sender = %from.sender, provider = %from.provider, provider_id = from.id, reason,
        "left alone"
    );
}

/// No brain is asked: a human answers.
pub fn for_human(message: u64, key: &ConversationKey) {
    tracing::info!(
        target: TARGET,
        msg = message, tenant = %key.tenant, contact = key.contact.masked(),
        "left to the human who answers"
    );
}

/// As much of a digest as people compare.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A turn that was committed.
pub struct Turn<'a> {
    pub number: u64,
    /// What it was for: `messages`, `timer`.
    pub kind: &'static str,
    pub brain: &'a str,
    pub replies: usize,
    pub took_ms: u64,
}

/// `with`: the message whose turn it was, where several made one.
pub fn answered(message: u64, with: Option<u64>, key: &ConversationKey, turn: &Turn<'_>) {
    tracing::info!(
        target: TARGET,
        msg = message, with, tenant = %key.tenant, contact = key.contact.masked(), turn = turn.number, kind = turn.kind,
        brain = turn.brain, replies = turn.replies, took_ms = turn.took_ms,
        "turn"
    );
}

/// A reply that its provider took.
pub struct Sent<'a> {
    pub seq: u64,
    pub sender: &'a SenderName,
    pub provider: Provider,
    pub id: Option<&'a str>,
    pub attempt: u32,
    pub took_ms: u64,
}

pub fn sent(message: Option<u64>, key: &ConversationKey, reply: &Sent<'_>) {
    tracing::info!(
        target: TARGET,
        msg = message, reply = reply.seq, tenant = %key.tenant, contact = key.contact.masked(), sender = %reply.sender,
        provider = %reply.provider, provider_id = reply.id, attempt = reply.attempt, took_ms = reply.took_ms,
        "sent"
    );
}

/// What the provider told of a reply later.
pub struct Told<'a> {
    pub seq: u64,
    pub state: DeliveryState,
    pub sender: &'a SenderName,
    pub provider: Provider,
    pub id: &'a str,
    pub reason: Option<&'a str>,
}

pub fn told(message: Option<u64>, key: &ConversationKey, reply: &Told<'_>) {
    macro_rules! step {
        ($step:literal) => {
            tracing::info!(
                target: TARGET,
                msg = message, reply = reply.seq, tenant = %key.tenant, contact = key.contact.masked(),
                sender = %reply.sender, provider = %reply.provider, provider_id = reply.id, reason = reply.reason,
                $step
            )
        };
    }
    match reply.state {
        DeliveryState::Delivered => step!("delivered"),
        DeliveryState::Read => step!("read"),
        DeliveryState::Failed => step!("failed"),
        DeliveryState::Queued | DeliveryState::Unknown | DeliveryState::Sent => step!("reached its provider"),
    }
}
