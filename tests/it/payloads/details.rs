//! What the explained form does not show (aliases, names, quotes), and shapes of messages that the
//! contract allows but no sample has.

use serde_json::{Value, json};
use switchboard::message::{Choice, Content, Location, Media, MediaKind, Order, OrderItem};

use super::{message, sample, with};

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
            "image/jpeg",
            json!({"Message": {"associatedChildMessage": {"message": {"imageMessage": {}}}}}),
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
            json!({"body": "/9j/4AAQ", "_data": {"message": {"orderMessage": {"orderId": "7", "message": "today?",
                "totalAmount1000": {"low": 45_900, "high": 0}, "totalCurrencyCode": "BRL"}}}}),
            Content::Order(Order {
                catalog_id: String::new(),
                text: Some("today?".into()),
                items: vec![OrderItem {
                    product_id: "7".into(),
                    quantity: 1,
                    price: "45.9".into(),
                    currency: "BRL".into(),
                }],
            }),
        ),
        (
            json!({"_data": {"message": {"pollCreationMessage": {"name": "x".repeat(5000)}}}}),
            unknown("pollCreationMessage", "{}"),
        ),
        (json!({"_data": {"type": "product", "title": "Flat"}}), unknown("product", r#"{"title":"Flat"}"#)),
        (
            json!({"body": "Where?", "_data": {"type": "poll_creation", "pollName": "Where?"}}),
            unknown("poll_creation", r#"{"pollName":"Where?"}"#),
        ),
        (
            json!({"body": "/9j/4AAQ", "_data": {"type": "image", "body": "/9j/4AAQ", "caption": "the view"}}),
            Content::Media(Media {
                kind: MediaKind::Image,
                handle: String::new(),
                mime_type: None,
                filename: None,
                caption: Some("the view".into()),
                size: None,
            }),
        ),
        (json!({"body": "/9j/4AAQ", "_data": {"type": "product"}}), unknown("product", "{}")),
    ] {
        assert_eq!(message(&with(changes.clone())).content, expected, "{changes}");
    }
    let card = "BEGIN:VCARD\nFN:Jane Doe\nTEL:+91 11111 11111\nEND:VCARD";
    for changes in [
        json!({"vCards": [card], "body": card}),
        json!({"vCards": card}),
        json!({"vCards": [], "body": card, "_data": {"type": "vcard"}}),
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
