//! WAHA's API answers and its signature vectors, read by the adapter as written beside them.
//!
//! `{"status": 201, "to": "…", "outcome": {"sent": "ID"}}` for answers to a send, and for the other
//! calls `{"addresses": {"/pn": "KEY"}, "as_webhook": "ERROR"}`: whose the addresses in it are, and
//! that nobody can pass it off as a webhook.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use switchboard::channel::{Adapter, Hook, Outcome, adapter};
use switchboard::identity;
use switchboard::message::{Fate, Provider};
use switchboard::tenant::Sender;

use super::cases;

fn waha() -> &'static dyn Adapter {
    adapter(Provider::Waha)
}

fn outcome(status: u16, body: &[u8], to: &str) -> Value {
    match waha().outcome(status, &HeaderMap::new(), body, to) {
        Outcome::Sent { provider_id, .. } => json!({ "sent": provider_id }),
        Outcome::Failed { fate, error, .. } => json!({ name(fate): error }),
    }
}

fn name(fate: Fate) -> String {
    serde_json::to_value(fate).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn every_answer_means_what_is_expected() {
    let mut checked = 0;
    for case in cases("waha").iter().filter(|case| case.name.starts_with("api_")) {
        let name = &case.name;
        if let Some(status) = case.expected["status"].as_u64() {
            let to = case.expected["to"].as_str().unwrap();
            let status = u16::try_from(status).unwrap();
            assert_eq!(outcome(status, &case.body, to), case.expected["outcome"], "{name}");
        } else {
            let body: Value = serde_json::from_slice(&case.body).unwrap();
            let expected = case.expected["addresses"].as_object().unwrap();
            let mut found = Map::new();
            for pointer in expected.keys() {
                let key = body.pointer(pointer).and_then(Value::as_str).map(identity::contact);
                let key = key.map(|key| key.unwrap().as_str().to_owned());
                found.insert(pointer.clone(), json!(key));
            }
            assert_eq!(&found, expected, "{name}");
        }
        let error = waha().decode(&case.body, false).expect_err(name).to_string();
        assert_eq!(Some(error.as_str()), case.expected["as_webhook"].as_str(), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 14, "answers in the folder");
}

#[test]
fn the_signature_vectors_hold_and_nothing_near_them_does() {
    let case = cases("waha").into_iter().find(|case| case.name == "hmac_vectors.json").unwrap();
    let vectors: Value = serde_json::from_slice(&case.body).unwrap();
    let mut verified = Map::new();
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let sender = |key: &str| -> Sender {
            serde_json::from_value(
                json!({ "name": "main", "provider": "waha", "account": "default", "hmac_key": key }),
            )
            .unwrap()
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-webhook-hmac", text("x_webhook_hmac").parse().unwrap());
        let body = text("body").as_bytes();
        let ok =
            waha().verify(&sender(text("secret")), &Hook { headers: &headers, path_key: None, body }).is_ok();
        verified.insert(text("name").to_owned(), json!(ok));
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 1;
            assert!(
                waha()
                    .verify(
                        &sender(text("secret")),
                        &Hook { headers: &headers, path_key: None, body: &changed }
                    )
                    .is_err(),
                "byte {at}"
            );
        }
        assert!(waha().verify(&sender(""), &Hook { headers: &headers, path_key: None, body }).is_err());
        assert!(
            waha()
                .verify(&sender("my-secret-kez"), &Hook { headers: &headers, path_key: None, body })
                .is_err()
        );
    }
    assert_eq!(Value::Object(verified), case.expected);
}
