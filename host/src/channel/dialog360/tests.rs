//! Whose webhooks are believed.

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::*;
use crate::channel::Hook;

fn sender(keys: Value) -> Sender {
    let mut sender = json!({ "name": "main", "provider": "360dialog", "account": "1122334455667" });
    for (name, value) in keys.as_object().expect("an object") {
        sender[name] = value.clone();
    }
    serde_json::from_value(sender).expect("a sender")
}

#[test]
fn every_key_must_be_proven() {
    let missing = Err(Unverified::MissingKey);
    for (case, keys, path_key, headers, expected) in [
        ("keyless", json!({}), None, vec![], Err(Unverified::NoKeyConfigured)),
        (
            "an app's secret is none",
            json!({ "hmac_key": "s" }),
            None,
            vec![],
            Err(Unverified::NoKeyConfigured),
        ),
        ("a header", json!({ "webhook_key": "k" }), None, vec![("x-api-key", "k")], Ok(())),
        ("no header", json!({ "webhook_key": "k" }), None, vec![], missing),
        (
            "a wrong one",
            json!({ "webhook_key": "k" }),
            None,
            vec![("x-api-key", "K")],
            Err(Unverified::WrongKey),
        ),
        (
            "a header of its own",
            json!({ "webhook_key": "Basic dDpw", "webhook_header": "Authorization" }),
            None,
            vec![("authorization", "Basic dDpw")],
            Ok(()),
        ),
        ("an address", json!({ "webhook_path": "end" }), Some("end"), vec![], Ok(())),
        (
            "a wrong address",
            json!({ "webhook_path": "end" }),
            Some("End"),
            vec![],
            Err(Unverified::WrongPath),
        ),
        ("one of both", json!({ "webhook_path": "end", "webhook_key": "k" }), Some("end"), vec![], missing),
    ] {
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                (name, value.parse().expect("a value"))
            })
            .collect();
        let hook = Hook { headers: &headers, path_key, body: b"{}" };
        assert_eq!(Dialog360.verify(&sender(keys), &hook), expected, "{case}");
    }
}
