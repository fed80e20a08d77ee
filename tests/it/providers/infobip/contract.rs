//! The fake Infobip takes everything that the adapter makes, and nothing near it.

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::channel::media::{Fetch, Place, Source};
use switchboard::channel::{Adapter, Outcome, Outgoing, Request, Signal, adapter};
use switchboard::message::{Outbound, OutboundContent, Provider};
use switchboard::template::{Status, Template};
use switchboard::tenant::Sender;

use super::*;

fn infobip() -> &'static dyn Adapter {
    adapter(Provider::Infobip)
}

fn a_sender(url: &str) -> Sender {
    serde_json::from_value(json!({
        "name": "first", "provider": "infobip", "account": format!("+{FIRST}"), "base_url": url, "api_key": KEY,
    }))
    .unwrap()
}

/// As the gateway will.
async fn call(request: Request) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let mut call = client().request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

fn viewing() -> Template {
    serde_json::from_value(json!({
        "name": "viewing", "language": "en", "category": "utility",
        "header": {"type": "image"}, "body": "Dear {{customer}}, on {{day}} at {{price}}.", "footer": "Homes",
        "buttons": [
            {"type": "quick_reply", "text": "Yes"}, {"type": "phone", "text": "Call", "number": "+41793026731"},
            {"type": "url", "text": "Map", "url": "https://example.com/{{place}}"},
            {"type": "copy_code", "example": "SUN10"},
        ],
        "parameters": [
            {"name": "customer", "example": "Dana"}, {"name": "day", "kind": "date", "example": "2026-03-01"},
            {"name": "price", "kind": "currency", "example": "EUR 12.50"},
            {"name": "place", "kind": "url", "example": "https://example.com/marina"},
            {"name": "header", "kind": "media", "example": "https://example.com/a.jpg"},
            {"name": "code", "example": "SUN10"},
        ],
    }))
    .unwrap()
}

fn asked(changes: &[(&str, Option<&str>)]) -> OutboundContent {
    let mut given = vec![
        ("customer", "Dana"),
        ("day", "2026-03-01"),
        ("price", "EUR 12.50"),
        ("place", "marina"),
        ("header", "https://example.com/a.jpg"),
        ("code", "SUN10"),
    ];
    for (name, value) in changes {
        given.retain(|(known, _)| known != name);
        given.extend(value.map(|value| (*name, value)));
    }
    let given: Vec<Value> = given.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    content(json!({"type": "template", "name": "viewing", "language": "en", "parameters": given}))
}

fn content(content: Value) -> OutboundContent {
    serde_json::from_value(content).unwrap()
}

struct Try<'a> {
    content: OutboundContent,
    reply_to: Option<&'a str>,
    to: &'a str,
    reference: &'a str,
    template: Option<&'a Template>,
    media: Option<Source>,
}

impl Try<'_> {
    fn of(content: OutboundContent, reference: &str) -> Try<'_> {
        Try { content, reply_to: None, to: FRANK, reference, template: None, media: None }
    }

    fn encode(self, sender: &Sender) -> Result<Request, String> {
        let outbound = Outbound { content: self.content, reply_to: self.reply_to.map(str::to_owned) };
        let outgoing = Outgoing {
            sender,
            to: self.to,
            outbound: &outbound,
            reference: self.reference,
            template: self.template,
            template_id: None,
            media: self.media.as_ref(),
        };
        infobip().encode(&outgoing).map(Option::unwrap).map_err(|error| error.to_string())
    }
}

fn buttons(count: usize, title: &str) -> OutboundContent {
    let buttons: Vec<Value> = (0..count).map(|n| json!({"id": format!("b{n}"), "title": title})).collect();
    content(json!({"type": "buttons", "body": "Buy or rent?", "footer": "Homes", "buttons": buttons}))
}

fn list(rows: usize, section: Option<&str>) -> OutboundContent {
    let rows: Vec<Value> =
        (0..rows).map(|n| json!({"id": format!("r{n}"), "title": "Marina", "description": "sea"})).collect();
    let sections = json!([{"title": section, "rows": rows}, {"title": "Else", "rows": [{"id": "x", "title": "Other", "description": null}]}]);
    content(
        json!({"type": "list", "body": "Which area?", "footer": null, "button": "Areas", "sections": sections}),
    )
}

#[tokio::test]
async fn takes_everything_that_the_adapter_makes() {
    let peer = account().await;
    let sender = a_sender(peer.url());
    let template = viewing();
    let media = |kind: &str, caption: Option<&str>| {
        content(
            json!({"type": "media", "kind": kind, "source": "https://example.com/a", "caption": caption, "filename": "a.pdf"}),
        )
    };
    let approved = json!({"name": "viewing", "language": "en", "status": "APPROVED",
        "structure": {"body": {"text": "{{1}}, {{2}}, {{3}}"}, "header": {"format": "IMAGE"}}});
    peer.with(|account| account.templates.insert("viewing".into(), approved));
    let tries: Vec<(OutboundContent, &str)> = vec![
        (content(json!({"type": "text", "text": "hello"})), "text"),
        (media("image", Some("Sea")), "image"),
        (media("video", None), "video"),
        (media("audio", None), "audio"),
        (media("voice", None), "audio"),
        (media("document", Some("Plan")), "document"),
        (media("sticker", None), "sticker"),
        (
            content(
                json!({"type": "location", "latitude": 25.07, "longitude": 55.13, "name": "Marina", "address": null}),
            ),
            "location",
        ),
        (buttons(3, "Twenty characters ok"), "interactive/buttons"),
        (buttons(4, "Buy"), "text"),
        (buttons(1, "Twenty-one characters"), "text"),
        (buttons(0, "Buy"), "text"),
        (list(9, Some("Dubai")), "interactive/list"),
        (list(10, Some("Dubai")), "text"),
        (list(3, None), "text"),
        (asked(&[]), "template"),
    ];
    let count = tries.len();
    for (number, (content, path)) in tries.into_iter().enumerate() {
        let native =
            !matches!(content, OutboundContent::Buttons(_) | OutboundContent::List(_)) || path != "text";
        assert_eq!(infobip().shows(&content), native, "{content:?}");
        let reference = format!("r-0123456789abcdef-{number}");
        let attempt =
            Try { template: Some(&template), reply_to: Some("wamid.A"), ..Try::of(content, &reference) };
        let (status, headers, body) = call(attempt.encode(&sender).unwrap()).await;
        let outcome = infobip().outcome(status, &headers, &body, FRANK);
        assert_eq!(outcome, Outcome::sent(Some(reference)), "{:?}", peer.refused());
        let sent = peer.sent().pop().unwrap();
        assert_eq!(sent.path, format!("/whatsapp/1/message/{path}"));
        assert_eq!((sent.from.as_str(), sent.reply_to.as_deref()), (FIRST, Some("wamid.A")));
    }
    assert_eq!((peer.sent().len(), peer.refused()), (count, vec![]));
    let sent = peer.sent().pop().unwrap().content;
    assert_eq!(
        sent["templateData"],
        json!({
            "body": {"placeholders": ["Dana", "2026-03-01", "EUR 12.50"]},
            "header": {"type": "IMAGE", "mediaUrl": "https://example.com/a.jpg"},
            "buttons": [
                {"type": "QUICK_REPLY", "parameter": "Yes"}, {"type": "URL", "parameter": "marina"},
                {"type": "COPY_CODE", "parameter": "SUN10"},
            ],
        })
    );
}

/// The same id again is refused in a 200, and means that the first one arrived.
#[tokio::test]
async fn a_repeat_of_an_id_is_the_message_that_was_sent() {
    let peer = account().await;
    let sender = a_sender(peer.url());
    for _ in 0..2 {
        let hello = content(json!({"type": "text", "text": "hello"}));
        let (status, headers, body) =
            call(Try::of(hello, "r-0123456789abcdef").encode(&sender).unwrap()).await;
        let outcome = infobip().outcome(status, &headers, &body, FRANK);
        assert_eq!(outcome, Outcome::sent(Some("r-0123456789abcdef".into())));
    }
    assert_eq!(peer.sent().len(), 1);
}

#[tokio::test]
async fn refuses_what_infobip_refuses() {
    let peer = account().await;
    let text = json!({"from": FIRST, "to": FRANK, "messageId": "r-1", "content": {"text": "hi"}});
    let changed = |pointer: &str, value: Value| {
        let mut body = text.clone();
        match pointer.rsplit_once('/') {
            Some((parent, name)) => body.pointer_mut(parent).unwrap()[name] = value,
            None => body = value,
        }
        body
    };
    let path = "/whatsapp/1/message/text";
    let key = format!("App {KEY}");
    for (case, method, path, key, body, status) in [
        ("no key", Method::POST, path, "", text.clone(), 401),
        ("another scheme", Method::POST, path, KEY, text.clone(), 401),
        ("another method", Method::PUT, path, &key, text.clone(), 404),
        ("another path", Method::POST, "/whatsapp/1/message/texts", &key, text.clone(), 404),
        ("no body", Method::POST, path, &key, changed("x", json!(null)), 400),
        ("a list", Method::POST, path, &key, changed("x", json!([])), 400),
        ("a sender of somebody else", Method::POST, path, &key, changed("/from", json!("15550001111")), 400),
        ("a plus", Method::POST, path, &key, changed("/to", json!(format!("+{FRANK}"))), 400),
        ("a number", Method::POST, path, &key, changed("/to", json!(385_919_998_888_i64)), 400),
        ("no id", Method::POST, path, &key, changed("/messageId", json!(null)), 400),
        ("a long id", Method::POST, path, &key, changed("/messageId", json!("x".repeat(51))), 400),
        ("an unknown field", Method::POST, path, &key, changed("/message_id", json!("x")), 400),
        ("no content", Method::POST, path, &key, changed("/content", json!(null)), 400),
        ("an empty text", Method::POST, path, &key, changed("/content/text", json!("")), 400),
        ("a long text", Method::POST, path, &key, changed("/content/text", json!("x".repeat(4097))), 400),
        ("a null", Method::POST, path, &key, changed("/content/previewUrl", json!(null)), 400),
        ("another's content", Method::POST, "/whatsapp/1/message/image", &key, text.clone(), 400),
        ("a template alone", Method::POST, "/whatsapp/1/message/template", &key, text.clone(), 400),
    ] {
        let request = client().request(method, format!("{}{path}", peer.url()));
        let request = request.header("content-type", "application/json").header("authorization", key);
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{case}");
        let said: Value = answer.json().await.unwrap();
        assert!(said["requestError"]["serviceException"]["messageId"].is_string(), "{case}: {said}");
    }
    let plain = client().post(format!("{}{path}", peer.url())).header("authorization", &key);
    assert_eq!(plain.body(text.to_string()).send().await.unwrap().status(), 415);
    assert_eq!(peer.sent().len(), 0);
}

#[test]
fn what_cannot_be_sent_says_why() {
    let sender = a_sender("https://xxxxx.api.infobip.com");
    let template = viewing();
    let text = |text: &str| content(json!({"type": "text", "text": text}));
    let media = |kind: &str, source: &str, caption: &str| {
        content(
            json!({"type": "media", "kind": kind, "source": source, "caption": caption, "filename": null}),
        )
    };
    let url = "https://example.com/a";
    for (content, error) in [
        (text(" \n"), "the text is empty"),
        (text(&"x".repeat(4097)), "the text has 4097 characters; Infobip takes 4096 in a text"),
        (media("image", "handle", ""), "the media's source is neither an https address nor a received file"),
        (
            media("voice", url, "words"),
            "WhatsApp shows no caption beside this (audio): send the words as text",
        ),
        (
            media("image", url, &"x".repeat(3001)),
            "the caption has 3001 characters; Infobip takes 3000 in a caption",
        ),
        (
            content(
                json!({"type": "location", "latitude": 91.0, "longitude": 0.0, "name": null, "address": null}),
            ),
            "the location is not on Earth: latitude -90 to 90, longitude -180 to 180",
        ),
        (
            content(json!({"type": "reaction", "message_id": "A", "emoji": "👍"})),
            "Infobip's API has no call for reactions: send text",
        ),
        (
            asked(&[("day", None)]),
            "the template `viewing`: parameter day: is missing; give it, such as \"2026-03-01\"",
        ),
        (
            asked(&[("colour", Some("red"))]),
            "the template `viewing`: parameter colour: there is no such parameter; template viewing has customer, day, price, place, header, code",
        ),
        (
            asked(&[("day", Some("soon"))]),
            "the template `viewing`: parameter day: is no date; write 2026-03-01 or 2026-03-01T12:00:00Z",
        ),
        (
            asked(&[("price", Some("12"))]),
            "the template `viewing`: parameter price: is no amount of money; write a currency, a space and a number, such as EUR 12.50",
        ),
        (
            asked(&[("header", Some("a b"))]),
            "the template `viewing`: parameter header: is no file; write an https address, or the handle of a received file",
        ),
    ] {
        let attempt = Try { template: Some(&template), ..Try::of(content, "r-1") };
        assert_eq!(attempt.encode(&sender).unwrap_err(), error);
    }
    let unknown = Try::of(asked(&[]), "r-1").encode(&sender).unwrap_err();
    assert!(unknown.contains("no approved template `viewing` in `en`"), "{unknown}");
    for to in ["245800000000182@lid", "120363000000000002@g.us", "status@broadcast", "Frank", ""] {
        let error = Try { to, ..Try::of(text("hi"), "r-1") }.encode(&sender).unwrap_err();
        assert!(error.starts_with("no message can be sent to this address"), "{to}: {error}");
    }
    for (to, written) in
        [("HR.1234", "HR.1234"), ("+385 91 999-8888", FRANK), ("558591203123", "558591203123")]
    {
        let request = Try { to, ..Try::of(text("hi"), "r-1") }.encode(&sender).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap()["to"], written);
    }
    let nowhere = Sender { base_url: None, ..a_sender("") };
    assert!(Try::of(text("hi"), "r-1").encode(&nowhere).unwrap_err().contains("has no base_url"));
    let keyless = Sender { api_key: Default::default(), ..sender.clone() };
    assert_eq!(Try::of(text("hi"), "r-1").encode(&keyless).unwrap_err(), "the sender first has no api_key");
    let slashed = a_sender("https://xxxxx.api.infobip.com/");
    let request = Try::of(text("hi"), "r-1").encode(&slashed).unwrap();
    assert_eq!(request.url, "https://xxxxx.api.infobip.com/whatsapp/1/message/text");
    let inline = Place::Inline { base64: "aGk=".into() };
    let linked = Place::Link("https://gateway.example.com/files/1".into());
    for (place, sends) in [(inline, None), (linked, Some("https://gateway.example.com/files/1"))] {
        let source = Source { place, mime_type: "image/png".into(), filename: None };
        let attempt = Try { media: Some(source), ..Try::of(media("image", "received:1", ""), "r-1") };
        let found = attempt.encode(&sender).ok();
        let found = found.map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
        assert_eq!(found.as_ref().and_then(|body| body["content"]["mediaUrl"].as_str()), sends);
    }
}

#[tokio::test]
async fn read_typing_files_and_templates() {
    let peer = account().await;
    let sender = a_sender(peer.url());
    let id = "wamid.HBgLMjc4MTMz+/A=";
    for signal in [Signal::Read, Signal::Typing] {
        let (status, ..) = call(infobip().signal(&sender, FRANK, id, signal).unwrap()).await;
        assert!((200..300).contains(&status), "{signal:?}: {:?}", peer.refused());
    }
    assert_eq!(
        peer.with(|account| (account.read.clone(), account.typing.clone())),
        (vec![id.into()], vec![id.into()])
    );
    assert_eq!(infobip().signal(&a_sender(""), FRANK, id, Signal::Read), None);

    let (status, _, body) = call(infobip().probe(&sender).unwrap()).await;
    assert_eq!(infobip().probed(&sender, status, &body).as_deref(), Ok("infobip knows it and takes its key"));

    let path = format!("/whatsapp/1/senders/{FIRST}/media/2b5");
    peer.with(|account| account.files.insert(path.clone(), ("image/jpeg".into(), b"picture".to_vec())));
    let media = infobip().media().unwrap();
    let Ok(Fetch::File(request)) = media.fetch(&sender, &format!("{}{path}", peer.url())) else {
        panic!("a file")
    };
    let (status, headers, file) = call(request).await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap(), file.as_slice()),
        (200, "image/jpeg", &b"picture"[..])
    );

    let templates = infobip().templates().unwrap();
    let template = viewing();
    let (status, headers, body) = call(templates.submit(&sender, &template).unwrap()).await;
    let submitted =
        templates.submitted(status, &headers, &body).unwrap_or_else(|_| panic!("{:?}", peer.refused()));
    assert_eq!((submitted.id.as_deref(), submitted.status), (Some("111"), Status::Pending));
    let told = peer.with(|account| account.templates["viewing"].clone());
    assert_eq!(told["structure"]["body"]["text"], "Dear {{1}}, on {{2}} at {{3}}.");
    assert_eq!(told["structure"]["body"]["examples"], json!(["Dana", "2026-03-01", "EUR 12.50"]));
    assert_eq!(told["structure"]["buttons"][2]["url"], "https://example.com/{{1}}");
    assert_eq!(told["structure"]["buttons"][2]["example"], "https://example.com/marina");
    assert_eq!(told["category"], "UTILITY");

    // What follows the fixed part makes an address as well.
    let mut shorter = Template { body: "On {{day}}.".into(), ..viewing() };
    shorter.parameters[3].example = "marina".into();
    let (status, headers, body) = call(templates.update(&sender, "111", &shorter).unwrap()).await;
    assert!(templates.submitted(status, &headers, &body).is_ok(), "{:?}", peer.refused());
    let told = peer.with(|account| account.templates["viewing"].clone());
    assert_eq!(told["structure"]["buttons"][2]["example"], "https://example.com/marina");
    let mut nowhere = viewing();
    nowhere.parameters[4].example = "4::aW1n".into();
    let error = templates.submit(&sender, &nowhere).unwrap_err().to_string();
    assert!(error.contains("a sample file by its address"), "{error}");
    let (status, headers, body) = call(templates.list(&sender, None).unwrap()).await;
    let page = templates.listed(status, &headers, &body).unwrap();
    assert_eq!((page.templates.len(), page.templates[0].name.as_str(), page.next), (1, "viewing", None));
    // What is gone is gone.
    for _ in 0..2 {
        let (status, headers, body) = call(templates.delete(&sender, Some("111"), &template).unwrap()).await;
        assert_eq!(templates.deleted(status, &headers, &body), Ok(()));
    }
    let elsewhere = templates.deleted(404, &headers, b"<html>");
    assert!(matches!(elsewhere, Err(Outcome::Failed { .. })), "{elsewhere:?}");
    let paged = br#"{"results":[{"id":1,"name":"a","language":"en","status":"ARCHIVED_SOON"}],"paging":{"page":0,"totalPages":2}}"#;
    let page = templates.listed(200, &headers, paged).unwrap();
    assert_eq!((page.next.as_deref(), page.templates[0].status), (Some("1"), Status::Unknown));
    assert_eq!(page.templates[0].reason.as_deref(), Some("ARCHIVED_SOON"));
    let next = templates.list(&sender, Some("1")).unwrap();
    assert!(next.url.ends_with("/templates?page=1"), "{}", next.url);
}

/// WhatsApp fixes its words; its code goes into them and behind the button that copies it.
#[tokio::test]
async fn an_authentication_template_is_made_and_filled() {
    let peer = account().await;
    let (sender, templates) = (a_sender(peer.url()), infobip().templates().unwrap());
    let code: Template = serde_json::from_value(
        json!({"name": "code", "language": "en", "category": "authentication", "body": "{{1}} is your code.",
            "parameters": [{"name": "1", "example": "123456"}]}),
    )
    .unwrap();
    for request in [templates.submit(&sender, &code), templates.update(&sender, "111", &code)] {
        let (status, headers, body) = call(request.unwrap()).await;
        assert!(templates.submitted(status, &headers, &body).is_ok(), "{:?}", peer.refused());
    }
    let asked = content(json!({"type": "template", "name": "code", "language": "en",
        "parameters": [{"name": "1", "value": "42"}]}));
    let sent = Try { template: Some(&code), ..Try::of(asked, "r-1") }.encode(&sender).unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    let data = json!({"body": {"placeholders": ["42"]}, "buttons": [{"type": "URL", "parameter": "42"}]});
    assert_eq!(sent["messages"][0]["content"]["templateData"], data);
}
