//! Real payloads, damaged: nothing panics, a broken item costs no other, and what is still called a
//! message is one.

use axum::http::HeaderMap;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use switchboard::event::Event;
use switchboard::identity::{self, Address};

use super::super::hostile::{anything, places};
use super::{cases, events, is_webhook, meta, said, with};

fn webhooks() -> &'static [Value] {
    static WEBHOOKS: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
    WEBHOOKS.get_or_init(|| {
        let cases = cases("meta").into_iter().filter(|case| is_webhook(&case.name));
        cases.map(|case| serde_json::from_slice(&case.body).unwrap()).collect()
    })
}

/// What must hold of everything that is decoded.
fn check(body: &[u8]) -> Result<(), TestCaseError> {
    let claimed = meta().claimed(body);
    let Ok(events) = meta().decode(body, false) else { return Ok(()) };
    let claimed = claimed.expect("what can be read names its accounts").accounts;
    for event in events {
        let Event::Message(inbound) = event else { continue };
        let is_claimed = inbound.account.is_empty() || claimed.contains(&inbound.account);
        prop_assert!(!inbound.id.is_empty() && is_claimed);
        let key = identity::network_id(inbound.contact.as_str());
        prop_assert_eq!(key.as_ref().ok(), Some(&inbound.contact), "the key is canonical");
        let group = matches!(identity::address(inbound.contact.as_str()), Ok(Address::Group(_)));
        prop_assert!(!group && !inbound.aliases.contains(&inbound.contact));
        serde_json::to_vec(&inbound).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    Ok(())
}

/// Replaces the value at this place, or takes it out.
fn replace(body: &mut Value, place: &str, value: Value, remove: bool) {
    match (place.rsplit_once('/'), remove) {
        (Some((parent, name)), true) => {
            if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
                fields.remove(name);
            }
        }
        _ => *body.pointer_mut(place).unwrap() = value,
    }
}

fn place_in(body: &Value, place: Index) -> String {
    let mut found = Vec::new();
    places(body, "", &mut found);
    place.get(&found).clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_value_replaced(which: Index, place: Index, value in anything(), remove: bool) {
        let mut body = which.get(webhooks()).clone();
        let place = place_in(&body, place);
        replace(&mut body, &place, value, remove);
        check(body.to_string().as_bytes())?;
    }

    #[test]
    fn bytes_changed_or_cut(which: Index, at: Index, byte: u8, cut: bool) {
        let mut body = which.get(webhooks()).to_string().into_bytes();
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        check(&body)?;
    }

    /// Whatever stands beside them, in the same list, another change or another entry, messages arrive.
    #[test]
    fn a_sibling_is_never_lost(which: Index, place: Index, value in anything(), remove: bool) {
        let mut broken = which.get(webhooks())["entry"][0].clone();
        let place = place_in(&broken, place);
        replace(&mut broken, &place, value.clone(), remove);
        let mut body = said(json!([value, with(json!({ "id": "wamid.sibling 1" })), broken.clone()]));
        let change = json!({ "field": "messages", "value": {
            "metadata": { "phone_number_id": "42" }, "messages": [with(json!({ "id": "wamid.sibling 2" }))],
        } });
        let entry = said(json!([with(json!({ "id": "wamid.sibling 3" }))]))["entry"][0].clone();
        let changes = body["entry"][0]["changes"].as_array_mut().unwrap();
        changes.extend([value, broken["changes"][0].clone(), change]);
        body["entry"].as_array_mut().unwrap().extend([broken, entry]);
        let arrived: Vec<String> = events(&body)
            .into_iter()
            .filter_map(|event| match event {
                Event::Message(inbound) => Some(inbound.id),
                _ => None,
            })
            .filter(|id| id.starts_with("wamid.sibling"))
            .collect();
        prop_assert_eq!(arrived, ["wamid.sibling 1", "wamid.sibling 2", "wamid.sibling 3"]);
    }

    #[test]
    fn answers(status in 0_u16..700, body in prop::collection::vec(any::<u8>(), 0..200), value in anything(), to: String) {
        let headers = HeaderMap::new();
        let fields = json!({"error": value, "messages": value, "contacts": [value], "data": value, "paging": value});
        let error = json!({"error": {"code": value, "message": value, "error_data": value, "is_transient": value}});
        for body in [body, value.to_string().into_bytes(), fields.to_string().into_bytes(), error.to_string().into_bytes()] {
            let _ = meta().outcome(status, &headers, &body, &to);
            let templates = meta().templates().unwrap();
            let _ = templates.submitted(status, &headers, &body);
            let _ = templates.listed(status, &headers, &body);
            let _ = templates.deleted(status, &headers, &body);
            let _ = meta().media().unwrap().uploaded(status, &headers, &body);
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for open in ["[", r#"{"a":"#] {
        let body = format!(r#"{{"object":"whatsapp_business_account","entry":{}"#, open.repeat(100_000));
        assert!(meta().decode(body.as_bytes(), false).is_err());
        assert!(meta().claimed(body.as_bytes()).is_err());
    }
}

/// As many as Meta sends at once, each with its sender.
#[test]
fn a_thousand_changes() {
    let value = |n: usize| {
        json!({ "field": "messages", "value": { "metadata": { "phone_number_id": n.to_string() },
            "messages": [with(json!({ "id": format!("wamid.{n}") }))] } })
    };
    let changes: Vec<Value> = (0..1_000).map(value).collect();
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "7", "changes": changes }] });
    let events = events(&body);
    assert_eq!(events.len(), 1_000);
    let claimed = meta().claimed(body.to_string().as_bytes()).unwrap().accounts;
    assert!(events.iter().all(|event| claimed.iter().any(|it| Some(it.as_str()) == event.account())));
}
