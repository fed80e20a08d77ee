//! What a sender's session was told to be.

use async_trait::async_trait;

use super::Result;
use crate::event::SessionChange;
use crate::message::SenderName;

/// Sessions of senders.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// What was told of a sender's session. What is older than what is known tells nothing new.
    async fn record_session(&self, sender: SenderName, change: SessionChange) -> Result<()>;
    /// What was told last; `None`: nothing yet.
    async fn session(&self, sender: &SenderName) -> Result<Option<SessionChange>>;
}
