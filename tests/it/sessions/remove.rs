//! A sender is taken out: not while replies wait, unless they may be dropped; what was said stays.

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::Gateway;
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::wait::until;

use super::{SOON, setup};

async fn put(gateway: &Gateway, sender: &Value) {
    let put = gateway.client().put(gateway.url("/api/senders/main")).bearer_auth(gateway.token());
    let answer = put.json(sender).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_goes_when_nothing_waits_there() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).config("[waha]\nwatch_every_ms = 0\n").start().await;
    let mut sender = json!({
        "provider": "waha", "account": "default", "auth": "none", "rate_per_second": 1000, "active": true,
    });
    put(&gateway, &sender).await;
    let hook = Hook::to(&gateway);
    hook.say(&text("971501234567", "A1", "start_realty_1")).await;
    waha.wait_for(1, SOON).await;
    waha.set_session("default", "STOPPED");
    hook.say(&text("971501234567", "A2", "and then?")).await;
    until("a reply waits", SOON, async || {
        let outbox = gateway.get("/api/outbox").await.ok();
        outbox["outbox"].as_array().is_some_and(|it| !it.is_empty() && it[0]["attempts"] != 0).then_some(())
    })
    .await;
    // So that none is on its way this very moment.
    sender["active"] = json!(false);
    put(&gateway, &sender).await;
    until("it is refused because of what waits", SOON, async || {
        let told = gateway.cli(&["sender", "remove", "main"]).await;
        assert!(!told.status.success(), "{}", told.stdout);
        told.stderr.contains("1 replies wait to go out through main").then_some(())
    })
    .await;
    assert_eq!(gateway.get("/api/senders/main").await.status, 200);

    let told = gateway.cli(&["sender", "remove", "main", "--drop-waiting"]).await;
    assert!(told.ok().contains("1 replies that waited are dropped"), "{}", told.stdout);
    assert_eq!(gateway.get("/api/senders/main").await.status, 404);
    let dead = gateway.cli(&["outbox", "list", "--dead"]).await;
    assert!(dead.ok().contains("the sender main was removed"), "{}", dead.stdout);
    assert!(gateway.get("/api/audit").await.text.contains("remove sender"));
    let history = gateway.get("/api/tenants/1/conversations/971501234567/messages").await.ok();
    assert!(history.to_string().contains("and then?"), "{history}");
    // Nobody's account any more.
    let left_alone = hook.post(&text("971501234567", "A3", "hello?")).await;
    assert!(left_alone.text.contains("does not prove where it comes from"), "{}", left_alone.text);
    let again = gateway.api(Method::DELETE, "/api/senders/main").await;
    assert_eq!(again.status, 404, "{}", again.text);

    // It comes back under its name, and the conversation goes on.
    waha.set_session("default", "WORKING");
    sender["active"] = json!(true);
    put(&gateway, &sender).await;
    hook.say(&text("971501234567", "A4", "are you there?")).await;
    waha.wait_until("the answer is out", SOON, |sent| sent.len() >= 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_gone_stays_gone() {
    let waha = FakeWaha::start().await;
    let mut gateway = setup(&waha).start().await;
    gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok();
    gateway.cli(&["sender", "remove", "main"]).await.ok();
    gateway.restart().await;
    assert_eq!(gateway.get("/api/senders").await.ok()["senders"], json!([]));
    assert_eq!(
        gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok()["status"],
        "WORKING"
    );
}
