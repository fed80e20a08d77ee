//! Requests as an Infobip sends them to us: a batch of items, proven as the notification profile says.
//!
//! ```ignore
//! let hook = Webhook::of([text("385919998888", "41793026731", "hi")]);
//! hook.basic("hook", "secret").post(&client, &url).await;
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One request.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub body: Value,
    headers: Vec<(String, String)>,
}

impl Webhook {
    pub fn of(items: impl IntoIterator<Item = Value>) -> Self {
        let results: Vec<Value> = items.into_iter().collect();
        let body = json!({"messageCount": results.len(), "pendingMessageCount": 0, "results": results});
        Webhook { body, headers: Vec::new() }
    }

    /// With Basic authentication.
    pub fn basic(&self, user: &str, password: &str) -> Self {
        self.with_header("Authorization", &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// With HMAC-SHA256 of the body in this header.
    pub fn signed(&self, header: &str, key: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is a key");
        mac.update(self.body.to_string().as_bytes());
        self.with_header(header, &hex::encode(mac.finalize().into_bytes()))
    }

    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut webhook = self.clone();
        webhook.headers.push((name.to_owned(), value.to_owned()));
        webhook
    }

    pub async fn post(&self, client: &reqwest::Client, url: &str) -> reqwest::Result<reqwest::Response> {
        let request = client.post(url).header("Content-Type", "application/json").body(self.body.to_string());
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await
    }
}

/// A text message from a contact to a number of ours, under an id of its own.
pub fn text(from: &str, to: &str, words: &str) -> Value {
    message(from, to, json!({"type": "TEXT", "text": words}))
}

/// The same with any `message`.
pub fn message(from: &str, to: &str, message: Value) -> Value {
    json!({
        "from": from, "to": to, "integrationType": "WHATSAPP", "receivedAt": "2026-03-01T12:00:00.000+0000",
        "messageId": format!("wamid.{:016X}", next()), "pairedMessageId": null, "callbackData": null,
        "message": message, "contact": {"name": "Frank"}, "price": {"pricePerMessage": 0, "currency": "EUR"},
    })
}

/// A delivery report on a message of ours: `DELIVERED`, `DELIVERED_TO_HANDSET`.
pub fn report(id: &str, to: &str, group: &str, name: &str) -> Value {
    json!({
        "bulkId": "", "messageId": id, "to": to, "sentAt": "2026-03-01T12:00:01.000+0000",
        "doneAt": "2026-03-01T12:00:02.000+0000", "messageCount": 1,
        "status": {"groupName": group, "name": name, "description": name},
        "error": {"id": 0, "name": "NO_ERROR", "groupId": 0, "groupName": "OK", "permanent": false},
    })
}

/// A delivery report on a message that failed, with the error's name.
pub fn failure(id: &str, to: &str, error: &str) -> Value {
    let mut failure = report(id, to, "UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED");
    failure["error"] =
        json!({"id": 1, "name": error, "groupId": 1, "groupName": "USER_ERRORS", "permanent": true});
    failure
}

/// The contact opened a message of ours.
pub fn seen(id: &str, to: &str) -> Value {
    json!({"messageId": id, "to": to, "sentAt": "2026-03-01T12:00:01.000+0000", "seenAt": "2026-03-01T12:00:03.000+0000"})
}

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}
