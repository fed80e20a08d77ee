//! Guarantee 6. Every reply is sent, failed or unknown, visibly; what may have gone out is never sent
//! again by itself; a conversation's replies leave in order, by the sender that received.

use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard::message::{ContactKey, ConversationKey, DeliveryState, TenantId};
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::waha::{FakeWaha, Fault};
use switchboard_tests::wait::until;

mod asleep;
mod clock;
mod doubt;
mod fairness;
mod keys;
mod many;
mod senders;

const PHONE: &str = "971501234567";
const CHAT: &str = "971501234567@c.us";

/// For one reply to come out, whatever the back-off.
const SOON: Duration = Duration::from_secs(20);

fn sender(name: &str, account: &str, url: &str, key: &str) -> String {
    format!(
        "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = '{url}'\napi_key = '{key}'\nauth = 'none'"
    )
}

/// One echo tenant, replies go to this WAHA; it has half a second to answer.
fn setup(waha: &FakeWaha) -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("main", "default", waha.url(), &waha.api_key()))
        .config("[delivery]\ntimeout_ms = 500\n")
}

/// Opens the conversation; its greeting is the first text that WAHA has.
async fn begin(gateway: &Gateway, waha: &FakeWaha) -> Hook {
    let hook = Hook::to(gateway);
    hook.say(&text(PHONE, "BEGIN", "start_realty_1")).await;
    waha.wait_for(1, SOON).await;
    hook
}

fn echo(words: &str, number: usize) -> String {
    format!("You said: {words} (message {number})")
}

/// What is kept of replies that are not sent: waiting, dead, unknown.
async fn outbox(gateway: &Gateway) -> Vec<Value> {
    let told = gateway.get("/api/outbox").await.ok();
    told["outbox"].as_array().expect("a list of replies").clone()
}

/// Waits until one reply is in this state, and shows it.
async fn in_state(gateway: &Gateway, state: &str) -> Value {
    until(&format!("a reply is {state}"), SOON, async || {
        outbox(gateway).await.into_iter().find(|entry| entry["state"] == state)
    })
    .await
}

/// A reply waits for another attempt, and says why: one that only waits may not have been tried yet.
async fn refused(gateway: &Gateway) {
    until("a reply was refused and waits", SOON, async || {
        let refused = |entry: &Value| {
            entry["state"] == "waiting" && entry["last_error"].as_str().is_some_and(|why| why.contains("429"))
        };
        outbox(gateway).await.iter().any(refused).then_some(())
    })
    .await;
}

/// Nothing goes out and nothing waits any more.
async fn settled(gateway: &Gateway) {
    gateway.drained(SOON).await;
}

/// Each fault that leaves no doubt is tried again until the reply is out, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_certainly_did_not_go_out_is_sent_again() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    let faults = [
        Fault::TooMany { retry_after: None },
        Fault::TooMany { retry_after: Some("0".into()) },
        Fault::Unavailable { retry_after: Some("0".into()) },
    ];
    let mut expected = waha.texts_to(CHAT);
    for (number, fault) in faults.into_iter().enumerate() {
        let before = waha.requests();
        waha.fail_next_times(3, fault);
        hook.say(&text(PHONE, &format!("A{number}"), "hi")).await;
        expected.push(echo("hi", number + 1));
        waha.wait_for(expected.len(), SOON).await;
        assert_eq!(waha.requests() - before, 4, "three refusals and a success");
    }
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT), expected);
    assert!(outbox(&gateway).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_waited_for_and_nobody_overtakes() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next(Fault::TooMany { retry_after: Some("2".into()) });
    let refused_from = Instant::now();
    hook.say(&text(PHONE, "B1", "one")).await;
    refused(&gateway).await;
    // Those behind it wait with it; another contact's reply does not.
    hook.say(&text(PHONE, "B2", "two")).await;
    hook.say(&text(PHONE, "B3", "three")).await;
    hook.say(&text("971501234568", "B4", "start_realty_1")).await;
    waha.wait_until("the other contact's greeting", SOON, |sent| {
        sent.iter().any(|sent| sent.chat == "971501234568@c.us")
    })
    .await;
    assert_eq!(waha.texts_to(CHAT).len(), 1, "only the greeting so far");
    waha.wait_until("all of them", SOON, |sent| sent.iter().filter(|sent| sent.chat == CHAT).count() == 4)
        .await;
    assert!(refused_from.elapsed() >= Duration::from_secs(2), "after {:?}", refused_from.elapsed());
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2), echo("three", 3)]);
}

/// Each fault that leaves a doubt makes the reply unknown: listed, not sent again, and those behind
/// it go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_gone_out_is_never_sent_again_by_itself() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    // What its chat shows would settle those that went out, where this takes long.
    waha.hang_at("/chats/");
    let mut expected = waha.texts_to(CHAT);
    let faults = [
        (Fault::Error, false),
        (Fault::ErrorAfterSending, true),
        (Fault::HangAfterSending, true),
        (Fault::Hang, false),
        (Fault::Reset, false),
        (Fault::ResetAfterSending, true),
        (Fault::Unavailable { retry_after: None }, false),
    ];
    let count = faults.len();
    for (number, (fault, was_sent)) in faults.into_iter().enumerate() {
        let name = format!("{fault:?}");
        waha.fail_next(fault);
        let before = waha.requests();
        hook.say(&text(PHONE, &format!("C{number}"), &name)).await;
        hook.say(&text(PHONE, &format!("D{number}"), "next")).await;
        if was_sent {
            expected.push(echo(&name, number * 2 + 1));
        }
        expected.push(echo("next", number * 2 + 2));
        waha.wait_for(expected.len(), SOON).await;
        settled(&gateway).await;
        assert_eq!(waha.texts_to(CHAT), expected, "{name}");
        assert_eq!(waha.requests() - before, 2, "{name}: one request each");
        let unknown: Vec<Value> = outbox(&gateway).await;
        assert_eq!(unknown.len(), number + 1, "{name}: {unknown:?}");
        assert!(unknown.iter().all(|entry| entry["state"] == "unknown"), "{name}: {unknown:?}");
    }
    let listed = gateway.cli(&["outbox", "list"]).await;
    assert_eq!(listed.ok().matches("unknown").count(), count, "{}", listed.stdout);
}

/// The operator decides about the unknown: send it again, or let it be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_settles_what_is_unknown() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next_times(2, Fault::Error);
    for number in 1..=2 {
        hook.say(&text(PHONE, &format!("E{number}"), &format!("word {number}"))).await;
    }
    settled(&gateway).await;
    let ids: Vec<String> =
        outbox(&gateway).await.iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect();
    let [first, second] = ids.as_slice() else { panic!("two are unknown: {ids:?}") };
    gateway.cli(&["outbox", "retry", first]).await.ok();
    waha.wait_for(2, SOON).await;
    gateway.cli(&["outbox", "drop", second]).await.ok();
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("word 1", 1)]);
    assert!(outbox(&gateway).await.is_empty());
    let again = gateway.cli(&["outbox", "retry", first]).await;
    assert!(!again.status.success(), "what is sent cannot be sent again: {again:?}");
}

/// A death between a send and its answer leaves the reply unknown, not doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_a_crash_interrupts_is_unknown() {
    let waha = FakeWaha::start().await;
    let mut gateway = setup(&waha).config("[delivery]\ntimeout_ms = 20_000\n").start().await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next(Fault::HangAfterSending);
    hook.say(&text(PHONE, "F1", "one")).await;
    waha.wait_for(2, SOON).await;
    hook.say(&text(PHONE, "F2", "two")).await;
    gateway.kill().await;
    gateway.start().await;
    waha.wait_for(3, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)]);
    let unknown = in_state(&gateway, "unknown").await;
    assert!(unknown["outbound"].to_string().contains("one"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_for_good_is_dead_and_says_what_to_do() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    waha.fail_next(Fault::Say { status: 404, body: Value::Null });
    Hook::to(&gateway).say(&text(PHONE, "G1", "start_realty_1")).await;
    let dead = in_state(&gateway, "dead").await;
    let error = dead["last_error"].as_str().expect("an error");
    assert!(error.contains("404") && error.contains("base_url"), "{error}");
    assert_eq!((waha.requests(), waha.sent().len()), (1, 0));
    let log = gateway.log();
    assert!(log.contains("switchboard outbox list") && !log.contains(PHONE), "{log}");
}

/// A session that is not working is waited for; so is a WAHA that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_wait_for_a_session_to_work() {
    let waha = FakeWaha::start().await;
    waha.set_session("default", "SCAN_QR_CODE");
    let gateway = setup(&waha).start().await;
    let hook = Hook::to(&gateway);
    hook.say(&text(PHONE, "H1", "start_realty_1")).await;
    hook.say(&text(PHONE, "H2", "hi")).await;
    let waiting = in_state(&gateway, "waiting").await;
    assert_eq!(waiting["sender"], "main");
    until("it was tried", SOON, async || (!waha.refused().is_empty()).then_some(())).await;
    waha.set_session("default", "WORKING");
    let sent = waha.wait_for(2, SOON).await;
    assert_eq!(sent[1].text(), Some(echo("hi", 1).as_str()));
    settled(&gateway).await;
    assert_eq!(waha.sent().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_move_a_reply_forward_only() {
    let waha = FakeWaha::start().await;
    let mut gateway = setup(&waha).config("[delivery]\ntimeout_ms = 20_000\n").start().await;
    let hook = begin(&gateway, &waha).await;
    let first = waha.sent()[0].id.clone();
    // Read, then late word of its delivery; twice.
    for ack in [3, 2, 3, 1] {
        let answer = hook.say(&Webhook::ack(&first, CHAT, ack)).await;
        assert_eq!(answer["status"], "received", "{answer}");
    }
    // A receipt may come before the answer to the send.
    waha.fail_next(Fault::Drip { pause: Duration::from_millis(5) });
    hook.say(&text(PHONE, "I1", "hi")).await;
    let second = waha.wait_for(2, SOON).await[1].id.clone();
    hook.say(&Webhook::ack(&second, CHAT, 2)).await;
    hook.say(&Webhook::ack("true_971501234567@c.us_3EB0NOTOURS", CHAT, 3)).await;
    settled(&gateway).await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let tenant = TenantId::new(1).expect("not 0");
    let key = ConversationKey { tenant, contact: ContactKey::from_stored(PHONE) };
    let states: Vec<Option<DeliveryState>> = store
        .history(&key, None, 100)
        .await
        .expect("the history is read")
        .into_iter()
        .map(|(_, entry)| entry.state)
        .filter(Option::is_some)
        .collect();
    assert_eq!(states, [Some(DeliveryState::Read), Some(DeliveryState::Delivered)]);
}
