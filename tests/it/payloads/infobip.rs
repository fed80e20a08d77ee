//! What Infobip sends and answers, and what becomes of it. Beside the samples, everything that its
//! contract allows and no sample has.
//!
//! Webhooks have the list beside them that `explain` gives; answers `{"status", "outcome"}`; a request
//! `{"sends", "path", "not_sent"}`: what the gateway is asked to send, where it goes, and which of the
//! sample's fields it leaves out.

use axum::http::HeaderMap;
use serde_json::{Value, json};
use switchboard::channel::{Adapter, Outcome, Outgoing, adapter};
use switchboard::event::{Event, Ignored, Unread};
use switchboard::explain::explain;
use switchboard::message::{Inbound, Outbound, Provider};
use switchboard::tenant::Sender;

use super::{Case, cases};

mod details;
mod events;
mod hostile;
mod parts;

fn infobip() -> &'static dyn Adapter {
    adapter(Provider::Infobip)
}

fn is_webhook(name: &str) -> bool {
    !name.starts_with("send_") && !name.starts_with("error_")
}

fn outcome(status: u16, body: &[u8]) -> Value {
    match infobip().outcome(status, &HeaderMap::new(), body, "441134960001") {
        Outcome::Sent { provider_id, .. } => json!({ "sent": provider_id }),
        Outcome::Failed { fate, error, .. } => {
            let fate = serde_json::to_value(fate).unwrap();
            json!({ fate.as_str().unwrap(): error })
        }
    }
}

/// What the gateway sends instead of the sample, which says more than we do.
fn request(case: &Case) -> (String, Value) {
    let sends = &case.expected["sends"];
    let text = |name: &str| sends[name].as_str().unwrap();
    let sender: Sender = serde_json::from_value(json!({
        "name": "main", "provider": "infobip", "account": text("sender"),
        "base_url": "https://xxxxx.api.infobip.com", "api_key": "key",
    }))
    .unwrap();
    let content = serde_json::from_value(sends["content"].clone()).unwrap();
    let outbound = Outbound { content, reply_to: None };
    let (to, reference) = (text("to"), text("reference"));
    let outgoing = Outgoing {
        sender: &sender,
        to,
        outbound: &outbound,
        reference,
        template: None,
        template_id: None,
        media: None,
    };
    let request = infobip().encode(&outgoing).unwrap().unwrap();
    let path = request.url.strip_prefix("https://xxxxx.api.infobip.com").unwrap().to_owned();
    (path, serde_json::from_slice(&request.body).unwrap())
}

#[test]
fn every_payload_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    let all = cases("infobip");
    for case in &all {
        let (found, expected) = if let Some(status) = case.expected["status"].as_u64() {
            let found = outcome(u16::try_from(status).unwrap(), &case.body);
            (found, case.expected["outcome"].clone())
        } else if case.expected.get("sends").is_some() {
            let mut sample: Value = serde_json::from_slice(&case.body).unwrap();
            for name in case.expected["not_sent"].as_array().unwrap() {
                sample.as_object_mut().unwrap().remove(name.as_str().unwrap()).unwrap();
            }
            let (path, body) = request(case);
            (json!([path, body]), json!([case.expected["path"], sample]))
        } else {
            assert!(is_webhook(&case.name), "{}", case.name);
            let found = explain(Provider::Infobip, &case.body, false);
            let found = found.map_or_else(|error| json!(error.to_string()), |found| json!(found));
            (found, case.expected.clone())
        };
        if found != expected {
            wrong.push(format!("{}\n  became   {found}\n  expected {expected}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(all.len(), 30, "payloads in the folder");
}

/// An item as Infobip sends it, with some fields of the item and of its message replaced.
fn item(changes: &Value, message: &Value) -> Value {
    let mut item = json!({
        "from": "385919998888", "to": "41793026731", "integrationType": "WHATSAPP",
        "receivedAt": "2025-01-01T10:10:00.000+0000", "messageId": "A", "message": {"type": "TEXT", "text": "hi"},
        "contact": {"name": "Frank"},
    });
    for (name, value) in changes.as_object().unwrap() {
        item[name] = value.clone();
    }
    for (name, value) in message.as_object().unwrap() {
        item["message"][name] = value.clone();
    }
    item
}

fn decode(body: &Value) -> Result<Vec<Event>, String> {
    infobip().decode(body.to_string().as_bytes(), false).map_err(|error| error.to_string())
}

fn event(item: Value) -> Event {
    let mut events = decode(&json!({ "results": [item] })).unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn message(item: Value) -> Inbound {
    match event(item) {
        Event::Message(inbound) => *inbound,
        other => panic!("{other:?}"),
    }
}

fn ignored(item: Value) -> Ignored {
    match event(item) {
        Event::Ignored(ignored) => ignored,
        Event::Unread(Unread { left, .. }) => Ignored { reason: format!("kept: {}", left.reason), ..left },
        other => panic!("{other:?}"),
    }
}
