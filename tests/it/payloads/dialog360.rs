//! 360dialog passes Meta's payloads on as they are: each in the folder is one of Meta's, and becomes the same.

use serde_json::Value;
use switchboard::explain::explain;
use switchboard::message::Provider;

use super::cases;

fn explained(provider: Provider, body: &[u8]) -> Value {
    match explain(provider, body, false) {
        Ok(explained) => serde_json::to_value(explained).expect("JSON"),
        Err(error) => Value::String(error.to_string()),
    }
}

#[test]
fn every_payload_becomes_what_is_expected() {
    let cases = cases("dialog360");
    for case in &cases {
        assert_eq!(explained(Provider::Dialog360, &case.body), case.expected, "{}", case.name);
    }
    assert_eq!(cases.len(), 9, "payloads in the folder");
}

/// Whatever Meta sends, also what is not in this folder.
#[test]
fn what_meta_sends_becomes_the_same() {
    let mut checked = 0;
    for case in cases("meta").iter().filter(|case| super::is_webhook(&case.name)) {
        let by_meta = explained(Provider::Meta, &case.body).to_string();
        let renamed = by_meta.replace(r#""provider":"meta""#, r#""provider":"360dialog""#);
        assert_eq!(explained(Provider::Dialog360, &case.body).to_string(), renamed, "{}", case.name);
        checked += 1;
    }
    assert!(checked > 40, "{checked} payloads");
}
