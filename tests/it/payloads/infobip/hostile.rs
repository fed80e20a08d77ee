//! Real payloads, damaged. The adapter never panics, what it calls a message is one, and whatever
//! becomes of an item, those beside it arrive.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use switchboard::event::Event;
use switchboard::identity::{self, Address};

use super::super::cases;
use super::super::hostile::{anything, places};
use super::{infobip, is_webhook, item};

/// The items of all samples, one by one.
fn items() -> &'static [Value] {
    static ITEMS: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
    ITEMS.get_or_init(|| {
        let webhooks = cases("infobip").into_iter().filter(|case| is_webhook(&case.name));
        let bodies = webhooks.map(|case| serde_json::from_slice::<Value>(&case.body).unwrap());
        bodies.flat_map(|body| body["results"].as_array().unwrap().clone()).collect()
    })
}

fn check(body: &[u8]) -> Result<Vec<Event>, TestCaseError> {
    let Ok(claimed) = infobip().claimed(body) else { return Ok(Vec::new()) };
    let Ok(events) = infobip().decode(body, false) else { return Ok(Vec::new()) };
    let claimed = claimed.accounts;
    for event in &events {
        if let Some(account) = event.account() {
            prop_assert!(claimed.iter().any(|claimed| claimed == account), "{} is claimed", account);
        }
        let Event::Message(inbound) = event else { continue };
        prop_assert!(!inbound.id.is_empty() && !inbound.from_raw.is_empty());
        let canonical = match identity::address(inbound.contact.as_str()) {
            Ok(Address::Person(key)) => Some(key),
            _ => None,
        };
        prop_assert_eq!(canonical.as_ref(), Some(&inbound.contact), "the key is canonical");
        prop_assert!(!inbound.aliases.contains(&inbound.contact));
        serde_json::to_vec(inbound).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    Ok(events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_one_item_reaches_its_siblings(which: Index, place: Index, value in anything(), remove: bool) {
        let mut damaged = which.get(items()).clone();
        let mut found = Vec::new();
        places(&damaged, "", &mut found);
        let place = place.get(&found).clone();
        match (place.rsplit_once('/'), remove) {
            (Some((parent, name)), true) => {
                if let Some(Value::Object(fields)) = damaged.pointer_mut(parent) {
                    fields.remove(name);
                }
            }
            _ => *damaged.pointer_mut(&place).unwrap() = value,
        }
        let good = |id: &str| item(&json!({"messageId": id}), &json!({}));
        let body = json!({"results": [good("first"), damaged, good("last")], "messageCount": 3}).to_string();
        let events = check(body.as_bytes())?;
        // What says several things at once is several events.
        prop_assert!(events.len() >= 3, "an event for each item");
        for (event, expected) in [(&events[0], "first"), (&events[events.len() - 1], "last")] {
            let arrived = matches!(event, Event::Message(inbound) if inbound.id == expected);
            prop_assert!(arrived, "{:?}", event);
        }
    }

    #[test]
    fn bytes_changed_or_cut(which: Index, at: Index, byte: u8, cut: bool) {
        let mut body = json!({"results": [which.get(items())], "messageCount": 1}).to_string().into_bytes();
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        check(&body)?;
    }

    #[test]
    fn bodies_of_any_shape(value in anything(), results: bool) {
        let body = if results { json!({"results": value}) } else { value };
        check(body.to_string().as_bytes())?;
    }

    #[test]
    fn answers(status in 0_u16..700, body in prop::collection::vec(any::<u8>(), 0..200), value in anything()) {
        let headers = axum::http::HeaderMap::new();
        let fields = json!({"messageId": value, "messages": value, "status": value, "error": value,
            "requestError": {"serviceException": value}, "errorCode": value, "violations": value});
        for body in [body, value.to_string().into_bytes(), fields.to_string().into_bytes()] {
            let _ = infobip().outcome(status, &headers, &body, "385919998888");
            let templates = infobip().templates().unwrap();
            let _ = templates.submitted(status, &headers, &body);
            let _ = templates.deleted(status, &headers, &body);
            let _ = templates.listed(status, &headers, &body);
        }
    }
}

#[test]
fn depth_is_bounded() {
    for nested in [
        "[".repeat(100_000),
        r#"{"results":"#.repeat(50_000),
        format!(r#"{{"results":[{}"#, r#"{"message":"#.repeat(50_000)),
    ] {
        assert!(infobip().decode(nested.as_bytes(), false).is_err());
        assert!(infobip().claimed(nested.as_bytes()).is_err());
    }
}
