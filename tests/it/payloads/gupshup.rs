//! Gupshup's webhooks and answers, of both versions: each sample becomes what is written beside it, and
//! so do the shapes that the contract allows and no sample has.

use serde_json::{Value, json};
use switchboard::channel::{Adapter, Outcome, adapter};
use switchboard::event::Event;
use switchboard::explain::explain;
use switchboard::message::{Inbound, Provider};

use super::{cases, is_webhook};

mod hostile;
mod messages;
mod proofs;
mod reports;
mod requests;
mod templates;

const APP: &str = "DemoApp";
const APP_ID: &str = "82ed52f4-30c0-4f12-81b4-e7ad07bd41de";
const PHONE: &str = "918298002134";

fn gupshup() -> &'static dyn Adapter {
    adapter(Provider::Gupshup)
}

fn events(body: &Value) -> Vec<Event> {
    gupshup().decode(body.to_string().as_bytes(), false).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn event(body: &Value) -> Event {
    let mut events = events(body);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn message(body: &Value) -> Inbound {
    match event(body) {
        Event::Message(inbound) => *inbound,
        other => panic!("{other:?} from {body}"),
    }
}

/// Why it is left alone, or `kept: ` and why it cannot be read.
fn ignored(body: &Value) -> String {
    match event(body) {
        Event::Ignored(left) => left.reason,
        Event::Unread(unread) => format!("kept: {}", unread.left.reason),
        other => panic!("{other:?} from {body}"),
    }
}

/// An event of version 2.
fn envelope(kind: &str, payload: Value) -> Value {
    json!({"app": APP, "timestamp": 1_580_227_766_370_i64, "version": 2, "type": kind, "payload": payload})
}

/// A message of version 2 of this kind.
fn of_kind(kind: &str, part: Value) -> Value {
    let sender = json!({"phone": PHONE, "name": "Smit", "country_code": "91", "dial_code": "8298002134"});
    envelope(
        "message",
        json!({"id": "m-1", "source": PHONE, "type": kind, "payload": part, "sender": sender}),
    )
}

/// A text of version 2 with some fields of its payload replaced.
fn with(changes: Value) -> Value {
    let mut body = of_kind("text", json!({"text": "hi"}));
    for (name, value) in changes.as_object().unwrap() {
        body["payload"][name] = value.clone();
    }
    body
}

/// A value of version 3.
fn passed_on(value: Value) -> Value {
    let changes = json!([{"field": "messages", "value": value}]);
    json!({"object": "whatsapp_business_account", "gs_app_id": APP_ID, "entry": [{"id": "112535025189792", "changes": changes}]})
}

#[test]
fn every_payload_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in cases("gupshup").iter().filter(|case| is_webhook(&case.name)) {
        let explained = match explain(Provider::Gupshup, &case.body, false) {
            Ok(explained) => serde_json::to_value(explained).unwrap(),
            Err(error) => Value::String(error.to_string()),
        };
        if explained != case.expected {
            wrong.push(format!("{}\n  became   {explained}\n  expected {}", case.name, case.expected));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(checked, 30, "payloads in the folder");
}

#[test]
fn every_answer_means_what_is_expected() {
    let mut checked = 0;
    for case in cases("gupshup").iter().filter(|case| !is_webhook(&case.name)) {
        let expected = &case.expected;
        let status = u16::try_from(expected["status"].as_u64().unwrap()).unwrap();
        let to = expected["to"].as_str().unwrap();
        let outcome = match gupshup().outcome(status, &axum::http::HeaderMap::new(), &case.body, to) {
            Outcome::Sent { provider_id, .. } => json!({ "sent": provider_id }),
            Outcome::Failed { fate, error, .. } => {
                let fate = serde_json::to_value(fate).unwrap();
                json!({ fate.as_str().unwrap(): error })
            }
        };
        assert_eq!(outcome, expected["outcome"], "{}", case.name);
        let error = gupshup().decode(&case.body, false).expect_err(&case.name).to_string();
        assert_eq!(Some(error.as_str()), expected["as_webhook"].as_str(), "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 2, "answers in the folder");
}
