//! WAHA sessions: a tenant's number is connected, scanned, talked to and disconnected, with the
//! gateway as a process and a WAHA that keeps to its contract.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::sessions::Session;
use switchboard_tests::waha::webhook::Webhook;

mod door;
mod lent;
mod lookup;
mod mend;
mod refused;
mod remove;
mod screen;
mod silent;
mod watch;

const CHAT: &str = "971501234567@c.us";
const SOON: Duration = Duration::from_secs(20);

/// Tenants 1 and 2, and one WAHA for all who have no other.
fn setup(waha: &FakeWaha) -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .config(&format!("[waha]\nbase_url = '{}'\napi_key = '{}'\n", waha.url(), waha.api_key()))
}

async fn whatsapp(gateway: &Gateway, method: Method, tenant: u32, what: &str) -> Answer {
    gateway.api(method, &format!("/api/tenants/{tenant}/whatsapp/{what}")).await
}

async fn connect(gateway: &Gateway, tenant: u32) -> Value {
    whatsapp(gateway, Method::POST, tenant, "connect").await.ok()
}

async fn status(gateway: &Gateway, tenant: u32) -> Value {
    whatsapp(gateway, Method::GET, tenant, "status").await.ok()
}

/// The one webhook of a session.
fn webhook(session: &Session) -> &Value {
    let webhooks = session.config["webhooks"].as_array().unwrap();
    assert_eq!(webhooks.len(), 1, "{webhooks:?}");
    &webhooks[0]
}

/// The whole way of a tenant's own number, and what it shows of keys on the way: nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_connected_scanned_talked_to_and_disconnected() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let mut said = Vec::new();
    let before = status(&gateway, 1).await;
    assert_eq!((&before["status"], &before["session"]), (&json!("NOT_CONNECTED"), &json!("tenant_1")));

    let connected = connect(&gateway, 1).await;
    assert!(
        connected["qr_url"].as_str().is_some_and(|url| url.starts_with(&gateway.url("/qr/"))),
        "{connected}"
    );
    assert_eq!(
        connected,
        json!({
            "success": true, "qr_url": connected["qr_url"], "message": "Scan QR code with your WhatsApp to connect",
            "tenant_id": 1, "sender": "tenant-1", "session": "tenant_1", "status": "SCAN_QR_CODE", "number": null,
            "next": "scan the QR code with WhatsApp on the phone: Settings, Linked devices, Link a device",
            "faults": [],
        })
    );
    let session = waha.session("tenant_1").unwrap();
    let url = gateway.url("/api/webhook/waha?tenant_id=1");
    assert_eq!(webhook(&session)["url"], json!(url));
    let hmac_key = webhook(&session)["hmac"]["key"].as_str().unwrap().to_owned();
    assert_eq!(hmac_key.len(), 64, "32 random bytes");

    let picture =
        gateway.client().get(gateway.url("/api/tenants/1/whatsapp/qr")).bearer_auth(gateway.token());
    let picture = picture.send().await.unwrap();
    assert_eq!(
        (picture.status().as_u16(), &picture.headers()["content-type"]),
        (200, &"image/png".parse().unwrap())
    );
    assert_eq!(picture.headers()["cache-control"], "no-store");
    assert!(picture.bytes().await.unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    let text = whatsapp(&gateway, Method::GET, 1, "qr?format=text").await;
    assert_eq!(text.ok(), json!({"value": "2@tenant_1,1"}));

    // WAHA's own address of the webhook, with the key that it was given.
    let heard = waha.scan("tenant_1", "971500000009").await;
    assert_eq!(heard[0].ok(), json!({"status": "received", "tenant_id": 1}));
    let working = status(&gateway, 1).await;
    assert_eq!((&working["status"], &working["number"]), (&json!("WORKING"), &json!("971500000009")));
    let refused = whatsapp(&gateway, Method::GET, 1, "qr").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("session_status")));
    assert!(refused.text.contains("WORKING"), "{}", refused.text);

    talk(&waha).await;
    for _ in 0..2 {
        let gone = whatsapp(&gateway, Method::POST, 1, "disconnect").await.ok();
        assert_eq!((&gone["status"], &gone["number"]), (&json!("STOPPED"), &json!(null)));
    }
    assert_eq!(waha.session("tenant_1").unwrap().number, None, "it is logged out at WAHA");
    assert_eq!(connect(&gateway, 1).await["status"], "SCAN_QR_CODE");
    assert_eq!(webhook(&waha.session("tenant_1").unwrap())["hmac"]["key"], json!(hmac_key));

    for path in ["/api/tenants/1/whatsapp/status", "/api/senders", "/api/audit", "/api/tenants/1", "/metrics"]
    {
        said.push(gateway.get(path).await.text);
    }
    said.extend([connected.to_string(), working.to_string(), refused.text, gateway.log()]);
    assert!(said[2].contains("connect whatsapp") && said[2].contains("disconnect whatsapp"), "{}", said[2]);
    for text in said {
        assert!(!text.contains(&waha.api_key()) && !text.contains(&hmac_key), "a key shows: {text}");
    }
    let refused: Vec<u16> = waha.refused().into_iter().map(|(status, _)| status).collect();
    assert_eq!(refused, [404], "only the look for a session that was not there");
}

/// A message in, its answer out, and the answer's echo in again: not the contact's word.
async fn talk(waha: &FakeWaha) {
    let answers = waha.tell("tenant_1", &Webhook::event("message.any", text_payload("hello"))).await;
    assert_eq!(answers[0].ok(), json!({"status": "received", "tenant_id": 1}));
    let sent = waha.wait_for(1, SOON).await;
    assert_eq!((sent[0].session.as_str(), sent[0].chat.as_str()), ("tenant_1", CHAT));
    let mut echo = text_payload("hello");
    echo["id"] = json!(sent[0].id);
    echo["fromMe"] = json!(true);
    assert_eq!(waha.tell("tenant_1", &Webhook::event("message.any", echo)).await[0].status, 200);
}

fn text_payload(words: &str) -> Value {
    Webhook::text(CHAT, words).envelope["payload"].clone()
}

/// A session that is there already, from another time or another program, keeps all it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_existing_session_keeps_its_settings_and_is_not_restarted_for_nothing() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let theirs =
        json!({"url": "http://elsewhere.example/hook", "events": ["message"], "hmac": {"key": "theirs"}});
    let config = json!({
        "metadata": {"owner": "crm"}, "proxy": {"server": "proxy:3128"}, "debug": true, "client": null,
        "ignore": {"status": true, "groups": null}, "noweb": {"store": {"enabled": true, "fullSync": false}},
        "webhooks": [theirs, {"url": gateway.url("/api/webhook/waha"), "events": ["message", "call.received"],
            "retries": {"policy": "linear", "delaySeconds": 7, "attempts": 3}, "customHeaders": [{"name": "X-A", "value": "1"}]}],
    });
    waha.set_session("tenant_2", "WORKING");
    let apps =
        json!([{"id": "app_1", "session": "tenant_2", "app": "calls", "config": {"dm": {"reject": true}}}]);
    waha.with(|known| {
        let session = known.sessions.get_mut("tenant_2").unwrap();
        (session.config, session.apps) = (config.clone(), apps.clone());
    });
    for round in 1..=3 {
        let connected = connect(&gateway, 2).await;
        assert_eq!((&connected["session"], &connected["status"]), (&json!("tenant_2"), &json!("WORKING")));
        let session = waha.session("tenant_2").unwrap();
        assert_eq!(session.starts, 1, "restarted by the first change only, not by connect number {round}");
        let mut expected = config.clone();
        // What WAHA shows as null is what is not set.
        expected.as_object_mut().unwrap().remove("client");
        expected["ignore"].as_object_mut().unwrap().remove("groups");
        expected["webhooks"][1]["url"] = json!(gateway.url("/api/webhook/waha?tenant_id=2"));
        expected["webhooks"][1]["events"] =
            json!(["call.received", "message.any", "message.ack", "session.status", "poll.vote"]);
        expected["webhooks"][1]["hmac"] = session.config["webhooks"][1]["hmac"].clone();
        assert_eq!((&session.config, &session.apps), (&expected, &apps));
        assert!(expected["webhooks"][1]["hmac"]["key"].is_string());
    }
    // Stopped, it only has to be started.
    waha.set_session("tenant_2", "STOPPED");
    assert_eq!(connect(&gateway, 2).await["status"], "WORKING");
    waha.set_session("tenant_2", "FAILED");
    assert_eq!(connect(&gateway, 2).await["status"], "WORKING");
    assert_eq!(waha.session("tenant_2").unwrap().starts, 3);
    assert_eq!(waha.refused(), []);
}

/// Somebody else made the session between the look and the making: then it is that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_appears_meanwhile_is_taken() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let theirs = json!({"metadata": {"owner": "crm"}, "webhooks": []});
    waha.set_session("tenant_1", "WORKING");
    waha.with(|known| {
        let session = known.sessions.get_mut("tenant_1").unwrap();
        session.config = theirs;
        session.unseen = 1;
    });
    assert_eq!(connect(&gateway, 1).await["status"], "WORKING");
    let session = waha.session("tenant_1").unwrap();
    assert_eq!((&session.config["metadata"]["owner"], session.starts), (&json!("crm"), 1));
    webhook(&session);
    let refused: Vec<u16> = waha.refused().into_iter().map(|(status, _)| status).collect();
    assert_eq!(refused, [404, 422]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_many_times_at_once_makes_one_session() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let by_sender = async |_: u32| gateway.api(Method::POST, "/api/senders/tenant-1/whatsapp/connect").await;
    // The address of the code holds a time.
    let told = |mut answer: Value| {
        assert!(answer["qr_url"].take().is_string(), "{answer}");
        answer
    };
    let answers = futures::future::join_all((0..12).map(|_| connect(&gateway, 1))).await;
    let answers: Vec<Value> = answers.into_iter().map(told).collect();
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    let more = futures::future::join(by_sender(0), connect(&gateway, 1)).await;
    let more = (told(more.0.ok()), told(more.1));
    assert_eq!(more, (answers[0].clone(), answers[0].clone()));
    let session = waha.session("tenant_1").unwrap();
    assert_eq!(session.starts, 1, "created once, changed never");
    webhook(&session);
    let created = waha.calls().iter().filter(|call| call.method == Method::POST).count();
    assert_eq!(created, 1);
    let senders = gateway.get("/api/senders").await.ok();
    assert_eq!(senders["senders"].as_array().unwrap().len(), 1, "{senders}");
}

/// Every word of WAHA's is shown, also one that nobody has heard of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_status_is_shown_with_what_to_do_next() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    connect(&gateway, 1).await;
    for (word, next) in [
        ("STOPPED", "connect it"),
        ("STARTING", "wait a few seconds"),
        ("SCAN_QR_CODE", "scan the QR code"),
        ("PASSKEY_REQUIRED", "confirm the passkey"),
        ("PASSKEY_CONFIRMATION_REQUIRED", "compare the code"),
        ("WORKING", "nothing"),
        ("FAILED", "connect it again"),
        ("TAKING_A_NAP", "not known to the gateway"),
    ] {
        waha.set_session("tenant_1", word);
        let told = status(&gateway, 1).await;
        assert_eq!(told["status"], word);
        assert!(told["next"].as_str().unwrap().contains(next), "{told}");
        let qr = whatsapp(&gateway, Method::GET, 1, "qr").await;
        let shown = if word == "SCAN_QR_CODE" { 200 } else { 409 };
        assert_eq!(qr.status, shown, "{word}");
        if shown == 409 {
            let told = qr.json();
            let error = &told["error"];
            assert_eq!(error["session_status"], word);
            assert!(error["message"].as_str().unwrap().contains(word), "{error}");
            assert!(error["action"].as_str().unwrap().contains(next), "{error}");
        }
    }
    waha.remove_session("tenant_1");
    assert_eq!(status(&gateway, 1).await["status"], "NOT_CONNECTED");
    assert_eq!(whatsapp(&gateway, Method::POST, 1, "disconnect").await.ok()["status"], "NOT_CONNECTED");
    let none = whatsapp(&gateway, Method::GET, 1, "qr").await;
    assert_eq!((none.status, none.json()["error"]["action"].as_str()), (409, Some("connect it")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_sees_its_own_number_only() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let made = gateway.cli(&["key", "add", "--tenant", "1", "--name", "ci", "--json"]).await;
    let key = serde_json::from_str::<Value>(made.ok()).unwrap();
    let key = key["key"].as_str().or(key["token"].as_str()).unwrap().to_owned();
    for (method, path, expected) in [
        (Method::POST, "/api/tenants/1/whatsapp/connect", 200),
        (Method::GET, "/api/tenants/1/whatsapp/status", 200),
        (Method::GET, "/api/tenants/1/whatsapp/qr", 200),
        (Method::POST, "/api/tenants/2/whatsapp/connect", 404),
        (Method::GET, "/api/tenants/2/whatsapp/status", 404),
        (Method::GET, "/api/tenants/2/whatsapp/qr", 404),
        (Method::POST, "/api/tenants/2/whatsapp/disconnect", 404),
        (Method::POST, "/api/tenants/7/whatsapp/connect", 404),
        (Method::POST, "/api/senders/tenant-1/whatsapp/connect", 403),
        (Method::GET, "/api/senders/tenant-1/whatsapp/qr", 403),
    ] {
        let request = gateway.client().request(method, gateway.url(path)).bearer_auth(&key);
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{path}");
        let stranger = gateway.client().get(gateway.url(path)).send().await.unwrap();
        assert!(matches!(stranger.status().as_u16(), 401 | 405), "{path}: {}", stranger.status());
    }
    assert!(waha.session("tenant_2").is_none());
}

/// What goes wrong is told with what to do about it, and never with a key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_told() {
    let waha = FakeWaha::start().await;
    let two_tenants =
        || Setup::new().package("echo").tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'");
    for (case, config, status, code, says) in [
        ("no WAHA", String::new(), 422, "invalid", "waha.base_url"),
        (
            "a wrong key",
            format!("[waha]\nbase_url = '{}'\napi_key = 'not-the-key'\n", waha.url()),
            502,
            "provider",
            "api_key",
        ),
        (
            "nobody there",
            "[waha]\nbase_url = 'http://127.0.0.1:9'\napi_key = 'k'\n".into(),
            502,
            "provider",
            "cannot be asked",
        ),
        (
            "too far away",
            "[waha]\nbase_url = 'http://waha.example:3000'\napi_key = 'k'\n".into(),
            422,
            "invalid",
            "waha.webhook_url",
        ),
    ] {
        let gateway = two_tenants().config(&config).start().await;
        let told = whatsapp(&gateway, Method::POST, 1, "connect").await;
        assert_eq!(
            (told.status, &told.json()["error"]["code"]),
            (status, &json!(code)),
            "{case}: {}",
            told.text
        );
        assert!(told.text.contains(says) && !told.text.contains("not-the-key"), "{case}: {}", told.text);
    }
    let unset = two_tenants().config("[waha]\napi_key = 'env:NOBODY_SET_THIS'\n").write().try_start().await;
    let error = format!("{:#}", unset.unwrap_err());
    assert!(error.contains("waha.api_key: the environment variable NOBODY_SET_THIS is not set"), "{error}");
}
