//! What WAHA refuses is told in its own words, and leaves nothing behind here.

use reqwest::Method;
use serde_json::json;
use switchboard_tests::gateway::Gateway;
use switchboard_tests::waha::FakeWaha;

use super::{connect, setup, whatsapp};

async fn senders(gateway: &Gateway) -> usize {
    gateway.get("/api/senders").await.ok()["senders"].as_array().unwrap().len()
}

/// CORE has one session. Who asks for another one reads WAHA's own explanation and what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_session_of_core_is_explained() {
    let waha = FakeWaha::start().await;
    waha.with(|known| known.is_core = true);
    waha.remove_session("default");
    let gateway = setup(&waha).start().await;
    let refused = whatsapp(&gateway, Method::POST, 1, "connect").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (502, &json!("provider")));
    let error = refused.json()["error"].clone();
    let (message, action) = (error["message"].as_str().unwrap(), error["action"].as_str().unwrap());
    assert!(message.starts_with("WAHA Core support only 'default' session."), "{message}");
    assert!(message.ends_with("https://waha.devlike.pro/docs/how-to/waha-plus"), "cut: {message}");
    assert!(action.contains("--session default") && !action.contains("key"), "{action}");
    assert_eq!(senders(&gateway).await, 0, "no sender is left");
    let told = gateway.cli(&["doctor"]).await;
    assert!(!told.stdout.contains("tenant-1"), "{}", told.stdout);
    // The one that it has.
    gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok();
    assert_eq!(senders(&gateway).await, 1);
}

/// Whatever a connect fails of, there is no sender that was not there before, and one that was stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_connect_leaves_nothing_behind() {
    let waha = FakeWaha::start().await;
    waha.remove_session("default");
    let key = format!("[waha]\napi_key = '{}'\n", waha.api_key());
    let mut gateway = setup(&waha).config("[waha]\napi_key = 'wrong'\n").start().await;
    let refused = whatsapp(&gateway, Method::POST, 1, "connect").await;
    assert_eq!(refused.status, 502, "{}", refused.text);
    assert_eq!(senders(&gateway).await, 0);
    let far = "[waha]\nbase_url = 'http://waha.example:3000'\n";
    let away = setup(&waha).config(far).start().await;
    assert_eq!(whatsapp(&away, Method::POST, 1, "connect").await.status, 422);
    assert_eq!(senders(&away).await, 0);
    drop(away);
    assert!(gateway.stop().await.success());
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    let right = config.replace("\"wrong\"", &format!("\"{}\"", waha.api_key()));
    assert_ne!(config, right, "{key}");
    std::fs::write(gateway.config_file(), right).unwrap();
    gateway.start().await;
    assert_eq!(connect(&gateway, 1).await["status"], "SCAN_QR_CODE");
    waha.set_api_key("another");
    assert_eq!(whatsapp(&gateway, Method::POST, 1, "connect").await.status, 502);
    assert_eq!(senders(&gateway).await, 1, "what was there before stays");
}

/// WAHA works on one thing at a time for each session, and says so when that takes too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_waha_is_asked_again() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    waha.with(|known| known.busy = 2);
    assert_eq!(connect(&gateway, 1).await["status"], "SCAN_QR_CODE");
    waha.with(|known| known.busy = 100);
    let refused = whatsapp(&gateway, Method::POST, 2, "connect").await;
    assert_eq!(refused.status, 502, "{}", refused.text);
    assert!(
        refused.text.contains("lock on the session timed out") && refused.text.contains("in a moment"),
        "{}",
        refused.text
    );
}

/// A phone hears of a logout only while the session runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_number_is_logged_out_on_its_phone_too() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).config("[waha]\nwatch_every_ms = 0\n").start().await;
    connect(&gateway, 1).await;
    waha.scan("tenant_1", "971500000009").await;
    waha.set_session("tenant_1", "STOPPED");
    let gone = whatsapp(&gateway, Method::POST, 1, "disconnect").await.ok();
    assert_eq!(gone["status"], "STOPPED");
    let session = waha.session("tenant_1").unwrap();
    assert!(!session.linked && session.number.is_none(), "{session:?}");
}
