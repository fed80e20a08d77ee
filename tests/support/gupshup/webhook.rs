//! Webhooks as a Gupshup sends them, of version 2 and of version 3, with whatever an app was told to
//! prove itself by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::client;
use crate::gateway::{Answer, Gateway};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One body. It may be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub body: Value,
    path_key: Option<String>,
    headers: Vec<(String, String)>,
}

impl Webhook {
    /// A new text message to this app, now.
    pub fn text(app: &str, phone: &str, text: &str) -> Self {
        Self::message(app, phone, "text", json!({ "text": text }))
    }

    /// A new message of any type.
    pub fn message(app: &str, phone: &str, kind: &str, part: Value) -> Self {
        let id = format!("ABEGkYaYVSEE{:012X}", NEXT.fetch_add(1, Ordering::Relaxed));
        let sender =
            json!({ "phone": phone, "name": "Maria", "country_code": "91", "dial_code": "8298002134" });
        Self::event(
            app,
            "message",
            json!({ "id": id, "source": phone, "type": kind, "payload": part, "sender": sender }),
        )
    }

    /// Any event of version 2.
    pub fn event(app: &str, event: &str, payload: Value) -> Self {
        Webhook::of(json!({
            "app": app, "timestamp": now_ms(), "version": 2, "type": event, "payload": payload,
        }))
    }

    /// The same message in version 3, which names the app by its id.
    pub fn text_v3(app_id: &str, phone: &str, text: &str) -> Self {
        let id = format!("wamid.HBgM{:012X}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self::value(
            app_id,
            json!({
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "918400000048", "phone_number_id": "158072934066266" },
                "contacts": [{ "profile": { "name": "Maria" }, "wa_id": phone }],
                "messages": [{
                    "from": phone, "id": id, "timestamp": (now_ms() / 1000).to_string(),
                    "type": "text", "text": { "body": text },
                }],
            }),
        )
    }

    /// A value of version 3.
    pub fn value(app_id: &str, value: Value) -> Self {
        Webhook::of(json!({
            "object": "whatsapp_business_account",
            "gs_app_id": app_id,
            "entry": [{ "id": "112535025189792", "changes": [{ "field": "messages", "value": value }] }],
        }))
    }

    /// A report on a message of ours: `sent`, `delivered`, `read`. WhatsApp's id is made from Gupshup's.
    pub fn report(app: &str, told: &str, gs_id: &str, to: &str) -> Self {
        let id = format!("wamid.{gs_id}");
        let payload =
            json!({ "id": id, "gsId": gs_id, "type": told, "destination": to, "ts": now_ms() / 1000 });
        Self::event(app, "message-event", payload)
    }

    /// The late report that a message came to nothing.
    pub fn failed(app: &str, gs_id: &str, to: &str, code: i64, reason: &str) -> Self {
        let why = json!({ "code": code, "reason": reason });
        let payload = json!({ "gsId": gs_id, "type": "failed", "destination": to, "payload": why });
        Self::event(app, "message-event", payload)
    }

    /// What comes when the address is entered at Gupshup.
    pub fn handshake(app: &str) -> Self {
        Self::event(app, "user-event", json!({ "phone": "callbackSetPhone", "type": "sandbox-start" }))
    }

    fn of(body: Value) -> Self {
        Webhook { body, path_key: None, headers: Vec::new() }
    }

    /// The message's id, in version 2.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.body["payload"]["id"] = json!(id);
        self
    }

    /// At the address with this secret end.
    #[must_use]
    pub fn at(mut self, path_key: &str) -> Self {
        self.path_key = Some(path_key.to_owned());
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub async fn post(&self, gateway: &Gateway) -> Answer {
        let end = self.path_key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
        let url = gateway.url(&format!("/api/gateway/gupshup{end}"));
        let mut request =
            client().post(url).header("content-type", "application/json").body(self.body.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Answer::of(request).await.unwrap_or_else(|error| panic!("the webhook got no answer: {error:#}"))
    }

    /// Posts it; the answer must be what Gupshup takes for one: 200 and nothing else.
    pub async fn deliver(&self, gateway: &Gateway) {
        let answer = self.post(gateway).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{}", self.body);
    }
}

/// Now, in milliseconds.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(now.as_millis()).expect("the clock is before the year 292 million")
}
