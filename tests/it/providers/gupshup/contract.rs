//! The fake takes everything that the adapter sends, and refuses what is near it. Without this, a fake
//! that is too kind would let the gateway send anything.

use reqwest::Method;
use serde_json::json;
use switchboard::channel::media::Fetch;
use switchboard::channel::{Adapter, Outcome, Outgoing, Request, Signal, adapter};
use switchboard::message::{
    self, Buttons, Choice, Fate, ListMenu, ListRow, ListSection, Location, MediaKind, Outbound,
    OutboundContent, OutboundMedia, Provider, Reaction, TemplateParameter,
};
use switchboard::template::{Status, Template};
use switchboard::tenant::Sender;
use switchboard_tests::client::client;

use super::*;

fn gupshup() -> &'static dyn Adapter {
    adapter(Provider::Gupshup)
}

fn our_sender(peer: &Peer<Gupshup>) -> Sender {
    serde_json::from_value(json!({
        "name": "main", "provider": "gupshup", "account": APP, "app_id": APP_ID, "number": NUMBER,
        "api_key": KEY, "base_url": peer.url(),
    }))
    .unwrap()
}

struct Said {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

async fn call(request: Request) -> Said {
    let mut call = client().request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Said { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

/// Sends as the gateway will: encode, call, read the outcome.
async fn send(peer: &Peer<Gupshup>, outbound: &Outbound, template: Option<(&Template, &str)>) -> Outcome {
    let sender = our_sender(peer);
    let (template, template_id) = template.unzip();
    let reference = "r-0123456789abcdef";
    let outgoing =
        Outgoing { sender: &sender, to: PHONE, outbound, reference, template, template_id, media: None };
    let said = call(gupshup().encode(&outgoing).unwrap().unwrap()).await;
    gupshup().outcome(said.status, &said.headers, &said.body, PHONE)
}

fn everything() -> Vec<OutboundContent> {
    let media = |kind, caption: Option<&str>| {
        OutboundContent::Media(OutboundMedia {
            kind,
            source: "https://example.com/a.bin".into(),
            caption: caption.map(str::to_owned),
            filename: None,
        })
    };
    let choice = |number: usize| Choice { id: format!("id-{number}"), title: format!("Title {number}") };
    let buttons = |count| {
        OutboundContent::Buttons(Buttons {
            body: "Which?".into(),
            footer: Some("One".into()),
            buttons: (1..=count).map(choice).collect(),
        })
    };
    let row = |number: usize| ListRow {
        id: format!("id-{number}"),
        title: format!("Row {number}"),
        description: number.is_multiple_of(2).then(|| "even".into()),
    };
    let list = |rows| {
        let sections = vec![
            ListSection { title: Some("First".into()), rows: vec![row(0)] },
            ListSection { title: Some("Others".into()), rows: (1..rows).map(row).collect() },
        ];
        OutboundContent::List(ListMenu {
            body: "Which?".into(),
            footer: Some("One".into()),
            button: "Show".into(),
            sections,
        })
    };
    vec![
        OutboundContent::Text { text: "hello & = + % \n 👋".into() },
        OutboundContent::Text { text: "ل".repeat(4096) },
        media(MediaKind::Image, Some("caption")),
        media(MediaKind::Video, Some("caption")),
        media(MediaKind::Document, Some("caption")),
        media(MediaKind::Audio, None),
        media(MediaKind::Voice, None),
        media(MediaKind::Sticker, None),
        OutboundContent::Location(Location { latitude: 25.0, longitude: 55.0, name: None, address: None }),
        OutboundContent::Location(Location {
            latitude: 25.0,
            longitude: 55.0,
            name: Some("Here".into()),
            address: Some("Street".into()),
        }),
        OutboundContent::Reaction(Reaction { message_id: "wamid.1".into(), emoji: "👍".into() }),
        OutboundContent::Reaction(Reaction { message_id: "wamid.1".into(), emoji: String::new() }),
        buttons(3),
        buttons(4),
        list(10),
        list(11),
    ]
}

#[tokio::test]
async fn takes_everything_the_adapter_sends() {
    let peer = peer().await;
    for (at, content) in everything().into_iter().enumerate() {
        let outbound = Outbound { content, reply_to: Some("wamid.2".into()) };
        let outcome = send(&peer, &outbound, None).await;
        let expected = peer.sent().get(at).map(|sent| sent.id.clone());
        assert_eq!(outcome, Outcome::sent(expected), "{outbound:?} {:?}", peer.refused());
    }
    let read = gupshup().signal(&our_sender(&peer), PHONE, "wamid.A/b+c=", Signal::Read).unwrap();
    assert_eq!(call(read).await.status, 202);
    assert_eq!(peer.with(|gupshup| gupshup.read.clone()), ["wamid.A/b+c="]);
    assert_eq!(peer.refused(), []);
}

#[tokio::test]
async fn a_template_is_applied_for_listed_sent_changed_and_deleted() {
    let peer = peer().await;
    let (sender, api) = (our_sender(&peer), gupshup().templates().unwrap());
    let template: Template = serde_json::from_value(json!({
        "name": "viewing", "language": "en", "category": "utility", "header": {"type": "image"},
        "body": "Dear {{customer}}, come to {{where}} then.",
        "buttons": [{"type": "url", "text": "Map", "url": "https://example.com/{{map}}"}],
        "parameters": [{"name": "customer", "example": "Sara"}, {"name": "where", "example": "Marina"},
            {"name": "map", "kind": "url", "example": "17"}, {"name": "header", "kind": "media", "example": "4::aW1n"}],
    }))
    .unwrap();
    let said = call(api.submit(&sender, &template).unwrap()).await;
    let submitted = api.submitted(said.status, &said.headers, &said.body).unwrap();
    let id = submitted.id.expect("an id");
    assert_eq!(submitted.status, Status::Pending);
    let again = call(api.submit(&sender, &template).unwrap()).await;
    assert!(api.submitted(again.status, &again.headers, &again.body).is_err(), "it is there already");

    let given =
        [("customer", "Ali"), ("where", "Palm"), ("map", "18"), ("header", "https://example.com/a.png")];
    let parameters = given.map(|(name, value)| TemplateParameter { name: name.into(), value: value.into() });
    let wanted =
        message::Template { name: "viewing".into(), language: "en".into(), parameters: parameters.to_vec() };
    let outbound = Outbound { content: OutboundContent::Template(wanted), reply_to: None };
    let early = send(&peer, &outbound, Some((&template, &id))).await;
    assert!(matches!(early, Outcome::Failed { fate: Fate::Permanent, .. }), "{early:?}");
    peer.with(|gupshup| gupshup.templates[0]["status"] = json!("APPROVED"));
    let outcome = send(&peer, &outbound, Some((&template, &id))).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
    let sent = peer.sent();
    assert_eq!(sent[0].template.as_ref().unwrap()["params"], json!(["Ali", "Palm", "18"]));
    assert_eq!(sent[0].message["image"]["link"], "https://example.com/a.png");

    let listed = call(api.list(&sender, None).unwrap()).await;
    let page = api.listed(listed.status, &listed.headers, &listed.body).unwrap();
    assert_eq!((page.templates[0].name.as_str(), page.templates[0].status), ("viewing", Status::Approved));
    let changed = Template { body: "Dear {{customer}}, do come to {{where}} then.".into(), ..template };
    let said = call(api.update(&sender, &id, &changed).unwrap()).await;
    assert_eq!(api.submitted(said.status, &said.headers, &said.body).unwrap().status, Status::Pending);
    for _ in 0..2 {
        let said = call(api.delete(&sender, Some(&id), &changed).unwrap()).await;
        assert_eq!(
            api.deleted(said.status, &said.headers, &said.body),
            Ok(()),
            "what is not there is deleted"
        );
    }
    assert!(peer.with(|gupshup| gupshup.templates.is_empty()));
}

#[tokio::test]
async fn a_received_file_is_fetched_without_the_key() {
    let peer = peer().await;
    peer.with(|gupshup| gupshup.files.insert("/files/a".into(), ("image/png".into(), b"png".to_vec())));
    let (sender, api) = (our_sender(&peer), gupshup().media().unwrap());
    let Ok(Fetch::File(request)) = api.fetch(&sender, &format!("{}/files/a", peer.url())) else {
        panic!("a file")
    };
    let said = call(request).await;
    assert_eq!((said.status, said.body.as_slice()), (200, b"png".as_slice()));
    assert_eq!(peer.refused(), []);
}

/// Everything around a message, right.
fn fields() -> Vec<(&'static str, String)> {
    vec![
        ("channel", "whatsapp".into()),
        ("source", NUMBER.into()),
        ("destination", PHONE.into()),
        ("src.name", APP.into()),
        ("message", json!({"type": "text", "text": "hi"}).to_string()),
    ]
}

async fn post(peer: &Peer<Gupshup>, path: &str, key: &str, fields: &[(&str, String)]) -> (u16, String) {
    let call = client().post(format!("{}{path}", peer.url())).header("apikey", key).form(fields);
    let response = call.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn refuses_what_is_near_a_message() {
    let peer = peer().await;
    assert_eq!(post(&peer, "/wa/api/v1/msg", KEY, &fields()).await.0, 202);
    for (path, key, status) in [
        ("/wa/api/v1/msg", "sk_other", 401),
        ("/wa/api/v1/msgs", KEY, 404),
        ("/sm/api/v1/msg", KEY, 404),
        ("/wa/api/v1/template/msg", KEY, 400),
    ] {
        assert_eq!(post(&peer, path, key, &fields()).await.0, status, "{path}");
    }
    for (name, value) in [
        ("channel", "sms"),
        ("source", OTHER_NUMBER),
        ("source", "+918400000048"),
        ("destination", "+918298002134"),
        ("destination", "Maria"),
        ("destination", ""),
        ("src.name", OTHER),
        ("src.name", ""),
        ("message", "hi"),
        ("message", "[]"),
    ] {
        let mut near = fields();
        near.iter_mut().find(|(known, _)| *known == name).unwrap().1 = value.into();
        let (status, words) = post(&peer, "/wa/api/v1/msg", KEY, &near).await;
        assert_eq!(status, 400, "{name} {value}: {words}");
        near.retain(|(known, _)| *known != name);
        assert_eq!(post(&peer, "/wa/api/v1/msg", KEY, &near).await.0, 400, "without {name}");
    }
    for more in ["to", "message", "msgid"] {
        let twice = [fields(), vec![(more, "x".into())]].concat();
        assert_eq!(post(&peer, "/wa/api/v1/msg", KEY, &twice).await.0, 400, "{more}");
    }
    let json = client().post(format!("{}/wa/api/v1/msg", peer.url())).header("apikey", KEY).json(&json!({}));
    assert_eq!(json.send().await.unwrap().status(), 415);
    let put = client()
        .request(Method::PUT, format!("{}/wa/api/v1/msg", peer.url()))
        .header("apikey", KEY)
        .form(&fields());
    assert_eq!(put.send().await.unwrap().status(), 404);
    assert_eq!(peer.sent().len(), 1);
}

#[tokio::test]
async fn refuses_messages_that_do_not_fit() {
    let peer = peer().await;
    let option = |title: &str| json!({"type": "text", "title": title, "postbackText": title});
    let menu = |options: Value| json!({"type": "quick_reply", "msgid": "m", "content": {"type": "text", "text": "Which?"}, "options": options});
    let list = |mut options: Value| {
        for row in options.as_array_mut().into_iter().flatten() {
            row["description"] = "more".into();
        }
        json!({"type": "list", "title": "Show", "body": "Which?", "msgid": "m", "globalButtons": [{"type": "text", "title": "Show"}],
            "items": [{"title": "A", "subtitle": "A", "options": options}]})
    };
    for (message, fits) in [
        (json!({"type": "text", "text": "hi"}), true),
        (json!({"type": "text", "text": null}), false),
        (json!({"type": "text", "text": ""}), false),
        (json!({"type": "text", "text": "x".repeat(4097)}), false),
        (json!({"type": "text", "body": "hi"}), false),
        (json!({"type": "text", "text": "hi", "isHSM": "false"}), false),
        (json!({"type": "text", "text": "hi", "context": {"msgId": null}}), false),
        (json!({"type": "text", "text": "hi", "context": {"id": "w"}}), false),
        (json!({"type": "letter", "text": "hi"}), false),
        (json!({"text": "hi"}), false),
        (json!({"type": "image", "url": "https://example.com"}), false),
        (json!({"type": "image", "originalUrl": "a.png", "previewUrl": "a.png"}), false),
        (
            json!({"type": "image", "originalUrl": "https://a", "previewUrl": "https://a", "caption": null}),
            false,
        ),
        (json!({"type": "file", "url": "https://a"}), false),
        (json!({"type": "audio", "url": "https://a", "caption": "x"}), false),
        (json!({"type": "location", "latitude": "1", "longitude": 2}), false),
        (json!({"type": "reaction", "msgid": "w", "emoji": "x"}), false),
        (menu(json!([option("a")])), true),
        (menu(json!([])), false),
        (menu(json!([option("a"), option("a")])), false),
        (menu(json!([option("a"), option("b"), option("c"), option("d")])), false),
        (menu(json!([option(&"t".repeat(21))])), false),
        (list(json!([option("a"), option("b")])), true),
        (list(json!([option(&"t".repeat(25))])), false),
        (list(json!((0..11).map(|number| option(&number.to_string())).collect::<Vec<_>>())), false),
    ] {
        let mut fields = fields();
        fields[4].1 = message.to_string();
        let (status, words) = post(&peer, "/wa/api/v1/msg", KEY, &fields).await;
        assert_eq!(status, if fits { 202 } else { 400 }, "{message}: {words}");
    }
}
