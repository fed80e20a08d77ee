//! What goes out: every kind of reply as Gupshup takes it, what is refused before it goes, and the calls
//! beside the replies.

use serde_json::{Value, json};
use switchboard::channel::media::{Place, Source};
use switchboard::channel::{EncodeError, Outgoing, Request, Signal, fallback};
use switchboard::message::{
    Buttons, Choice, ListMenu, ListRow, ListSection, Location, MediaKind, Outbound, OutboundContent,
    OutboundMedia, Reaction,
};
use switchboard::tenant::Sender;

use super::{APP, PHONE, gupshup};

pub fn sender(changes: Value) -> Sender {
    let mut sender = json!({
        "name": "main", "provider": "gupshup", "account": APP, "app_id": "app-1",
        "number": "+91 84000 00048", "api_key": "key",
    });
    for (name, value) in changes.as_object().unwrap() {
        sender[name] = value.clone();
    }
    serde_json::from_value(sender).unwrap()
}

/// The fields of a form.
pub fn fields(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn encoded(
    sender: &Sender,
    to: &str,
    outbound: &Outbound,
    media: Option<&Source>,
) -> Result<Request, EncodeError> {
    let reference = "r-0123456789abcdef";
    let outgoing = Outgoing { sender, to, outbound, reference, template: None, template_id: None, media };
    gupshup().encode(&outgoing).map(Option::unwrap)
}

fn refused(content: OutboundContent) -> String {
    let outbound = Outbound { content, reply_to: None };
    encoded(&sender(json!({})), PHONE, &outbound, None).expect_err("refused").to_string()
}

/// The message of a request, and that everything around it is as it must be.
fn sent(outbound: &Outbound, media: Option<&Source>) -> Value {
    let request = encoded(&sender(json!({})), PHONE, outbound, media).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://api.gupshup.io/wa/api/v1/msg")
    );
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("apikey", "key"), ("Content-Type", "application/x-www-form-urlencoded")]);
    let fields = fields(&request);
    let around: Vec<_> = fields[..4].iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected =
        [("channel", "whatsapp"), ("source", "918400000048"), ("destination", PHONE), ("src.name", APP)];
    assert_eq!(around, expected);
    let [(name, message)] = &fields[4..] else { panic!("{fields:?}") };
    assert_eq!(name, "message");
    assert!(!message.contains("null"), "Gupshup refuses null: {message}");
    serde_json::from_str(message).unwrap()
}

fn check(content: OutboundContent, expected: Value) {
    assert_eq!(sent(&Outbound { content, reply_to: None }, None), expected);
}

fn media(kind: MediaKind, source: &str, caption: Option<&str>, filename: Option<&str>) -> OutboundContent {
    let (caption, filename) = (caption.map(str::to_owned), filename.map(str::to_owned));
    OutboundContent::Media(OutboundMedia { kind, source: source.into(), caption, filename })
}

#[test]
fn texts_files_and_places() {
    let url = "https://example.com/a/plan.pdf?x=1";
    check(OutboundContent::Text { text: "سلام\n& = +".into() }, json!({"type": "text", "text": "سلام\n& = +"}));
    check(
        media(MediaKind::Image, url, Some("A view"), None),
        json!({"type": "image", "originalUrl": url, "previewUrl": url, "caption": "A view"}),
    );
    check(
        media(MediaKind::Image, url, Some(""), None),
        json!({"type": "image", "originalUrl": url, "previewUrl": url}),
    );
    check(
        media(MediaKind::Video, url, Some("Tour"), None),
        json!({"type": "video", "url": url, "caption": "Tour"}),
    );
    check(media(MediaKind::Audio, url, None, None), json!({"type": "audio", "url": url}));
    check(media(MediaKind::Voice, url, None, None), json!({"type": "audio", "url": url}));
    check(media(MediaKind::Sticker, url, None, None), json!({"type": "sticker", "url": url}));
    check(
        media(MediaKind::Document, url, None, Some("Plan.pdf")),
        json!({"type": "file", "url": url, "filename": "Plan.pdf"}),
    );
    check(
        media(MediaKind::Document, url, None, None),
        json!({"type": "file", "url": url, "filename": "plan.pdf"}),
    );
    check(
        media(MediaKind::Document, "https://example.com", None, None),
        json!({"type": "file", "url": "https://example.com", "filename": "file"}),
    );
    let long = "n".repeat(241);
    let error = refused(media(MediaKind::Document, url, None, Some(&long)));
    assert_eq!(error, "the file's name has 241 characters; WhatsApp takes 240");
    let place = |name: Option<&str>| {
        let (name, address) = (name.map(str::to_owned), name.map(|_| "Al Marsa Street".to_owned()));
        OutboundContent::Location(Location { latitude: 25.5, longitude: 55.25, name, address })
    };
    check(place(None), json!({"type": "location", "latitude": 25.5, "longitude": 55.25}));
    check(
        place(Some("Marina")),
        json!({"type": "location", "latitude": 25.5, "longitude": 55.25, "name": "Marina", "address": "Al Marsa Street"}),
    );
    let reaction = |emoji: &str| {
        OutboundContent::Reaction(Reaction { message_id: "wamid.1".into(), emoji: emoji.into() })
    };
    check(reaction("👍"), json!({"type": "reaction", "msgId": "wamid.1", "emoji": "👍"}));
    check(reaction(""), json!({"type": "reaction", "msgId": "wamid.1", "emoji": ""}));
}

#[test]
fn a_received_file_goes_out_by_the_address_it_was_given() {
    let ours =
        |place| Source { place, mime_type: "application/pdf".into(), filename: Some("Homes.pdf".into()) };
    let link = ours(Place::Link("https://gateway.example.com/files/m-1".into()));
    let outbound = Outbound { content: media(MediaKind::Image, "m-1", None, None), reply_to: None };
    assert_eq!(sent(&outbound, Some(&link))["originalUrl"], "https://gateway.example.com/files/m-1");
    let document = |said| {
        let content = media(MediaKind::Document, "m-1", None, said);
        sent(&Outbound { content, reply_to: None }, Some(&link))["filename"].clone()
    };
    assert_eq!((document(None), document(Some("A.pdf"))), (json!("Homes.pdf"), json!("A.pdf")));
    let uploaded = ours(Place::Uploaded("9".into()));
    let error = encoded(&sender(json!({})), PHONE, &outbound, Some(&uploaded)).expect_err("no address");
    assert_eq!(error.to_string(), "Gupshup takes files by their address alone");
}

#[test]
fn a_quote_names_the_message() {
    let quote = |content| sent(&Outbound { content, reply_to: Some("wamid.1".into()) }, None);
    assert_eq!(
        quote(OutboundContent::Text { text: "yes".into() }),
        json!({"type": "text", "text": "yes", "context": {"msgId": "wamid.1"}})
    );
    let reaction = OutboundContent::Reaction(Reaction { message_id: "wamid.2".into(), emoji: "👍".into() });
    assert_eq!(quote(reaction).get("context"), None);
    let nothing = Outbound { reply_to: Some(String::new()), ..Outbound::text("yes") };
    assert_eq!(sent(&nothing, None), json!({"type": "text", "text": "yes"}));
}

fn buttons(count: usize) -> Buttons {
    let choice = |number| Choice { id: format!("id-{number}"), title: format!("Title {number}") };
    Buttons {
        body: "Buy or rent?".into(),
        footer: Some("Choose".into()),
        buttons: (1..=count).map(choice).collect(),
    }
}

fn list(rows: usize) -> ListMenu {
    let row = |number| ListRow {
        id: format!("id-{number}"),
        title: format!("Row {number}"),
        description: (number == 1).then(|| "the first".to_owned()),
    };
    let sections = vec![ListSection { title: None, rows: (1..=rows).map(row).collect() }];
    ListMenu { body: "Which area?".into(), footer: None, button: "Areas".into(), sections }
}

#[test]
fn menus_are_shown_within_the_limits_and_written_beyond_them() {
    check(
        OutboundContent::Buttons(buttons(2)),
        json!({
            "type": "quick_reply", "msgid": "r-0123456789abcdef",
            "content": {"type": "text", "text": "Buy or rent?", "caption": "Choose"},
            "options": [
                {"type": "text", "title": "Title 1", "postbackText": "id-1"},
                {"type": "text", "title": "Title 2", "postbackText": "id-2"},
            ],
        }),
    );
    check(
        OutboundContent::List(list(2)),
        json!({
            "type": "list", "title": "Areas", "body": "Which area?", "msgid": "r-0123456789abcdef",
            "globalButtons": [{"type": "text", "title": "Areas"}],
            "items": [{"title": "Areas", "subtitle": "Areas", "options": [
                {"type": "text", "title": "Row 1", "postbackText": "id-1", "description": "the first"},
                {"type": "text", "title": "Row 2", "postbackText": "id-2", "description": "Row 2"},
            ]}],
        }),
    );
    for (content, shown) in [
        (OutboundContent::Buttons(buttons(3)), true),
        (OutboundContent::Buttons(buttons(4)), false),
        (OutboundContent::List(list(10)), true),
        (OutboundContent::List(list(11)), false),
    ] {
        assert_eq!(gupshup().shows(&content), shown);
        let message = sent(&Outbound { content: content.clone(), reply_to: None }, None);
        assert_eq!(message["type"] != "text", shown, "{message}");
        if !shown {
            let text = match &content {
                OutboundContent::Buttons(buttons) => fallback::buttons(buttons),
                OutboundContent::List(list) => fallback::list(list),
                _ => unreachable!("menus alone"),
            };
            assert_eq!(message["text"], text);
        }
    }
}

#[test]
fn what_gupshup_would_refuse_does_not_go_out() {
    for (content, error) in [
        (OutboundContent::Text { text: " \n".into() }, "the text is empty"),
        (
            OutboundContent::Text { text: "x".repeat(4097) },
            "the text has 4097 characters; WhatsApp takes 4096",
        ),
        (
            media(MediaKind::Image, "https://example.com/a.png", Some(&"x".repeat(1025)), None),
            "the caption has 1025 characters; WhatsApp takes 1024",
        ),
        (
            media(MediaKind::Voice, "https://example.com/a.ogg", Some("words"), None),
            "audio and stickers have no caption on WhatsApp: send the words as text",
        ),
        (
            media(MediaKind::Image, "file:///etc/passwd", None, None),
            "the media's source is neither an https address nor a received file",
        ),
        (
            OutboundContent::Location(Location {
                latitude: f64::NAN,
                longitude: 0.0,
                name: None,
                address: None,
            }),
            "the location's coordinates are no numbers",
        ),
        (
            OutboundContent::Reaction(Reaction { message_id: String::new(), emoji: "👍".into() }),
            "the reaction names no message",
        ),
    ] {
        assert_eq!(refused(content), error);
    }
    let hi = Outbound::text("hi");
    for (changes, error) in [
        (json!({"api_key": ""}), "the sender main has no api_key: Gupshup asks for one"),
        (
            json!({"number": null}),
            "the sender main has no number that Gupshup could send from: set its number",
        ),
        (
            json!({"number": "home"}),
            "the sender main has no number that Gupshup could send from: `h` does not belong in a phone number",
        ),
    ] {
        assert_eq!(encoded(&sender(changes), PHONE, &hi, None).expect_err("refused").to_string(), error);
    }
}

#[test]
fn addresses() {
    for (to, expected) in [
        (PHONE, Some(PHONE)),
        ("+91 82980-02134", Some(PHONE)),
        ("918298002134@c.us", Some(PHONE)),
        // As received, not the canonical form.
        ("558591203123", Some("558591203123")),
        ("5678", Some("5678")),
        ("IN.77", None),
        ("245800000000182@lid", None),
        ("120363000000000002@g.us", None),
        ("status@broadcast", None),
        ("Maria", None),
        ("", None),
    ] {
        let request = encoded(&sender(json!({})), to, &Outbound::text("hi"), None);
        let destination = request.ok().map(|request| fields(&request)[2].1.clone());
        assert_eq!(destination.as_deref(), expected, "{to:?}");
    }
    let elsewhere = sender(json!({"base_url": "http://127.0.0.1:4010/"}));
    let request = encoded(&elsewhere, PHONE, &Outbound::text("hi"), None).unwrap();
    assert_eq!(request.url, "http://127.0.0.1:4010/wa/api/v1/msg");
}

#[test]
fn a_message_is_marked_as_read_and_nothing_shows_typing() {
    let request = gupshup().signal(&sender(json!({})), PHONE, "wamid.A/b=", Signal::Read).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("PUT", "https://api.gupshup.io/wa/app/app-1/msg/wamid.A%2Fb%3D/read")
    );
    let keyed = ["apikey", "Authorization"].map(|name| (name.to_owned(), "key".to_owned()));
    assert_eq!((request.headers, request.body), (keyed.to_vec(), vec![]));
    assert_eq!(gupshup().signal(&sender(json!({})), PHONE, "wamid.1", Signal::Typing), None);
    assert_eq!(gupshup().signal(&sender(json!({"app_id": null})), PHONE, "wamid.1", Signal::Read), None);
    assert_eq!(gupshup().signal(&sender(json!({})), PHONE, "", Signal::Read), None);
}

/// Its list of templates may be asked for once an hour, and is the template desk's.
#[test]
fn a_sender_is_not_tried() {
    for changes in [json!({}), json!({"app_id": null})] {
        assert_eq!(gupshup().probe(&sender(changes)), None);
    }
}
