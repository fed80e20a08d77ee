//! Webhooks as a WAHA sends them: envelope, headers, signature of the raw bytes.
//!
//! ```ignore
//! let hook = Webhook::text("971501234567@c.us", "start_realty_2");
//! let answer = hook.signed("hmac-key").post(&client, &url).await;
//! // The same message again, as WAHA sends it when the answer got lost: the same ids and signature.
//! hook.signed("hmac-key").post(&client, &url).await;
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha512;

/// Our own number in every envelope.
pub const ME: &str = "971500000001@c.us";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One event. Its parts may be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub envelope: Value,
    request_id: String,
    headers: Vec<(String, String)>,
}

impl Webhook {
    /// A new text message of this chat, now, on the session `default`.
    pub fn text(chat: &str, text: &str) -> Self {
        let number = next();
        let id = format!("false_{chat}_3EB0{number:016X}");
        Self::message(json!({
            "id": id,
            "timestamp": now_ms() / 1000,
            "from": chat,
            "fromMe": false,
            "source": "app",
            "to": ME,
            "body": text,
            "hasMedia": false,
            "media": null,
            "ack": 1,
            "ackName": "SERVER",
            "vCards": [],
            "_data": { "notifyName": "Maria", "type": "chat" },
        }))
    }

    /// The event `message` with this payload.
    pub fn message(payload: Value) -> Self {
        Self::event("message", payload)
    }

    /// A report on a message of ours: 1 server, 2 device, 3 read, -1 error.
    pub fn ack(id: &str, chat: &str, ack: i64) -> Self {
        let payload = json!({ "id": id, "from": chat, "fromMe": true, "ack": ack });
        Self::event("message.ack", payload)
    }

    /// `WORKING`, `SCAN_QR_CODE`, ...
    pub fn session(status: &str) -> Self {
        Self::event("session.status", json!({ "name": "default", "status": status }))
    }

    pub fn event(event: &str, payload: Value) -> Self {
        let number = next();
        let envelope = json!({
            "id": format!("evt_01k{number:023x}"),
            "timestamp": now_ms(),
            "event": event,
            "session": "default",
            "metadata": {},
            "me": { "id": ME, "pushName": "Homes" },
            "payload": payload,
            "engine": "WEBJS",
            "environment": {
                "version": "2026.7.1", "engine": "WEBJS", "tier": "CORE", "browser": "/usr/bin/chromium",
                "platform": "linux/x64", "worker": { "id": null },
            },
        });
        let request_id = format!("01K{number:023X}");
        Webhook { envelope, request_id, headers: Vec::new() }
    }

    pub fn on_session(mut self, session: &str) -> Self {
        self.envelope["session"] = session.into();
        self
    }

    /// When the contact sent it, in seconds.
    pub fn sent_at_s(mut self, seconds: i64) -> Self {
        self.envelope["payload"]["timestamp"] = seconds.into();
        self
    }

    /// The message id, whole.
    pub fn with_id(mut self, id: &str) -> Self {
        self.envelope["payload"]["id"] = id.into();
        self
    }

    pub fn id(&self) -> &str {
        self.envelope["payload"]["id"].as_str().unwrap_or_default()
    }

    /// The raw bytes that are signed and sent.
    pub fn body(&self) -> Vec<u8> {
        self.envelope.to_string().into_bytes()
    }

    /// With `X-Webhook-Hmac` over the body as it is now.
    pub fn signed(&self, hmac_key: &str) -> Self {
        let mut mac = Hmac::<Sha512>::new_from_slice(hmac_key.as_bytes()).expect("any length is a key");
        mac.update(&self.body());
        let signature = hex::encode(mac.finalize().into_bytes());
        self.with_header("X-Webhook-Hmac", &signature).with_header("X-Webhook-Hmac-Algorithm", "sha512")
    }

    /// With the shared key that the owner configured as a custom header.
    pub fn keyed(&self, key: &str) -> Self {
        self.with_header("X-Api-Key", key)
    }

    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut webhook = self.clone();
        webhook.headers.push((name.to_owned(), value.to_owned()));
        webhook
    }

    /// All headers but the content's length. A retry has the same ones.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("User-Agent".to_owned(), "WAHA/2026.7.1".to_owned()),
            ("X-Webhook-Request-Id".to_owned(), self.request_id.clone()),
            ("X-Webhook-Timestamp".to_owned(), self.envelope["timestamp"].to_string()),
        ];
        headers.extend(self.headers.iter().cloned());
        headers
    }

    pub async fn post(&self, client: &reqwest::Client, url: &str) -> reqwest::Result<reqwest::Response> {
        let request = client.post(url).body(self.body());
        self.headers()
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value))
            .send()
            .await
    }
}

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(now.as_millis()).expect("the clock is before the year 292 million")
}
