//! What becomes of our own numbers: whether somebody wants a WAHA number logged in, and the end of a sender.

use async_trait::async_trait;
use serde::Serialize;

use super::Result;
use crate::message::{SenderName, Timestamp};

/// What was asked for a sender's WAHA session last, by this gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Nothing. It was set up by hand, or before there was anything to remember it in.
    #[default]
    Unsaid,
    /// It is to work, and its webhook to lead here.
    Connected,
    /// It is to stay logged out.
    LoggedOut,
}

/// A sender that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub sender: SenderName,
    /// Replies that waited to go out through it. They are dead, each with the reason.
    pub dropped: u64,
}

/// What becomes of our own numbers.
#[async_trait]
pub trait Numbers: Send + Sync {
    /// What was asked for this sender's session last.
    async fn wish(&self, sender: &SenderName) -> Result<Wish>;
    /// This was asked for it now; [`Wish::Unsaid`] forgets what was.
    async fn set_wish(&self, sender: &SenderName, wish: Wish) -> Result<()>;
    /// Takes the sender out. Refused while replies are on their way through it, and while some wait,
    /// unless they may be dropped. Conversations and their history stay; so does what its provider knows.
    async fn remove_sender(
        &self,
        sender: &SenderName,
        drop_waiting: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Removed>;
}
