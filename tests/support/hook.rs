//! WAHA's end of the wire to one gateway: posts webhooks and reads the answers.

use anyhow::Result;
use serde_json::Value;

use crate::client::client;
use crate::gateway::{Answer, Gateway};
use crate::waha::webhook::Webhook;

/// Where webhooks go, and what they are signed with. It outlives the gateway's process.
#[derive(Clone, Debug)]
pub struct Hook {
    client: reqwest::Client,
    url: String,
    hmac_key: Option<String>,
}

impl Hook {
    /// The door of this gateway, unsigned.
    pub fn to(gateway: &Gateway) -> Self {
        Hook { client: client(), url: gateway.url("/api/gateway/waha"), hmac_key: None }
    }

    pub fn signed(mut self, key: &str) -> Self {
        self.hmac_key = Some(key.into());
        self
    }

    /// The answer, or why there is none.
    pub async fn try_post(&self, webhook: &Webhook) -> Result<Answer> {
        let signed = self.hmac_key.as_deref().map(|key| webhook.signed(key));
        let webhook = signed.as_ref().unwrap_or(webhook);
        self.try_post_bytes(webhook, webhook.body()).await
    }

    /// These bytes with that webhook's headers.
    pub async fn try_post_bytes(&self, webhook: &Webhook, body: Vec<u8>) -> Result<Answer> {
        let request = self.client.post(&self.url).body(body);
        let headers = webhook.headers().into_iter();
        Answer::of(headers.fold(request, |request, (name, value)| request.header(name, value))).await
    }

    pub async fn post(&self, webhook: &Webhook) -> Answer {
        self.try_post(webhook).await.unwrap_or_else(|error| panic!("the webhook got no answer: {error:#}"))
    }

    /// The JSON of the answer, which must come with a 200.
    pub async fn say(&self, webhook: &Webhook) -> Value {
        self.post(webhook).await.ok()
    }
}

/// A text message of a person with this phone number, under an id of our choice.
pub fn text(phone: &str, id: &str, text: &str) -> Webhook {
    Webhook::text(&format!("{phone}@c.us"), text).with_id(&format!("false_{phone}@c.us_{id}"))
}
