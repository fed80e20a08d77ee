//! Infobip end to end: batches for several numbers and tenants, replies by the number that was written
//! to, reports that come back under our own ids.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::message::{ContactKey, ConversationKey, DeliveryState, TenantId};
use switchboard_tests::client::client;
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::infobip::webhook::{Webhook, failure, report, seen, text};
use switchboard_tests::infobip::{Infobip, KEY, Sent};
use switchboard_tests::peer::Peer;
use switchboard_tests::wait::until;

mod contract;
mod faults;
mod log;
mod proofs;

/// Two numbers of ours, each one tenant's, and a contact.
const FIRST: &str = "41793026731";
const SECOND: &str = "447860064956";
const FRANK: &str = "385919998888";
const ANN: &str = "385919990000";

const SOON: Duration = Duration::from_secs(20);

/// A number of ours; its webhooks come with the password `password`.
fn sender(name: &str, number: &str, tenant: u32, password: &str, url: &str) -> String {
    format!(
        "name = '{name}'\nprovider = 'infobip'\naccount = '{number}'\ntenant = {tenant}\nbase_url = '{url}'\n\
         api_key = '{KEY}'\nwebhook_user = 'hook'\nwebhook_key = '{password}'"
    )
}

fn tenants() -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'\n[tenant.labels]\nagent_id = 'a-1'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
}

/// Two numbers of one account, behind one password.
fn setup(infobip: &Peer<Infobip>) -> Setup {
    tenants().sender(&sender("first", FIRST, 1, "secret", infobip.url())).sender(&sender(
        "second",
        SECOND,
        2,
        "secret",
        infobip.url(),
    ))
}

async fn account() -> Peer<Infobip> {
    Peer::start(Infobip::with(&[FIRST, SECOND])).await
}

async fn post(gateway: &Gateway, webhook: &Webhook) -> Answer {
    let response = webhook.post(&client(), &gateway.url("/api/gateway/infobip")).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// The items arrive, proven.
async fn say(gateway: &Gateway, items: impl IntoIterator<Item = Value>) -> Value {
    post(gateway, &Webhook::of(items).basic("hook", "secret")).await.ok()
}

fn echo(words: &str, number: usize) -> String {
    format!("You said: {words} (message {number})")
}

fn texts_to<'a>(sent: &'a [Sent], to: &str) -> Vec<&'a str> {
    sent.iter().filter(|sent| sent.to == to).filter_map(Sent::text).collect()
}

async fn outbox(gateway: &Gateway) -> Vec<Value> {
    gateway.get("/api/outbox").await.ok()["outbox"].as_array().unwrap().clone()
}

/// A trial account's number is shared, and the account's keyword stands before every text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_behind_the_accounts_keyword_is_followed() {
    let infobip = account().await;
    let shared = |keyword: &str| {
        let sender = sender("first", FIRST, 1, "secret", infobip.url()).replace("tenant = 1\n", "");
        tenants().sender(&format!("{sender}\n{keyword}"))
    };
    let said = |phone: &str, words: &str| text(phone, FIRST, words);
    let gateway = shared("keyword = 'CLINICAX'").start().await;
    assert_eq!(say(&gateway, [said(FRANK, "CLINICAX start_realty_2")]).await["tenant_id"], 2);
    assert_eq!(say(&gateway, [said(ANN, "clinicax hello")]).await["status"], "ignored");
    say(&gateway, [said(FRANK, "CLINICAX good morning")]).await;
    gateway.drained(SOON).await;
    assert_eq!(texts_to(&infobip.sent(), FRANK).last(), Some(&echo("good morning", 1).as_str()));
    // Where none is configured it is what was said.
    let gateway = shared("").start().await;
    assert_eq!(say(&gateway, [said(FRANK, "CLINICAX start_realty_2")]).await["status"], "ignored");
}

/// The other form of a message: the event says that it is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_the_messages_api_is_answered() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    let item = json!({"event": "MO", "channel": "WHATSAPP", "sender": FRANK, "destination": SECOND, "messageId": "mo-1",
        "receivedAt": "2026-08-01T16:00:00.000+0000", "content": [{"type": "TEXT", "text": "hello", "cleanText": "hello"}]});
    assert_eq!(say(&gateway, [item.clone()]).await["tenant_id"], 2);
    say(&gateway, [item]).await;
    let sent = infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    assert_eq!(
        (sent[0].from.as_str(), texts_to(&infobip.sent(), FRANK)),
        (SECOND, vec![echo("hello", 1).as_str()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_leaves_by_the_number_that_received() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    let first = say(&gateway, [text(FRANK, FIRST, "hello")]).await;
    assert_eq!(
        (&first["status"], &first["tenant_id"], &first["agent_id"]),
        (&json!("routed"), &json!(1), &json!("a-1"))
    );
    // Any way of writing the number is the number.
    let second = say(&gateway, [text(FRANK, &format!("+{SECOND}"), "hello")]).await;
    assert_eq!(second["tenant_id"], 2);
    let sent = infobip.wait_for(2, SOON).await;
    let from = |number: &str| sent.iter().filter(|sent| sent.from == number).collect::<Vec<_>>();
    for (number, tenant) in [(FIRST, "First"), (SECOND, "Second")] {
        let [reply] = from(number)[..] else { panic!("one reply from {number}: {sent:?}") };
        assert_eq!((reply.to.as_str(), reply.text()), (FRANK, Some(echo("hello", 1).as_str())), "{tenant}");
        assert_eq!(reply.path, "/whatsapp/1/message/text");
    }
    gateway.drained(SOON).await;
    assert_eq!(infobip.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_item_of_a_batch_finds_its_own_number_and_tenant() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    let mut broken = text(FRANK, FIRST, "lost");
    broken["messageId"] = Value::Null;
    let answer = say(
        &gateway,
        [
            text(FRANK, FIRST, "one"),
            broken,
            text(ANN, SECOND, "two"),
            text(ANN, "971500000000", "to nobody"),
            report("sb-unknown", FRANK, "DELIVERED", "DELIVERED_TO_HANDSET"),
        ],
    )
    .await;
    let results = answer["results"].as_array().unwrap();
    let what: Vec<&str> = results.iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(what, ["routed", "ignored", "routed", "ignored", "received"], "{answer}");
    assert_eq!((&results[0]["tenant_id"], &results[2]["tenant_id"]), (&json!(1), &json!(2)));
    assert_eq!(results[1]["reason"], "unreadable item: expected text, found nothing at results.1.messageId");
    assert_eq!(results[3]["reason"], "no sender has this account");
    let sent = infobip.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    assert_eq!(texts_to(&sent, FRANK), [echo("one", 1)]);
    assert_eq!(texts_to(&sent, ANN), [echo("two", 1)]);
    assert_eq!(infobip.sent().len(), 2, "nobody answers for a number that nobody has");
    let metrics = gateway.get("/metrics").await.text;
    let counted = metrics.lines().any(|line| line.contains("unknown_account") && line.ends_with(" 1"));
    assert!(counted, "the unknown number is counted:\n{metrics}");
    assert!(!gateway.log().contains(FRANK), "numbers are masked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_for_a_number_with_another_key_is_left_out() {
    let infobip = account().await;
    let gateway = tenants()
        .sender(&sender("first", FIRST, 1, "secret", infobip.url()))
        .sender(&sender("second", SECOND, 2, "another", infobip.url()))
        .start()
        .await;
    let items = || [text(FRANK, FIRST, "mine"), text(FRANK, SECOND, "not proven")];
    let answer = say(&gateway, items()).await;
    let what: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(what, ["routed", "ignored"], "{answer}");
    infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    assert!(infobip.sent().iter().all(|sent| sent.from == FIRST));
    for (case, webhook) in [
        ("nothing", Webhook::of(items())),
        ("a wrong password", Webhook::of(items()).basic("hook", "guess")),
        ("a wrong user", Webhook::of(items()).basic("root", "secret")),
        (
            "only a report, unproven",
            Webhook::of([report("sb-1", FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")]),
        ),
    ] {
        assert_eq!(post(&gateway, &webhook).await.status, 401, "{case}");
    }
    gateway.drained(SOON).await;
    assert_eq!(infobip.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_headers_and_paths_prove_as_well() {
    let infobip = account().await;
    let number = |name: &str, number: &str, tenant: u32, keys: &str| {
        format!(
            "name = '{name}'\nprovider = 'infobip'\naccount = '{number}'\ntenant = {tenant}\n\
             base_url = '{}'\napi_key = '{KEY}'\n{keys}",
            infobip.url()
        )
    };
    let gateway = tenants()
        .sender(&number("first", FIRST, 1, "hmac_header = 'X-Sign'\nhmac_key = 'secret'"))
        .sender(&number("second", SECOND, 2, "webhook_header = 'AccountKey'\nwebhook_key = 'shared'"))
        .start()
        .await;
    let signed = Webhook::of([text(FRANK, FIRST, "signed")]);
    let keyed = Webhook::of([text(FRANK, SECOND, "keyed")]);
    for (case, webhook, status) in [
        ("signed", signed.signed("X-Sign", "secret"), 200),
        ("signed by another", signed.signed("X-Sign", "guess"), 401),
        ("signed elsewhere", signed.signed("X-Other", "secret"), 401),
        ("keyed", keyed.with_header("AccountKey", "shared"), 200),
        ("keyed elsewhere", keyed.with_header("X-Api-Key", "shared"), 401),
    ] {
        assert_eq!(post(&gateway, &webhook).await.status, status, "{case}");
    }
    assert_eq!(infobip.wait_for(2, SOON).await.len(), 2);
}

/// A full bucket of reports names no number of ours; it must be taken all the same, or it comes again
/// for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_bucket_of_reports_is_taken() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    let reports = (0..2000).map(|n| report(&format!("sb-{n}"), FRANK, "DELIVERED", "DELIVERED_TO_HANDSET"));
    let answer = say(&gateway, reports).await;
    assert_eq!(answer["results"].as_array().unwrap().len(), 2000);
}

/// Reports say whose they are by their keys alone, however many accounts there are before them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_believed_of_the_last_of_many_accounts() {
    let infobip = account().await;
    let mut setup = tenants();
    for n in 10..40 {
        let (name, number, password) = (format!("s{n}"), format!("3859199900{n}"), format!("secret {n}"));
        setup = setup.sender(&sender(&name, &number, 1, &password, infobip.url()));
    }
    let gateway = setup.start().await;
    let reports = || Webhook::of([report("sb-1", FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")]);
    for n in 10..40 {
        let answer = post(&gateway, &reports().basic("hook", &format!("secret {n}"))).await;
        assert_eq!(answer.status, 200, "account {n}");
    }
    assert_eq!(post(&gateway, &reports().basic("hook", "secret 9")).await.status, 401);
}

/// A number that is switched off shares its keys with one that is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_switched_off_swallows_nobodys_reports() {
    let infobip = account().await;
    let off = format!("{}\nactive = false", sender("a", FIRST, 1, "secret", infobip.url()));
    let gateway =
        tenants().sender(&off).sender(&sender("b", SECOND, 2, "secret", infobip.url())).start().await;
    say(&gateway, [text(FRANK, SECOND, "hello")]).await;
    let sent = infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    let answer = say(&gateway, [report(&sent[0].id, FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")]).await;
    assert_eq!(answer, json!({"status": "received", "kind": "receipt"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_move_a_reply_forward_only() {
    let infobip = account().await;
    let mut gateway = setup(&infobip).start().await;
    say(&gateway, [text(FRANK, FIRST, "hello")]).await;
    let sent = infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    let id = &sent[0].id;
    assert!(id.len() <= 50 && id.len() >= 16, "{id}");
    say(&gateway, [seen(id, FIRST), report(id, FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")]).await;
    say(&gateway, [report(id, FRANK, "PENDING", "PENDING_ENROUTE"), failure(id, FRANK, "EC_BLOCKED_USER")])
        .await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let key = ConversationKey { tenant: TenantId::new(1).unwrap(), contact: ContactKey::from_stored(FRANK) };
    let states: Vec<DeliveryState> = store
        .history(&key, None, 10)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|(_, entry)| entry.state)
        .collect();
    assert_eq!(states, [DeliveryState::Read]);
}
