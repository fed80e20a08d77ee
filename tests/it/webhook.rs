//! The webhook's side of the bargain: exact answers, proof of origin, bodies that are broken, too
//! large or too slow, and a store that can take no more. What is not acknowledged is not kept.

use std::time::Duration;

use serde_json::json;
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;

mod bounds;
mod kept;
mod origin;
mod strange;
mod strangers;

/// Where no WAHA is: replies wait in the outbox.
const NOBODY: &str = "http://127.0.0.1:9";

fn two_tenants() -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 3\nname = 'Asleep'\norganization = 1\nbrain = 'echo'\nactive = false")
}

fn open_sender() -> String {
    format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{NOBODY}'\napi_key = 'k'\nauth = 'none'"
    )
}

async fn gateway() -> Gateway {
    two_tenants().sender(&open_sender()).start().await
}

async fn tenant_of(gateway: &Gateway, phone: &str) -> Answer {
    gateway.get(&format!("/api/gateway/user/{phone}/tenant")).await
}

/// What the gateway has taken into an inbox since it began.
async fn accepted(gateway: &Gateway) -> f64 {
    let metrics = gateway.metrics().await.expect("metrics are served");
    metrics.value("switchboard_messages_accepted_total").expect("accepted messages are counted")
}

#[tokio::test]
async fn answers_are_exactly_these() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let phone = "971501234567";
    let nobodys = r#"{"status":"ignored","reason":"user not associated with any tenant","action":"please_use_agent_link"}"#;
    let routed = |tenant: u32, new: bool| {
        format!(
            r#"{{"status":"routed","tenant_id":{tenant},"phone_number":"971501234567","is_new_session":{new}}}"#
        )
    };
    let steps = [
        ("A1", "hello", nobodys.to_owned()),
        ("A2", "start_realty_9", nobodys.to_owned()),
        ("A4", "start_realty_2", routed(2, true)),
        ("A5", "hello", routed(2, false)),
        // A duplicate gets the first answer again, whatever has happened since.
        ("A1", "hello", nobodys.to_owned()),
        ("A4", "start_realty_2", routed(2, true)),
        // Another tenant's link changes nothing and says nothing of the other.
        ("A6", "start_realty_1", routed(2, false)),
        ("A7", "start_realty_2 hello again", routed(2, false)),
    ];
    for (id, words, expected) in steps {
        let answer = hook.post(&text(phone, id, words)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, expected.as_str()), "{id} {words}");
    }
    assert_eq!(tenant_of(&gateway, phone).await.ok()["tenant_id"], 2);
    let stats = gateway.get("/api/gateway/stats").await.ok();
    assert_eq!(stats["gateway_stats"]["users_per_tenant"], json!({"2": 1}), "{stats}");
}

#[tokio::test]
async fn what_is_no_message_for_us_is_answered_and_kept_nowhere() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let mut own = text("971501234567", "B1", "start_realty_1").with_id("true_971501234567@c.us_B1");
    own.envelope["payload"]["fromMe"] = json!(true);
    let from = |chat: &str| Webhook::text(chat, "start_realty_1");
    let event = |event: &str| Webhook::event(event, json!({"from": "971501234567@c.us", "id": "x"}));
    let cases = [
        ("own", own),
        ("group", from("120363041234567890@g.us")),
        ("status", from("status@broadcast")),
        ("newsletter", from("120363041234567891@newsletter")),
        ("broadcast list", from("1700000000@broadcast")),
        ("call", event("call.received")),
        ("presence", event("presence.update")),
        ("never heard of", event("something.new")),
    ];
    for (name, webhook) in cases {
        let answer = hook.say(&webhook).await;
        assert_eq!(answer["status"], "ignored", "{name}: {answer}");
        assert!(answer["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{name}: {answer}");
    }
    assert_eq!(tenant_of(&gateway, "971501234567").await.status, 404);
    assert_eq!(accepted(&gateway).await, 0.0);
}

#[tokio::test]
async fn a_sender_that_nobody_declared_is_answered_and_kept_nowhere() {
    let gateway = gateway().await;
    let answer =
        Hook::to(&gateway).say(&text("971501234567", "C1", "start_realty_1").on_session("other")).await;
    assert_eq!(answer["status"], "ignored", "{answer}");
    assert_eq!(accepted(&gateway).await, 0.0);
}

#[tokio::test]
async fn the_same_id_in_two_sessions_is_two_messages() {
    let second = open_sender().replace("'main'", "'second'").replace("'default'", "'036322'");
    let gateway = two_tenants().sender(&open_sender()).sender(&second).start().await;
    let hook = Hook::to(&gateway);
    let text = text("971501234567", "D1", "start_realty_1");
    assert_eq!(hook.say(&text).await["is_new_session"], true);
    assert_eq!(hook.say(&text.clone().on_session("036322")).await["is_new_session"], false);
    assert_eq!(hook.say(&text).await["is_new_session"], true);
    assert_eq!(accepted(&gateway).await, 2.0);
}

/// Guarantee 3. Many links of one contact for two tenants, all at once: one of them makes the lock
/// and all are told the same tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_race_make_one_lock() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    for round in 0..8 {
        let phone = format!("97150765{round:04}");
        let posts = (0..64).map(|number| {
            let link =
                text(&phone, &format!("E{round}N{number}"), &format!("start_realty_{}", number % 2 + 1));
            let hook = hook.clone();
            async move { hook.say(&link).await }
        });
        let answers = futures::future::join_all(posts).await;
        let tenant = tenant_of(&gateway, &phone).await.ok()["tenant_id"].clone();
        assert!(answers.iter().all(|answer| answer["tenant_id"] == tenant), "{tenant}: {answers:?}");
        let new = answers.iter().filter(|answer| answer["is_new_session"] == true).count();
        assert_eq!(new, 1, "one message began the session");
    }
    let stats = gateway.get("/api/gateway/stats").await.ok();
    assert_eq!(stats["gateway_stats"]["total_users"], 8, "{stats}");
}

/// Guarantee 2. The same message on many connections at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_that_race_get_one_answer_and_one_effect() {
    let gateway = gateway().await;
    let hook = Hook::to(&gateway);
    let link = text("971501234567", "F1", "start_realty_2");
    let answers = futures::future::join_all((0..64).map(|_| hook.say(&link))).await;
    let expected = json!({
        "status": "routed", "tenant_id": 2, "phone_number": "971501234567", "is_new_session": true
    });
    for answer in answers {
        assert_eq!(answer, expected);
    }
    assert_eq!(accepted(&gateway).await, 1.0);
}

#[tokio::test]
async fn session_events_are_kept_with_their_sender() {
    let mut gateway = gateway().await;
    let hook = Hook::to(&gateway);
    for status in ["WORKING", "FAILED"] {
        let answer = hook.say(&Webhook::session(status)).await;
        assert_eq!(answer, json!({"status": "received", "kind": "session"}));
    }
    gateway.stop().await;
    let store = gateway.open_store().await;
    let session = store.session(&switchboard::message::SenderName::new("main")).await.expect("it is read");
    assert_eq!(session.map(|change| change.status.to_string()).as_deref(), Some("FAILED"));
}

/// `/ready` is what a load balancer asks: yes while messages can be kept.
#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let gateway = gateway().await;
    for path in ["/health", "/ready"] {
        let answer = Answer::of(gateway.client().get(gateway.url(path))).await.expect("it answers");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
