//! A conversation as it stands, and who answers in it.

use async_trait::async_trait;

use super::Result;
use crate::conversation::{Conversation, Lead};
use crate::message::{ContactKey, ConversationKey, OrganizationId, Timestamp};

/// Conversations, and their hand-over to humans and back.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// As it stands; `None`: there is none.
    async fn conversation(&self, key: &ConversationKey) -> Result<Option<Conversation>>;
    /// What the tenants of an organization know of a contact together; `None`: nothing.
    async fn lead(&self, organization: OrganizationId, contact: &ContactKey) -> Result<Option<Lead>>;
    /// A human answers from now on; the brain is not asked, and its timers wait.
    async fn take_over(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()>;
    /// The brain answers again: a turn tells it what was said since the human took over.
    async fn hand_back(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()>;
}
