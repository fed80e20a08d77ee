//! What dashboards and scripts of older gateways read: every field that they look at, with its value and
//! its type. What stands beside it is ours.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::client::client;
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::text;
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;

const SOON: Duration = Duration::from_secs(20);
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Tenants 1 and 2, a shared number whose webhooks need no proof, and a WAHA for numbers of one's own.
async fn gateway(waha: &FakeWaha) -> Gateway {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .sender("name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = 'http://127.0.0.1:9'\nauth = 'none'")
        .config(&format!("[waha]\nbase_url = '{}'\napi_key = '{}'\n", waha.url(), waha.api_key()))
        .start()
        .await
}

/// `*` stands for any text that is not empty.
fn holds(told: &Value, expected: &Value) -> bool {
    match (told, expected) {
        (Value::Object(told), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| told.get(name).is_some_and(|told| holds(told, value)))
        }
        (Value::String(told), Value::String(expected)) if expected == "*" => !told.is_empty(),
        (told, expected) => told == expected,
    }
}

#[track_caller]
fn check(call: &str, answer: &Answer, expected: &Value) {
    assert_eq!(answer.status, 200, "{call}: {}", answer.text);
    let told = answer.json();
    assert!(holds(&told, expected), "{call}\n told     {told}\n expected {expected}");
}

async fn post(gateway: &Gateway, path: &str, webhook: &Webhook) -> Answer {
    let request = client().post(gateway.url(path)).body(webhook.body());
    let headers = webhook.headers().into_iter();
    Answer::of(headers.fold(request, |request, (name, value)| request.header(name, value))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_and_mappings_are_answered_as_ever() {
    let waha = FakeWaha::start().await;
    let gateway = gateway(&waha).await;
    const PHONE: &str = "971501234567";
    let routed =
        |new: bool| json!({"status": "routed", "tenant_id": 2, "phone_number": PHONE, "is_new_session": new});
    let received = json!({"status": "received", "tenant_id": 2});
    let disputed = json!({"status": "error", "message": "*", "reason": "*"});
    let nobodys = json!({
        "status": "ignored", "reason": "user not associated with any tenant", "action": "please_use_agent_link",
    });
    let (main, own) = ("/api/gateway/waha", "/api/webhook/waha?tenant_id=");
    for (id, path, words, expected) in [
        ("A1", main.to_owned(), "hello", &nobodys),
        ("A2", main.to_owned(), "start_realty_2", &routed(true)),
        ("A3", main.to_owned(), "hello", &routed(false)),
        ("A4", format!("{own}2"), "hello", &received),
        ("A5", format!("{own}7"), "hello", &json!({"status": "error", "message": "Tenant not found"})),
        ("A6", format!("{own}1"), "hello", &disputed),
    ] {
        check(&format!("{path} {words}"), &post(&gateway, &path, &text(PHONE, id, words)).await, expected);
    }
    let unproven = text(PHONE, "A7", "hello").on_session("sealed");
    let sealed =
        json!({"provider": "waha", "account": "sealed", "hmac_key": "k", "base_url": "http://127.0.0.1:9"});
    let put =
        gateway.client().put(gateway.url("/api/senders/sealed")).bearer_auth(gateway.token()).json(&sealed);
    assert_eq!(put.send().await.unwrap().status().as_u16(), 200);
    for path in [main.to_owned(), format!("{own}2")] {
        let answer = post(&gateway, &path, &unproven).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(holds(&answer.json(), &disputed), "{path}: {}", answer.text);
    }
    let of_phone = format!("/api/gateway/user/{PHONE}");
    for (method, path, expected) in [
        (
            Method::GET,
            "/api/gateway/stats".to_owned(),
            json!({
                "status": "success",
                "gateway_stats": {"total_users": 1, "total_tenants": 2, "users_per_tenant": {"2": 1}, "last_updated": "*"},
            }),
        ),
        (
            Method::GET,
            format!("{of_phone}/tenant"),
            json!({"status": "found", "phone_number": PHONE, "tenant_id": 2}),
        ),
        (Method::GET, "/api/gateway/user/+971 50 123 4567/tenant".to_owned(), json!({"phone_number": PHONE})),
        (
            Method::DELETE,
            format!("{of_phone}/mapping"),
            json!({
                "status": "deleted", "phone_number": PHONE, "previous_tenant_id": 2,
            }),
        ),
    ] {
        check(&path, &gateway.api(method, &path).await, &expected);
    }
    let stats = gateway.get("/api/gateway/stats").await.ok();
    let updated = stats["gateway_stats"]["last_updated"].as_str().unwrap().to_owned();
    assert!(updated.len() == "2025-12-15T08:30:00Z".len() && updated.ends_with('Z'), "{updated}");
    assert_eq!(gateway.get(&format!("{of_phone}/tenant")).await.status, 404);
    assert_eq!(gateway.api(Method::DELETE, &format!("{of_phone}/mapping")).await.status, 404);
    assert_eq!(gateway.client().get(gateway.url("/health")).send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_connected_watched_and_disconnected_as_ever() {
    let waha = FakeWaha::start().await;
    let gateway = gateway(&waha).await;
    let call = async |method: Method, what: &str, expected: Value| {
        let answer = gateway.api(method, &format!("/api/tenants/2/whatsapp/{what}")).await;
        check(what, &answer, &expected);
        answer.json()
    };
    let already = json!({"success": true, "message": "Already disconnected"});
    call(Method::GET, "status", json!({"connected": false, "message": "WhatsApp not configured"})).await;
    call(Method::POST, "disconnect", already.clone()).await;
    let told = call(Method::POST, "connect", json!({
        "success": true, "qr_url": "*", "session": "tenant_2", "message": "Scan QR code with your WhatsApp to connect",
    }))
    .await;
    let shown = told["qr_url"].as_str().unwrap();
    assert!(shown.starts_with(&gateway.url("/")) && !shown.contains(&waha.api_key()), "{shown}");
    call(
        Method::GET,
        "status",
        json!({
            "connected": false, "status": "SCAN_QR_CODE", "message": "Scan QR code to connect",
        }),
    )
    .await;
    waha.set_session("tenant_2", "STARTING");
    call(Method::GET, "status", json!({"connected": false, "status": "STARTING", "message": "*"})).await;
    waha.set_session("tenant_2", "SCAN_QR_CODE");
    waha.scan("tenant_2", "971501234567").await;
    call(
        Method::GET,
        "status",
        json!({
            "connected": true, "status": "WORKING", "phone": "971501234567", "session": "tenant_2",
        }),
    )
    .await;
    call(Method::POST, "connect", json!({"success": true, "qr_url": null, "session": "tenant_2"})).await;
    call(Method::POST, "disconnect", json!({"success": true, "message": "WhatsApp disconnected"})).await;
    waha.remove_session("tenant_2");
    call(Method::GET, "status", json!({"connected": false, "message": "Session not found"})).await;
    call(Method::POST, "disconnect", already).await;
}

/// The address alone shows the code, as an `<img>` asks for it; it is one number's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_the_code_of_one_number_without_a_key() {
    let waha = FakeWaha::start().await;
    let gateway = gateway(&waha).await;
    let mut shown = Vec::new();
    for tenant in [1, 2] {
        let told = gateway.api(Method::POST, &format!("/api/tenants/{tenant}/whatsapp/connect")).await.ok();
        shown.push(told["qr_url"].as_str().unwrap().to_owned());
    }
    let load = async |url: &str| {
        let request = client().get(url).header("origin", "https://crm.example.com");
        let answer = request.header("sec-fetch-site", "cross-site").send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap())
    };
    let (status, headers, picture) = load(&shown[0]).await;
    assert_eq!((status, &headers["content-type"]), (200, &"image/png".parse().unwrap()));
    assert_eq!(headers["cache-control"], "no-store");
    assert!(picture.starts_with(PNG));
    let (_, token) = shown[0].rsplit_once('/').unwrap();
    for wrong in ["", "x", &token[1..], &format!("{}A", &token[..token.len() - 1]), &format!("{token}A")] {
        assert_eq!(load(&gateway.url(&format!("/qr/{wrong}"))).await.0, 404, "{wrong}");
    }
    // One that starts is waited for, as a page asks once; one that is logged in shows nothing.
    waha.set_session("tenant_1", "STARTING");
    let asked = waha.calls().len();
    let url = shown[0].clone();
    let loading = tokio::spawn(async move { client().get(url).send().await.unwrap().status().as_u16() });
    until("WAHA is asked", SOON, async || (waha.calls().len() > asked).then_some(())).await;
    waha.set_session("tenant_1", "SCAN_QR_CODE");
    assert_eq!(loading.await.unwrap(), 200);
    waha.scan("tenant_1", "971500000009").await;
    assert_eq!(load(&shown[0]).await.0, 409);
    assert_eq!(load(&shown[1]).await.0, 200, "the other's still waits");
    // A file's address opens no code, and a code's opens no file.
    assert_eq!(load(&gateway.url(&format!("/media/{token}"))).await.0, 404);
}
