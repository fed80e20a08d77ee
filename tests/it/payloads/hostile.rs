//! Real payloads, damaged: one value replaced or taken out anywhere, bytes changed or cut off. The
//! adapter never panics, and what it still calls a message is one.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use switchboard::channel::{Adapter, adapter};
use switchboard::event::Event;
use switchboard::identity::{self, Address};
use switchboard::message::Provider;

use super::webhooks;

fn waha() -> &'static dyn Adapter {
    adapter(Provider::Waha)
}

/// Every value there is, by its place.
pub(super) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

pub(super) fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        "[a-z0-9@._:+-]{0,20}".prop_map(Value::from),
        Just(json!("true_5511900000002@c.us_A")),
        Just(json!("status@broadcast")),
        Just(json!("@")),
        Just(json!("_@_")),
        Just(json!("x".repeat(5_000))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{1,8}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// What must hold of everything that is decoded.
fn check(body: &[u8], groups: bool, own: bool) -> Result<(), TestCaseError> {
    // What is claimed is read first, and nothing else where it cannot be.
    let Ok(claimed) = waha().claimed(body) else { return Ok(()) };
    let Ok(events) = waha().decode(body, groups) else { return Ok(()) };
    for event in events {
        let Event::Message(inbound) = event else { continue };
        prop_assert!(!own, "a message of our own became {inbound:?}");
        prop_assert!(!inbound.id.is_empty() && !inbound.account.is_empty());
        let canonical = match identity::address(inbound.contact.as_str()) {
            Ok(Address::Person(key)) => Some(key),
            Ok(Address::Group(key)) if groups => Some(key),
            _ => None,
        };
        prop_assert_eq!(canonical.as_ref(), Some(&inbound.contact), "the key is canonical");
        prop_assert!(!inbound.aliases.contains(&inbound.contact));
        prop_assert_eq!(&claimed.accounts, std::slice::from_ref(&inbound.account));
        serde_json::to_vec(&inbound).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_value_replaced(which: Index, place: Index, value in anything(), remove: bool, groups: bool) {
        let webhooks = webhooks_once();
        let (name, mut body) = which.get(webhooks).clone();
        let mut found = Vec::new();
        places(&body, "", &mut found);
        let place = place.get(&found).clone();
        match (place.rsplit_once('/'), remove) {
            (Some((parent, name)), true) => {
                if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
                    fields.remove(name);
                }
            }
            _ => *body.pointer_mut(&place).unwrap() = value,
        }
        // Whatever one field says or leaves out, the others still show whose message it is; but another
        // event's name, or another payload, is another event.
        let own = name.starts_with("message_any_own") && !["", "/event", "/payload"].contains(&place.as_str());
        check(body.to_string().as_bytes(), groups, own)?;
    }

    #[test]
    fn bytes_changed_or_cut(which: Index, at: Index, byte: u8, cut: bool) {
        let webhooks = webhooks_once();
        let mut body = which.get(webhooks).1.to_string().into_bytes();
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        check(&body, true, false)?;
    }

    #[test]
    fn answers(status in 0_u16..700, body in prop::collection::vec(any::<u8>(), 0..200), value in anything(), to: String) {
        let headers = axum::http::HeaderMap::new();
        let _ = waha().outcome(status, &headers, &body, &to);
        let _ = waha().outcome(status, &headers, value.to_string().as_bytes(), &to);
        let fields = json!({"id": value, "key": {"id": value, "remoteJid": value}, "message": value});
        let _ = waha().outcome(status, &headers, fields.to_string().as_bytes(), &to);
    }
}

fn webhooks_once() -> &'static [(String, Value)] {
    static WEBHOOKS: std::sync::OnceLock<Vec<(String, Value)>> = std::sync::OnceLock::new();
    WEBHOOKS.get_or_init(webhooks)
}
