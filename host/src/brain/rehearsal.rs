//! A turn that is about nobody: what a selftest runs in, before any conversation does.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::engine::Turn;
use super::personality::Personality;
use super::{Ask, Sources};
use crate::conversation::{Conversation, HistoryEntry, Trigger};
use crate::message::{ContactKey, ConversationKey, OrganizationId, TenantId, Timestamp};
use crate::tenant::{Limits, ResolvedLimits, Tenant};

/// No history and no collection.
struct Nothing;

#[async_trait]
impl Sources for Nothing {
    async fn history(&self, _limit: usize) -> Result<Vec<HistoryEntry>, String> {
        Ok(Vec::new())
    }

    async fn collection(&self, _name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
        Ok(None)
    }
}

/// The turn that a component is started in, and its selftest run.
pub fn turn(package: &str, personality: Personality, limits: ResolvedLimits, now: Timestamp) -> Turn {
    Turn {
        ask: Arc::new(ask(now)),
        personality,
        package: package.into(),
        limits,
        contact_language: None,
        receipts: false,
        migrate_from: None,
    }
}

/// One that asks nothing.
fn ask(now: Timestamp) -> Ask {
    Ask {
        tenant: Arc::new(tenant()),
        organization: None,
        key: ConversationKey { tenant: TenantId::GATEWAY, contact: ContactKey::from_stored("selftest") },
        trigger: Trigger::Messages { messages: Vec::new() },
        conversation: Conversation::default(),
        lead: None,
        sender: "selftest".into(),
        window_open_until: None,
        seed: 1,
        now,
        sources: Arc::new(Nothing),
    }
}

/// A tenant that is nobody.
pub fn tenant() -> Tenant {
    Tenant {
        id: TenantId::GATEWAY,
        name: "selftest".into(),
        organization: OrganizationId(0),
        active: true,
        language: "en".into(),
        time_zone: "UTC".into(),
        brain: String::new(),
        fallback_text: String::new(),
        labels: BTreeMap::new(),
        personality: serde_json::Map::new(),
        limits: Limits::default(),
        policy: crate::tenant::policy::Policy::default(),
        quotas: crate::tenant::quotas::Own::default(),
    }
}
