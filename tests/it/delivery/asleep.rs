//! A number that is switched off, and a tenant that is not active: what is written to them was acknowledged,
//! so it is kept, and answered once they are back.

use serde_json::json;

use super::*;

async fn switch(gateway: &Gateway, path: &str, active: bool) {
    let mut kept = gateway.get(path).await.ok();
    kept["active"] = json!(active);
    let put = gateway.client().put(gateway.url(path)).bearer_auth(gateway.token()).json(&kept);
    let put = put.send().await.expect("an answer");
    assert!(put.status().is_success(), "{put:?}");
}

async fn waiting(gateway: &Gateway) -> f64 {
    gateway.metrics().await.and_then(|metrics| metrics.value("switchboard_inbox")).expect("it is counted")
}

/// What is said while `path` is switched off, and after it is back.
async fn sleeps(path: &str) {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    settled(&gateway).await;
    switch(&gateway, path, false).await;
    let known = hook.say(&text(PHONE, "A1", "one")).await;
    assert_eq!((&known["status"], &known["tenant_id"]), (&json!("routed"), &json!(1)), "{known}");
    hook.say(&text(PHONE, "A2", "two")).await;
    assert_eq!(waiting(&gateway).await, 2.0, "nothing is lost, and nothing is answered");
    assert_eq!(waha.sent().len(), 1);
    switch(&gateway, path, true).await;
    waha.wait_for(3, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)]);
    assert_eq!(waiting(&gateway).await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_to_a_number_that_is_switched_off_is_answered_when_it_is_back() {
    sleeps("/api/senders/main").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_to_a_tenant_that_is_not_active_is_answered_when_it_is_back() {
    sleeps("/api/tenants/1").await;
}
