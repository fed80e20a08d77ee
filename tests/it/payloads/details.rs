//! What the explained form does not show (aliases, names, quotes), and shapes that the contract
//! allows but no sample has.

use serde_json::{Value, json};
use switchboard::channel::adapter;
use switchboard::message::{
    Choice, Content, DeliveryState, Event, Ignored, Inbound, Location, MediaKind, Provider, Timestamp,
};

use super::cases;

fn events(body: &Value, groups: bool) -> Result<Vec<Event>, String> {
    let adapter = adapter(Provider::Waha).unwrap();
    adapter.decode(body.to_string().as_bytes(), groups).map_err(|error| error.to_string())
}

fn event(body: &Value) -> Event {
    events(body, false).unwrap().remove(0)
}

fn message(body: &Value) -> Inbound {
    match event(body) {
        Event::Message(inbound) => *inbound,
        other => panic!("{other:?} from {body}"),
    }
}

fn ignored(body: &Value) -> Ignored {
    match event(body) {
        Event::Ignored(ignored) => ignored,
        other => panic!("{other:?} from {body}"),
    }
}

fn envelope(event: &str, payload: Value) -> Value {
    json!({
        "event": event, "session": "default", "timestamp": 1_741_249_703_485_i64,
        "me": {"id": "5511900000001@c.us", "lid": "144444444444444@lid"}, "payload": payload,
    })
}

/// A text message with some fields replaced.
fn with(changes: Value) -> Value {
    let mut payload = json!({
        "id": "false_5511900000002@c.us_A", "timestamp": 1_667_561_485, "from": "5511900000002@c.us",
        "fromMe": false, "body": "", "hasMedia": false,
    });
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    envelope("message", payload)
}

fn sample(name: &str) -> Value {
    let case = cases("waha").into_iter().find(|case| case.name == name).unwrap();
    serde_json::from_slice(&case.body).unwrap()
}

#[test]
fn people_are_known_by_phone_with_their_hidden_id_as_alias() {
    let keys = |body: &Value| {
        let inbound = message(body);
        let aliases: Vec<String> = inbound.aliases.iter().map(|key| key.as_str().to_owned()).collect();
        (inbound.contact.as_str().to_owned(), aliases, inbound.from_raw)
    };
    let lid = "72300000000853@lid";
    let phone = "5511900000002";
    for (case, body, contact, aliases) in [
        ("NOWEB", sample("message_lid_noweb_with_alt.json"), phone, vec![lid]),
        ("GOWS, by phone", sample("message_text_gows.json"), phone, vec!["199999999999999@lid"]),
        ("WEBJS knows no phone", sample("message_lid_webjs_no_phone.json"), "245800000000182@lid", vec![]),
        (
            "GOWS, by hidden id",
            with(
                json!({"from": lid, "body": "x", "_data": {"Info": {"Chat": lid, "Sender": "72300000000853:3@lid", "SenderAlt": "5511900000002:3@s.whatsapp.net"}}}),
            ),
            phone,
            vec![lid],
        ),
        (
            "older NOWEB",
            with(
                json!({"from": lid, "body": "x", "_data": {"key": {"senderPn": "5511900000002@s.whatsapp.net"}}}),
            ),
            phone,
            vec![lid],
        ),
        (
            "another phone is not the same person",
            with(json!({"body": "x", "_data": {"key": {"remoteJidAlt": "5511900000003@s.whatsapp.net"}}})),
            phone,
            vec![],
        ),
        (
            "our own hidden id is not theirs",
            with(json!({"body": "x", "_data": {"Info": {"SenderAlt": "144444444444444@lid"}}})),
            phone,
            vec![],
        ),
        (
            "nonsense is no alias",
            with(
                json!({"from": lid, "body": "x", "_data": {"key": {"remoteJidAlt": "", "participantAlt": 7, "senderPn": "Maria"}}}),
            ),
            lid,
            vec![],
        ),
        ("raw data of another shape", with(json!({"body": "x", "_data": "none"})), phone, vec![]),
    ] {
        let from = body["payload"]["from"].as_str().unwrap().to_owned();
        let aliases = aliases.into_iter().map(str::to_owned).collect();
        assert_eq!(keys(&body), (contact.to_owned(), aliases, from), "{case}");
    }
}

#[test]
fn names_and_quotes() {
    for (body, name) in [
        (sample("message_text_webjs.json"), Some("Maria")),
        (sample("message_text_noweb.json"), Some("Maria")),
        (sample("message_text_gows.json"), Some("Maria")),
        (sample("message_lid_webjs_no_phone.json"), None),
        (with(json!({"body": "x", "_data": {"notifyName": " ~ ", "pushName": "مریم"}})), Some("مریم")),
        (with(json!({"body": "x", "_data": {"notifyName": null}})), None),
    ] {
        assert_eq!(message(&body).display_name.as_deref(), name);
    }
    for (body, quoted) in [
        (sample("message_reply.json"), Some("AAAAAAAAAAAAAAAAAAA")),
        (sample("message_text_gows.json"), None),
        (
            with(json!({"body": "x", "replyTo": {"id": "true_5511900000002@c.us_Q"}})),
            Some("true_5511900000002@c.us_Q"),
        ),
        (
            with(json!({"body": "x", "replyTo": {"id": {"_serialized": "true_1@c.us_Q"}}})),
            Some("true_1@c.us_Q"),
        ),
        (with(json!({"body": "x", "replyTo": {"id": ""}})), None),
        (with(json!({"body": "x", "replyTo": "Q"})), None),
        (with(json!({"body": "x", "_data": {"quotedStanzaID": "Q"}})), Some("Q")),
    ] {
        assert_eq!(message(&body).quoted.as_deref(), quoted);
    }
}

#[test]
fn answers_to_buttons_and_lists_are_choices_on_every_engine() {
    let choice = |id: &str, title: &str| Content::Choice(Choice { id: id.into(), title: title.into() });
    for (body, raw, expected) in [
        (
            "Marina",
            json!({"message": {"listResponseMessage": {"title": "Marina", "listType": 1, "singleSelectReply": {"selectedRowId": "area-1"}}}}),
            choice("area-1", "Marina"),
        ),
        (
            "Marina\nby the sea",
            json!({"Message": {"listResponseMessage": {"title": "Marina", "singleSelectReply": {"selectedRowID": "area-1"}}, "messageContextInfo": {}}}),
            choice("area-1", "Marina"),
        ),
        (
            "Marina",
            json!({"type": "list_response", "listResponse": {"title": "Marina", "singleSelectReply": {"selectedRowId": "area-1"}}}),
            choice("area-1", "Marina"),
        ),
        (
            "Buy",
            json!({"message": {"buttonsResponseMessage": {"selectedButtonId": "buy", "selectedDisplayText": "Buy", "type": 1}}}),
            choice("buy", "Buy"),
        ),
        (
            "",
            json!({"Message": {"buttonsResponseMessage": {"selectedButtonID": "buy", "Response": {"SelectedDisplayText": "Buy"}}}}),
            choice("buy", "Buy"),
        ),
        ("Buy", json!({"type": "buttons_response", "selectedButtonId": "buy"}), choice("buy", "Buy")),
        (
            "Yes",
            json!({"message": {"templateButtonReplyMessage": {"selectedId": "yes", "selectedDisplayText": "Yes", "selectedIndex": 0}}}),
            choice("yes", "Yes"),
        ),
        (
            "",
            json!({"message": {"interactiveResponseMessage": {"body": {"text": "Rent"}, "nativeFlowResponseMessage": {"name": "quick_reply", "paramsJson": "{\"id\":\"rent\"}"}}}}),
            choice("rent", "Rent"),
        ),
        (
            "",
            json!({"Message": {"interactiveResponseMessage": {"InteractiveResponseMessage": {"NativeFlowResponseMessage": {"paramsJSON": "{\"id\":\"rent\"}"}}}}}),
            choice("rent", "rent"),
        ),
        (
            "Marina",
            json!({"message": {"ephemeralMessage": {"message": {"listResponseMessage": {"singleSelectReply": {"selectedRowId": "area-1"}}}}}}),
            choice("area-1", "Marina"),
        ),
        // An answer without an id is what it says.
        (
            "Buy",
            json!({"message": {"buttonsResponseMessage": {"selectedButtonId": ""}}}),
            Content::Text { text: "Buy".into() },
        ),
    ] {
        assert_eq!(message(&with(json!({"body": body, "_data": raw}))).content, expected, "{raw}");
    }
}

#[test]
fn kinds_of_media() {
    let media = |changes: Value| match message(&with(changes)).content {
        Content::Media(media) => media,
        other => panic!("{other:?}"),
    };
    let file = |mime_type: &str| json!({"url": "http://localhost:3000/f", "mimetype": mime_type, "filename": null, "error": null});
    for (mime_type, raw, kind) in [
        ("image/jpeg", json!({}), MediaKind::Image),
        ("IMAGE/PNG", json!({}), MediaKind::Image),
        ("image/webp", json!({}), MediaKind::Sticker),
        ("image/webp", json!({"type": "image"}), MediaKind::Image),
        ("video/mp4", json!({}), MediaKind::Video),
        ("audio/ogg; codecs=opus", json!({}), MediaKind::Voice),
        ("audio/ogg; codecs=opus", json!({"type": "audio"}), MediaKind::Audio),
        ("audio/mpeg", json!({}), MediaKind::Audio),
        ("audio/mp4", json!({"type": "ptt"}), MediaKind::Voice),
        ("audio/mp4", json!({"message": {"audioMessage": {"ptt": true}}}), MediaKind::Voice),
        ("audio/mp4", json!({"Message": {"audioMessage": {"PTT": true}}}), MediaKind::Voice),
        ("audio/ogg", json!({"Message": {"audioMessage": {}}}), MediaKind::Audio),
        ("audio/ogg", json!({"Info": {"MediaType": "ptt"}}), MediaKind::Voice),
        ("application/pdf", json!({}), MediaKind::Document),
        ("image/jpeg", json!({"type": "document"}), MediaKind::Document),
        (
            "image/jpeg",
            json!({"message": {"viewOnceMessageV2": {"message": {"imageMessage": {}}}}}),
            MediaKind::Image,
        ),
        (
            "application/pdf",
            json!({"message": {"documentWithCaptionMessage": {"message": {"documentMessage": {}}}}}),
            MediaKind::Document,
        ),
        ("", json!({}), MediaKind::Document),
    ] {
        let found = media(json!({"hasMedia": true, "media": file(mime_type), "_data": raw}));
        assert_eq!(found.kind, kind, "{mime_type} {raw}");
    }
    let found = media(json!({"hasMedia": true, "media": null, "_data": {
        "message": {"documentMessage": {"fileName": "Plan.pdf", "mimetype": "application/pdf", "fileLength": {"low": 4096, "high": 0}, "caption": "the plan"}},
    }}));
    assert_eq!(found.filename.as_deref(), Some("Plan.pdf"));
    assert_eq!(found.mime_type.as_deref(), Some("application/pdf"));
    assert_eq!(found.caption.as_deref(), Some("the plan"));
    assert_eq!((found.size, found.handle.as_str()), (Some(4096), ""));
    let failed = json!({"hasMedia": true, "media": {"url": "http://localhost:3000/f", "mimetype": "image/jpeg", "error": {"message": "gone"}}});
    assert_eq!(media(failed).handle, "", "a file that could not be fetched is not handed on");
    let sized = media(
        json!({"hasMedia": true, "media": file("image/jpeg"), "_data": {"type": "image", "size": "1234"}}),
    );
    assert_eq!(sized.size, Some(1234));
    let old = json!({"hasMedia": true, "mediaUrl": "http://localhost:3000/old"});
    assert_eq!(media(old).handle, "http://localhost:3000/old");
}

#[test]
fn places_cards_and_the_unknown() {
    let here = |name: Option<&str>| {
        Content::Location(Location {
            latitude: 25.1,
            longitude: 55.2,
            name: name.map(String::from),
            address: None,
        })
    };
    let unknown = |kind: &str, data: &str| Content::Unknown { kind: kind.into(), data: data.into() };
    for (changes, expected) in [
        (json!({"location": {"latitude": "25.1", "longitude": "55.2", "name": "Home"}}), here(Some("Home"))),
        (
            json!({"location": {"latitude": 25.1, "longitude": 55.2, "description": "Office\nStreet 1"}}),
            here(Some("Office")),
        ),
        (
            json!({"_data": {"Message": {"liveLocationMessage": {"degreesLatitude": 25.1, "degreesLongitude": 55.2}}}}),
            here(None),
        ),
        (json!({"_data": {"type": "location", "lat": 25.1, "lng": 55.2}}), here(None)),
        (
            json!({"location": {"latitude": "north", "longitude": "55"}, "body": "here"}),
            Content::Text { text: "here".into() },
        ),
        (
            json!({"location": {"latitude": "91", "longitude": "55"}, "body": "here"}),
            Content::Text { text: "here".into() },
        ),
        (
            json!({"body": null, "_data": {"message": {"conversation": "from below"}}}),
            Content::Text { text: "from below".into() },
        ),
        (
            json!({"_data": {"message": {"orderMessage": {"orderId": "7"}}}}),
            unknown("orderMessage", "{\"orderId\":\"7\"}"),
        ),
        (
            json!({"_data": {"message": {"pollCreationMessage": {"name": "x".repeat(5000)}}}}),
            unknown("pollCreationMessage", "{}"),
        ),
        (json!({"_data": {"type": "product"}}), unknown("product", "{}")),
        (
            json!({"body": null, "hasMedia": null, "media": null, "vCards": null, "location": null, "_data": null}),
            unknown("empty", "{}"),
        ),
    ] {
        assert_eq!(message(&with(changes.clone())).content, expected, "{changes}");
    }
    let card = "BEGIN:VCARD\nFN:Jane Doe\nTEL:+91 11111 11111\nEND:VCARD";
    for changes in [
        json!({"vCards": [card], "body": card}),
        json!({"vCards": card}),
        json!({"vCards": [], "_data": {"message": {"contactMessage": {"vcard": card}}}}),
        json!({"_data": {"Message": {"contactsArrayMessage": {"contacts": [{"vcard": card}]}}}}),
    ] {
        match message(&with(changes.clone())).content {
            Content::Contacts { contacts } => {
                assert_eq!(contacts[0].phones, ["+91 11111 11111"], "{changes}")
            }
            other => panic!("{other:?} from {changes}"),
        }
    }
}

#[test]
fn what_is_not_from_one_person_to_us_is_ignored() {
    for (case, body, reason) in [
        ("own by id alone", with(json!({"id": "true_5511900000002@c.us_A", "fromMe": null})), "own message"),
        ("own by flag in text", with(json!({"fromMe": "true"})), "own message"),
        ("own by raw key", with(json!({"fromMe": null, "_data": {"key": {"fromMe": true}}})), "own message"),
        (
            "own by raw info",
            with(json!({"fromMe": null, "_data": {"Info": {"IsFromMe": true}}})),
            "own message",
        ),
        ("own by number", with(json!({"fromMe": null, "from": "5511900000001:4@c.us"})), "own message"),
        ("own by hidden id", with(json!({"fromMe": null, "from": "144444444444444@lid"})), "own message"),
        ("a group by its id", with(json!({"id": "false_120363000000000002@g.us_A"})), "group"),
        ("a group by `to`", with(json!({"to": "120363000000000002@g.us"})), "group"),
        ("a story by `to`", with(json!({"to": "status@broadcast"})), "status broadcast"),
        ("a list", with(json!({"from": "1612345678@broadcast"})), "broadcast list"),
        ("a channel by its id", with(json!({"id": "false_12036340@newsletter_A"})), "newsletter"),
        ("WhatsApp itself", with(json!({"from": "0@c.us", "body": "tips"})), "unreadable sender address"),
        ("a bot", with(json!({"from": "867051314767696@bot", "body": "x"})), "unreadable sender address"),
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
        (json!({"id": id, "ack": 9}), "receipt of an unknown state"),
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
            assert_eq!(change.status, "WORKING");
            assert_eq!(change.number.unwrap().as_str(), "5511900000001");
        }
        other => panic!("{other:?}"),
    }
    match event(&sample("session_status_scan_qr.json")) {
        Event::Session(change) => assert_eq!((change.status.as_str(), change.number), ("SCAN_QR_CODE", None)),
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

#[test]
fn wrong_shapes_are_refused_with_their_place() {
    let payload = |changes: Value| with(changes);
    for (body, error) in [
        (json!([]), "expected an object at line 1 column 1"),
        (json!("message"), "expected an object at line 1 column 1"),
        (json!({}), "expected text, found nothing at session"),
        (json!({"session": "default"}), "expected text, found nothing at event"),
        (json!({"session": "", "event": "message"}), "expected text, found none at session"),
        (json!({"session": 7, "event": "message"}), "expected text, found a number at session"),
        (json!({"session": "default", "event": ["message"]}), "expected text, found a list at event"),
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
        assert_eq!(events(&body, false), Err(error.to_owned()), "{body}");
    }
    // What is missing can be known from elsewhere.
    assert_eq!(message(&payload(json!({"from": null, "body": "x"}))).from_raw, "5511900000002@c.us");
    let inner =
        json!({"id": null, "body": "x", "_data": {"id": {"_serialized": "false_5511900000002@c.us_B"}}});
    assert_eq!(message(&payload(inner)).id, "false_5511900000002@c.us_B");
}

#[test]
fn half_an_emoji_costs_no_message() {
    let body = with(json!({"body": "cut HERE"})).to_string().replace("HERE", r"\ud83d");
    let events = adapter(Provider::Waha).unwrap().decode(body.as_bytes(), false).unwrap();
    match &events[0] {
        Event::Message(inbound) => assert_eq!(inbound.content, Content::Text { text: "cut \u{FFFD}".into() }),
        other => panic!("{other:?}"),
    }
}
