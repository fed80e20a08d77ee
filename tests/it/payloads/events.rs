//! Which event a webhook is: ignored and why, receipts, sessions, times; and what is no webhook.

use serde_json::{Value, json};
use switchboard::channel::adapter;
use switchboard::event::Event;
use switchboard::message::{Content, DeliveryState, Provider, Timestamp};

use super::{envelope, event, events, ignored, message, sample, with};

#[test]
fn what_is_not_from_one_person_to_us_is_ignored() {
    for (case, body, reason) in [
        ("a group by its id", with(json!({"id": "false_120363000000000002@g.us_A"})), "group"),
        ("a group by `to`", with(json!({"to": "120363000000000002@g.us"})), "group"),
        ("a story by `to`", with(json!({"to": "status@broadcast"})), "status broadcast"),
        ("a list", with(json!({"from": "1612345678@broadcast"})), "broadcast list"),
        ("a channel by its id", with(json!({"id": "false_12036340@newsletter_A"})), "newsletter"),
        ("WhatsApp itself", with(json!({"from": "0@c.us", "body": "tips"})), "WhatsApp itself"),
        ("a bot", with(json!({"from": "867051314767696@bot", "body": "x"})), "WhatsApp itself"),
        ("somebody", with(json!({"from": "1@moon.us", "body": "x"})), "kept: unreadable sender address"),
        ("a reaction as message", with(json!({"reaction": {"text": "👍"}})), "reaction"),
        (
            "a raw reaction",
            with(json!({"_data": {"message": {"reactionMessage": {"text": "👍"}}}})),
            "reaction",
        ),
        ("an encryption notice", with(json!({"_data": {"type": "e2e_notification"}})), "system notice"),
        (
            "a key exchange",
            with(
                json!({"_data": {"message": {"senderKeyDistributionMessage": {}, "messageContextInfo": {}}}}),
            ),
            "system notice",
        ),
        (
            "not readable yet",
            envelope("message.waiting", json!({"id": "false_1@c.us_A"})),
            "message not readable yet",
        ),
        (
            "a revoke of nothing",
            envelope("message.revoked", json!({"after": null, "before": null})),
            "revoke",
        ),
        (
            "an unreadable vote",
            envelope("poll.vote.failed", json!({"vote": {"id": "false_1@c.us_A"}})),
            "unreadable poll vote",
        ),
        (
            "a vote taken back",
            envelope(
                "poll.vote",
                json!({"vote": {"id": "false_5511900000002@c.us_A", "from": "5511900000002@c.us", "selectedOptions": []}}),
            ),
            "poll vote withdrawn",
        ),
        (
            "our own vote",
            envelope("poll.vote", json!({"vote": {"id": "x", "from": "me", "selectedOptions": ["a"]}})),
            "own message",
        ),
        ("an accepted call", envelope("call.accepted", json!({"from": "5511900000002@c.us"})), "call"),
        ("a label", envelope("label.chat.added", json!({})), "label"),
        ("a group change", envelope("group.v2.participants", json!({"group": {}})), "group change"),
        ("the old group event", envelope("group.join", json!(null)), "group change"),
        ("an archived chat", envelope("chat.archive", json!({"id": "1@c.us"})), "chat archive"),
        ("a state change", envelope("state.change", json!({})), "state change"),
        ("an engine event", envelope("engine.event", json!({"event": "x"})), "engine event"),
        ("an invitation's answer", envelope("event.response", json!({})), "event response"),
        (
            "an event of next year",
            envelope("message.translated", json!([1, 2])),
            "unknown event message.translated",
        ),
    ] {
        let found = ignored(&body);
        assert_eq!(found.reason, reason, "{case}");
        assert_eq!(found.account.as_deref(), Some("default"), "{case}");
    }
    let long = ignored(&envelope(&format!("a\n{}", "b".repeat(10_000)), json!({})));
    assert_eq!(long.reason, format!("unknown event a{}", "b".repeat(63)));
}

#[test]
fn a_group_that_is_answered_is_a_conversation_of_its_own() {
    let body = sample("message_group.json");
    match events(&body, true).unwrap().remove(0) {
        Event::Message(inbound) => {
            assert_eq!(inbound.contact.as_str(), "120363000000000002@g.us");
            assert_eq!(inbound.from_raw, "120363000000000002@g.us");
            assert_eq!(inbound.display_name.as_deref(), Some("Maria"));
            assert_eq!(inbound.aliases, []);
        }
        other => panic!("{other:?}"),
    }
    for name in ["status_broadcast.json", "newsletter_message.json"] {
        let event = events(&sample(name), true).unwrap().remove(0);
        assert!(matches!(event, Event::Ignored(_)), "{name}: {event:?}");
    }
}

#[test]
fn receipts() {
    let state = |payload: Value| match event(&envelope("message.ack", payload)) {
        Event::Receipt(receipt) => {
            Ok((receipt.state, receipt.message_id, receipt.contact.map(|key| key.to_string())))
        }
        Event::Ignored(ignored) => Err(ignored.reason),
        Event::Unread(unread) => Err(format!("kept: {}", unread.left.reason)),
        other => panic!("{other:?}"),
    };
    let id = "true_558591203123@c.us_A";
    let contact = Some("5585991203123".to_owned());
    for (ack, name, expected) in [
        (json!(-1), json!("ERROR"), DeliveryState::Failed),
        (json!(0), json!("PENDING"), DeliveryState::Queued),
        (json!(1), json!("SERVER"), DeliveryState::Sent),
        (json!(2), json!(null), DeliveryState::Delivered),
        (json!(3), json!("READ"), DeliveryState::Read),
        (json!(4), json!("PLAYED"), DeliveryState::Read),
        (json!("2"), json!(null), DeliveryState::Delivered),
        (json!(null), json!("READ"), DeliveryState::Read),
    ] {
        let found = state(
            json!({"id": id, "from": "558591203123@c.us", "fromMe": true, "ack": ack, "ackName": name}),
        );
        assert_eq!(found, Ok((expected, id.to_owned(), contact.clone())), "{ack} {name}");
    }
    for (payload, reason) in [
        (json!({"id": id, "ack": 9}), "kept: receipt of an unknown state"),
        (json!({"id": id, "ack": null, "ackName": "UNKNOWN"}), "receipt of an unknown state"),
        (json!({"id": "false_1@c.us_A", "fromMe": true, "ack": 3}), "receipt of a received message"),
        (json!({"id": "A", "fromMe": false, "ack": 3}), "receipt of a received message"),
        (json!({"id": "true_120363000000000002@g.us_A_5511900000002@c.us", "ack": 3}), "group receipt"),
        (json!({"id": "true_status@broadcast_A", "ack": 3}), "broadcast receipt"),
    ] {
        assert_eq!(state(payload.clone()), Err(reason.to_owned()), "{payload}");
    }
    // An id of two parts: the peer is in `from`, or in `to` where `from` is us.
    for payload in [
        json!({"id": "true_3EB0", "from": "5585991203123@c.us", "ack": 2}),
        json!({"id": "3EB0", "fromMe": true, "from": "5511900000001@c.us", "to": "5585991203123@c.us", "ack": 2}),
    ] {
        assert_eq!(state(payload).unwrap().2, contact);
    }
}

#[test]
fn sessions_and_times() {
    match event(&sample("session_status_working.json")) {
        Event::Session(change) => {
            assert_eq!(change.status.word(), "WORKING");
            assert_eq!(change.number.unwrap().as_str(), "5511900000001");
        }
        other => panic!("{other:?}"),
    }
    match event(&sample("session_status_scan_qr.json")) {
        Event::Session(change) => assert_eq!((change.status.word(), change.number), ("SCAN_QR_CODE", None)),
        other => panic!("{other:?}"),
    }
    let sent_at = |changes: Value| message(&with(changes)).sent_at.as_ms();
    assert_eq!(sent_at(json!({"body": "x", "timestamp": 1_667_561_485_123_i64})), 1_667_561_485_123);
    assert_eq!(sent_at(json!({"body": "x", "timestamp": "2025-03-06T08:28:21Z"})), 1_741_249_701_000);
    for unreadable in [json!("soon"), json!(null), json!({"a": 1}), json!(-5), json!(1e30)] {
        let raw = json!({"body": "x", "timestamp": unreadable, "_data": {"messageTimestamp": {"low": 1_741_250_500, "high": 0}}});
        assert_eq!(sent_at(raw), 1_741_250_500_000, "the engine's time where WAHA's is {unreadable}");
        let none = json!({"body": "x", "timestamp": unreadable});
        assert_eq!(sent_at(none), 1_741_249_703_485, "the event's time where there is no other");
    }
    let mut body = with(json!({"body": "x", "timestamp": null}));
    body["timestamp"] = json!(null);
    assert_eq!(message(&body).sent_at, Timestamp::ZERO);
}

/// What is no event of WAHA's is an error; what is one and cannot be read is kept.
#[test]
fn wrong_shapes_are_told_with_their_place() {
    let payload = |changes: Value| with(changes);
    for (body, error) in [
        (json!([]), "expected an object at line 1 column 1"),
        (json!("message"), "expected an object at line 1 column 1"),
        (json!({}), "expected text, found nothing at session"),
        (json!({"session": "default"}), "expected text, found nothing at event"),
        (json!({"session": "", "event": "message"}), "expected text, found none at session"),
        (json!({"session": 7, "event": "message"}), "expected text, found a number at session"),
        (json!({"session": "default", "event": ["message"]}), "expected text, found a list at event"),
    ] {
        assert_eq!(events(&body, false), Err(error.to_owned()), "{body}");
    }
    for (body, error) in [
        (envelope("message", json!(null)), "expected an object, found nothing at payload"),
        (envelope("message", json!([])), "expected an object, found a list at payload"),
        (envelope("message.ack", json!("x")), "expected an object, found text at payload"),
        (
            envelope("message", json!({"from": "5511900000002@c.us"})),
            "expected text, found nothing at payload.id",
        ),
        (payload(json!({"id": ""})), "expected text, found none at payload.id"),
        (payload(json!({"id": 7})), "expected text, found a number at payload.id"),
        (payload(json!({"id": "A", "from": null})), "expected text, found nothing at payload.from"),
        (payload(json!({"id": "A", "from": ""})), "expected text, found none at payload.from"),
        (payload(json!({"from": {"user": "1"}})), "expected text, found an object at payload.from"),
        (payload(json!({"body": {"text": "x"}})), "expected text, found an object at payload.body"),
        (payload(json!({"body": 7})), "expected text, found a number at payload.body"),
        (envelope("message.ack", json!({"ack": 3})), "expected text, found nothing at payload.id"),
        (envelope("poll.vote", json!({"vote": null})), "expected an object, found nothing at payload.vote"),
        (
            envelope("session.status", json!({"status": null})),
            "expected text, found nothing at payload.status",
        ),
        (envelope("session.status", json!({"status": 3})), "expected text, found a number at payload.status"),
    ] {
        assert_eq!(ignored(&body).reason, format!("kept: unreadable item: {error}"), "{body}");
    }
    // What is missing can be known from elsewhere.
    assert_eq!(message(&payload(json!({"from": null, "body": "x"}))).from_raw, "5511900000002@c.us");
    let inner =
        json!({"id": null, "body": "x", "_data": {"id": {"_serialized": "false_5511900000002@c.us_B"}}});
    assert_eq!(message(&payload(inner)).id, "false_5511900000002@c.us_B");
}

#[test]
fn a_mark_before_a_body_and_a_name_that_stands_twice_cost_no_message() {
    let body = with(json!({"body": "hello"})).to_string();
    let twice = body.replacen('{', r#"{"session":"other","timestamp":1,"#, 1);
    for body in [format!("\u{FEFF}{body}"), twice] {
        let adapter = adapter(Provider::Waha);
        let claimed = adapter.claimed(body.as_bytes()).unwrap().accounts;
        match adapter.decode(body.as_bytes(), false).unwrap().as_slice() {
            [Event::Message(inbound)] => {
                assert_eq!(inbound.content, Content::Text { text: "hello".into() });
                assert!(inbound.account == "default" && claimed.contains(&inbound.account), "{claimed:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn half_an_emoji_costs_no_message() {
    let body = with(json!({"body": "cut HERE"})).to_string().replace("HERE", r"\ud83d");
    let events = adapter(Provider::Waha).decode(body.as_bytes(), false).unwrap();
    match &events[0] {
        Event::Message(inbound) => assert_eq!(inbound.content, Content::Text { text: "cut \u{FFFD}".into() }),
        other => panic!("{other:?}"),
    }
}
