//! Gupshup's payloads, damaged: the adapter never panics, what it still calls a message is one, and one
//! damaged item costs no other.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use switchboard::event::Event;
use switchboard::identity;

use super::super::hostile::{anything, places};
use super::{PHONE, cases, gupshup, is_webhook, passed_on};

fn webhooks() -> &'static [Value] {
    static WEBHOOKS: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
    WEBHOOKS.get_or_init(|| {
        let cases = cases("gupshup");
        let webhooks = cases.iter().filter(|case| is_webhook(&case.name));
        webhooks.map(|case| serde_json::from_slice(&case.body).unwrap()).collect()
    })
}

/// What must hold of everything that is decoded.
fn check(body: &[u8]) -> Result<(), TestCaseError> {
    let claimed = gupshup().claimed(body).map(|claims| claims.accounts);
    let Ok(events) = gupshup().decode(body, false) else { return Ok(()) };
    for event in events {
        let account = event.account().map(str::to_owned);
        if let (Some(account), Ok(claimed)) = (account, &claimed) {
            prop_assert!(claimed.contains(&account), "{account} was not claimed");
        }
        match event {
            Event::Message(inbound) => {
                // Whose a body is that names nobody is said by the address it came to.
                let names_nobody = claimed.as_ref().is_ok_and(Vec::is_empty);
                prop_assert!(!inbound.id.is_empty() && (names_nobody || !inbound.account.is_empty()));
                prop_assert_eq!(identity::network_id(inbound.contact.as_str()), Ok(inbound.contact.clone()));
                prop_assert!(!inbound.aliases.contains(&inbound.contact));
            }
            Event::Receipt(receipt) => {
                prop_assert!(
                    !receipt.message_id.is_empty() && !receipt.other_ids.contains(&receipt.message_id)
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes a value's place, or takes it out.
fn damage(body: &mut Value, place: &str, value: Value, remove: bool) {
    match (place.rsplit_once('/'), remove) {
        (Some((parent, name)), true) => {
            if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
                fields.remove(name);
            }
        }
        _ => *body.pointer_mut(place).unwrap() = value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_value_replaced(which: Index, place: Index, value in anything(), remove: bool) {
        let mut body = which.get(webhooks()).clone();
        let mut found = Vec::new();
        places(&body, "", &mut found);
        let place = place.get(&found).clone();
        damage(&mut body, &place, value, remove);
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

    #[test]
    fn a_damaged_item_costs_no_other(place: Index, value in anything(), remove: bool) {
        let text = |id: &str| json!({"from": PHONE, "id": id, "timestamp": "1763015600", "type": "text", "text": {"body": "hi"},
            "context": {"id": "w", "gs_id": "g"}});
        let mut body = passed_on(json!({
            "metadata": {"display_phone_number": "918400000048", "phone_number_id": "158072934066266"},
            "contacts": [{"profile": {"name": "Smit"}, "wa_id": PHONE}],
            "messages": [text("first"), text("second"), text("third")],
        }));
        let item = "/entry/0/changes/0/value/messages/1";
        let mut found = Vec::new();
        places(body.pointer(item).unwrap(), item, &mut found);
        let place = place.get(&found).clone();
        damage(&mut body, &place, value, remove);
        let events = gupshup().decode(body.to_string().as_bytes(), false).unwrap();
        let kept: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Message(inbound) => Some(inbound.id.as_str()),
                _ => None,
            })
            .collect();
        prop_assert!(kept.first() == Some(&"first") && kept.last() == Some(&"third"), "{:?}", events);
    }

    #[test]
    fn answers(status in 0_u16..700, body in prop::collection::vec(any::<u8>(), 0..200), value in anything(), to: String) {
        let headers = axum::http::HeaderMap::new();
        let _ = gupshup().outcome(status, &headers, &body, &to);
        let fields = json!({"status": value, "messageId": value, "message": value, "code": value}).to_string();
        let _ = gupshup().outcome(status, &headers, fields.as_bytes(), &to);
        let templates = gupshup().templates().unwrap();
        let listed = json!({"status": "success", "templates": [value, {"elementName": value}], "template": value}).to_string();
        let _ = templates.listed(status, &headers, listed.as_bytes());
        let _ = templates.submitted(status, &headers, listed.as_bytes());
        let _ = templates.deleted(status, &headers, listed.as_bytes());
    }
}

#[test]
fn depth_and_size_are_bounded() {
    for deep in ["[", "{\"payload\":"] {
        let body = format!(r#"{{"app":"DemoApp","type":"message","payload":{}"#, deep.repeat(100_000));
        assert!(gupshup().decode(body.as_bytes(), false).is_err());
        assert!(gupshup().claimed(body.as_bytes()).is_err());
    }
    let many: Vec<Value> =
        (0..5_000).map(|number| json!({"gs_id": number.to_string(), "status": "sent"})).collect();
    let events =
        gupshup().decode(passed_on(json!({"statuses": many})).to_string().as_bytes(), false).unwrap();
    assert_eq!(events.len(), 5_000);
}
