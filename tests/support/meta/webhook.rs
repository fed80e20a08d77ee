//! Webhooks as Meta sends them: entries, changes, and a signature of the raw bytes, in which everything
//! beyond ASCII is escaped with small hex letters and slashes are escaped too.
//!
//! ```ignore
//! let hook = Webhook::text(NUMBER, "971501234567", "start_realty_2");
//! let answer = hook.post(&client, &url, SECRET).await;
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::BUSINESS;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One body. Its parts may be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub body: Value,
}

impl Webhook {
    /// A new text message to this number, now.
    pub fn text(number: &str, from: &str, text: &str) -> Self {
        Self::message(number, from, json!({ "type": "text", "text": { "body": text } }))
    }

    /// A new message with this part.
    pub fn message(number: &str, from: &str, part: Value) -> Self {
        let mut message = json!({ "from": from, "id": id(), "timestamp": now_s().to_string() });
        for (name, value) in part.as_object().expect("an object") {
            message[name] = value.clone();
        }
        let contacts = json!([{ "profile": { "name": "Sara" }, "wa_id": from }]);
        Self::value(number, json!({ "contacts": contacts, "messages": [message] }))
    }

    /// `sent`, `delivered`, `read` of a message of ours.
    pub fn status(number: &str, id: &str, to: &str, status: &str) -> Self {
        let status =
            json!({ "id": id, "status": status, "timestamp": now_s().to_string(), "recipient_id": to });
        Self::value(number, json!({ "statuses": [status] }))
    }

    /// A message of ours that failed, with Meta's code.
    pub fn failed(number: &str, id: &str, to: &str, code: i64) -> Self {
        let mut webhook = Self::status(number, id, to, "failed");
        webhook.item("statuses")["errors"] = json!([{ "code": code, "title": "It failed" }]);
        webhook
    }

    /// A change of messages.
    pub fn value(number: &str, more: Value) -> Self {
        let mut value = json!({ "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "+971 50 000 0001", "phone_number_id": number } });
        for (name, field) in more.as_object().expect("an object") {
            value[name] = field.clone();
        }
        Self::change("messages", value)
    }

    pub fn change(field: &str, value: Value) -> Self {
        let changes = json!([{ "value": value, "field": field }]);
        let entry = json!([{ "id": BUSINESS, "time": now_s(), "changes": changes }]);
        Webhook { body: json!({ "object": "whatsapp_business_account", "entry": entry }) }
    }

    /// Both in one body, as Meta puts them together when there is much to say.
    #[must_use]
    pub fn and(mut self, other: Webhook) -> Self {
        let entries = other.body["entry"].as_array().cloned().unwrap_or_default();
        self.body["entry"].as_array_mut().expect("a list").extend(entries);
        self
    }

    /// The id of the first message or status.
    pub fn id(&self) -> &str {
        let value = &self.body["entry"][0]["changes"][0]["value"];
        value["messages"][0]["id"]
            .as_str()
            .or_else(|| value["statuses"][0]["id"].as_str())
            .unwrap_or_default()
    }

    fn item(&mut self, list: &str) -> &mut Value {
        &mut self.body["entry"][0]["changes"][0]["value"][list][0]
    }

    /// Its message was written so much before it comes in.
    #[must_use]
    pub fn written_before(mut self, seconds: u64) -> Self {
        self.item("messages")["timestamp"] = (now_s() - seconds).to_string().into();
        self
    }

    /// The raw bytes that are signed and sent.
    pub fn bytes(&self) -> Vec<u8> {
        let mut written = String::new();
        for c in self.body.to_string().chars() {
            match c {
                '/' => written.push_str("\\/"),
                c if c.is_ascii() => written.push(c),
                c => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        written.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        written.into_bytes()
    }

    pub async fn post(
        &self,
        client: &reqwest::Client,
        url: &str,
        secret: &str,
    ) -> reqwest::Result<reqwest::Response> {
        let body = self.bytes();
        let request = client.post(url).header("content-type", "application/json");
        request.header("x-hub-signature-256", signature(secret, &body)).body(body).send().await
    }
}

/// The header's value.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A new message id of Meta's form.
fn id() -> String {
    format!("wamid.HBgMOTcxNTAxMjM0NTY3FQIAEhg{:020X}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    now.as_secs()
}
