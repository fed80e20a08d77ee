//! What a message may hold, who may have sent it, what it may quote, in both versions.

use serde_json::{Value, json};
use switchboard::message::{
    Choice, ContactCard, Content, Location, Media, MediaKind, Order, OrderItem, Referral, Timestamp,
};

use super::{PHONE, cases, event, ignored, message, of_kind, passed_on, with};
use switchboard::event::Event;

fn sample(name: &str) -> Value {
    let case = cases("gupshup").into_iter().find(|case| case.name == name).unwrap();
    serde_json::from_slice(&case.body).unwrap()
}

fn choice(id: &str, title: &str) -> Content {
    Content::Choice(Choice { id: id.into(), title: title.into() })
}

fn text(text: &str) -> Content {
    Content::Text { text: text.into() }
}

fn unknown(kind: &str, data: &str) -> Content {
    Content::Unknown { kind: kind.into(), data: data.into() }
}

#[test]
fn every_kind_of_version_2() {
    let file = |kind, handle: &str, mime: Option<&str>, filename: Option<&str>, caption: Option<&str>| {
        Content::Media(Media {
            kind,
            handle: handle.into(),
            mime_type: mime.map(str::to_owned),
            filename: filename.map(str::to_owned),
            caption: caption.map(str::to_owned),
            size: None,
        })
    };
    let place = |name: Option<&str>| {
        Content::Location(Location {
            latitude: -19.5,
            longitude: 72.25,
            name: name.map(str::to_owned),
            address: name.map(|_| "Street 1".to_owned()),
        })
    };
    let url = "https://filemanager.gupshup.io/wa/x";
    for (kind, part, expected) in [
        ("text", json!({"text": "سلام 👋"}), text("سلام 👋")),
        ("text", json!({"text": null}), unknown("text", r#"{"text":null}"#)),
        (
            "image",
            json!({"url": url, "contentType": "image/png", "caption": null}),
            file(MediaKind::Image, url, Some("image/png"), None, None),
        ),
        ("voice", json!({"url": url}), file(MediaKind::Voice, url, None, None, None)),
        (
            "document",
            json!({"url": url, "filename": "a.pdf", "caption": "plan"}),
            file(MediaKind::Document, url, None, Some("a.pdf"), Some("plan")),
        ),
        ("video", json!({}), file(MediaKind::Video, "", None, None, None)),
        ("location", json!({"latitude": "-19.5", "longitude": " 72.25 "}), place(None)),
        (
            "location",
            json!({"latitude": -19.5, "longitude": 72.25, "name": "Home", "address": "Street 1"}),
            place(Some("Home")),
        ),
        (
            "location",
            json!({"latitude": "95", "longitude": "0"}),
            unknown("location", r#"{"latitude":"95","longitude":"0"}"#),
        ),
        (
            "contact",
            json!({"contacts": [{"name": {"first_name": "A", "last_name": "B"}, "phones": [{"wa_id": "1"}, {"phone": "1"}, {"phone": "+2"}]}]}),
            Content::Contacts {
                contacts: vec![ContactCard {
                    name: "A B".into(),
                    phones: vec!["1".into(), "+2".into()],
                    ..ContactCard::default()
                }],
            },
        ),
        ("contact", json!({"contacts": []}), unknown("contact", r#"{"contacts":[]}"#)),
        (
            "button_reply",
            json!({"title": "Rent", "id": "m-9", "reply": "Rent 2", "postbackText": "rent"}),
            choice("rent", "Rent"),
        ),
        ("button_reply", json!({"id": "m-9", "reply": "Rent 2"}), choice("Rent", "Rent")),
        ("button_reply", json!({"id": "m-9", "reply": "Rent"}), choice("Rent", "Rent")),
        ("button_reply", json!({"id": "m-9", "postbackText": "rent"}), choice("rent", "rent")),
        ("button_reply", json!({"id": "m-9"}), unknown("button_reply", r#"{"id":"m-9"}"#)),
        ("list_reply", json!({"title": "One", "postbackText": ""}), choice("One", "One")),
        ("quick_reply", json!({"text": "Yes", "type": "button"}), choice("Yes", "Yes")),
        ("quick_reply", json!({"text": "Yes", "title": "Ja"}), choice("Ja", "Ja")),
        (
            "nfm_reply",
            json!({"name": "flow", "body": "Sent", "response_json": "{\"age\": \"32\"}"}),
            unknown("flow reply", r#"{"name":"flow","body":"Sent","response":{"age":"32"}}"#),
        ),
        (
            "order",
            json!({"catalog_id": "c", "text": "", "product_items": [{"product_retailer_id": "P", "quantity": "3", "item_price": "30.50", "currency": "INR"}]}),
            Content::Order(Order {
                catalog_id: "c".into(),
                text: None,
                items: vec![OrderItem {
                    product_id: "P".into(),
                    quantity: 3,
                    price: "30.50".into(),
                    currency: "INR".into(),
                }],
            }),
        ),
        (
            "unsupported",
            json!({"text": "cannot be shown"}),
            unknown("unsupported", r#"{"text":"cannot be shown"}"#),
        ),
        ("unsupported", json!("x".repeat(5_000)), unknown("unsupported", "{}")),
    ] {
        assert_eq!(message(&of_kind(kind, part.clone())).content, expected, "{kind} {part}");
    }
    for (kind, reason) in [
        ("reaction", "reaction"),
        ("edit", "edit"),
        ("revoke", "revoke"),
        ("system", "system notice"),
        ("request_welcome", "chat opened"),
        ("hologram", "kept: message of an unknown kind hologram"),
    ] {
        assert_eq!(ignored(&of_kind(kind, json!({"emoji": "👍"}))), reason);
    }
}

/// An order may be an event of its own.
#[test]
fn an_order_is_a_message_under_either_name() {
    let mut body = of_kind(
        "",
        json!({"catalogId": 7, "products": [{"productRetailerId": 12, "quantity": 1, "itemPrice": 5}]}),
    );
    body["type"] = json!("order");
    body["payload"].as_object_mut().unwrap().remove("type");
    let Content::Order(order) = message(&body).content else { panic!("an order") };
    assert_eq!((order.catalog_id.as_str(), order.items.len()), ("7", 1));
    assert_eq!((order.items[0].product_id.as_str(), order.items[0].price.as_str()), ("12", "5"));
}

#[test]
fn who_wrote() {
    let sender = |phone: Value| json!({"phone": phone, "name": "Smit"});
    for (changes, contact, aliases, raw) in [
        (json!({}), PHONE, vec![], PHONE),
        (json!({"source": "+91 82980-02134"}), PHONE, vec![], "+91 82980-02134"),
        (json!({"source": 918_298_002_134_u64}), PHONE, vec![], PHONE),
        (json!({"source": null}), PHONE, vec![], PHONE),
        (json!({"sender": sender(json!(""))}), PHONE, vec![], PHONE),
        (json!({"sender": null}), PHONE, vec![], PHONE),
        // Another phone beside it is another person, and did not write.
        (json!({"sender": sender(json!("918298002135"))}), PHONE, vec![], PHONE),
        (json!({"source": "IN.77", "sender": sender(json!(PHONE))}), PHONE, vec!["IN.77"], PHONE),
        (json!({"sender": sender(json!("IN.77"))}), PHONE, vec!["IN.77"], PHONE),
        (json!({"source": "IN.77", "sender": sender(json!(""))}), "IN.77", vec![], "IN.77"),
        // Replies go where the message came from, whatever the key is.
        (json!({"source": "558591203123", "sender": null}), "5585991203123", vec![], "558591203123"),
    ] {
        let inbound = message(&with(changes.clone()));
        let known: Vec<_> = inbound.aliases.iter().map(|alias| alias.as_str()).collect();
        assert_eq!(
            (inbound.contact.as_str(), known, inbound.from_raw.as_str()),
            (contact, aliases, raw),
            "{changes}"
        );
    }
    for (changes, reason) in [
        (json!({"source": "Maria", "sender": null}), "kept: unreadable sender address"),
        (json!({"source": "", "sender": null}), "kept: unreadable sender address"),
        (json!({"source": "120363000000000002@g.us"}), "group"),
        (json!({"id": null}), "kept: unreadable item: expected text, found nothing at payload.id"),
        (json!({"id": {}}), "kept: unreadable item: expected text, found an object at payload.id"),
        (json!({"type": null}), "kept: unreadable item: expected text, found nothing at payload.type"),
        (json!({"type": 7}), "kept: unreadable item: expected text, found a number at payload.type"),
        (
            json!({"payload": {"text": ["hi"]}}),
            "kept: unreadable item: expected text, found a list at payload.payload.text",
        ),
    ] {
        assert_eq!(ignored(&with(changes.clone())), reason, "{changes}");
    }
}

#[test]
fn names_quotes_and_times() {
    for (name, expected) in [
        (json!("Smit"), Some("Smit")),
        (json!(" ~ "), None),
        (json!("~me"), Some("~me")),
        (json!(7), None),
        (json!(null), None),
    ] {
        let body = with(json!({"sender": {"phone": PHONE, "name": name}}));
        assert_eq!(message(&body).display_name.as_deref(), expected);
    }
    for (context, quoted) in [
        (json!({"id": "w", "gsId": "g"}), Some("g")),
        (json!({"id": "w", "gsId": null}), Some("w")),
        (json!({"id": "w"}), Some("w")),
        (json!({"id": "", "gsId": null}), None),
        (json!({"forwarded": true, "frequently_forwarded": true}), None),
        (json!({}), None),
        (json!(null), None),
        (json!("w"), None),
    ] {
        assert_eq!(message(&with(json!({"context": context}))).quoted.as_deref(), quoted, "{context}");
    }
    assert_eq!(
        message(&sample("text_reply_context.json")).quoted.as_deref(),
        Some("9b71295f-f7af-4c1f-b2b4-31b4a4867bad")
    );
    assert_eq!(
        message(&sample("list_reply.json")).quoted.as_deref(),
        Some("cbdafe39-1023-42a7-89d6-6c01a3388bb5")
    );
    assert_eq!(message(&sample("button_reply.json")).quoted, None);
    for (time, expected) in [
        (json!(1_580_227_766_370_i64), 1_580_227_766_370),
        (json!("1580227766370"), 1_580_227_766_370),
        (json!(1_580_227_766), 1_580_227_766_000),
        (json!("2020-01-28T16:09:26.370+0000"), 1_580_227_766_370),
        (json!("yesterday"), 0),
        (json!(null), 0),
    ] {
        let mut body = with(json!({}));
        body["timestamp"] = time.clone();
        assert_eq!(message(&body).sent_at, Timestamp::from_ms(expected), "{time}");
    }
}

#[test]
fn what_led_here_is_kept() {
    assert_eq!(
        message(&sample("referral_cloud_api.json")).referral,
        Some(Referral {
            kind: "ad".into(),
            source_id: Some("6570618339781".into()),
            url: Some("https://fb.me/3tkSI06bP".into()),
            headline: Some("Chat with us".into()),
            body: Some("WhatsApp Messenger: sample ad body".into()),
            click_id: Some("ARAHuTtGzmFlOO_WcXezfYBRzrxoH2Emo4kj".into()),
        })
    );
    for referral in [json!(null), json!({}), json!("ad"), json!({"media_type": "image"})] {
        assert_eq!(message(&with(json!({"referral": referral}))).referral, None, "{referral}");
    }
}

/// Our own number is told in few bodies; where it is, it is nobody's contact.
#[test]
fn what_we_say_is_not_answered() {
    let mut body = with(json!({"destination": "971501234567"}));
    body["phone"] = json!(format!("+{PHONE}"));
    let Event::Own(own) = event(&body) else { panic!("our own") };
    assert_eq!((own.contact.unwrap().as_str(), own.content), ("971501234567", Some(text("hi"))));
    body["phone"] = json!("971500000001");
    assert_eq!(message(&body).contact.as_str(), PHONE);
}

#[test]
fn version_3_has_what_version_2_has() {
    let one = |item: Value| {
        let mut item = item;
        item["from"] = json!(PHONE);
        item["id"] = json!("wamid.1");
        message(&passed_on(json!({"messages": [item]})))
    };
    let image = one(
        json!({"type": "image", "timestamp": "1763015600", "image": {"id": "9", "url": "https://filemanager.gupshup.io/wa/x", "mime_type": "image/jpeg", "caption": "here"}}),
    );
    let Content::Media(image) = image.content else { panic!("an image") };
    assert_eq!(
        (image.handle.as_str(), image.caption.as_deref()),
        ("https://filemanager.gupshup.io/wa/x", Some("here"))
    );
    let reply = one(
        json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "r", "title": "Row"}},
        "context": {"from": "918400000048", "id": "w", "gs_id": "g", "meta_msg_id": "w"}}),
    );
    assert_eq!((reply.content, reply.quoted.as_deref()), (choice("r", "Row"), Some("g")));
    let button = one(
        json!({"type": "button", "button": {"payload": "p", "text": "Yes"}, "context": {"id": "", "gs_id": null}}),
    );
    assert_eq!((button.content, button.quoted), (choice("p", "Yes"), None));
    assert_eq!(
        one(json!({"type": "text", "text": {"body": "hi"}, "timestamp": "soon"})).sent_at,
        Timestamp::ZERO
    );
}
