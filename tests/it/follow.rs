//! One message from the webhook to the last receipt: in the log under one number, and by the command.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::meta::webhook::{Webhook, signature};
use switchboard_tests::meta::{self, FakeMeta, NUMBER, SECRET, TOKEN};
use switchboard_tests::wait::until;

const SOON: Duration = Duration::from_secs(20);
const SARA: &str = "971501234567";

async fn start(meta: &FakeMeta, log: &str) -> Gateway {
    let sender = format!(
        "name = 'main'\nprovider = 'meta'\naccount = '{NUMBER}'\nbase_url = '{}'\ntenant = 1\n\
         api_key = '{TOKEN}'\nhmac_key = '{SECRET}'\nverify_token = 'token'",
        meta.url()
    );
    let tenant = |id| format!("id = {id}\nname = 'Tenant {id}'\norganization = 1\nbrain = 'echo'");
    let setup = Setup::new().package("echo").tenant(&tenant(1)).tenant(&tenant(2)).sender(&sender);
    setup.config(&format!("[log]\n{log}")).start().await
}

async fn post(gateway: &Gateway, webhook: &Webhook) {
    let body = webhook.bytes();
    let request = gateway.client().post(gateway.url("/api/gateway/meta"));
    let request = request.header("x-hub-signature-256", signature(SECRET, &body)).body(body);
    Answer::of(request).await.expect("it answers").ok();
}

/// The log's lines that name this message.
fn lines_of(gateway: &Gateway, number: u64) -> Vec<Value> {
    let log = gateway.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["msg"] == number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_leads_through_the_log_from_the_webhook_to_the_receipt() {
    let meta = meta::start().await;
    let gateway = start(&meta, "format = 'json'").await;
    let heard = Webhook::text(NUMBER, SARA, "hello");
    post(&gateway, &heard).await;
    meta.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    let way = gateway.get(&format!("/api/messages/{}", heard.id())).await.ok();
    let number = way["message"]["number"].as_u64().expect("a number");
    let reply = way["replies"][0]["provider_id"].as_str().expect("Meta's id").to_owned();
    post(&gateway, &heard).await;
    for state in ["delivered", "read"] {
        post(&gateway, &Webhook::status(NUMBER, &reply, SARA, state)).await;
    }
    let lines = until("all of it is logged", SOON, async || {
        let lines = lines_of(&gateway, number);
        (lines.len() >= 6).then_some(lines)
    })
    .await;
    let steps: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(steps, ["received", "turn", "sent", "received again", "delivered", "read"]);
    for line in &lines {
        assert_eq!((&line["level"], &line["target"]), (&json!("INFO"), &json!("switchboard::way")), "{line}");
        assert_eq!(line["contact"], "971*****567", "{line}");
        let step = line["message"].as_str().expect("a step");
        assert!(step == "received again" || line["tenant"] == "1", "{line}");
        assert!(step == "turn" || line["sender"] == "main", "{line}");
        let id = if step.starts_with("received") { heard.id() } else { reply.as_str() };
        assert!(step == "turn" || line["provider_id"] == id, "{line}");
    }
    assert_eq!((&lines[0]["via"], &lines[1]["replies"]), (&json!("own_number"), &json!(1)));
    assert!(!gateway.log().contains(SARA), "numbers are masked");
    of_command(&gateway, number, heard.id(), &reply).await;
    let metrics = gateway.metrics().await.expect("it runs");
    for series in [
        "switchboard_message_seconds_count",
        r#"switchboard_sender_sends_total{sender="main",outcome="sent"}"#,
        r#"switchboard_tenant_turns_total{tenant="1",outcome="done"}"#,
        "switchboard_messages_accepted_total",
    ] {
        assert_eq!(metrics.value(series), Some(1.0), "{series}");
    }
}

/// The same way by every name, for the operator and for its tenant alone.
async fn of_command(gateway: &Gateway, number: u64, heard: &str, reply: &str) {
    let told = gateway.cli(&["message", "show", &number.to_string()]).await;
    let told = told.ok();
    for part in [
        format!("Message {number} of tenant 1, contact {SARA}: answered"),
        format!("received as {heard} by main (meta {NUMBER})"),
        "routed to tenant 1: the number is its own".into(),
        "turn 1 by brain ".into(),
        format!("sent as {reply}, attempt 1"),
        " delivered".into(),
        " read".into(),
    ] {
        assert!(told.contains(&part), "{part:?} is missing:\n{told}");
    }
    for name in [heard, reply, &format!("1-{SARA}-{number}")] {
        assert_eq!(gateway.cli(&["message", "show", name]).await.ok(), told, "{name}");
    }
    let key = |tenant: u32| async move {
        let request = gateway.client().post(gateway.url("/api/keys")).bearer_auth(gateway.token());
        let made = Answer::of(request.json(&json!({"tenant": tenant, "name": "test"}))).await.expect("a key");
        made.json()["key"].as_str().expect("the key").to_owned()
    };
    let (own, others) = (key(1).await, key(2).await);
    for name in [number.to_string().as_str(), heard, reply] {
        let path = format!("/api/messages/{name}");
        assert_eq!(gateway.api_as(&own, Method::GET, &path).await.status, 200, "{name}");
        assert_eq!(gateway.api_as(&others, Method::GET, &path).await.status, 404, "{name}");
    }
    let none = gateway.cli(&["message", "show", "no-such"]).await;
    assert!(none.stderr.contains("there is no message no-such"), "{}", none.stderr);
}

/// Who has too many messages for that leaves the lines out, and keeps what goes wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_can_be_left_out_and_what_goes_wrong_cannot() {
    let meta = meta::start().await;
    let gateway = start(&meta, "level = 'info,switchboard::way=warn'").await;
    post(&gateway, &Webhook::text(NUMBER, SARA, "hello")).await;
    let sent = meta.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    post(&gateway, &Webhook::failed(NUMBER, &sent[0].id, SARA, 131_026)).await;
    let line = gateway.wait_for_line("a reply did not arrive").await;
    assert!(line.contains("msg=") && line.contains("971*****567"), "{line}");
    assert!(!gateway.log().contains("provider_id="), "{}", gateway.log());
}
