//! 360dialog end to end: a webhook proves itself by what 360dialog was told to send, the reply leaves with the
//! number's key, files and templates go by its own addresses, and each way of failing has its fate.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::dialog360::{self, FakeDialog360, KEY};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::meta::webhook::{Webhook, signature};
use switchboard_tests::meta::{BUSINESS, NUMBER, SECRET, TOKEN};
use switchboard_tests::peer::Fault;
use switchboard_tests::wait::until;

mod contract;

const SOON: Duration = Duration::from_secs(20);
const SARA: &str = "971501234567";
const HOOK_KEY: &str = "what 360dialog was told to send";

/// One tenant with one number; 360dialog has half a second to answer.
fn setup(peer: &FakeDialog360, brain: &str) -> Setup {
    Setup::new()
        .package(brain)
        .tenant(&format!("id = 1\nname = 'First'\norganization = 1\nbrain = '{brain}'"))
        .sender(&format!(
            "name = 'main'\nprovider = '360dialog'\naccount = '{NUMBER}'\ntenant = 1\nbase_url = '{}'\n\
             api_key = '{KEY}'\nwebhook_key = '{HOOK_KEY}'\nbusiness_account = '{BUSINESS}'\n\
             read_receipts = false\ntyping = false",
            peer.url()
        ))
        .config("[delivery]\ntimeout_ms = 500\n[media]\nbackoff_ms = 20\nbackoff_max_ms = 60\nwait_ms = 20_000\n[limits]\nwall_time_ms = 40_000\n")
}

async fn post(gateway: &Gateway, webhook: &Webhook, headers: &[(&str, &str)]) -> Answer {
    let mut request = gateway.client().post(gateway.url("/api/gateway/360dialog")).body(webhook.bytes());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await.expect("an answer")
}

async fn say(gateway: &Gateway, webhook: &Webhook) -> Value {
    post(gateway, webhook, &[("x-api-key", HOOK_KEY)]).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_answered_with_the_numbers_key() {
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "echo").start().await;
    let first = Webhook::text(NUMBER, SARA, "hé / 😀");
    let answer = say(&gateway, &first).await;
    assert_eq!((&answer["status"], &answer["tenant_id"]), (&json!("routed"), &json!(1)), "{answer}");
    assert_eq!(say(&gateway, &first).await, answer, "sent again it is the same message");
    let sent = peer.wait_for(1, SOON).await;
    assert_eq!((sent[0].to.as_str(), sent[0].text()), (SARA, Some("You said: hé / 😀 (message 1)")));
    // Its report finds the reply.
    let read = Webhook::status(NUMBER, &sent[0].id, SARA, "read");
    assert_eq!(say(&gateway, &read).await, json!({ "status": "received", "kind": "receipt" }));
    gateway.drained(SOON).await;
    assert_eq!(peer.refused(), []);
    let log = gateway.log();
    assert!(!log.contains(SARA) && !log.contains(KEY), "{log}");
}

/// Meta signs for 360dialog's app; whoever signs here proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_proves_nothing_is_refused() {
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "echo").start().await;
    let hook = Webhook::text(NUMBER, SARA, "hi");
    let signed = signature(SECRET, &hook.bytes());
    for headers in [
        vec![],
        vec![("x-api-key", "another key")],
        vec![("x-hub-signature-256", signed.as_str())],
        vec![("d360-api-key", KEY)],
    ] {
        assert_eq!(post(&gateway, &hook, &headers).await.status, 401, "{headers:?}");
    }
    gateway.drained(SOON).await;
    assert_eq!(peer.sent().len(), 0);
}

/// Meta keeps the file, 360dialog passes it on at its own address, and nobody else is shown the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_comes_and_goes_by_its_own_host() {
    const WORDS: &str = "Villa 12 has three rooms.";
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "hostile").start().await;
    let received = peer.with(|peer| peer.meta.received("text/plain", WORDS.as_bytes()));
    let part = json!({ "type": "document", "document": { "id": received, "mime_type": "text/plain",
        "filename": "villa.txt", "caption": "read" } });
    say(&gateway, &Webhook::message(NUMBER, SARA, part)).await;
    let sent = peer.wait_for(1, SOON).await;
    assert_eq!(sent[0].text(), Some(WORDS));
    let handle = until("the file is stored", SOON, async || {
        let file = gateway.get("/api/tenants/1/media").await.ok()["files"][0].clone();
        (file["state"] == "stored").then(|| file["handle"].as_str().expect("a handle").to_owned())
    })
    .await;
    let forward = format!("forward {handle}");
    say(&gateway, &Webhook::text(NUMBER, SARA, &forward)).await;
    let sent = peer.wait_for(2, SOON).await;
    let id = sent[1].body["image"]["id"].as_str().expect("by its id").to_owned();
    let (_, bytes) = peer.with(|peer| peer.meta.file(&id)).expect("it was handed over");
    assert_eq!(bytes, WORDS.as_bytes());
    assert_eq!(peer.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_lives_from_draft_to_deletion() {
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "echo").start().await;
    let path = "/api/tenants/1/templates";
    let send = async |method: Method, path: &str, body: &Value| {
        let request = gateway.client().request(method, gateway.url(path)).bearer_auth(gateway.token());
        Answer::of(request.json(body)).await.expect("an answer")
    };
    let thanks = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thank you."});
    send(Method::POST, path, &thanks).await.ok();
    let submitted = send(Method::POST, &format!("{path}/thanks/en/submit"), &json!({})).await.ok();
    assert_eq!(submitted["status"], "pending", "{submitted}");
    let approved = json!({ "event": "APPROVED", "message_template_name": "thanks",
        "message_template_language": "en", "reason": "NONE" });
    let answer = say(&gateway, &Webhook::change("message_template_status_update", approved)).await;
    assert_eq!(answer, json!({ "status": "received", "kind": "template" }));
    peer.with(|peer| peer.meta.judge("thanks", "PAUSED"));
    let synced = send(Method::POST, &format!("{path}/sync"), &json!({})).await.ok();
    assert_eq!(
        (&synced["templates"], &synced["changed"][0]["status"]),
        (&json!(1), &json!("paused")),
        "{synced}"
    );
    // What 360dialog has no call for is said, and nothing is changed.
    let other = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thanks."});
    let replaced = send(Method::PUT, &format!("{path}/thanks/en"), &other).await;
    assert!(
        replaced.status >= 400 && replaced.text.contains("360dialog replaces no template"),
        "{}",
        replaced.text
    );
    let deleted = send(Method::DELETE, &format!("{path}/thanks/en?all_languages=true"), &json!({})).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    assert_eq!(gateway.get(&format!("{path}/thanks/en")).await.status, 404);
    assert_eq!(peer.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_has_its_fate() {
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "echo").start().await;
    let says = |status, code| Fault::Say { status, body: dialog360::error(code, "Meta's words") };
    let own = |status: u16| Fault::Say {
        status,
        body: json!({ "meta": { "success": false, "http_code": status, "developer_message": "No" } }),
    };
    for (n, (fault, state, words)) in [
        (Fault::TooMany { retry_after: None }, None, ""),
        (own(429), None, ""),
        (own(401), None, ""),
        (says(400, 131_056), None, ""),
        (Fault::HangAfterSending, Some("unknown"), "no answer in time"),
        (own(500), Some("unknown"), "360dialog answered 500"),
        (says(400, 131_026), Some("dead"), "360dialog answered 400, code 131026"),
        (own(404), Some("dead"), "360dialog answered 404; check the sender's base_url"),
    ]
    .into_iter()
    .enumerate()
    {
        let (name, contact) = (format!("row {n}: {fault:?}"), format!("9715012{n:05}"));
        peer.fail_next(fault);
        say(&gateway, &Webhook::text(NUMBER, &contact, "hi")).await;
        gateway.drained(SOON).await;
        let outbox = gateway.get("/api/outbox").await.ok()["outbox"].as_array().cloned().unwrap_or_default();
        let kept = outbox
            .iter()
            .find(|entry| entry["contact"] == contact.as_str() || entry["to"] == contact.as_str());
        assert_eq!(kept.and_then(|entry| entry["state"].as_str()), state, "{name}: {kept:?}");
        let error = kept.and_then(|entry| entry["last_error"].as_str()).unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(peer.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_asks_with_the_numbers_key() {
    let peer = dialog360::start().await;
    let gateway = setup(&peer, "echo").start().await;
    until("the doctor finds it well", SOON, async || {
        gateway.get("/api/doctor").await.text.contains("360dialog knows it and takes its key").then_some(())
    })
    .await;
    assert!(
        peer.calls().iter().all(|call| call.header("authorization").is_none_or(|it| !it.contains(TOKEN)))
    );
    assert_eq!(peer.refused(), []);
}
