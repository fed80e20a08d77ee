//! Meta's Cloud API end to end: whose number was written to decides the tenant, replies leave by it, and
//! each way of failing has its fate.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::message::{ContactKey, ConversationKey, DeliveryState, TenantId};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::meta::webhook::Webhook;
use switchboard_tests::meta::{self, BUSINESS, FakeMeta, NUMBER, OTHER_NUMBER, SECRET, TOKEN};

mod faults;
mod window;

/// For one reply to come out, whatever the back-off.
const SOON: Duration = Duration::from_secs(20);
const SARA: &str = "971501234567";
const OMID: &str = "971501234568";

/// A number of this tenant's, whose app has this secret.
fn number(name: &str, account: &str, tenant: u32, secret: &str, url: &str) -> String {
    format!(
        "name = '{name}'\nprovider = 'meta'\naccount = '{account}'\ntenant = {tenant}\nbase_url = '{url}'\n\
         api_key = '{TOKEN}'\nhmac_key = '{secret}'\nverify_token = 'token of {name}'\n\
         business_account = '{BUSINESS}'"
    )
}

fn tenant(id: u32) -> String {
    format!(
        "id = {id}\nname = 'Tenant {id}'\norganization = 1\nbrain = 'echo'\n[tenant.labels]\nagent_id = 'agent-{id}'"
    )
}

/// Two tenants, each with a number of its own at one Meta app; Meta has half a second to answer.
fn setup(meta: &FakeMeta) -> Setup {
    Setup::new()
        .package("echo")
        .tenant(&tenant(1))
        .tenant(&tenant(2))
        .sender(&number("first", NUMBER, 1, SECRET, meta.url()))
        .sender(&number("second", OTHER_NUMBER, 2, SECRET, meta.url()))
        .config("[delivery]\ntimeout_ms = 500\n")
}

async fn post(gateway: &Gateway, webhook: &Webhook, secret: &str) -> Answer {
    let body = webhook.bytes();
    let request = gateway.client().post(gateway.url("/api/gateway/meta"));
    let signature = meta::webhook::signature(secret, &body);
    let request = request.header("x-hub-signature-256", signature).body(body);
    Answer::of(request).await.unwrap()
}

async fn say(gateway: &Gateway, webhook: &Webhook) -> Value {
    post(gateway, webhook, SECRET).await.ok()
}

fn echo(words: &str) -> String {
    format!("You said: {words} (message 1)")
}

/// By which number, to whom, what.
fn replies(meta: &FakeMeta) -> Vec<(String, String, String)> {
    let reply = |sent: meta::Sent| {
        let text = sent.text().unwrap_or_default().to_owned();
        (sent.number, sent.to, text)
    };
    meta.sent().into_iter().map(reply).collect()
}

fn reply(number: &str, to: &str, text: String) -> (String, String, String) {
    (number.to_owned(), to.to_owned(), text)
}

async fn events(gateway: &Gateway, outcome: &str) -> f64 {
    let name = format!("switchboard_webhook_events_total{{provider=\"meta\",outcome=\"{outcome}\"}}");
    gateway.metrics().await.unwrap().value(&name).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_leaves_by_the_number_that_was_written_to() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let first = Webhook::text(NUMBER, SARA, "hé / 😀");
    let answer = say(&gateway, &first).await;
    assert_eq!((&answer["status"], &answer["tenant_id"]), (&json!("routed"), &json!(1)), "{answer}");
    assert_eq!((&answer["phone_number"], &answer["agent_id"]), (&json!(SARA), &json!("agent-1")), "{answer}");
    // Sent again, as Meta does when an answer got lost: the same answer, and no second reply.
    assert_eq!(say(&gateway, &first).await, answer);
    let answer = say(&gateway, &Webhook::text(OTHER_NUMBER, SARA, "there")).await;
    assert_eq!(answer["tenant_id"], 2, "{answer}");
    meta.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    let mut replies = replies(&meta);
    replies.sort();
    assert_eq!(replies, [reply(NUMBER, SARA, echo("hé / 😀")), reply(OTHER_NUMBER, SARA, echo("there"))]);
    assert_eq!(meta.refused(), []);
    assert!(!gateway.log().contains(SARA), "numbers are masked");
}

/// A contact without a phone number is answered under the id that only this business sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_without_a_number_is_answered() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let message = json!({ "from_user_id": "AE.1234", "id": "wamid.B", "timestamp": "1797043223",
        "type": "text", "text": { "body": "hi" } });
    let contacts = json!([{ "profile": { "name": "Sara", "username": "sara" }, "user_id": "AE.1234" }]);
    say(&gateway, &Webhook::value(NUMBER, json!({ "contacts": contacts, "messages": [message] }))).await;
    let sent = meta.wait_for(1, SOON).await;
    assert_eq!((sent[0].to.as_str(), sent[0].text()), ("AE.1234", Some(echo("hi").as_str())));
    assert_eq!(meta.refused(), []);
}

/// One body with items of two tenants, of a number whose app is another one, of nobody's, and broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_item_of_a_body_finds_its_own_tenant() {
    let meta = meta::start().await;
    let foreign = "106540352242924";
    let gateway =
        setup(&meta).sender(&number("foreign", foreign, 2, "another app secret", meta.url())).start().await;
    let nobody = "106540352242999";
    let body = Webhook::text(NUMBER, SARA, "one")
        .and(Webhook::text(foreign, SARA, "two"))
        .and(Webhook::value(NUMBER, json!({ "messages": [7, { "type": "text" }] })))
        .and(Webhook::text(nobody, SARA, "three"))
        .and(Webhook::text(OTHER_NUMBER, OMID, "four"));
    let answer = say(&gateway, &body).await;
    let told: Vec<(&str, &str)> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["status"].as_str().unwrap_or_default(), it["reason"].as_str().unwrap_or_default()))
        .collect();
    let [one, two, broken, also_broken, three, four] = told.as_slice() else { panic!("{answer}") };
    assert_eq!((one.0, four.0), ("routed", "routed"), "{answer}");
    assert_eq!(*two, ("ignored", "the webhook does not prove that it is for this account"));
    assert_eq!(*three, ("ignored", "no sender has this account"));
    for broken in [broken, also_broken] {
        assert!(broken.0 == "ignored" && broken.1.starts_with("unreadable item: "), "{broken:?}");
    }
    meta.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    let mut replies = replies(&meta);
    replies.sort();
    assert_eq!(replies, [reply(NUMBER, SARA, echo("one")), reply(OTHER_NUMBER, OMID, echo("four"))]);
    assert_eq!((events(&gateway, "unverified").await, events(&gateway, "unknown_account").await), (1.0, 1.0));
    // The other app's number is believed by its own secret, and by no other.
    let theirs = Webhook::text(foreign, SARA, "five");
    assert_eq!(post(&gateway, &theirs, SECRET).await.ok()["status"], "ignored");
    assert_eq!(post(&gateway, &theirs, "somebody's").await.status, 401);
    assert_eq!(post(&gateway, &theirs, "another app secret").await.ok()["status"], "routed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_proves_nothing_is_refused() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let hook = Webhook::text(NUMBER, SARA, "hé");
    let (client, url) = (gateway.client(), gateway.url("/api/gateway/meta"));
    for body in [hook.bytes(), hook.body.to_string().into_bytes()] {
        let unsigned = client.post(&url).body(body.clone()).send().await.unwrap();
        assert_eq!(unsigned.status(), 401);
        let wrong = meta::webhook::signature("another secret", &body);
        let signed = client.post(&url).header("x-hub-signature-256", wrong).body(body).send().await.unwrap();
        assert_eq!(signed.status(), 401);
    }
    // The bytes that were signed, and not the same in other words.
    let signature = meta::webhook::signature(SECRET, &hook.bytes());
    let rewritten = client.post(&url).header("x-hub-signature-256", signature).body(hook.body.to_string());
    assert_eq!(rewritten.send().await.unwrap().status(), 401);
    gateway.drained(SOON).await;
    assert_eq!(meta.sent().len(), 0);
    assert_eq!(events(&gateway, "unverified").await, 5.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handshake_answers_the_bare_challenge() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let ask = async |token: &str| {
        let query = [("hub.mode", "subscribe"), ("hub.challenge", "1158201444"), ("hub.verify_token", token)];
        let request = gateway.client().request(Method::GET, gateway.url("/api/gateway/meta")).query(&query);
        Answer::of(request).await.unwrap()
    };
    for token in ["token of first", "token of second"] {
        let answer = ask(token).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "1158201444"));
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    }
    for token in ["", "token of nobody", SECRET] {
        let answer = ask(token).await;
        assert_eq!(answer.status, 403, "{token}");
        assert!(!answer.text.contains("1158201444"));
    }
}

/// What is about the business account and no number belongs to its numbers' senders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_business_account_are_taken() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let approved = json!({ "event": "APPROVED", "message_template_id": 1, "message_template_name": "viewing",
        "message_template_language": "en", "reason": "NONE" });
    let answer = say(&gateway, &Webhook::change("message_template_status_update", approved)).await;
    assert_eq!(answer, json!({ "status": "received", "kind": "template" }));
    let answer = say(&gateway, &Webhook::change("some_future_field", json!({ "anything": [null] }))).await;
    assert_eq!(answer["reason"], "unknown event some_future_field");
    assert_eq!(events(&gateway, "unknown_account").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_move_a_reply_forward_only() {
    let meta = meta::start().await;
    let mut gateway = setup(&meta).start().await;
    say(&gateway, &Webhook::text(NUMBER, SARA, "hi")).await;
    say(&gateway, &Webhook::text(NUMBER, OMID, "hi")).await;
    let sent = meta.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    let id = |to: &str| sent.iter().find(|sent| sent.to == to).unwrap().id.clone();
    // Read, then late word of its delivery; twice. Then a failure that cannot be any more.
    for status in ["read", "delivered", "sent", "read", "failed"] {
        let answer = say(&gateway, &Webhook::status(NUMBER, &id(SARA), SARA, status)).await;
        assert_eq!(answer, json!({ "status": "received", "kind": "receipt" }));
    }
    say(&gateway, &Webhook::failed(NUMBER, &id(OMID), OMID, 131_026)).await;
    say(&gateway, &Webhook::status(NUMBER, "wamid.NOTOURS", SARA, "read")).await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let tenant = TenantId::new(1).unwrap();
    for (contact, state) in [(SARA, DeliveryState::Read), (OMID, DeliveryState::Failed)] {
        let key = ConversationKey { tenant, contact: ContactKey::from_stored(contact) };
        let history = store.history(&key, None, 100).await.unwrap();
        let states: Vec<_> = history.into_iter().filter_map(|(_, entry)| entry.state).collect();
        assert_eq!(states, [state]);
    }
}
