//! Every kind of reply as Meta's request, and every limit from both sides.

use super::*;
use crate::channel::media::Place;
use crate::channel::{Adapter, meta::Meta};
use crate::message::{
    Buttons, Choice, ListMenu, ListRow, ListSection, Outbound, Template, TemplateParameter,
};

fn sender(changes: Value) -> Sender {
    let mut sender =
        json!({ "name": "main", "provider": "meta", "account": "1122334455667", "api_key": "token" });
    for (name, value) in changes.as_object().expect("an object") {
        sender[name] = value.clone();
    }
    serde_json::from_value(sender).expect("a sender")
}

fn encoded(to: &str, outbound: &Outbound, media: Option<&Source>) -> Result<Value, EncodeError> {
    let sender = sender(json!({}));
    let reference = "r-0123456789abcdef";
    let request = request(&Outgoing {
        sender: &sender,
        to,
        outbound,
        reference,
        template: None,
        template_id: None,
        media,
    })?;
    assert_eq!(request.url, "https://graph.facebook.com/v23.0/1122334455667/messages");
    assert_eq!(request.method, Method::POST);
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("Content-Type", "application/json"), ("Authorization", "Bearer token")]);
    Ok(serde_json::from_slice(&request.body).expect("JSON"))
}

/// The kind and its part; everything around it is the same for all.
fn part(content: OutboundContent, media: Option<&Source>) -> Result<(String, Value), EncodeError> {
    let mut body = encoded("971501234567", &Outbound { content, reply_to: None }, media)?;
    let kind = body["type"].as_str().expect("a type").to_owned();
    let part = body.as_object_mut().and_then(|body| body.remove(&kind)).expect("a part of that name");
    let rest = json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": "971501234567", "type": kind,
        "biz_opaque_callback_data": "r-0123456789abcdef",
    });
    assert_eq!(body, rest);
    Ok((kind, part))
}

#[track_caller]
fn check(content: OutboundContent, kind: &str, expected: Value) {
    assert_eq!(part(content, None), Ok((kind.to_owned(), expected)));
}

#[track_caller]
fn refused(content: OutboundContent, words: &str) {
    let error = part(content, None).expect_err(words).to_string();
    assert!(error.contains(words), "{error}");
}

fn text(text: impl Into<String>) -> OutboundContent {
    OutboundContent::Text { text: text.into() }
}

fn media(kind: MediaKind, caption: Option<&str>, filename: Option<&str>) -> OutboundContent {
    let source = "https://example.com/a.bin".into();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    OutboundContent::Media(OutboundMedia { kind, source, caption: owned(caption), filename: owned(filename) })
}

#[test]
fn texts() {
    check(text("hello\n“you”"), "text", json!({ "body": "hello\n“you”", "preview_url": false }));
    check(
        text("see https://example.com"),
        "text",
        json!({ "body": "see https://example.com", "preview_url": true }),
    );
    assert!(part(text("ش".repeat(4096)), None).is_ok(), "characters count, not bytes");
    refused(text("x".repeat(4097)), "the text has 4097 characters; Meta takes 4096");
    refused(text(" \n"), "the text is empty");
}

#[test]
fn files() {
    let link = "https://example.com/a.bin";
    check(
        media(MediaKind::Image, Some("A view"), None),
        "image",
        json!({ "link": link, "caption": "A view" }),
    );
    check(media(MediaKind::Video, Some(""), Some("a.mp4")), "video", json!({ "link": link }));
    check(media(MediaKind::Audio, None, None), "audio", json!({ "link": link }));
    check(media(MediaKind::Voice, None, None), "audio", json!({ "link": link }));
    check(media(MediaKind::Sticker, None, None), "sticker", json!({ "link": link }));
    check(
        media(MediaKind::Document, Some("Plan"), Some("Plan.pdf")),
        "document",
        json!({ "link": link, "caption": "Plan", "filename": "Plan.pdf" }),
    );
    for kind in [MediaKind::Audio, MediaKind::Voice, MediaKind::Sticker] {
        refused(media(kind, Some("words"), None), "has no caption");
    }
    refused(media(MediaKind::Image, Some(&"x".repeat(1025)), None), "1025 characters; Meta takes 1024");
    let handle = |source: &str| {
        let source = source.into();
        OutboundContent::Media(OutboundMedia {
            kind: MediaKind::Image,
            source,
            caption: None,
            filename: None,
        })
    };
    refused(handle("m-0123456789"), "neither an https address nor a received file");
    refused(handle("file:///etc/passwd"), "neither an https address nor a received file");
    for (place, expected) in [
        (Place::Uploaded("1166846181421424".into()), json!({ "id": "1166846181421424" })),
        (Place::Link("https://homes.example/f/1".into()), json!({ "link": "https://homes.example/f/1" })),
    ] {
        let source = ours(place);
        assert_eq!(part(handle("m-0123456789"), Some(&source)), Ok(("image".into(), expected)));
    }
    assert!(part(handle("m-0123456789"), Some(&ours(Place::Inline { base64: "aGk=".into() }))).is_err());
}

fn ours(place: Place) -> Source {
    Source { place, mime_type: "image/png".into(), filename: Some("Plan B.png".into()) }
}

#[test]
fn a_document_is_never_without_a_name() {
    let link = "https://example.com/a.bin";
    for (said, expected) in [(None, "a.bin"), (Some("Plan.pdf"), "Plan.pdf")] {
        let document = json!({ "link": link, "filename": expected });
        check(media(MediaKind::Document, None, said), "document", document);
        let of_ours = part(media(MediaKind::Document, None, said), Some(&ours(Place::Uploaded("7".into()))));
        let expected = json!({ "id": "7", "filename": said.unwrap_or("Plan B.png") });
        assert_eq!(of_ours, Ok(("document".into(), expected)));
    }
    let long = "x".repeat(241);
    refused(
        media(MediaKind::Document, None, Some(&long)),
        "the file's name has 241 characters; Meta takes 240",
    );
}

#[test]
fn locations_and_reactions() {
    let location = |latitude: f64, name: Option<&str>| {
        let name = name.map(str::to_owned);
        OutboundContent::Location(Location { latitude, longitude: 55.1392, name, address: None })
    };
    check(location(25.0772, None), "location", json!({ "latitude": 25.0772, "longitude": 55.1392 }));
    check(
        location(25.0772, Some("Dubai Marina")),
        "location",
        json!({ "latitude": 25.0772, "longitude": 55.1392, "name": "Dubai Marina" }),
    );
    refused(location(f64::NAN, None), "not on Earth");
    refused(location(91.0, None), "not on Earth");
    let reaction = |id: &str, emoji: &str| {
        OutboundContent::Reaction(Reaction { message_id: id.into(), emoji: emoji.into() })
    };
    check(reaction("wamid.A", "👍"), "reaction", json!({ "message_id": "wamid.A", "emoji": "👍" }));
    check(reaction("wamid.A", ""), "reaction", json!({ "message_id": "wamid.A", "emoji": "" }));
    refused(reaction("", "👍"), "names no message");
}

fn choice(id: &str, title: &str) -> Choice {
    Choice { id: id.into(), title: title.into() }
}

fn buttons(body: &str, footer: Option<&str>, buttons: Vec<Choice>) -> OutboundContent {
    OutboundContent::Buttons(Buttons { body: body.into(), footer: footer.map(str::to_owned), buttons })
}

fn row(id: &str, title: &str, description: Option<&str>) -> ListRow {
    ListRow { id: id.into(), title: title.into(), description: description.map(str::to_owned) }
}

fn list(button: &str, sections: Vec<(Option<&str>, Vec<ListRow>)>) -> OutboundContent {
    let section =
        |(title, rows): (Option<&str>, Vec<ListRow>)| ListSection { title: title.map(str::to_owned), rows };
    OutboundContent::List(ListMenu {
        body: "Which area?".into(),
        footer: None,
        button: button.into(),
        sections: sections.into_iter().map(section).collect(),
    })
}

#[test]
fn menus() {
    check(
        buttons("Buy or rent?", Some("Tap one"), vec![choice("buy", "Buy"), choice("rent", "Rent")]),
        "interactive",
        json!({ "type": "button", "body": { "text": "Buy or rent?" }, "footer": { "text": "Tap one" },
            "action": { "buttons": [
                { "type": "reply", "reply": { "id": "buy", "title": "Buy" } },
                { "type": "reply", "reply": { "id": "rent", "title": "Rent" } },
            ] } }),
    );
    check(
        list(
            "Areas",
            vec![
                (Some("Dubai"), vec![row("1", "Marina", Some("by the sea")), row("2", "Downtown", Some(""))]),
                (Some("Other"), vec![row("3", "Elsewhere", None)]),
            ],
        ),
        "interactive",
        json!({ "type": "list", "body": { "text": "Which area?" }, "action": { "button": "Areas", "sections": [
            { "title": "Dubai", "rows": [
                { "id": "1", "title": "Marina", "description": "by the sea" }, { "id": "2", "title": "Downtown" },
            ] },
            { "title": "Other", "rows": [{ "id": "3", "title": "Elsewhere" }] },
        ] } }),
    );
}

/// Each limit from both sides; what is shown is what is sent.
#[test]
fn menus_beyond_the_limits_go_out_as_text() {
    let long = |count: usize| "x".repeat(count);
    let some = |count: usize| -> Vec<Choice> {
        (0..count).map(|n| choice(&format!("id{n}"), &format!("Title {n}"))).collect()
    };
    let one = |id: &str, title: &str| vec![choice(id, title)];
    let rows =
        |count: usize| -> Vec<ListRow> { (0..count).map(|n| row(&format!("{n}"), "Row", None)).collect() };
    let mut cases = vec![
        (buttons("Body", None, some(3)), true),
        (buttons("Body", None, some(4)), false),
        (buttons("Body", None, some(0)), false),
        (buttons(&long(1024), None, some(1)), true),
        (buttons(&long(1025), None, some(1)), false),
        (buttons("", None, some(1)), false),
        (buttons("Body", Some(&long(60)), some(1)), true),
        (buttons("Body", Some(&long(61)), some(1)), false),
        (buttons("Body", None, one(&long(256), "T")), true),
        (buttons("Body", None, one(&long(257), "T")), false),
        (buttons("Body", None, one("id", &long(20))), true),
        (buttons("Body", None, one("id", &long(21))), false),
        (buttons("Body", None, one("id", "مشاهده همه آپارتمان‌ها")), false),
        (buttons("Body", None, one("", "T")), false),
        (buttons("Body", None, vec![choice("a", "Same"), choice("b", "Same")]), false),
        (buttons("Body", None, vec![choice("a", "One"), choice("a", "Two")]), false),
        (list("Areas", vec![(None, rows(10))]), true),
        (list("Areas", vec![(None, rows(11))]), false),
        (list("Areas", vec![(None, vec![])]), false),
        (list("Areas", vec![]), false),
        (list(&long(20), vec![(None, rows(1))]), true),
        (list(&long(21), vec![(None, rows(1))]), false),
        (list("", vec![(None, rows(1))]), false),
        (list("Areas", vec![(Some(&long(24)), rows(1))]), true),
        (list("Areas", vec![(Some(&long(25)), rows(1))]), false),
        (
            list("Areas", vec![(Some("A"), vec![row("a", "A", None)]), (None, vec![row("b", "B", None)])]),
            false,
        ),
        (list("Areas", vec![(None, vec![row("a", "A", None), row("a", "B", None)])]), false),
    ];
    for (id, title, description, fits) in
        [(200, 24, 72, true), (201, 24, 72, false), (200, 25, 72, false), (200, 24, 73, false)]
    {
        let row = row(&long(id), &long(title), Some(&long(description)));
        cases.push((list("Areas", vec![(None, vec![row])]), fits));
    }
    for (content, fits) in cases {
        assert_eq!(Meta.shows(&content), fits, "{content:?}");
        let kind = part(content.clone(), None).map(|(kind, _)| kind);
        // An empty menu with an empty body has nothing to say at all.
        assert_eq!(kind.as_deref(), Ok(if fits { "interactive" } else { "text" }), "{content:?}");
    }
    let (_, sent) = part(buttons("Which?", None, some(4)), None).expect("text");
    assert_eq!(sent["body"], "Which?\n\n1. Title 0\n2. Title 1\n3. Title 2\n4. Title 3");
}

#[test]
fn addresses() {
    for (to, field, address) in [
        ("971501234567", "to", "971501234567"),
        ("+971 50 123-4567", "to", "971501234567"),
        ("971501234567@s.whatsapp.net", "to", "971501234567"),
        // As received, not the canonical form.
        ("558591203123", "to", "558591203123"),
        ("5678", "to", "5678"),
        ("US.1234", "recipient", "US.1234"),
        ("US.ENT.5678", "recipient", "US.ENT.5678"),
    ] {
        let body = encoded(to, &Outbound::text("hi"), None).expect(to);
        assert_eq!(body[field], address, "{to}");
        assert_eq!(body.get("to").is_some(), field == "to", "{to}");
        assert_eq!(body.get("recipient").is_some(), field == "recipient", "{to}");
    }
    for to in ["245800000000182@lid", "120363000000000002@g.us", "status@broadcast", "Maria", ""] {
        assert!(encoded(to, &Outbound::text("hi"), None).is_err(), "{to}");
    }
}

#[test]
fn quotes() {
    let quoting = |content, id: &str| Outbound { content, reply_to: Some(id.into()) };
    let body = encoded("971501234567", &quoting(text("yes"), "wamid.A"), None).expect("a request");
    assert_eq!(body["context"], json!({ "message_id": "wamid.A" }));
    let body = encoded("971501234567", &quoting(text("yes"), ""), None).expect("a request");
    assert_eq!(body.get("context"), None);
    let reaction = OutboundContent::Reaction(Reaction { message_id: "wamid.A".into(), emoji: "👍".into() });
    let body = encoded("971501234567", &quoting(reaction, "wamid.B"), None).expect("a request");
    assert_eq!(body.get("context"), None);
}

#[test]
fn a_template_must_be_known() {
    let given = vec![TemplateParameter { name: "1".into(), value: "Sara".into() }];
    let template = Template { name: "viewing".into(), language: "en".into(), parameters: given };
    refused(OutboundContent::Template(template), "the template viewing (en) is not known here");
}

#[test]
fn a_code_goes_to_phone_numbers_only() {
    let approved = serde_json::from_value(json!({
        "name": "code", "language": "en", "category": "authentication", "body": "It is {{1}} now",
        "parameters": [{ "name": "1", "example": "123456" }],
    }))
    .expect("a template");
    let given = vec![TemplateParameter { name: "1".into(), value: "491827".into() }];
    let template = Template { name: "code".into(), language: "en".into(), parameters: given };
    let outbound = Outbound { content: OutboundContent::Template(template), reply_to: None };
    for (to, goes) in [("971501234567", true), ("AE.1234", false)] {
        let outgoing = Outgoing {
            sender: &sender(json!({})),
            to,
            outbound: &outbound,
            reference: "r",
            template: Some(&approved),
            template_id: None,
            media: None,
        };
        assert_eq!(request(&outgoing).is_ok(), goes, "{to}");
    }
}

#[test]
fn what_the_sender_must_have() {
    let at = |changes: Value| {
        let sender = sender(changes);
        let (outbound, reference) = (Outbound::text("hi"), "r");
        let outgoing = Outgoing {
            sender: &sender,
            to: "971501234567",
            outbound: &outbound,
            reference,
            template: None,
            template_id: None,
            media: None,
        };
        request(&outgoing).map(|request| request.url).map_err(|error| error.to_string())
    };
    let own = json!({ "base_url": "http://127.0.0.1:4000/", "api_version": "v24.0" });
    assert_eq!(at(own), Ok("http://127.0.0.1:4000/v24.0/1122334455667/messages".into()));
    assert_eq!(
        at(json!({ "api_key": "" })),
        Err("the sender main has no api_key: Meta's access token".into())
    );
    assert_eq!(
        at(json!({ "account": "1/../2" })),
        Err("the account of the sender main is no phone number id of Meta's".into())
    );
}

#[test]
fn signals() {
    let body = |id: &str, signal| {
        let request = Meta.signal(&sender(json!({})), "971501234567", id, signal)?;
        assert_eq!(request.url, "https://graph.facebook.com/v23.0/1122334455667/messages");
        serde_json::from_slice::<Value>(&request.body).ok()
    };
    let read = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.A" });
    assert_eq!(body("wamid.A", Signal::Read), Some(read.clone()));
    let mut typing = read;
    typing["typing_indicator"] = json!({ "type": "text" });
    assert_eq!(body("wamid.A", Signal::Typing), Some(typing), "to show that one writes is to have read");
    assert_eq!(body("", Signal::Typing), None);
    assert_eq!(Meta.signal(&sender(json!({ "api_key": "" })), "1", "wamid.A", Signal::Read), None);
}
