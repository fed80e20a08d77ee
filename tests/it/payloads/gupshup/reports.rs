//! What became of our messages, what contacts and templates became, and what is left alone.

use serde_json::{Value, json};
use switchboard::event::{Event, Receipt, TemplateChange};
use switchboard::message::{DeliveryState, Fate};

use super::{APP_ID, PHONE, cases, envelope, event, events, gupshup, ignored, passed_on};

fn receipt(body: &Value) -> Receipt {
    match event(body) {
        Event::Receipt(receipt) => receipt,
        other => panic!("{other:?} from {body}"),
    }
}

fn report(payload: Value) -> Value {
    envelope("message-event", payload)
}

/// Of a sample: the id that we know it by, and the others.
#[test]
fn every_report_is_found_by_the_id_that_was_given_when_it_was_sent() {
    for (name, id, others) in [
        (
            "message_event_enqueued.json",
            "59f8db90-c37e-4408-90ab-cc54ef8246ad",
            vec!["gBEGkYaYVSEEAgkD7bRi9syGnBk"],
        ),
        (
            "message_event_sent.json",
            "7daeb742-f2dc-4c09-90e0-d879d20f7b98",
            vec!["wamid.HBgMOTE5MTAwMDAwODczFQIAERgSMDQ4RjAA"],
        ),
        ("message_event_failed_sync.json", "ee4a68a0-1203-4c85-8dc3-49d0b3226a35", vec![]),
        ("message_event_failed_async_only_gsid.json", "72f61f22-5aa4-4615-a970-943edf6da01c", vec![]),
        (
            "v3_status_sent.json",
            "7daeb742-f2dc-4c09-90e0-d879d20f7b98",
            vec!["wamid.HBgMOTE5MTAwMDAwODczFQIAERgSMDQ4RjAA"],
        ),
    ] {
        let case = cases("gupshup").into_iter().find(|case| case.name == name).unwrap();
        let found = receipt(&serde_json::from_slice(&case.body).unwrap());
        assert_eq!((found.message_id.as_str(), found.reference), (id, None), "{name}");
        assert_eq!(found.other_ids, others, "{name}");
    }
    // After a week Gupshup has forgotten its own.
    let old = receipt(&report(json!({"type": "read", "id": "wamid.1", "destination": PHONE})));
    assert_eq!((old.message_id.as_str(), old.other_ids.len()), ("wamid.1", 0));
    // WhatsApp's id is learnt early in version 3, at a time in milliseconds and without a number.
    let early = receipt(&passed_on(json!({"statuses": [{
        "gs_id": "g", "id": "wamid.1", "recipient_id": PHONE, "status": "enqueued", "timestamp": 1_710_941_393_420_i64,
    }]})));
    assert_eq!((early.message_id.as_str(), early.other_ids), ("g", vec!["wamid.1".to_owned()]));
    assert_eq!((early.state, early.at.as_ms()), (DeliveryState::Queued, 1_710_941_393_420));
    assert_eq!(early.account.as_deref(), Some(APP_ID));
}

#[test]
fn states() {
    for (told, expected) in [
        ("enqueued", DeliveryState::Queued),
        ("sent", DeliveryState::Sent),
        ("delivered", DeliveryState::Delivered),
        ("read", DeliveryState::Read),
        ("played", DeliveryState::Read),
        ("failed", DeliveryState::Failed),
    ] {
        assert_eq!(receipt(&report(json!({"type": told, "id": "g"}))).state, expected);
        assert_eq!(
            receipt(&passed_on(json!({"statuses": [{"status": told, "gs_id": "g"}]}))).state,
            expected
        );
    }
    for (payload, reason) in [
        (json!({"type": "deleted", "id": "g"}), "revoke"),
        (json!({"type": "referral", "destination": PHONE, "payload": {"source_type": "ad"}}), "referral"),
        (json!({"type": "pondered", "id": "g"}), "kept: receipt of an unknown state"),
        (json!({"type": "sent"}), "kept: unreadable item: expected text, found nothing at payload.id"),
        (json!({"id": "g"}), "kept: unreadable item: expected text, found nothing at payload.type"),
        (
            json!({"type": ["sent"], "id": "g"}),
            "kept: unreadable item: expected text, found a list at payload.type",
        ),
    ] {
        assert_eq!(ignored(&report(payload.clone())), reason, "{payload}");
    }
}

#[test]
fn failures_have_a_fate_wherever_the_code_stands() {
    for (code, fate) in [
        (json!(1002), Fate::Permanent),
        (json!("1002"), Fate::Permanent),
        (json!(1005), Fate::WindowClosed),
        (json!(1012), Fate::OptedOut),
        (json!(4001), Fate::Retry),
        (json!(4002), Fate::Unknown),
        (json!(131_047), Fate::WindowClosed),
        (json!(130_429), Fate::Retry),
        (json!(131_050), Fate::OptedOut),
        (json!(987_654), Fate::Permanent),
        (json!(null), Fate::Permanent),
    ] {
        let why = json!({"code": code, "reason": "why"});
        for body in [
            report(json!({"type": "failed", "gsId": "g", "payload": why})),
            report(json!({"type": "failed", "gsId": "g", "code": code, "reason": "why"})),
            passed_on(json!({"statuses": [{"status": "failed", "gs_id": "g", "errors": [why]}]})),
            passed_on(
                json!({"statuses": [{"status": "failed", "gs_id": "g", "code": code, "reason": "why"}]}),
            ),
        ] {
            let failed = receipt(&body);
            assert_eq!(failed.fate, Some(fate), "{body}");
            assert!(failed.reason.as_deref().unwrap().ends_with("why"), "{body}");
        }
    }
    let masked = receipt(&report(
        json!({"type": "failed", "id": "g", "payload": {"reason": format!("{PHONE} is no number")}}),
    ));
    assert_eq!(masked.reason.as_deref(), Some("***** is no number"));
    let bare = receipt(&report(json!({"type": "failed", "id": "g"})));
    assert_eq!((bare.reason.as_deref(), bare.fate), (Some("no reason given"), Some(Fate::Permanent)));
}

#[test]
fn a_number_in_another_form_is_the_same_person() {
    let Event::SamePerson(same) = event(&report(json!({
        "type": "mismatch", "destination": "553587654321", "payload": {"wa_id": "5593587654321", "phone": "553587654321"},
    }))) else {
        panic!("a mismatch")
    };
    // Brazil: the key has the ninth digit.
    assert_eq!((same.known.as_str(), same.also.as_str()), ("5535987654321", "5593587654321"));
    assert_eq!((same.because.name(), same.message_id), ("number form", None));
    for (payload, reason) in [
        (json!({"type": "mismatch", "destination": PHONE, "payload": {"wa_id": PHONE}}), "number form"),
        (json!({"type": "mismatch", "destination": PHONE}), "kept: unreadable sender address"),
        (
            json!({"type": "mismatch", "payload": {"wa_id": "Maria", "phone": PHONE}}),
            "kept: unreadable sender address",
        ),
    ] {
        assert_eq!(ignored(&report(payload.clone())), reason, "{payload}");
    }
}

#[test]
fn wishes_and_handshakes() {
    for (told, opted_in) in [("opted-in", true), ("opted-out", false)] {
        let Event::Consent(consent) =
            event(&envelope("user-event", json!({"phone": format!("+{PHONE}"), "type": told})))
        else {
            panic!("a wish")
        };
        assert_eq!(
            (consent.opted_in, consent.contact.as_str(), consent.from_raw.as_str()),
            (opted_in, PHONE, "+918298002134")
        );
    }
    for (payload, reason) in [
        (json!({"phone": "callbackSetPhone", "type": "sandbox-start"}), "handshake"),
        (json!({"phone": "callbackSetPhone", "type": "opted-in"}), "handshake"),
        (json!({"type": "sandbox-start"}), "handshake"),
        (json!({"phone": PHONE, "type": "waved"}), "unknown event waved"),
        (json!({"phone": "Maria", "type": "opted-out"}), "kept: unreadable sender address"),
        (json!({"type": "opted-out"}), "kept: unreadable sender address"),
        (json!({"phone": PHONE}), "kept: unreadable item: expected text, found nothing at payload.type"),
    ] {
        assert_eq!(ignored(&envelope("user-event", payload.clone())), reason, "{payload}");
    }
}

#[test]
fn templates_change() {
    let change = |payload: Value| -> TemplateChange {
        let mut body = json!({"id": "t-1", "elementName": "abcd", "languageCode": "en_US"});
        for (name, value) in payload.as_object().unwrap() {
            body[name] = value.clone();
        }
        match event(&envelope("template-event", body)) {
            Event::Template(change) => change,
            other => panic!("{other:?}"),
        }
    };
    let rejected = change(
        json!({"type": "status-update", "status": "rejected", "rejectedReason": "INVALID_FORMAT", "description": "long"}),
    );
    assert_eq!(
        (rejected.status.as_deref(), rejected.reason.as_deref()),
        (Some("rejected"), Some("INVALID_FORMAT"))
    );
    assert_eq!(
        (rejected.name.as_deref(), rejected.language.as_deref(), rejected.template_id.as_deref()),
        (Some("abcd"), Some("en_US"), Some("t-1"))
    );
    let announced = change(
        json!({"type": "category-update", "category": {"current": "MARKETING", "correct": "UTILITY"}}),
    );
    assert_eq!(
        (announced.category.as_deref(), announced.reason.as_deref()),
        (Some("MARKETING"), Some("WhatsApp will make it UTILITY"))
    );
    let changed =
        change(json!({"type": "category-update", "category": {"old": "MARKETING", "new": "UTILITY"}}));
    assert_eq!((changed.category.as_deref(), changed.status), (Some("UTILITY"), None));
    let approved = change(json!({"type": "status-update", "status": "approved", "category": "MARKETING"}));
    assert_eq!(
        (approved.status.as_deref(), approved.category.as_deref()),
        (Some("approved"), Some("MARKETING"))
    );
    assert_eq!(ignored(&envelope("template-event", json!({"type": "quality-update"}))), "template quality");
    assert_eq!(ignored(&envelope("template-event", json!({"type": "song"}))), "unknown event song");
    let meta = json!({"gs_app_id": APP_ID, "entry": [{"id": "7", "changes": [
        {"field": "message_template_status_update", "value": {"event": "PAUSED", "message_template_id": 5, "reason": "NONE"}},
    ]}]});
    let Event::Template(change) = event(&meta) else { panic!("a template") };
    assert_eq!(
        (change.account.as_deref(), change.status.as_deref(), change.reason),
        (Some(APP_ID), Some("PAUSED"), None)
    );
}

#[test]
fn the_rest_is_acknowledged_and_left_alone() {
    for (kind, payload, reason) in [
        (
            "account-event",
            json!({"type": "tier-event", "payload": {"event": "UPGRADE"}}),
            "account change: tier-event UPGRADE",
        ),
        (
            "account-event",
            json!({"type": "status-event", "payload": {"status": "ACCOUNT_DISABLE"}}),
            "account change: status-event ACCOUNT_DISABLE",
        ),
        (
            "onboarding-event",
            json!({"type": "docker-status-event", "payload": {"status": "live"}}),
            "account change: docker-status-event live",
        ),
        ("account-event", json!({}), "account change"),
        ("billing-event", json!({"deductions": {}}), "billing"),
        ("future-event", json!({"x": 1}), "unknown event future-event"),
        ("message", json!([]), "kept: unreadable item: expected an object, found a list at payload"),
        ("message", json!(null), "kept: unreadable item: expected text, found nothing at payload.id"),
    ] {
        assert_eq!(ignored(&envelope(kind, payload.clone())), reason, "{kind} {payload}");
    }
    let many = passed_on(
        json!({"statuses": [{"gs_id": "a", "status": "sent"}, null, {"type": "set-callback"}, {"gs_id": "b", "status": "read"}],
        "messages": [{"from": PHONE, "id": "m", "type": "text", "text": {"body": "hi"}}, {"id": "n"}]}),
    );
    assert_eq!(events(&many).len(), 6, "every item has its event");
}

#[test]
fn only_what_is_no_webhook_is_an_error() {
    for (body, error) in [
        ("", "expected an object at line 1 column 1"),
        ("[]", "expected an object at line 1 column 1"),
        ("{}", "expected text, found nothing at app"),
        (r#"{"app": 7, "type": "message"}"#, "expected text, found a number at app"),
        (r#"{"app": "", "type": "message"}"#, "expected text, found none at app"),
        (r#"{"type": "message"}"#, "expected text, found nothing at app"),
        (r#"{"app": "DemoApp"}"#, "expected text, found nothing at type"),
        (r#"{"gs_app_id": "a"}"#, "expected a list, found nothing at entry"),
        (r#"{"gs_app_id": 7, "entry": []}"#, "expected text, found a number at gs_app_id"),
    ] {
        let told = gupshup().decode(body.as_bytes(), false).expect_err(body).to_string();
        assert_eq!(told, error, "{body}");
    }
    let mended = br#"{"app":"DemoApp","type":"message","payload":{"id":"1","source":"918298002134","type":"text","payload":{"text":"a\ud83d"}}}"#;
    let events = gupshup().decode(mended, false).unwrap();
    assert!(format!("{events:?}").contains("a\u{FFFD}"), "{events:?}");
}
