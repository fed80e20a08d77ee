//! Stops conversations in which two machines answer each other: the brain is not asked any more, and
//! a human is asked to look. What is counted is in this process only; after a restart it begins anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Release;
use crate::config;
use crate::conversation::Trigger;
use crate::message::{Content, ConversationKey, Timestamp};
use crate::policy::breaker::{Exchange, Limit};
use crate::policy::recent::Recent;
use crate::store::conversations::Conversations;
use crate::store::housekeeping::Housekeeping;
use crate::store::{self, AuditEntry, TurnClaim};
use crate::tenant::Tenant;

/// Conversations that are watched. One that goes round and round is among the last used.
const WATCHED: usize = 50_000;

/// What stopping loops asks of the store.
pub trait LoopStore: Conversations + Housekeeping {}

impl<T: Conversations + Housekeeping> LoopStore for T {}

pub struct Loops {
    store: Arc<dyn LoopStore>,
    settings: config::Policy,
    exchanges: Mutex<Recent<ConversationKey, Exchange>>,
}

impl Loops {
    pub fn new(store: Arc<dyn LoopStore>, settings: config::Policy) -> Self {
        Loops { store, settings, exchanges: Mutex::new(Recent::new(WATCHED)) }
    }

    /// Has this contact answered too quickly too often? What people press is not counted: machines
    /// write.
    pub fn is_one(&self, claim: &TurnClaim, tenant: &Tenant) -> bool {
        let Trigger::Messages { messages } = &claim.trigger else { return false };
        let written = messages.iter().all(|heard| matches!(heard.content, Content::Text { .. }));
        // A turn that runs again was counted the first time.
        if !written || claim.failures > 0 {
            return false;
        }
        let limit = Limit {
            turns: tenant.policy.loop_turns.unwrap_or(self.settings.loop_turns),
            within_ms: i64::from(self.settings.loop_minutes) * 60_000,
            answer_ms: i64::try_from(self.settings.loop_answer_ms).unwrap_or(i64::MAX),
        };
        self.exchanges().at(&claim.key).heard(claim.conversation.last_inbound_at, limit)
    }

    pub fn answered(&self, key: &ConversationKey, now: Timestamp) {
        self.exchanges().at(key).answered(now);
    }

    /// Hands the conversation to a human. The turn's claim is given back: what the contact said goes
    /// into the history, for the human to read.
    pub async fn stop(&self, key: &ConversationKey, now: Timestamp, guard: Release) {
        const ACTOR: &str = "gateway";
        match self.store.take_over(key, ACTOR, now).await {
            Ok(()) => {
                self.exchanges().forget(key);
                tracing::error!(
                    tenant = %key.tenant, conversation = %key,
                    "a contact answers like a machine: the brain is stopped, a human is to look at the \
                     conversation and give it back (`switchboard contact handback`)"
                );
                let detail = serde_json::json!({ "reason": "the contact answers like a machine" });
                let subject = format!("{}/{}", key.tenant, key.contact);
                let entry =
                    AuditEntry { at: now, actor: ACTOR.into(), action: "stop loop".into(), subject, detail };
                if let Err(error) = self.store.audit(entry).await {
                    tracing::error!(conversation = %key, %error, "the audit log could not be written");
                }
            }
            // A human was quicker.
            Err(store::Error::Conflict(_)) => {}
            Err(error) => {
                tracing::error!(conversation = %key, %error, "a loop could not be stopped; trying again");
                tokio::time::sleep(super::STORE_PAUSE).await;
            }
        }
        drop(guard);
    }

    fn exchanges(&self) -> MutexGuard<'_, Recent<ConversationKey, Exchange>> {
        // A thread that panicked meanwhile left at worst one count wrong.
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
