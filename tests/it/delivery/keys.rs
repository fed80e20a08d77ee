//! A key that the provider refuses is the operator's to put right: nothing is given up for it, one reply at a
//! time tries it, it is said once, and with a key that is taken everything goes out by itself.

use reqwest::Method;
use serde_json::json;
use switchboard_tests::peer::Fault;

use super::*;

/// Another key for the sender, at the same address.
async fn give_key(gateway: &Gateway, key: &str) {
    let mut sender = gateway.get("/api/senders/main").await.ok();
    sender["api_key"] = json!(key);
    let put = gateway.client().put(gateway.url("/api/senders/main")).bearer_auth(gateway.token());
    let answer = put.json(&sender).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text().await.expect("a text"));
}

async fn refused_keys(gateway: &Gateway) -> Option<f64> {
    let name = r#"switchboard_sends_total{provider="waha",outcome="key_refused"}"#;
    gateway.metrics().await.expect("it runs").value(name)
}

const CONTACTS: usize = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_key_loses_nothing() {
    let waha = FakeWaha::start().await;
    // Slow to try again by themselves, so that tries can be counted.
    let slow = "[delivery]\nbackoff_ms = 2_000\nbackoff_max_ms = 600_000\nconcurrent = 4\nper_sender = 2\n";
    let gateway = setup(&waha).config(slow).start().await;
    let hook = begin(&gateway, &waha).await;
    waha.set_api_key("another");
    let before = waha.requests();
    hook.say(&text(PHONE, "K0", "are you there?")).await;
    gateway.wait_for_line("the provider refuses the sender's key").await;
    for n in 0..CONTACTS {
        hook.say(&text(&format!("97150200{n:04}"), &format!("S{n}"), "start_realty_1")).await;
    }
    until("all of them wait", SOON, async || (outbox(&gateway).await.len() > CONTACTS).then_some(())).await;
    assert!(outbox(&gateway).await.iter().all(|entry| entry["state"] == "waiting"), "nothing is given up");
    // What was under way when it was refused, and one at a time since.
    let tried = waha.requests() - before;
    assert!(tried <= CONTACTS / 3, "{tried} requests with a key that is refused");
    assert_eq!(gateway.log().matches("the provider refuses the sender's key").count(), 1, "said once");
    assert_eq!(refused_keys(&gateway).await, Some(1.0));
    let doctor = gateway.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("its key is refused since"), "{}", doctor.stdout);
    let shown = gateway.get("/api/senders/main").await.ok();
    assert!(shown["key_refused"]["error"].as_str().expect("an error").contains("401"), "{shown}");
    assert!(gateway.cli(&["sender", "list"]).await.ok().contains("refused"));
    let status = gateway.cli(&["sender", "status", "main"]).await;
    assert!(status.ok().contains("key refused") && status.ok().contains("401"), "{status:?}");
    assert_eq!(gateway.metrics().await.expect("it runs").value("switchboard_keys_refused"), Some(1.0));

    give_key(&gateway, "another").await;
    let sent = waha.wait_until("all are out", SOON, |sent| sent.len() == CONTACTS + 2).await;
    assert!(sent.iter().any(|sent| sent.text() == Some(echo("are you there?", 1).as_str())));
    settled(&gateway).await;
    assert_eq!(outbox(&gateway).await.len(), 0);
    let shown = gateway.get("/api/senders/main").await.ok();
    assert!(shown["key_refused"].is_null(), "{shown}");
}

/// The same key may be taken again, without anybody doing anything here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_taken_again_is_found_out() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next_times(
        3,
        Fault::Say { status: 401, body: json!({"message": "Unauthorized", "statusCode": 401}) },
    );
    hook.say(&text(PHONE, "K1", "one")).await;
    hook.say(&text(PHONE, "K2", "two")).await;
    waha.wait_for(3, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)], "in order");
    gateway.wait_for_line("the provider takes the sender's key again").await;
    assert_eq!(gateway.log().matches("the provider refuses the sender's key").count(), 1);
    let told = gateway.api(Method::GET, "/api/doctor").await;
    assert!(!told.text.contains("its key is refused"), "{}", told.text);
}
