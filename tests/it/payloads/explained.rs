//! Every webhook becomes exactly what is written beside it.

use serde_json::Value;
use switchboard::explain::explain;
use switchboard::message::Provider;

use super::{cases, is_webhook};

#[test]
fn every_payload_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in cases("waha").iter().filter(|case| is_webhook(&case.name)) {
        let explained = match explain(Provider::Waha, &case.body, false) {
            Ok(explained) => serde_json::to_value(explained).unwrap(),
            Err(error) => Value::String(error.to_string()),
        };
        if explained != case.expected {
            wrong.push(format!("{}\n  became   {explained}\n  expected {}", case.name, case.expected));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked == 47, "{checked} payloads were found");
}

#[test]
fn a_message_delivered_twice_has_one_id() {
    let case = cases("waha")
        .into_iter()
        .find(|case| case.name == "message_duplicate_in_message_and_message_any.json")
        .unwrap();
    let explained = explain(Provider::Waha, &case.body, false).unwrap();
    let [first, second] = explained.as_slice() else { panic!("{explained:?}") };
    assert_eq!((&first.account, &first.message_id), (&second.account, &second.message_id));
}
