//! What `[waha]` lends to senders, and what `connect` gives them, outlives starts: a changed key is the
//! key of every call, and webhooks that proved themselves go on doing so.

use reqwest::Method;
use serde_json::json;
use switchboard_tests::gateway::Gateway;
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;

use super::{SOON, connect, setup, talk, text_payload};

/// The operator gives WAHA another key, and the configuration as well.
async fn rotate(gateway: &mut Gateway, waha: &FakeWaha, key: &str) {
    assert!(gateway.stop().await.success());
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    std::fs::write(gateway.config_file(), config.replace(&waha.api_key(), key)).unwrap();
    waha.set_api_key(key);
    gateway.start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_go_by_the_key_that_is_configured_now() {
    let waha = FakeWaha::start().await;
    let mut gateway = setup(&waha).start().await;
    connect(&gateway, 1).await;
    waha.scan("tenant_1", "971500000009").await;
    rotate(&mut gateway, &waha, "another-key").await;
    talk(&waha).await;
    assert_eq!(waha.sent().len(), 1, "the reply took the new key");
    // Put as it was shown, it still has no key of its own.
    let shown = gateway.get("/api/senders/tenant-1").await.ok();
    let put = gateway.client().put(gateway.url("/api/senders/tenant-1")).bearer_auth(gateway.token());
    assert_eq!(put.json(&shown).send().await.unwrap().status(), 200);
    // Nor does it get one by what a body leaves out.
    let bare = json!({"provider": "waha", "account": "tenant_1", "tenant": 1, "groups": true});
    let put = gateway.client().put(gateway.url("/api/senders/tenant-1")).bearer_auth(gateway.token());
    assert_eq!(put.json(&bare).send().await.unwrap().status(), 200);
    rotate(&mut gateway, &waha, "a-third-key").await;
    assert_eq!(connect(&gateway, 1).await["status"], "WORKING");
    waha.with(|known| assert_eq!(known.sessions["tenant_1"].starts, 1, "it is left running"));
    let doctor = gateway.cli(&["doctor", "--json"]).await;
    assert!(doctor.stdout.contains("which is WORKING"), "{}", doctor.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_number_keeps_what_connect_gave_it() {
    let waha = FakeWaha::start().await;
    waha.remove_session("default");
    let mut gateway = setup(&waha)
        .sender("name = 'main'\nprovider = 'waha'\naccount = 'default'\nauth = 'none'\ntenant = 1")
        .start()
        .await;
    gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok();
    waha.scan("default", "971500000009").await;
    gateway.restart().await;
    let sender = gateway.get("/api/senders/main").await.ok();
    assert_eq!((&sender["auth"], &sender["hmac_key"]), (&json!("required"), &json!("(set)")), "{sender}");
    let unsigned = Hook::to(&gateway).post(&text("971501234567", "A1", "hello")).await;
    assert_eq!(unsigned.status, 401, "{}", unsigned.text);
    let heard = waha.tell("default", &Webhook::event("message.any", text_payload("hello"))).await;
    assert_eq!(heard[0].status, 200, "{}", heard[0].text);
    waha.wait_for(1, SOON).await;
    let changes = gateway.get("/api/audit").await.text.matches("put sender").count();
    gateway.restart().await;
    assert_eq!(
        gateway.get("/api/audit").await.text.matches("put sender").count(),
        changes,
        "nothing to apply"
    );
}
