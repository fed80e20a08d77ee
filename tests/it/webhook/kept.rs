//! What cannot be read is acknowledged, kept, told to the operator, and taken in when it can be read. And
//! one message has one effect, whatever its id is written with.

use switchboard::event::Topic;
use switchboard::message::{Provider, SenderName};
use switchboard::store::unread::UnreadBody;

use super::*;

const PHONE: &str = "971501234567";

fn counted(metrics: &str, name: &str) -> Option<String> {
    metrics
        .lines()
        .find(|line| line.starts_with(name))
        .map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_told_and_taken_in_later() {
    let mut gateway = gateway().await;
    let hook = Hook::to(&gateway);
    hook.say(&text(PHONE, "A1", "start_realty_2")).await;
    let mut drifted = text(PHONE, "A2", "hello");
    drifted.envelope["payload"]["body"] = json!({"text": "hello"});
    let answer = hook.post(&drifted).await;
    assert_eq!(answer.status, 200, "or WAHA sends it fifteen times: {}", answer.text);
    assert_eq!(accepted(&gateway).await, 1.0);

    let metrics = gateway.get("/metrics").await.text;
    let labels = r#"switchboard_unreadable_total{provider="waha",event="message"}"#;
    assert_eq!(counted(&metrics, labels).as_deref(), Some("1"), "{metrics}");
    gateway.wait_for_line("an event of a known kind cannot be read").await;
    let unread = gateway.cli(&["webhook", "unread"]).await;
    assert!(
        unread
            .ok()
            .contains("waha  message  unreadable item: expected text, found an object at payload.body"),
        "{}",
        unread.stdout
    );
    assert!(!unread.stdout.contains("hello"), "contacts' words are nobody's business: {}", unread.stdout);
    let doctor = gateway.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("1 of waha brought something that cannot be read"), "{}", doctor.stdout);
    let replayed = gateway.cli(&["webhook", "replay"]).await;
    assert_eq!(replayed.ok().trim(), "0 taken in; 1 still cannot be read.");

    // What an older program could not read and this one can.
    gateway.stop().await;
    let store = gateway.open_store().await;
    let of_old = |sender: &str, webhook: &Webhook| UnreadBody {
        provider: Provider::Waha,
        received_at: switchboard::clock::now(),
        topics: vec![Topic::Message],
        reason: "unreadable item".into(),
        body: String::from_utf8(webhook.body()).expect("JSON"),
        proven: vec![SenderName::new(sender)],
        at_its_address: None,
        tenant: None,
    };
    store.keep_unread(of_old("main", &text(PHONE, "A3", "from before"))).await.expect("kept");
    store.keep_unread(of_old("main", &text(PHONE, "A1", "start_realty_2"))).await.expect("kept");
    store.keep_unread(of_old("another", &text(PHONE, "A4", "never proved"))).await.expect("kept");
    drop(store);
    gateway.start().await;
    let before = accepted(&gateway).await;
    let replayed = gateway.cli(&["webhook", "replay"]).await;
    assert_eq!(replayed.ok().trim(), "2 taken in; 2 still cannot be read.");
    assert_eq!(
        accepted(&gateway).await,
        before + 1.0,
        "one is new, one had been taken in, one is for a sender that it did not prove"
    );
    let replayed = gateway.cli(&["webhook", "replay"]).await;
    assert_eq!(replayed.ok().trim(), "0 taken in; 2 still cannot be read.");
    assert!(gateway.get("/api/audit").await.text.contains("replay"));
}

/// Each is an event that we know, and none is sent again.
#[tokio::test]
async fn no_known_event_is_refused() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let good = text(PHONE, "N1", "start_realty_1");
    let without = |name: &str| {
        let mut webhook = good.clone();
        webhook.envelope["payload"].as_object_mut().expect("an object").remove(name);
        webhook
    };
    let mut nothing = good.clone();
    nothing.envelope["payload"] = json!(null);
    let mut news = good.clone();
    news.envelope["payload"]["_data"] = json!({"message": {"hologramMessage": {}}});
    let status = Webhook::event("session.status", json!({"status": 7}));
    for webhook in [without("id"), nothing, news, status] {
        let answer = hook.say(&webhook).await;
        assert_eq!(answer["status"], "ignored", "{answer}");
    }
    let unread = gateway.get("/api/webhook/unread").await.ok();
    assert_eq!(
        (&unread["kept"], unread["items"].as_array().map(Vec::len)),
        (&json!({"waha": 4}), Some(4)),
        "{unread}"
    );
    assert_eq!(accepted(&gateway).await, 0.0);
    assert_eq!(hook.say(&good).await["status"], "routed");
}

/// Its door is the operator's.
#[tokio::test]
async fn only_the_operator_sees_and_replays() {
    let gateway = gateway().await;
    for (method, path) in
        [(reqwest::Method::GET, "/api/webhook/unread"), (reqwest::Method::POST, "/api/webhook/replay")]
    {
        assert_eq!(gateway.api(method.clone(), path).await.status, 200, "{path}");
        assert_eq!(gateway.api_as("nobody", method, path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn one_message_has_one_effect_whatever_its_id_is_written_with() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let phone = text(PHONE, "3EB0", "start_realty_2");
    let mut hidden = Webhook::text("999000111@lid", "start_realty_2").with_id("false_999000111@lid_3EB0");
    hidden.envelope["payload"]["_data"] = json!({"Info": {"SenderAlt": format!("{PHONE}@s.whatsapp.net")}});
    let first = hook.say(&hidden).await;
    let second = hook.say(&phone).await;
    assert_eq!(first["status"], "routed");
    assert_eq!(first, second);
    assert_eq!(accepted(&gateway).await, 1.0);
    // A stub under the id of what follows uses it up for nobody.
    let mut stub = text(PHONE, "3EB1", "");
    stub.envelope["payload"]["body"] = json!(null);
    stub.envelope["payload"]["_data"] = json!({"messageStubType": 2});
    assert_eq!(hook.say(&stub).await["status"], "ignored");
    assert_eq!(hook.say(&text(PHONE, "3EB1", "hello")).await["status"], "routed");
    assert_eq!(accepted(&gateway).await, 2.0);
}

#[tokio::test]
async fn a_mark_before_the_body_costs_nothing() {
    let gateway = gateway().await;
    let webhook = text(PHONE, "M1", "start_realty_2");
    let body = [b"\xef\xbb\xbf".as_slice(), &webhook.body()].concat();
    let answer = Hook::to(&gateway).try_post_bytes(&webhook, body).await.expect("an answer");
    assert_eq!(answer.ok()["status"], "routed");
}
