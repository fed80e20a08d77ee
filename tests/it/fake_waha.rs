//! The fake WAHA refuses what WAHA refuses, and fails as told. A fake that takes everything would let
//! the gateway send anything.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::channel::{Adapter, Hook, Outcome, Outgoing, adapter};
use switchboard::message::{
    Buttons, Choice, Fate, Location, MediaKind, Outbound, OutboundContent, OutboundMedia, Provider, Reaction,
};
use switchboard::tenant::Sender;
use switchboard_tests::client::client;
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::waha::{Engine, FakeWaha, Fault};

const CHAT: &str = "971501234567@c.us";

struct Answer {
    status: u16,
    body: Value,
}

/// A request with everything as the caller says.
async fn call(
    waha: &FakeWaha,
    method: Method,
    path: &str,
    key: &str,
    content_type: &str,
    body: String,
) -> Answer {
    let request =
        client().request(method, format!("{}{path}", waha.url())).header("content-type", content_type);
    let response = request.header("x-api-key", key).body(body).send().await.unwrap();
    let status = response.status().as_u16();
    Answer { status, body: response.json().await.unwrap_or_default() }
}

async fn post(waha: &FakeWaha, path: &str, body: Value) -> Answer {
    call(waha, Method::POST, path, &waha.api_key(), "application/json", body.to_string()).await
}

fn text(words: &str) -> Value {
    json!({"session": "default", "chatId": CHAT, "text": words})
}

#[tokio::test]
async fn refuses_what_waha_refuses() {
    let waha = FakeWaha::start().await;
    let key = waha.api_key();
    let json = "application/json";
    let body = text("hi").to_string();
    let unauthorized = json!({"message": "Unauthorized", "statusCode": 401});
    for (method, path, key, content_type, body, status, words) in [
        (Method::POST, "/api/sendText", "", json, body.clone(), 401, unauthorized["message"].clone()),
        (Method::POST, "/api/sendText", "other", json, body.clone(), 401, unauthorized["message"].clone()),
        (Method::POST, "/api/sendtext", &key, json, body.clone(), 404, json!("Cannot POST /api/sendtext")),
        (Method::PUT, "/api/sendText", &key, json, body.clone(), 404, json!("Cannot PUT /api/sendText")),
        (Method::POST, "/api/reaction", &key, json, body.clone(), 404, json!("Cannot POST /api/reaction")),
        (
            Method::POST,
            "/api/sendText",
            &key,
            "text/plain",
            body.clone(),
            400,
            json!(["session must be a string", "chatId must be a chat id", "text must be a string"]),
        ),
        (Method::POST, "/api/sendText", &key, json, "[]".into(), 400, json!("The body is not an object")),
    ] {
        let answer = call(&waha, method, path, key, content_type, body).await;
        assert_eq!((answer.status, &answer.body["message"]), (status, &words), "{path} {content_type}");
    }
    let broken = call(&waha, Method::POST, "/api/sendText", &key, json, "{oops".into()).await;
    assert_eq!((broken.status, &broken.body["error"]), (400, &json!("Bad Request")));
    assert_eq!(waha.sent().len(), 0);
    assert_eq!(waha.refused().len(), 8);
}

#[tokio::test]
async fn refuses_bodies_that_do_not_fit() {
    let waha = FakeWaha::start().await;
    let file = json!({"mimetype": "image/jpeg", "url": "https://example.com/a.jpg"});
    for (path, changes, words) in [
        ("/api/sendText", json!({"text": null}), "text must be a string"),
        ("/api/sendText", json!({"text": 7}), "text must be a string"),
        ("/api/sendText", json!({"session": null}), "session must be a string"),
        ("/api/sendText", json!({"chatid": CHAT}), "property chatid should not exist"),
        ("/api/sendText", json!({"reply_to": 7}), "reply_to must be a string"),
        ("/api/sendText", json!({"chatId": "971501234567"}), "chatId must be a chat id"),
        ("/api/sendText", json!({"chatId": "+971501234567@c.us"}), "chatId must be a chat id"),
        ("/api/sendText", json!({"chatId": "971501234567:3@c.us"}), "chatId must be a chat id"),
        ("/api/sendText", json!({"chatId": "971501234567@s.whatsapp.net"}), "chatId must be a chat id"),
        ("/api/sendText", json!({"chatId": "status@broadcast"}), "chatId must be a chat id"),
        ("/api/sendImage", json!({"text": "x", "file": file}), "property text should not exist"),
        ("/api/sendImage", json!({"file": null}), "file must be an object"),
        (
            "/api/sendImage",
            json!({"file": {"url": "https://example.com/a"}}),
            "file must be a file with a mimetype",
        ),
        (
            "/api/sendImage",
            json!({"file": {"mimetype": "image/jpeg", "url": "a.jpg"}}),
            "file must be a file with a url or data",
        ),
        (
            "/api/sendLocation",
            json!({"latitude": "25", "longitude": 55, "title": ""}),
            "latitude must be a number conforming to the specified constraints",
        ),
    ] {
        let mut body =
            if path == "/api/sendText" { text("hi") } else { json!({"session": "default", "chatId": CHAT}) };
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = post(&waha, path, body.clone()).await;
        assert_eq!((answer.status, &answer.body["message"]), (400, &json!([words])), "{body}");
        assert_eq!(answer.body["error"], "Bad Request");
    }
    assert_eq!(waha.sent().len(), 0);
}

#[tokio::test]
async fn sessions_must_be_there_and_working() {
    let waha = FakeWaha::start().await;
    let mut elsewhere = text("hi");
    elsewhere["session"] = json!("other");
    let answer = post(&waha, "/api/sendText", elsewhere).await;
    assert_eq!(answer.body, json!({"error": "Session \"other\" does not exist", "session": "other"}));
    waha.set_session("default", "STARTING");
    let answer = post(&waha, "/api/sendText", text("hi")).await;
    assert_eq!((answer.status, &answer.body["status"]), (422, &json!("STARTING")));
    assert_eq!(answer.body["expected"], json!(["WORKING"]));
    waha.set_session("default", "WORKING");
    assert_eq!(post(&waha, "/api/sendText", text("hi")).await.status, 201);
    waha.remove_session("default");
    assert_eq!(post(&waha, "/api/sendText", text("hi")).await.status, 422);
    assert_eq!(waha.texts_to(CHAT), ["hi"]);
}

fn sender(waha: &FakeWaha) -> Sender {
    serde_json::from_value(json!({
        "name": "main", "provider": "waha", "account": "default", "base_url": waha.url(), "api_key": waha.api_key(),
    }))
    .unwrap()
}

fn adapter_for_waha() -> &'static dyn Adapter {
    adapter(Provider::Waha)
}

/// Sends as the gateway will: encode, call, read the outcome.
async fn send(waha: &FakeWaha, to: &str, content: OutboundContent) -> Outcome {
    let outbound = Outbound { content, reply_to: None };
    let sender = sender(waha);
    let (outbound, reference) = (&outbound, "r-0123456789abcdef");
    let outgoing =
        Outgoing { sender: &sender, to, outbound, reference, template: None, template_id: None, media: None };
    let request = adapter_for_waha().encode(&outgoing).unwrap().unwrap();
    let mut call = client().request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    adapter_for_waha().outcome(status, &headers, &body, to)
}

#[tokio::test]
async fn takes_everything_the_adapter_sends() {
    let waha = FakeWaha::start().await;
    let media = |kind, source: &str| {
        OutboundContent::Media(OutboundMedia { kind, source: source.into(), caption: None, filename: None })
    };
    let contents = [
        OutboundContent::Text { text: "hello".into() },
        media(MediaKind::Image, "https://example.com/a.jpg"),
        media(MediaKind::Video, "https://example.com/a"),
        media(MediaKind::Audio, "https://example.com/a.mp3"),
        media(MediaKind::Voice, "https://example.com/a.ogg"),
        media(MediaKind::Document, "https://example.com/a.pdf"),
        media(MediaKind::Sticker, "https://example.com/a.webp"),
        OutboundContent::Location(Location { latitude: 25.0, longitude: 55.0, name: None, address: None }),
        OutboundContent::Buttons(Buttons {
            body: "Buy or rent?".into(),
            footer: None,
            buttons: vec![Choice { id: "buy".into(), title: "Buy".into() }],
        }),
        OutboundContent::Reaction(Reaction { message_id: format!("false_{CHAT}_A"), emoji: "👍".into() }),
    ];
    let count = contents.len();
    for (at, content) in contents.into_iter().enumerate() {
        let outcome = send(&waha, "971501234567:7@s.whatsapp.net", content).await;
        let Outcome::Sent { provider_id, .. } = outcome else { panic!("{outcome:?} {:?}", waha.refused()) };
        assert_eq!(provider_id.as_deref(), Some(waha.sent()[at].id.as_str()));
    }
    assert_eq!(waha.sent_to(CHAT).len(), count);
    for to in ["245800000000182@lid", "120363000000000002@g.us", "558591203123"] {
        let outcome = send(&waha, to, OutboundContent::Text { text: "hello".into() }).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{to}: {outcome:?}");
    }
    assert_eq!(waha.texts_to("558591203123@c.us"), ["hello"]);
    assert_eq!(waha.refused(), []);
}

#[tokio::test]
async fn every_engine_names_the_message_in_its_own_way() {
    for engine in [Engine::Gows, Engine::Noweb, Engine::Webjs] {
        let waha = FakeWaha::start_as(engine).await;
        let outcome = send(&waha, CHAT, OutboundContent::Text { text: "hello".into() }).await;
        let expected = Some(waha.sent()[0].id.clone());
        assert_eq!(outcome, Outcome::sent(expected), "{engine:?}");
    }
}

#[tokio::test]
async fn fails_as_told_and_then_works_again() {
    let waha = FakeWaha::start().await;
    for (fault, status, sent) in [
        (Fault::TooMany { retry_after: Some("7".into()) }, 429, 0),
        (Fault::Unavailable { retry_after: None }, 503, 0),
        (Fault::Error, 500, 0),
        (Fault::ErrorAfterSending, 500, 1),
    ] {
        waha.fail_next(fault.clone());
        let before = waha.sent().len();
        let answer = post(&waha, "/api/sendText", text("my secret")).await;
        assert_eq!((answer.status, waha.sent().len() - before), (status, sent), "{fault:?}");
        if status == 500 {
            assert_eq!(answer.body["request"]["body"]["text"], "my secret", "WAHA echoes the request");
        }
    }
    waha.fail_next(Fault::TooMany { retry_after: Some("7".into()) });
    let limited = send(&waha, CHAT, OutboundContent::Text { text: "hi".into() }).await;
    assert!(
        matches!(limited, Outcome::Failed { fate: Fate::Retry, after_ms: Some(7_000), .. }),
        "{limited:?}"
    );
    waha.fail_next_times(2, Fault::Error);
    for _ in 0..2 {
        let failed = send(&waha, CHAT, OutboundContent::Text { text: "my secret".into() }).await;
        assert!(
            matches!(&failed, Outcome::Failed { fate: Fate::Unknown, error, .. } if !error.contains("secret")),
            "{failed:?}"
        );
    }
    let works = send(&waha, CHAT, OutboundContent::Text { text: "hi".into() }).await;
    assert!(matches!(works, Outcome::Sent { .. }), "{works:?}");
}

#[tokio::test]
async fn connections_break_as_told() {
    let waha = FakeWaha::start().await;
    let request = |limit: Duration| {
        let url = format!("{}/api/sendText", waha.url());
        let call =
            client().post(url).header("x-api-key", waha.api_key()).header("content-type", "application/json");
        call.timeout(limit).body(text("hi").to_string()).send()
    };
    for (fault, times_out, sent) in [
        (Fault::Reset, false, 0),
        (Fault::ResetAfterSending, false, 1),
        (Fault::Hang, true, 0),
        (Fault::HangAfterSending, true, 1),
    ] {
        waha.fail_next(fault.clone());
        let before = waha.sent().len();
        let limit = if times_out { Duration::from_millis(200) } else { Duration::from_secs(5) };
        let error = request(limit).await.expect_err("no answer");
        assert_eq!(error.is_timeout(), times_out, "{fault:?}: {error:?}");
        assert_eq!(waha.sent().len() - before, sent, "{fault:?}");
    }
    waha.fail_next(Fault::Drip { pause: Duration::from_millis(2) });
    let begun = Instant::now();
    let answer = request(Duration::from_secs(5)).await.unwrap();
    let body = answer.bytes().await.unwrap();
    let least = Duration::from_millis(2) * u32::try_from(body.len()).unwrap();
    assert!(begun.elapsed() >= least, "{} bytes in {:?}", body.len(), begun.elapsed());
    assert!(serde_json::from_slice::<Value>(&body).is_ok());
}

#[tokio::test]
async fn waiting_ends_when_enough_was_sent() {
    let waha = FakeWaha::start().await;
    let sending = async {
        for words in ["one", "two", "three"] {
            post(&waha, "/api/sendText", text(words)).await;
        }
    };
    let (sent, ()) = tokio::join!(waha.wait_for(3, Duration::from_secs(5)), sending);
    let words: Vec<_> = sent.iter().filter_map(|sent| sent.text()).collect();
    assert_eq!(words, ["one", "two", "three"]);
    assert!(sent.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(waha.requests(), 3);
}

#[tokio::test]
#[should_panic(expected = "waited 10ms for 1 messages")]
async fn waiting_for_what_never_comes_fails() {
    FakeWaha::start().await.wait_for(1, Duration::from_millis(10)).await;
}

#[test]
fn webhooks_are_signed_and_mean_what_they_say() {
    let hook = Webhook::text(CHAT, "start_realty_2").signed("key").keyed("shared");
    let sender: Sender = serde_json::from_value(json!({
        "name": "main", "provider": "waha", "account": "default", "hmac_key": "key", "webhook_key": "shared",
    }))
    .unwrap();
    let headers: reqwest::header::HeaderMap = hook
        .headers()
        .into_iter()
        .map(|(name, value)| (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let proof = Hook { headers: &headers, path_key: None, body: &hook.body() };
    assert_eq!(adapter_for_waha().verify(&sender, &proof), Ok(()));
    let explained = switchboard::explain::explain(Provider::Waha, &hook.body(), false).unwrap();
    let explained = serde_json::to_value(&explained[0]).unwrap();
    assert_eq!(explained["contact"], "971501234567");
    assert_eq!(explained["message_id"], hook.id());
    assert_eq!(explained["content"], json!({"type": "text", "text": "start_realty_2"}));
    assert_ne!(hook.id(), Webhook::text(CHAT, "start_realty_2").id(), "every message has an id of its own");
    let ack = Webhook::ack(&format!("true_{CHAT}_A"), CHAT, 3);
    let explained = switchboard::explain::explain(Provider::Waha, &ack.body(), false).unwrap();
    assert_eq!(explained[0].reason.as_deref(), Some("read"));
}

/// Sessions are made, scanned and logged out as WAHA does it, and bodies are read as strictly.
#[tokio::test]
async fn sessions_keep_to_the_contract() {
    let waha = FakeWaha::start().await;
    let hook = json!({"url": "https://gateway.example/hook", "events": ["message.any"]});
    let changed = |name: &str, value: Value| {
        let mut hook = hook.clone();
        hook[name] = value;
        json!({"name": "a", "config": {"webhooks": [hook]}})
    };
    for body in [
        json!({"name": "a", "webhooks": []}),
        json!({"name": "a", "config": {"webhook": []}}),
        changed("event", json!("message")),
        changed("url", json!("gateway.example")),
        changed("events", json!([])),
        changed("events", json!(["messages"])),
        changed("hmac", json!("key")),
        changed("retries", json!({"attempts": 3})),
    ] {
        let answer = post(&waha, "/api/sessions", body.clone()).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("Bad Request")), "{body}");
    }
    let key = waha.api_key();
    let ask = async |method: Method, path: &str, body: Value| {
        let answer = call(&waha, method, path, &key, "application/json", body.to_string()).await;
        (answer.status, answer.body["status"].as_str().unwrap_or_default().to_owned())
    };
    let body = json!({"name": "a", "config": {"debug": true, "webhooks": [hook]}});
    let (post, put, get) = (Method::POST, Method::PUT, Method::GET);
    for (method, path, body, status, word) in [
        (&post, "/api/sessions", body.clone(), 201, "STARTING"),
        (&post, "/api/sessions", body.clone(), 422, ""),
        (&get, "/api/sessions/a", json!({}), 200, "SCAN_QR_CODE"),
        (&get, "/api/a/auth/qr?format=raw", json!({}), 200, ""),
        (&get, "/api/a/auth/qr?format=svg", json!({}), 400, ""),
        (&post, "/api/a/auth/request-code", json!({"phoneNumber": "+971"}), 400, ""),
        (&post, "/api/a/auth/request-code", json!({"phoneNumber": "971500000009"}), 201, ""),
        (&put, "/api/sessions/b", json!({"config": {}}), 404, ""),
        (&post, "/api/sessions/b/start", json!({}), 404, ""),
        (&post, "/api/sessions/b/stop", json!({}), 201, ""),
        (&put, "/api/sessions/a", json!({"config": {}}), 200, "STARTING"),
        (&post, "/api/sessions/a/stop", json!({}), 201, "STOPPED"),
        (&get, "/api/a/auth/qr", json!({}), 422, "STOPPED"),
        (&post, "/api/sessions/a/start", json!({}), 201, "STARTING"),
        (&post, "/api/sessions/a/dance", json!({}), 404, ""),
    ] {
        assert_eq!(ask(method.clone(), path, body).await, (status, word.to_owned()), "{method} {path}");
    }
    assert_eq!(waha.session("a").unwrap().config, json!({}), "a configuration is replaced as a whole");
    waha.scan("a", "971500000009").await;
    assert_eq!(ask(get.clone(), "/api/sessions/a", json!({})).await, (200, "WORKING".into()));
    assert_eq!(ask(post.clone(), "/api/sessions/a/logout", json!({})).await, (201, "STARTING".into()));
    assert_eq!(ask(get.clone(), "/api/sessions/a", json!({})).await, (200, "SCAN_QR_CODE".into()));
    assert_eq!(ask(Method::DELETE, "/api/sessions/a", json!({})).await.0, 200);
    assert_eq!(ask(get, "/api/sessions/a", json!({})).await.0, 404);
}

/// Received files are handed out to those who have the key; hidden ids have a phone or none.
#[tokio::test]
async fn files_and_hidden_ids() {
    let waha = FakeWaha::start().await;
    waha.with(|known| {
        known.files.insert("default/a b.jpg".into(), ("image/jpeg".into(), vec![0xff, 0xd8]));
        known.lids.insert("245@lid".into(), "971501234567".into());
    });
    let get = async |path: &str, key: &str| {
        let request = client().get(format!("{}{path}", waha.url())).header("x-api-key", key);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    };
    let key = waha.api_key();
    assert_eq!(get("/api/files/default/a%20b.jpg", &key).await, (200, vec![0xff, 0xd8]));
    assert_eq!(get("/api/files/default/a%20b.jpg", "").await.0, 401);
    assert_eq!(get("/api/files/default/b.jpg", &key).await.0, 404);
    for (lid, phone) in [
        ("245%40lid", json!("971501234567@c.us")),
        ("245", json!("971501234567@c.us")),
        ("7@lid", Value::Null),
    ] {
        let (status, body) = get(&format!("/api/default/lids/{lid}"), &key).await;
        assert_eq!(
            (status, serde_json::from_slice::<Value>(&body).unwrap()["pn"].clone()),
            (200, phone),
            "{lid}"
        );
    }
}

/// What WAHA does that no documentation tells: CORE's one session, settings lost at a restart, a logout that
/// the phone does not hear of, a store that is off, a lock that is not got.
#[tokio::test]
async fn the_darker_sides_of_waha() {
    let waha = FakeWaha::start_as(Engine::Noweb).await;
    let key = waha.api_key();
    let ask = async |method: Method, path: &str| {
        call(&waha, method, path, &key, "application/json", "{}".into()).await
    };
    waha.with(|known| known.is_core = true);
    let second = post(&waha, "/api/sessions", json!({"name": "second"})).await;
    assert_eq!(second.status, 422);
    assert!(second.body["message"].as_str().unwrap().contains("support only 'default' session"));
    let lid = "/api/default/lids/7@lid";
    let off = ask(Method::GET, lid).await;
    assert_eq!(off.status, 400);
    assert!(off.body["message"].as_str().unwrap().starts_with("Enable NOWEB store"), "{:?}", off.body);
    assert_eq!(ask(Method::GET, "/api/default/chats/overview").await.status, 400);
    let on = json!({"config": {"noweb": {"store": {"enabled": true, "fullSync": false}}}}).to_string();
    call(&waha, Method::PUT, "/api/sessions/default", &key, "application/json", on).await;
    assert_eq!(ask(Method::GET, lid).await.status, 200);
    waha.with(|known| known.lose_settings("default", "STOPPED"));
    let lost = ask(Method::GET, "/api/sessions/default").await.body;
    assert_eq!((&lost["status"], &lost["config"]), (&json!("STOPPED"), &Value::Null));
    waha.set_session("a", "WORKING");
    for (session, orders, linked) in
        [("default", &["logout"][..], true), ("a", &["stop", "start", "logout"], false)]
    {
        for order in orders {
            ask(Method::POST, &format!("/api/sessions/{session}/{order}")).await;
        }
        assert_eq!(waha.session(session).unwrap().linked, linked, "{session}");
    }
    waha.with(|known| known.busy = 1);
    let busy = ask(Method::GET, "/api/sessions/default").await;
    assert!(busy.body["exception"]["message"].as_str().unwrap().contains("async-lock timed out"));
    assert_eq!(ask(Method::GET, "/api/sessions/default").await.status, 200);
    waha.set_session("default", "WORKING");
    waha.close_connection();
    let closed = send(&waha, CHAT, OutboundContent::Text { text: "hi".into() }).await;
    let Outcome::Failed { fate: Fate::Unknown, error, .. } = closed else { panic!("{closed:?}") };
    assert_eq!(error, "WAHA answered 500: Connection Closed");
}
