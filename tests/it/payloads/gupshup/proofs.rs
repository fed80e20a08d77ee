//! Whom a body says it is for, and how it proves it.

use axum::http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use switchboard::channel::{Acknowledgement, Hook, Unverified};
use switchboard::tenant::Sender;

use super::{APP, APP_ID, gupshup};

fn sender(keys: Value) -> Sender {
    let mut sender = json!({"name": "main", "provider": "gupshup", "account": APP, "app_id": APP_ID});
    for (name, value) in keys.as_object().unwrap() {
        sender[name] = value.clone();
    }
    serde_json::from_value(sender).unwrap()
}

#[test]
fn every_key_must_be_proven() {
    let path = json!({"webhook_path": "s3cret"});
    let header = json!({"webhook_key": "k", "webhook_header": "Authorization"});
    let both = json!({"webhook_path": "s3cret", "webhook_key": "k"});
    for (keys, path_key, header, expected) in [
        (json!({}), Some("s3cret"), None, Err(Unverified::NoKeyConfigured)),
        // Gupshup signs nothing, so a signing key proves nothing.
        (json!({"hmac_key": "x"}), None, None, Err(Unverified::NoKeyConfigured)),
        (path.clone(), Some("s3cret"), None, Ok(())),
        (path.clone(), Some("s3cres"), None, Err(Unverified::WrongPath)),
        (path.clone(), Some(""), None, Err(Unverified::WrongPath)),
        (path, None, None, Err(Unverified::WrongPath)),
        (header.clone(), None, Some(("authorization", "k")), Ok(())),
        (header.clone(), None, Some(("authorization", "K")), Err(Unverified::WrongKey)),
        (header, None, Some(("x-api-key", "k")), Err(Unverified::MissingKey)),
        (both.clone(), Some("s3cret"), Some(("x-api-key", "k")), Ok(())),
        (both.clone(), Some("s3cret"), None, Err(Unverified::MissingKey)),
        (both, None, Some(("x-api-key", "k")), Err(Unverified::WrongPath)),
    ] {
        let headers: HeaderMap = header
            .into_iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let hook = Hook { headers: &headers, path_key, body: b"{}" };
        assert_eq!(
            gupshup().verify(&sender(keys.clone()), &hook),
            expected,
            "{keys} {path_key:?} {headers:?}"
        );
    }
    assert_eq!(gupshup().acknowledgement(), Acknowledgement::Empty);
    assert_eq!(gupshup().challenge(&sender(json!({})), &[]), None);
}

#[test]
fn a_body_is_for_the_app_it_names() {
    for (body, expected) in [
        (json!({"app": APP, "payload": {"app": "Other"}}), Ok(vec![APP])),
        (json!({"gs_app_id": APP_ID, "entry": [{"id": "7"}]}), Ok(vec![APP_ID])),
        (json!({"app": APP, "gs_app_id": APP_ID}), Ok(vec![APP, APP_ID])),
        (json!({"app": null}), Ok(vec![])),
        (json!({}), Ok(vec![])),
        // What the app's name must be is the decoder's business, once somebody is believed.
        (json!({"app": true}), Ok(vec![])),
        (json!({"gs_app_id": [APP]}), Ok(vec![])),
        (json!([APP]), Err("expected an object at line 1 column 1")),
    ] {
        let claimed = gupshup().claimed(body.to_string().as_bytes());
        let claimed = claimed.map(|claims| claims.accounts).map_err(|error| error.to_string());
        let expected =
            expected.map(|apps| apps.into_iter().map(str::to_owned).collect()).map_err(str::to_owned);
        assert_eq!(claimed, expected, "{body}");
    }
    // Whichever of two is read, it has been verified.
    let twice = br#"{"app":"DemoApp","app":"Other","type":"message"}"#;
    assert_eq!(gupshup().claimed(twice).unwrap().accounts, ["DemoApp", "Other"]);
}
