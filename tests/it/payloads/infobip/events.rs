//! Reports, notices, and items that cannot be read beside items that can.

use serde_json::{Value, json};
use switchboard::event::{Event, Receipt, Topic};
use switchboard::message::{DeliveryState, Fate};

use super::{decode, event, ignored, item};

fn report(changes: Value) -> Value {
    let mut report = json!({
        "bulkId": "", "messageId": "sb-1", "to": "385919998888", "messageCount": 1,
        "sentAt": "2025-01-01T10:10:00.000+0000", "doneAt": "2025-01-01T10:10:05.000+0000",
    });
    for (name, value) in changes.as_object().unwrap() {
        report[name] = value.clone();
    }
    report
}

fn receipt(report: Value) -> Receipt {
    match event(report) {
        Event::Receipt(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn delivery_reports_name_the_message_by_our_own_id() {
    let found =
        receipt(report(json!({"status": {"groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"}})));
    assert_eq!((found.message_id.as_str(), found.reference.as_deref()), ("sb-1", Some("sb-1")));
    assert_eq!((found.account, found.state), (None, DeliveryState::Delivered));
    assert_eq!(found.contact.unwrap().as_str(), "385919998888");
    assert_eq!(found.at.as_ms(), 1_735_726_205_000);
    assert_eq!((found.reason, found.fate), (None, None));
}

#[test]
fn the_group_decides_and_its_number_where_there_is_no_name() {
    for (status, state) in [
        (json!({"groupName": "ACCEPTED"}), DeliveryState::Queued),
        (json!({"groupName": "PENDING", "name": "PENDING_ENROUTE"}), DeliveryState::Queued),
        (json!({"groupName": "DELIVERED", "name": "DELIVERED_TO_OPERATOR"}), DeliveryState::Sent),
        (json!({"groupName": "delivered"}), DeliveryState::Delivered),
        (json!({"groupName": "UNDELIVERABLE"}), DeliveryState::Failed),
        (json!({"groupName": "EXPIRED"}), DeliveryState::Failed),
        (json!({"groupName": "REJECTED"}), DeliveryState::Failed),
        (json!({"groupId": 1}), DeliveryState::Queued),
        (json!({"groupId": "3"}), DeliveryState::Delivered),
        (json!({"groupId": 5}), DeliveryState::Failed),
        // The name is the contract's word; the number is not.
        (json!({"groupId": 2, "groupName": "DELIVERED"}), DeliveryState::Delivered),
    ] {
        assert_eq!(receipt(report(json!({ "status": status }))).state, state, "{status}");
    }
    for status in [json!({}), json!({"groupName": "ON_ITS_WAY"}), json!({"groupId": 17}), json!("DELIVERED")]
    {
        let found = ignored(report(json!({ "status": status })));
        assert_eq!(found.reason, "kept: receipt of an unknown state", "{status}");
        assert_eq!(found.message_id.as_deref(), Some("sb-1"));
    }
}

#[test]
fn failures_say_why_and_what_follows() {
    let failed = |status: &str, error: Value| {
        let group = status.split('_').next().unwrap();
        receipt(report(
            json!({"status": {"groupName": group, "name": status, "description": "d"}, "error": error}),
        ))
    };
    let error =
        |name: &str, permanent: Value| json!({"name": name, "description": "why", "permanent": permanent});
    for (status, error, fate, reason) in [
        (
            "UNDELIVERABLE_NOT_DELIVERED",
            error("EC_USER_NOT_REGISTERED", json!(true)),
            Fate::Permanent,
            "EC_USER_NOT_REGISTERED: why",
        ),
        (
            "UNDELIVERABLE_NOT_DELIVERED",
            error("EC_SOMETHING_NEW", json!(false)),
            Fate::Retry,
            "EC_SOMETHING_NEW: why",
        ),
        (
            "UNDELIVERABLE_NOT_DELIVERED",
            error("EC_SOMETHING_NEW", json!(null)),
            Fate::Permanent,
            "EC_SOMETHING_NEW: why",
        ),
        // The table knows better than the flag.
        ("REJECTED_BY", error("EC_NO_SESSION", json!(true)), Fate::WindowClosed, "EC_NO_SESSION: why"),
        ("REJECTED_BY", error("EC_BLOCKED_USER", json!(true)), Fate::OptedOut, "EC_BLOCKED_USER: why"),
        ("EXPIRED_DLR_UNKNOWN", error("NO_ERROR", json!(false)), Fate::Unknown, "EXPIRED_DLR_UNKNOWN: d"),
        ("EXPIRED_EXPIRED", error("NO_ERROR", json!(false)), Fate::Permanent, "EXPIRED_EXPIRED: d"),
        ("REJECTED_FLOODING_FILTER", json!(null), Fate::Retry, "REJECTED_FLOODING_FILTER: d"),
    ] {
        let found = failed(status, error.clone());
        assert_eq!((found.state, found.fate), (DeliveryState::Failed, Some(fate)), "{status} {error}");
        assert_eq!(found.reason.as_deref(), Some(reason));
    }
    let masked = failed("REJECTED_BY", json!({"name": "EC_X", "description": "385919998888 is gone"}));
    assert_eq!(masked.reason.as_deref(), Some("EC_X: ***** is gone"));
}

/// A repeat of our own id was refused because the first one is there: its own reports tell of it.
#[test]
fn a_refused_repeat_says_nothing_of_the_first() {
    for changes in [
        json!({"status": {"groupName": "REJECTED", "name": "REJECTED_DUPLICATE_MESSAGE_ID"}}),
        json!({"status": {"groupName": "REJECTED"}, "error": {"name": "EC_DUPLICATE_REQUEST", "permanent": true}}),
    ] {
        assert_eq!(ignored(report(changes)).reason, "receipt of a duplicate");
    }
}

#[test]
fn seen_reports_are_believed_in_their_id_alone() {
    for numbers in [
        json!({"from": "385919998888", "to": "41793026731"}),
        json!({"from": "41793026731", "to": "385919998888"}),
        json!({"to": "385919998888"}),
    ] {
        let mut seen = report(json!({"seenAt": "2025-01-01T10:11:00.000+0000", "status": null}));
        for (name, value) in numbers.as_object().unwrap() {
            seen[name] = value.clone();
        }
        let found = receipt(seen);
        assert_eq!((found.state, found.contact, found.account), (DeliveryState::Read, None, None));
        assert_eq!(found.message_id, "sb-1");
        assert_eq!(found.at.as_ms(), 1_735_726_260_000);
    }
    let deleted = ignored(report(json!({"deletedAt": "2025-01-01T10:11:00.000+0000"})));
    assert_eq!((deleted.reason.as_str(), deleted.account), ("revoke", None));
}

#[test]
fn templates_change_by_webhook() {
    let change = |change: Value| {
        let body = json!({
            "messageTemplateId": 6_162_389_530_460_064_i64, "messageTemplateName": "viewing",
            "messageTemplateLanguage": "en", "timestamp": "2025-01-01T10:10:00.000+0000", "change": change,
        });
        match decode(&body).unwrap().remove(0) {
            Event::Template(change) => change,
            other => panic!("{other:?}"),
        }
    };
    let rejected = change(
        json!({"type": "TEMPLATE_STATUS_UPDATE", "newStatus": "REJECTED", "reason": "INVALID_FORMAT"}),
    );
    assert_eq!(rejected.template_id.as_deref(), Some("6162389530460064"));
    assert_eq!((rejected.name.as_deref(), rejected.language.as_deref()), (Some("viewing"), Some("en")));
    assert_eq!(
        (rejected.status.as_deref(), rejected.reason.as_deref()),
        (Some("REJECTED"), Some("INVALID_FORMAT"))
    );
    assert_eq!(rejected.at.as_ms(), 1_735_726_200_000);
    let moved = change(
        json!({"type": "TEMPLATE_CATEGORY_UPDATE", "previousCategory": "UTILITY", "newCategory": "MARKETING"}),
    );
    assert_eq!((moved.status, moved.category.as_deref()), (None, Some("MARKETING")));
    assert_eq!(moved.reason.as_deref(), Some("category MARKETING"));
    let worse = change(
        json!({"type": "TEMPLATE_QUALITY_UPDATE", "previousQualityScore": "HIGH", "newQualityScore": "LOW"}),
    );
    assert_eq!((worse.status, worse.reason.as_deref()), (None, Some("quality LOW, was HIGH")));
    assert_eq!(change(json!(null)).status, None);
}

#[test]
fn marketing_preferences_are_consent() {
    let notice = |status: Value, from: Value| {
        json!({
            "from": "41793026731", "createdAt": "2025-01-01T10:10:00.000+0000",
            "content": {"sender": "41793026731", "from": from, "notificationMessagesStatus": status, "description": "d"},
        })
    };
    for (status, opted_in) in
        [("STOP_NOTIFICATIONS", false), ("stop", false), ("RESUME_NOTIFICATIONS", true), ("opt_in", true)]
    {
        match decode(&notice(json!(status), json!("385919998888"))).unwrap().remove(0) {
            Event::Consent(consent) => {
                assert_eq!(
                    (consent.opted_in, consent.account.as_str()),
                    (opted_in, "41793026731"),
                    "{status}"
                );
                assert_eq!(consent.contact.as_str(), "385919998888");
            }
            other => panic!("{other:?}"),
        }
    }
    for (status, from, reason) in [
        (json!("PAUSED"), json!("385919998888"), "unknown wish"),
        (json!({"is": "STOP"}), json!("385919998888"), "unknown wish"),
        (json!("STOP"), json!(null), "nobody's wish"),
        (json!("STOP"), json!("Frank"), "unreadable sender address"),
    ] {
        match decode(&notice(status, from)).unwrap().remove(0) {
            Event::Unread(unread) => {
                assert_eq!((unread.left.reason.as_str(), unread.topic), (reason, Topic::Consent));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn notices_and_the_unknown_are_acknowledged() {
    let identity = json!({"from": "385919998888", "createdAt": "2025-01-01T10:10:00.000+0000",
        "content": {"type": "user_identity_changed", "description": "d", "hash": "h"}});
    for (body, reason) in [
        (identity, "system notice"),
        (json!({}), "nothing in it"),
        (json!({"hello": "world"}), "unknown event"),
        (json!({"results": [{}]}), "nothing in it"),
        (json!({"results": [{"hello": "world"}]}), "unknown event"),
    ] {
        match decode(&body).unwrap().as_slice() {
            [Event::Ignored(left)] => assert_eq!(left.reason, reason, "{body}"),
            other => panic!("{other:?}"),
        }
    }
    for nothing in [json!({"results": []}), json!({"results": null, "messageCount": 0})] {
        assert_eq!(decode(&nothing), Ok(vec![]));
    }
}

#[test]
fn one_broken_item_costs_the_others_nothing() {
    let good = |id: &str| item(&json!({ "messageId": id }), &json!({}));
    for (broken, what) in [
        (json!(null), "expected an object, found nothing at results.1"),
        (json!("item"), "expected an object, found text at results.1"),
        (json!([]), "expected an object, found a list at results.1"),
        (
            item(&json!({"messageId": null}), &json!({})),
            "expected text, found nothing at results.1.messageId",
        ),
        (item(&json!({"messageId": ""}), &json!({})), "expected text, found none at results.1.messageId"),
        (
            item(&json!({"messageId": {}}), &json!({})),
            "expected text, found an object at results.1.messageId",
        ),
        (item(&json!({"to": ["1"]}), &json!({})), "expected text, found a list at results.1.to"),
        (item(&json!({"from": true}), &json!({})), "expected text, found a boolean at results.1.from"),
        (item(&json!({"message": "hi"}), &json!({})), "expected an object, found text at results.1.message"),
        (item(&json!({}), &json!({"type": 7})), "expected text, found a number at results.1.message.type"),
        (item(&json!({}), &json!({"text": 7})), "expected text, found a number at results.1.message.text"),
        (
            item(&json!({}), &json!({"type": "IMAGE", "caption": {}})),
            "expected text, found an object at results.1.message.caption",
        ),
        (
            item(&json!({}), &json!({"type": "INTERACTIVE_LIST_REPLY", "text": null})),
            "expected text, found nothing at results.1.message.id",
        ),
        (
            item(&json!({}), &json!({"type": "ORDER"})),
            "expected text, found nothing at results.1.message.catalogId",
        ),
        (
            report(json!({"messageId": null, "status": {}})),
            "expected text, found nothing at results.1.messageId",
        ),
        (report(json!({"messageId": [], "seenAt": 1})), "expected text, found a list at results.1.messageId"),
    ] {
        let events = decode(&json!({"results": [good("A"), broken, good("B")], "messageCount": 3})).unwrap();
        match events.as_slice() {
            [Event::Message(first), Event::Unread(unread), Event::Message(last)] => {
                assert_eq!((first.id.as_str(), last.id.as_str()), ("A", "B"));
                assert_eq!(unread.left.reason, format!("unreadable item: {what}"));
            }
            other => panic!("{broken}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_webhook_says_where() {
    for (body, error) in [
        (json!([]), "expected an object at line 1 column 1"),
        (json!("results"), "expected an object at line 1 column 1"),
        (json!({"results": {}}), "expected a list, found an object at results"),
        (json!({"results": "none"}), "expected a list, found text at results"),
        (json!({"results": 7}), "expected a list, found a number at results"),
    ] {
        assert_eq!(decode(&body), Err(error.to_owned()), "{body}");
    }
}

#[test]
fn half_an_emoji_costs_no_message() {
    let body = json!({"results": [item(&json!({}), &json!({"text": "cut HERE"}))]});
    let body = body.to_string().replace("HERE", r"\ud83d");
    match super::infobip().decode(body.as_bytes(), false).unwrap().as_slice() {
        [Event::Message(inbound)] => assert_eq!(inbound.content.text(), Some("cut \u{FFFD}")),
        other => panic!("{other:?}"),
    }
}
