//! Meta's Cloud API: every payload in the folder, and what the contract allows beyond them.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use switchboard::channel::{Adapter, Hook, Outcome, adapter};
use switchboard::event::Event;
use switchboard::explain::explain;
use switchboard::message::{Fate, Inbound, Provider};
use switchboard::tenant::Sender;

use super::{cases, is_webhook};

mod details;
mod hostile;

fn meta() -> &'static dyn Adapter {
    adapter(Provider::Meta)
}

fn events(body: &Value) -> Vec<Event> {
    meta().decode(body.to_string().as_bytes(), false).unwrap()
}

fn message(body: &Value) -> Inbound {
    match events(body).remove(0) {
        Event::Message(inbound) => *inbound,
        other => panic!("{other:?} from {body}"),
    }
}

fn sample(name: &str) -> Value {
    let case = cases("meta").into_iter().find(|case| case.name == name).unwrap();
    serde_json::from_slice(&case.body).unwrap()
}

/// A body of one change.
fn change(field: &str, value: Value) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [
        { "id": "102290129340398", "time": 1_739_321_024, "changes": [{ "field": field, "value": value }] },
    ] })
}

/// A body of the number 42 with these messages.
fn said(messages: Value) -> Value {
    let metadata = json!({ "display_phone_number": "+1 555-078-3881", "phone_number_id": "42" });
    change("messages", json!({ "messaging_product": "whatsapp", "metadata": metadata, "messages": messages }))
}

/// A text message with some fields replaced; null takes one away.
fn with(changes: Value) -> Value {
    let mut message = json!({
        "from": "971501234567", "id": "wamid.A", "timestamp": "1739321024", "type": "text",
        "text": { "body": "hi" },
    });
    for (name, value) in changes.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

#[test]
fn every_payload_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in cases("meta").iter().filter(|case| is_webhook(&case.name)) {
        let explained = match explain(Provider::Meta, &case.body, false) {
            Ok(explained) => serde_json::to_value(explained).unwrap(),
            Err(error) => Value::String(error.to_string()),
        };
        if explained != case.expected {
            wrong.push(format!("{}\n  became   {explained}\n  expected {}", case.name, case.expected));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(checked, 45, "payloads in the folder");
}

#[test]
fn every_answer_means_what_is_expected() {
    let mut checked = 0;
    for case in cases("meta") {
        if !(case.name.starts_with("send_") || case.name.starts_with("error_")) {
            continue;
        }
        let status = u16::try_from(case.expected["status"].as_u64().unwrap()).unwrap();
        let to = case.expected["to"].as_str().unwrap();
        let became = match meta().outcome(status, &HeaderMap::new(), &case.body, to) {
            Outcome::Sent { provider_id, known_as: None } => json!({ "sent": provider_id }),
            Outcome::Sent { provider_id, known_as } => json!({ "sent": provider_id, "known_as": known_as }),
            Outcome::Failed { fate, error, .. } => {
                json!({ serde_json::to_value(fate).unwrap().as_str().unwrap(): error })
            }
        };
        assert_eq!(became, case.expected["outcome"], "{}", case.name);
        let error = meta().decode(&case.body, false).expect_err(&case.name).to_string();
        assert_eq!(Some(error.as_str()), case.expected["as_webhook"].as_str(), "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 8, "answers in the folder");
}

fn sender(secret: &str) -> Sender {
    serde_json::from_value(json!({ "name": "main", "provider": "meta", "account": "42", "hmac_key": secret }))
        .unwrap()
}

#[test]
fn the_signature_vectors_hold_and_nothing_near_them_does() {
    let case = cases("meta").into_iter().find(|case| case.name == "signature_vectors.json").unwrap();
    let vectors: Value = serde_json::from_slice(&case.body).unwrap();
    let secret = vectors["secret"].as_str().unwrap();
    let mut verified = Map::new();
    let mut written_otherwise = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", text("header_value").parse().unwrap());
        let verify = |secret: &str, body: &[u8]| {
            meta().verify(&sender(secret), &Hook { headers: &headers, path_key: None, body })
        };
        let body = text("body").as_bytes();
        verified.insert(text("name").to_owned(), json!(verify(secret, body).is_ok()));
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 1;
            assert!(verify(secret, &changed).is_err(), "byte {at}");
        }
        assert!(verify("", body).is_err() && verify("meta-app-secret-for-testz", body).is_err());
        let again = serde_json::from_slice::<Value>(body).unwrap().to_string();
        if again.as_bytes() != body {
            assert!(verify(secret, again.as_bytes()).is_err(), "a body that was written again");
            written_otherwise += 1;
        }
        assert!(meta().decode(body, false).is_ok());
    }
    assert!(written_otherwise >= 2, "{written_otherwise} vectors look otherwise when written again");
    assert_eq!(Value::Object(verified), case.expected);
}

/// The fate that a report of this code carries.
fn reported(code: i64) -> Option<Fate> {
    let metadata = json!({ "phone_number_id": "42" });
    let status = json!({ "id": "wamid.A", "status": "failed", "errors": [{ "code": code }] });
    match events(&change("messages", json!({ "metadata": metadata, "statuses": [status] }))).remove(0) {
        Event::Receipt(receipt) => receipt.fate,
        other => panic!("{other:?}"),
    }
}

/// A failure means the same whether it is the answer or comes later.
#[test]
fn reports_and_answers_agree() {
    for rule in switchboard::channel::meta::codes::RULES {
        for code in [rule.first, rule.last] {
            assert_eq!(reported(code), Some(rule.fate), "{code}");
            let body = json!({ "error": { "code": code } }).to_string();
            for status in [200, 400, 429, 500] {
                match meta().outcome(status, &HeaderMap::new(), body.as_bytes(), "1") {
                    Outcome::Failed { fate, .. } => assert_eq!(fate, rule.fate, "{status} {code}"),
                    other => panic!("{other:?} from {code}"),
                }
            }
        }
    }
    assert_eq!(reported(1), Some(Fate::Permanent), "a code that is not known");
}
