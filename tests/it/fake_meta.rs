//! The fake Meta is as strict as Meta, and the adapter keeps to it: every request that it makes passes,
//! and what is nearly one is refused.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::channel::media::Source;
use switchboard::channel::{Adapter, Hook, Outcome, Outgoing, Request, Signal, adapter};
use switchboard::message::{
    Buttons, Choice, Fate, ListMenu, ListRow, ListSection, Location, MediaKind, Outbound, OutboundContent,
    OutboundMedia, Provider, Reaction,
};
use switchboard::template::Template;
use switchboard::tenant::Sender;
use switchboard_tests::client::client;
use switchboard_tests::meta::webhook::{Webhook, signature};
use switchboard_tests::meta::{self, BUSINESS, FakeMeta, NUMBER, SECRET, TOKEN, VERSION};
use switchboard_tests::peer::Fault;

mod kept;

const PHONE: &str = "971501234567";

fn adapter_for_meta() -> &'static dyn Adapter {
    adapter(Provider::Meta)
}

fn sender(meta: &FakeMeta) -> Sender {
    serde_json::from_value(json!({
        "name": "main", "provider": "meta", "account": NUMBER, "base_url": meta.url(), "api_key": TOKEN,
        "business_account": BUSINESS, "hmac_key": SECRET,
    }))
    .unwrap()
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Makes a request of the adapter's.
async fn make(request: Request) -> Answer {
    let mut call = client().request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

/// Sends as the gateway will: encode, call, read the outcome.
async fn send(
    meta: &FakeMeta,
    to: &str,
    outbound: &Outbound,
    template: Option<&Template>,
    media: Option<&Source>,
) -> Outcome {
    let sender = sender(meta);
    let outgoing = Outgoing {
        sender: &sender,
        to,
        outbound,
        reference: "r-0123456789abcdef",
        template,
        template_id: None,
        media,
    };
    let answer = make(adapter_for_meta().encode(&outgoing).unwrap().unwrap()).await;
    adapter_for_meta().outcome(answer.status, &answer.headers, &answer.body, to)
}

#[tokio::test]
async fn the_number_is_asked_for_with_its_token() {
    let meta = meta::start().await;
    let good = sender(&meta);
    let probed = async |sender: &Sender| {
        let answer = make(adapter_for_meta().probe(sender).unwrap()).await;
        adapter_for_meta().probed(sender, answer.status, &answer.body)
    };
    assert_eq!(probed(&good).await.as_deref(), Ok("Meta knows its number and takes its key"));
    let expired = Sender { api_key: switchboard::tenant::Secret::new("EAAG-expired"), ..good.clone() };
    let said = probed(&expired).await.unwrap_err().to_string();
    assert!(said.starts_with("Meta refuses its key: Meta answered 401, code 190"), "{said}");
    let other = Sender { account: "106540352242999".into(), ..good.clone() };
    assert!(probed(&other).await.is_err());
    // Meta's word counts, whatever the status.
    let body = br#"{"error":{"code":190,"message":"Session has expired"}}"#;
    assert!(
        adapter_for_meta().probed(&good, 400, body).unwrap_err().what.starts_with("Meta refuses its key")
    );
    let keyless = Sender { api_key: switchboard::tenant::Secret::default(), ..good };
    assert_eq!(adapter_for_meta().probe(&keyless), None);
}

fn plain(content: OutboundContent) -> Outbound {
    Outbound { content, reply_to: Some("wamid.QUOTED".into()) }
}

async fn post(meta: &FakeMeta, path: &str, token: &str, content_type: &str, body: &Value) -> Answer {
    let request = Request {
        method: Method::POST,
        url: format!("{}{path}", meta.url()),
        headers: vec![
            ("Authorization".into(), format!("Bearer {token}")),
            ("Content-Type".into(), content_type.into()),
        ],
        body: body.to_string().into_bytes(),
    };
    make(request).await
}

fn text(changes: Value) -> Value {
    let mut body =
        json!({ "messaging_product": "whatsapp", "to": PHONE, "type": "text", "text": { "body": "hi" } });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn refuses_what_meta_refuses() {
    let meta = meta::start().await;
    let path = format!("/{VERSION}/{NUMBER}/messages");
    let json_type = "application/json";
    for (path, token, content_type, body, status, code) in [
        (path.as_str(), "", json_type, text(json!({})), 401, 190),
        (&path, "another", json_type, text(json!({})), 401, 190),
        ("/v1.0/106540352242922/messages", TOKEN, json_type, text(json!({})), 400, 2635),
        (&format!("/{VERSION}/1/messages"), TOKEN, json_type, text(json!({})), 400, 100),
        (&format!("/{VERSION}/{NUMBER}/message"), TOKEN, json_type, text(json!({})), 400, 100),
        (&path, TOKEN, "text/plain", text(json!({})), 400, 100),
        (&path, TOKEN, json_type, json!([]), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "messaging_product": "sms" })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "to": "+971501234567" })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "recipient": "US.1234" })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "to": "US.1234" })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "unknown": true })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "context": null })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "text": { "body": "" } })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "text": { "body": "x".repeat(4097) } })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "text": { "body": "hi", "caption": "x" } })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "type": "poll" })), 400, 100),
        (&path, TOKEN, json_type, text(json!({ "biz_opaque_callback_data": "x".repeat(513) })), 400, 100),
        (
            &path,
            TOKEN,
            json_type,
            json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "A" }),
            400,
            131_009,
        ),
    ] {
        let answer = post(&meta, path, token, content_type, &body).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_i64()),
            (status, Some(code)),
            "{path} {body}"
        );
    }
    assert!(meta.sent().is_empty());
    assert_eq!(meta.refused().len(), 19);
    assert_eq!(post(&meta, &path, TOKEN, json_type, &text(json!({}))).await.status, 200);
}

fn contents() -> Vec<OutboundContent> {
    let media = |kind, caption: Option<&str>, filename: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let source = "https://example.com/a".into();
        OutboundContent::Media(OutboundMedia {
            kind,
            source,
            caption: owned(caption),
            filename: owned(filename),
        })
    };
    let choice = |n: usize| Choice { id: format!("id {n}"), title: format!("Title {n}") };
    let row = |n: usize| ListRow {
        id: format!("{n}"),
        title: format!("Row {n}"),
        description: Some("more".into()),
    };
    let buttons = |n: usize| Buttons {
        body: "Which?".into(),
        footer: Some("Tap".into()),
        buttons: (0..n).map(choice).collect(),
    };
    let list = |n: usize| ListMenu {
        body: "Which?".into(),
        footer: None,
        button: "Show".into(),
        sections: vec![
            ListSection { title: Some("First".into()), rows: (0..n).map(row).collect() },
            ListSection { title: Some("Second".into()), rows: vec![row(99)] },
        ],
    };
    vec![
        OutboundContent::Text { text: "hello https://example.com".into() },
        media(MediaKind::Image, Some("A view"), None),
        media(MediaKind::Video, None, None),
        media(MediaKind::Audio, None, None),
        media(MediaKind::Voice, None, None),
        media(MediaKind::Document, Some("Plan"), Some("Plan.pdf")),
        media(MediaKind::Sticker, None, None),
        OutboundContent::Location(Location {
            latitude: 25.0,
            longitude: 55.0,
            name: Some("Here".into()),
            address: None,
        }),
        OutboundContent::Buttons(buttons(3)),
        OutboundContent::Buttons(buttons(4)),
        OutboundContent::List(list(9)),
        OutboundContent::List(list(10)),
        OutboundContent::Reaction(Reaction { message_id: "wamid.A".into(), emoji: "👍".into() }),
        OutboundContent::Reaction(Reaction { message_id: "wamid.A".into(), emoji: String::new() }),
    ]
}

#[tokio::test]
async fn takes_everything_the_adapter_sends() {
    let meta = meta::start().await;
    for (at, content) in contents().into_iter().enumerate() {
        let outcome = send(&meta, "+971 50 123 4567", &plain(content), None, None).await;
        let Outcome::Sent { provider_id, known_as: None } = outcome else {
            panic!("{outcome:?} {:?}", meta.refused())
        };
        let sent = &meta.sent()[at];
        assert_eq!(provider_id.as_deref(), Some(sent.id.as_str()));
        assert_eq!(
            (sent.number.as_str(), sent.to.as_str(), sent.reference()),
            (NUMBER, PHONE, Some("r-0123456789abcdef"))
        );
    }
    for to in ["US.1234", "5678", "558591203123"] {
        let outcome = send(&meta, to, &Outbound::text("hello"), None, None).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{to}: {outcome:?}");
    }
    meta.with(|meta| meta.known_as("558591203123", "5585991203123"));
    match send(&meta, "558591203123", &Outbound::text("hello"), None, None).await {
        Outcome::Sent { known_as, .. } => assert_eq!(known_as.as_deref(), Some("5585991203123")),
        other => panic!("{other:?}"),
    }
    assert_eq!(meta.refused(), []);
}

#[tokio::test]
async fn reads_and_typing_are_seen() {
    let meta = meta::start().await;
    for signal in [Signal::Read, Signal::Typing] {
        let request = adapter_for_meta().signal(&sender(&meta), PHONE, "wamid.A", signal).unwrap();
        let answer = make(request).await;
        let outcome = adapter_for_meta().outcome(answer.status, &answer.headers, &answer.body, PHONE);
        assert_eq!(outcome, Outcome::sent(None));
    }
    assert_eq!(meta.with(|meta| meta.reads()), [("wamid.A".into(), false), ("wamid.A".into(), true)]);
    assert!(meta.sent().is_empty());
}

#[tokio::test]
async fn fails_as_told_and_then_works_again() {
    let meta = meta::start().await;
    let hello = Outbound::text("my secret");
    for (fault, fate, sent) in [
        (Fault::TooMany { retry_after: Some("7".into()) }, Fate::Retry, 0),
        (Fault::Unavailable { retry_after: None }, Fate::Retry, 0),
        (Fault::Error, Fate::Unknown, 0),
        (Fault::ErrorAfterSending, Fate::Unknown, 1),
        (Fault::Say { status: 401, body: meta::error(190, "Session has expired") }, Fate::KeyRefused, 0),
        (
            Fault::Say { status: 200, body: meta::error(131_047, "Re-engagement message") },
            Fate::WindowClosed,
            0,
        ),
        (Fault::Say { status: 200, body: json!({}) }, Fate::Unknown, 0),
    ] {
        meta.fail_next(fault.clone());
        let before = meta.sent().len();
        let outcome = send(&meta, PHONE, &hello, None, None).await;
        assert!(
            matches!(&outcome, Outcome::Failed { fate: it, error, .. } if *it == fate && !error.contains("secret")),
            "{fault:?}: {outcome:?}"
        );
        assert_eq!(meta.sent().len() - before, sent, "{fault:?}");
    }
    meta.fail_next(Fault::Drip { pause: Duration::from_millis(1) });
    for _ in 0..2 {
        let works = send(&meta, PHONE, &hello, None, None).await;
        assert!(matches!(works, Outcome::Sent { .. }), "{works:?}");
    }
}

#[test]
fn webhooks_are_signed_and_mean_what_they_say() {
    let hook = Webhook::text(NUMBER, PHONE, "start_realty_2 é/😀");
    let body = hook.bytes();
    let written = String::from_utf8(body.clone()).unwrap();
    assert!(written.contains(r"start_realty_2 \u00e9\/\ud83d\ude00"), "{written}");
    let sender: Sender = serde_json::from_value(
        json!({ "name": "main", "provider": "meta", "account": NUMBER, "hmac_key": SECRET }),
    )
    .unwrap();
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-hub-signature-256", signature(SECRET, &body).parse().unwrap());
    let verify =
        |body: &[u8]| adapter_for_meta().verify(&sender, &Hook { headers: &headers, path_key: None, body });
    assert_eq!(verify(&body), Ok(()));
    assert!(verify(hook.body.to_string().as_bytes()).is_err(), "the same in other words");
    let explained = switchboard::explain::explain(Provider::Meta, &body, false).unwrap();
    let explained = serde_json::to_value(&explained[0]).unwrap();
    assert_eq!(explained["contact"], PHONE);
    assert_eq!(explained["message_id"], hook.id());
    assert_eq!(explained["content"], json!({ "type": "text", "text": "start_realty_2 é/😀" }));
    let both = hook.and(Webhook::failed(NUMBER, "wamid.OUT", PHONE, 131_047));
    let explained = switchboard::explain::explain(Provider::Meta, &both.bytes(), false).unwrap();
    assert_eq!(explained.len(), 2);
    assert_eq!(explained[1].reason.as_deref(), Some("failed: 131047 It failed"));
}
