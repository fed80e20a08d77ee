//! Conversations, and who answers in them.

use async_trait::async_trait;

use crate::conversation::{Conversation, Lead};
use crate::message::{ContactKey, ConversationKey, OrganizationId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::conversations::Conversations;
use crate::store::engine::Engine;
use crate::store::rules::{handoff, leads, named, pages};

#[async_trait]
impl<E: Engine> Conversations for E {
    async fn conversation(&self, key: &ConversationKey) -> Result<Option<Conversation>> {
        let waiting = self.index().turns().items(key).map(|id| id.seq).collect();
        let key = key.clone();
        self.read(move |rows| pages::conversation(rows, &key, waiting)).await
    }

    async fn lead(&self, organization: OrganizationId, contact: &ContactKey) -> Result<Option<Lead>> {
        let key = (organization, contact.clone());
        self.read(move |rows| leads::find(rows, &key)).await
    }

    async fn take_over(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()> {
        let by = entry(actor, "take over", named(key), serde_json::Value::Null, now);
        let key = key.clone();
        self.submit(move |rows| handoff::take_over(rows, &key, &by)).await
    }

    async fn hand_back(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()> {
        let by = entry(actor, "hand back", named(key), serde_json::Value::Null, now);
        let key = key.clone();
        self.submit(move |rows| handoff::hand_back(rows, &key, &by)).await
    }
}
