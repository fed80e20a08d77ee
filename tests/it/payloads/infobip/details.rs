//! What the explained form does not show of a message (aliases, names, quotes, advertisements), and
//! every type that the contract has.

use serde_json::{Value, json};
use switchboard::message::{
    Choice, ContactCard, Content, Location, Media, MediaKind, Order, OrderItem, Referral,
};

use super::{ignored, item, message};

fn content(said: Value) -> Content {
    message(item(&json!({ "message": {} }), &said)).content
}

#[test]
fn people_are_known_by_phone_with_their_scoped_id_as_alias() {
    for (case, changes, contact, aliases, from_raw) in [
        ("a phone", json!({}), "385919998888", vec![], "385919998888"),
        ("a plus", json!({"from": "+385 91 999-8888"}), "385919998888", vec![], "+385 91 999-8888"),
        ("a number", json!({"from": 385_919_998_888_i64}), "385919998888", vec![], "385919998888"),
        ("an old mobile", json!({"from": "558591203123"}), "5585991203123", vec![], "558591203123"),
        (
            "a phone and an id",
            json!({"contact": {"name": "F", "userId": "HR.1234", "phoneNumber": "385919998888"}}),
            "385919998888",
            vec!["HR.1234"],
            "385919998888",
        ),
        (
            "an id with its phone elsewhere",
            json!({"from": "HR.1234", "contact": {"phoneNumber": "385919998888"}}),
            "385919998888",
            vec!["HR.1234"],
            "HR.1234",
        ),
        ("an id alone", json!({"from": "HR.1234", "contact": null}), "HR.1234", vec![], "HR.1234"),
        (
            "no from at all",
            json!({"from": null, "contact": {"userId": "HR.1234", "username": "frank"}}),
            "HR.1234",
            vec![],
            "HR.1234",
        ),
        (
            "another phone is another person",
            json!({"contact": {"phoneNumber": "385919990000"}}),
            "385919998888",
            vec![],
            "385919998888",
        ),
        (
            "an unreadable from with a phone beside it",
            json!({"from": "Frank", "contact": {"phoneNumber": "385919998888"}}),
            "385919998888",
            vec![],
            "Frank",
        ),
    ] {
        let inbound = message(item(&changes, &json!({})));
        let found: Vec<&str> = inbound.aliases.iter().map(|key| key.as_str()).collect();
        assert_eq!((inbound.contact.as_str(), found), (contact, aliases), "{case}");
        assert_eq!(inbound.from_raw, from_raw, "{case}");
    }
}

#[test]
fn the_account_is_the_number_as_it_was_written() {
    for (to, account) in
        [(json!("+41 79 302 67 31"), "+41 79 302 67 31"), (json!(41_793_026_731_i64), "41793026731")]
    {
        assert_eq!(message(item(&json!({ "to": to }), &json!({}))).account, account);
    }
}

#[test]
fn names_times_and_quotes() {
    for (contact, name) in [
        (json!({"name": "Frank"}), Some("Frank")),
        (json!({"name": " مریم "}), Some("مریم")),
        (json!({"name": ".", "username": "frank_1"}), Some("frank_1")),
        (json!({"name": null}), None),
        (json!({"name": 7}), None),
        (json!({"profile": {"name": "Frank"}}), Some("Frank")),
        (json!("Frank"), None),
        (json!(null), None),
    ] {
        let inbound = message(item(&json!({ "contact": contact }), &json!({})));
        assert_eq!(inbound.display_name.as_deref(), name, "{contact}");
    }
    for (at, ms) in [
        (json!("2025-01-01T10:10:00.000+0000"), 1_735_726_200_000),
        (json!("2025-01-01T07:10:00.000-0300"), 1_735_726_200_000),
        (json!("2025-01-01T10:10:00Z"), 1_735_726_200_000),
        (json!(1_735_726_200), 1_735_726_200_000),
        (json!("1735726200000"), 1_735_726_200_000),
        (json!("yesterday"), 0),
        (json!(null), 0),
        (json!({}), 0),
    ] {
        assert_eq!(message(item(&json!({ "receivedAt": at }), &json!({}))).sent_at.as_ms(), ms, "{at}");
    }
    for (context, quoted) in [
        (json!({"from": "41793026731", "id": "64a47cb5"}), Some("64a47cb5")),
        (json!({"from": "41793026731", "id": ""}), None),
        (json!({"id": null, "groupId": null, "referredProduct": null}), None),
        (json!({}), None),
        (json!(null), None),
        (json!("64a47cb5"), None),
    ] {
        let inbound = message(item(&json!({}), &json!({ "context": context })));
        assert_eq!(inbound.quoted.as_deref(), quoted, "{context}");
    }
}

#[test]
fn advertisements_are_kept() {
    let referral = |value: Value| message(item(&json!({}), &json!({ "referral": value }))).referral;
    let sample = json!({
        "sourceType": "AD", "sourceId": "6570618339781", "sourceUrl": "https://fb.me/3tkSI06bP",
        "headline": "Chat with us", "body": "ad body", "ctwaClickId": "ARAHuTtGzmFlOO",
        "referralMedia": {"type": "IMAGE", "url": "https://example.com/ad.jpg"},
    });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        referral(sample),
        Some(Referral {
            kind: "ad".into(),
            source_id: text("6570618339781"),
            url: text("https://fb.me/3tkSI06bP"),
            headline: text("Chat with us"),
            body: text("ad body"),
            click_id: text("ARAHuTtGzmFlOO"),
        })
    );
    let by_number = referral(json!({"sourceType": "POST", "sourceId": 657_061_i64})).unwrap();
    assert_eq!((by_number.kind.as_str(), by_number.source_id.as_deref()), ("post", Some("657061")));
    for nothing in [json!(null), json!({}), json!({"sourceType": null, "body": ""}), json!("AD"), json!([])] {
        assert_eq!(referral(nothing.clone()), None, "{nothing}");
    }
}

#[test]
fn every_type_is_read() {
    let choice = |id: &str, title: &str| Content::Choice(Choice { id: id.into(), title: title.into() });
    let media = |kind, handle: &str, caption: Option<&str>| {
        Content::Media(Media {
            kind,
            handle: handle.into(),
            mime_type: None,
            filename: None,
            caption: caption.map(str::to_owned),
            size: None,
        })
    };
    let text = |text: &str| Content::Text { text: text.into() };
    let place = |name: Option<&str>| {
        Content::Location(Location {
            latitude: 40.5,
            longitude: -73.25,
            name: name.map(str::to_owned),
            address: None,
        })
    };
    let url = "https://xxxxx.api.infobip.com/whatsapp/1/senders/41793026731/media/2b5";
    for (said, expected) in [
        (json!({"type": "TEXT", "text": "سلام"}), text("سلام")),
        (json!({"type": "text", "text": "hi"}), text("hi")),
        (json!({"type": "TEXT", "text": null}), text("")),
        (json!({"text": "without a type"}), text("without a type")),
        (json!({"type": "IMAGE", "url": url, "caption": "Sea"}), media(MediaKind::Image, url, Some("Sea"))),
        (json!({"type": "IMAGE", "url": url, "caption": ""}), media(MediaKind::Image, url, None)),
        (json!({"type": "VIDEO", "url": url, "caption": null}), media(MediaKind::Video, url, None)),
        (json!({"type": "AUDIO", "url": url}), media(MediaKind::Audio, url, None)),
        (json!({"type": "VOICE", "url": url}), media(MediaKind::Voice, url, None)),
        (json!({"type": "DOCUMENT", "url": url}), media(MediaKind::Document, url, None)),
        (json!({"type": "STICKER", "url": null}), media(MediaKind::Sticker, "", None)),
        (
            json!({"type": "LOCATION", "latitude": 40.5, "longitude": -73.25, "name": "Pier"}),
            place(Some("Pier")),
        ),
        (json!({"type": "LOCATION", "latitude": "40.5", "longitude": "-73.25", "name": ""}), place(None)),
        (json!({"type": "BUTTON", "text": "Yes", "payload": "yes-payload"}), choice("yes-payload", "Yes")),
        (json!({"type": "BUTTON", "text": "Yes", "payload": null}), choice("Yes", "Yes")),
        (json!({"type": "INTERACTIVE_BUTTON_REPLY", "id": "buy", "title": "Buy"}), choice("buy", "Buy")),
        (json!({"type": "INTERACTIVE_BUTTON_REPLY", "id": 7, "title": null}), choice("7", "7")),
        (
            json!({"type": "INTERACTIVE_LIST_REPLY", "id": "a", "title": "Marina", "description": "sea"}),
            choice("a", "Marina"),
        ),
        (
            json!({"type": "ORDER", "catalogId": 354_160, "text": "", "productItems": [
                {"productRetailerId": "A", "quantity": "3", "itemPrice": "30.50", "currency": "EUR"},
                {"productRetailerId": "B", "quantity": 1, "itemPrice": 30, "currency": null},
                {"quantity": 1}, null, 7]}),
            Content::Order(Order {
                catalog_id: "354160".into(),
                text: None,
                items: vec![
                    OrderItem {
                        product_id: "A".into(),
                        quantity: 3,
                        price: "30.50".into(),
                        currency: "EUR".into(),
                    },
                    OrderItem {
                        product_id: "B".into(),
                        quantity: 1,
                        price: "30".into(),
                        currency: "".into(),
                    },
                ],
            }),
        ),
        (
            json!({"type": "CONTACT", "contacts": [
                {"name": {"firstName": "Jane", "lastName": "Doe"}, "phones": [{"waId": "441134960019"}]},
                {"name": null, "org": {"company": "Acme"}, "phones": [{"phone": "+1", "waId": "1"}, {"type": "CELL"}],
                    "emails": [{"email": "a@example.com", "type": "WORK"}, {"email": ""}]},
                {}, null]}),
            Content::Contacts {
                contacts: vec![
                    ContactCard {
                        name: "Jane Doe".into(),
                        phones: vec!["441134960019".into()],
                        ..ContactCard::default()
                    },
                    ContactCard {
                        name: "Acme".into(),
                        phones: vec!["+1".into()],
                        emails: vec!["a@example.com".into()],
                        organization: Some("Acme".into()),
                    },
                    ContactCard::default(),
                ],
            },
        ),
    ] {
        assert_eq!(content(said.clone()), expected, "{said}");
    }
}

#[test]
fn what_has_no_shape_of_its_own_is_shown_with_its_data() {
    for said in [
        json!({"type": "INTERACTIVE_IN_THREAD_AUTHENTICATION_REPLY", "inThreadAuthenticationReply": {}}),
        json!({"type": "LOCATION", "latitude": 91, "longitude": 0}),
    ] {
        let Content::Unknown { kind, data } = content(said.clone()) else { panic!("{said}") };
        assert_eq!(Some(kind.as_str()), said["type"].as_str());
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), said);
    }
    let form =
        content(json!({"type": "INTERACTIVE_FLOW_REPLY", "text": "Sent", "response": {"area": "Marina"}}));
    let data = r#"{"name":null,"body":"Sent","response":{"area":"Marina"}}"#;
    assert_eq!(form, Content::Unknown { kind: "flow reply".into(), data: data.into() });
    let large = json!({"type": "LOCATION", "latitude": "x".repeat(10_000)});
    let Content::Unknown { data, .. } = content(large) else { panic!("no place") };
    assert_eq!(data, "{}");
}

#[test]
fn what_the_contact_did_not_say_is_ignored() {
    let typed = |said: Value| item(&json!({ "message": {} }), &said);
    for (case, item, reason) in [
        ("a reaction", typed(json!({"type": "REACTION", "emoji": "👍", "action": "ADDED"})), "reaction"),
        ("one taken back", typed(json!({"type": "REACTION", "action": "REMOVED"})), "reaction"),
        ("unsupported", typed(json!({"type": "UNSUPPORTED", "text": "may be there"})), "unsupported message"),
        (
            "money",
            typed(json!({"type": "INTERACTIVE_PAYMENT_CONFIRMATION", "status": "SUCCESS"})),
            "payment report",
        ),
        ("a call", typed(json!({"type": "INTERACTIVE_CALL_PERMISSION_REPLY"})), "call"),
        ("news", typed(json!({"type": "HOLOGRAM", "depth": 3})), "kept: message of an unknown kind HOLOGRAM"),
        ("infected", typed(json!({"type": "INFECTED_CONTENT", "malware": {"name": "x"}})), "infected file"),
        ("a group", item(&json!({"groupId": "120363"}), &json!({})), "group"),
        ("a group's answer", item(&json!({}), &json!({"context": {"groupId": "120363"}})), "group"),
        ("our own", item(&json!({"from": "+41793026731"}), &json!({})), "own message"),
        ("a name", item(&json!({"from": "Infobip"}), &json!({})), "kept: unreadable sender address"),
        (
            "a list",
            item(&json!({"from": "1612345678@broadcast"}), &json!({})),
            "kept: unreadable sender address",
        ),
        ("another channel", item(&json!({"integrationType": "VIBER"}), &json!({})), "not WhatsApp"),
    ] {
        let found = ignored(item);
        assert_eq!(found.reason, reason, "{case}");
        assert_eq!((found.account.as_deref(), found.message_id.as_deref()), (Some("41793026731"), Some("A")));
    }
}
