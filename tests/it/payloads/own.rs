//! What our own number said is told apart from what contacts say, by any evidence there is, and is
//! kept with the one it was said to.

use serde_json::{Value, json};
use switchboard::event::{Event, Own};
use switchboard::message::Content;

use super::{envelope, event, sample, with};

fn own(body: &Value) -> Own {
    match event(body) {
        Event::Own(own) => *own,
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_evidence_makes_it_ours() {
    for (case, changes) in [
        ("by id alone", json!({"id": "true_5511900000002@c.us_A", "fromMe": null})),
        ("by flag in text", json!({"fromMe": "true"})),
        ("by raw key", json!({"fromMe": null, "_data": {"key": {"fromMe": true}}})),
        ("by raw info", json!({"fromMe": null, "_data": {"Info": {"IsFromMe": true}}})),
        ("by number", json!({"fromMe": null, "from": "5511900000001:4@c.us"})),
        ("by hidden id", json!({"fromMe": null, "from": "144444444444444@lid"})),
    ] {
        assert_eq!(own(&with(changes)).account, "default", "{case}");
    }
}

/// Whom it was said to, the address, and whether there is something to keep.
#[test]
fn it_belongs_to_whom_it_was_said_to() {
    let lid = json!({"id": "true_245@lid_A", "fromMe": true, "from": "245@lid", "to": null});
    let with_phone = |raw: Value| {
        let mut payload = lid.clone();
        payload["_data"] = raw;
        payload
    };
    for (case, payload, contact, to, kept) in [
        (
            "the peer is in `to`",
            json!({"id": "true_5511900000002@c.us_A", "fromMe": true, "from": "5511900000001@c.us", "to": "5511900000002@c.us"}),
            Some("5511900000002"),
            Some("5511900000002@c.us"),
            true,
        ),
        (
            "the peer is in `from`",
            json!({"id": "true_5511900000002@c.us_A", "fromMe": true, "from": "5511900000002@c.us", "to": null}),
            Some("5511900000002"),
            Some("5511900000002@c.us"),
            true,
        ),
        (
            "an id of two parts",
            json!({"id": "true_3EB0", "fromMe": true, "from": "5511900000002@c.us"}),
            Some("5511900000002"),
            Some("5511900000002@c.us"),
            true,
        ),
        ("a hidden id", lid.clone(), Some("245@lid"), Some("245@lid"), true),
        (
            "a hidden id with its phone",
            with_phone(json!({"key": {"remoteJidAlt": "5511900000002@s.whatsapp.net"}})),
            Some("5511900000002"),
            Some("245@lid"),
            true,
        ),
        (
            "the same on another engine",
            with_phone(
                json!({"Info": {"RecipientAlt": "5511900000002:7@s.whatsapp.net", "SenderAlt": "5511900000001@s.whatsapp.net"}}),
            ),
            Some("5511900000002"),
            Some("245@lid"),
            true,
        ),
        (
            "a group",
            json!({"id": "true_120363000000000002@g.us_A_5511900000001@c.us", "fromMe": true,
                "from": "120363000000000002@g.us", "to": "5511900000003@c.us"}),
            None,
            Some("5511900000003@c.us"),
            false,
        ),
        (
            "a story",
            json!({"id": "true_status@broadcast_A", "fromMe": true, "from": "5511900000001@c.us", "to": "status@broadcast"}),
            None,
            Some("status@broadcast"),
            false,
        ),
    ] {
        let mut payload = payload;
        payload["body"] = json!("we close at six");
        let own = own(&envelope("message.any", payload));
        assert_eq!(own.contact.as_ref().map(|key| key.as_str()), contact, "{case}");
        assert_eq!(own.to_raw.as_deref(), to, "{case}");
        let text = own.content.as_ref().and_then(Content::text);
        assert_eq!(text, kept.then_some("we close at six"), "{case}");
    }
}

#[test]
fn what_is_no_line_has_nothing_to_keep() {
    for body in [json!({"reaction": {"text": "👍"}}), json!({"body": 7})] {
        let mut changes = body.clone();
        changes["fromMe"] = json!(true);
        assert_eq!(own(&with(changes)).content, None, "{body}");
    }
    let typed = own(&sample("message_any_own_webjs.json"));
    assert_eq!(typed.content, Some(Content::Text { text: "typed on the phone".into() }));
    assert_eq!(typed.id, "true_5511900000002@c.us_3EB0BBBBBBBBBBBBBB02");
}
