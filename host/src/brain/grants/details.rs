//! `details`: what the contract's records have no field for. The labels are the tenant's own, and the
//! referrals those of this turn's messages.

use serde_json::json;

use crate::brain::abi::bindings::switchboard::brain::details::{Host, Referrer};
use crate::brain::sandbox::State;
use crate::conversation::{Heard, Trigger};

impl Host for State {
    async fn labels(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.count().await?;
        let labels = &self.ask.tenant.labels;
        let recorded = json!(labels).to_string();
        let labels = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.carry(recorded.len()).await?;
        self.record("details.labels", "[]".into(), recorded)?;
        Ok(labels)
    }

    async fn referral(&mut self, message_id: String) -> wasmtime::Result<Option<Referrer>> {
        self.count().await?;
        let heard: &[Heard] = match &self.ask.trigger {
            Trigger::Started { message, .. } => std::slice::from_ref(message),
            Trigger::Messages { messages } => messages,
            Trigger::Timer { .. } | Trigger::Handback { .. } | Trigger::Receipt { .. } => &[],
        };
        let found =
            heard.iter().find(|heard| heard.id == message_id).and_then(|heard| heard.referral.as_ref());
        let recorded = json!(found).to_string();
        let found = found.cloned().map(|referral| Referrer {
            kind: referral.kind,
            source_id: referral.source_id,
            url: referral.url,
            headline: referral.headline,
            body: referral.body,
            click_id: referral.click_id,
        });
        self.carry(message_id.len() + recorded.len()).await?;
        self.record("details.referral", json!([message_id]).to_string(), recorded)?;
        Ok(found)
    }
}
