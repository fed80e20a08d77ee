//! A sender's tenants take turns, and answers go before reminders: looked at where it counts, in the
//! order in which the provider gets the requests.

use futures::future::join_all;
use serde_json::json;
use switchboard::conversation::{TimerChange, Trigger};
use switchboard::message::{SenderName, Timestamp};
use switchboard::store::{Store, TurnClaim};
use switchboard::tenant::Sender;
use switchboard_tests::waha::Sent;

use super::*;
use crate::store::lab::{Answer, arrival, says, turn};

/// Tenants 1 and 2 share this number.
fn shared(waha: &FakeWaha, more: &str) -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .sender(&format!("{}\n{more}", sender("main", "default", waha.url(), &waha.api_key())))
}

fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}

fn phone(tenant: u32, n: usize) -> String {
    format!("97150{tenant}{n:06}")
}

fn chat(tenant: u32, n: usize) -> String {
    format!("{}@c.us", phone(tenant, n))
}

/// Whose turn it was to be sent to, in order.
fn place_of(sent: &[Sent], chat: &str) -> usize {
    sent.iter().position(|sent| sent.chat == chat).expect("it is sent")
}

/// Contacts of a tenant to whom a reply waits: an answer, or what a timer made the bot say.
async fn owe(store: &dyn Store, tenant: u32, contacts: std::ops::Range<usize>, reminders: bool) {
    let contacts: Vec<String> = contacts.map(|n| phone(tenant, n)).collect();
    let link = format!("start_realty_{tenant}");
    // Its queue is short.
    for some in contacts.chunks(50) {
        let met = some.iter().map(|who| store.accept(arrival(who, &format!("LINK-{who}"), &link, now())));
        join_all(met).await.into_iter().for_each(|met| drop(met.expect("accepted")));
    }
    let answer = |claim: &TurnClaim| match &claim.trigger {
        Trigger::Timer { .. } => says(&["a reminder"]),
        _ if reminders => {
            let timer = TimerChange::Set { key: "nudge".into(), at: now(), payload: String::new() };
            Answer { timers: vec![timer], ..Answer::default() }
        }
        _ => says(&["an answer"]),
    };
    loop {
        let claims = store.claim_turns(1_000, now()).await.expect("claimed");
        if claims.is_empty() {
            break;
        }
        let ended = claims.iter().map(|claim| store.commit_turn(turn(claim, answer(claim), now())));
        join_all(ended).await.into_iter().for_each(|ended| ended.expect("committed"));
    }
}

/// Starts the gateway, and with it whatever waits.
async fn start_with(mut gateway: Gateway, owed: &[(u32, std::ops::Range<usize>, bool)]) -> Gateway {
    gateway.stop().await;
    {
        let store = gateway.open_store().await;
        // Nothing is said through a sender that is switched off.
        let main = store.directory().senders[&SenderName::new("main")].clone();
        store.put_sender(Sender { active: true, ..(*main).clone() }, "test").await.expect("put");
        for (tenant, contacts, reminders) in owed {
            owe(&*store, *tenant, contacts.clone(), *reminders).await;
        }
        store.put_sender((*main).clone(), "test").await.expect("put");
    }
    gateway.start().await;
    gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_backlog_delays_nobody_elses_answer() {
    let waha = FakeWaha::start().await;
    let gateway = shared(&waha, "rate_per_second = 10").start().await;
    let gateway = start_with(gateway, &[(1, 0..300, false), (2, 0..1, false)]).await;
    let sent = waha.wait_until("the second tenant's answer", SOON, |sent| {
        sent.iter().any(|sent| sent.chat == chat(2, 0))
    });
    let place = place_of(&sent.await, &chat(2, 0));
    assert!(place < 5, "it waited before the gateway began, behind 300 others, and is the {place}th");
    // And one whose contact writes while they wait.
    Hook::to(&gateway).say(&text(&phone(2, 1), "LINK", "start_realty_2")).await;
    let before = until("its answer waits, or is out", SOON, async || {
        let waits = outbox(&gateway).await.iter().any(|reply| reply["contact"] == phone(2, 1));
        let sent = waha.sent();
        (waits || sent.iter().any(|sent| sent.chat == chat(2, 1))).then_some(sent.len())
    })
    .await;
    let sent =
        waha.wait_until("it is out", SOON, |sent| sent.iter().any(|sent| sent.chat == chat(2, 1))).await;
    let place = place_of(&sent, &chat(2, 1));
    assert!(place <= before + 4, "{before} were out when it waited, and it was the {place}th");
    assert_eq!(waha.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminders_delay_no_answer_of_anybody() {
    let waha = FakeWaha::start().await;
    let gateway = shared(&waha, "rate_per_second = 10").start().await;
    let owed = [(1, 0..1_000, true), (1, 1_000..1_001, false), (2, 0..1, false)];
    let _gateway = start_with(gateway, &owed).await;
    let both = [chat(1, 1_000), chat(2, 0)];
    let sent = waha
        .wait_until("both answers and some reminders", SOON, |sent| {
            sent.len() >= 6 && both.iter().all(|chat| sent.iter().any(|sent| sent.chat == *chat))
        })
        .await;
    for chat in &both {
        let place = place_of(&sent, chat);
        assert!(place < 5, "{chat} is the {place}th, behind reminders");
    }
    assert!(sent.iter().any(|sent| sent.text() == Some("a reminder")), "and they go on");
}

/// A tenant whose requests hang holds all but the last of its sender's slots, however many it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_left_for_who_has_none() {
    let waha = FakeWaha::start().await;
    let gateway = shared(&waha, "").config("[delivery]\ntimeout_ms = 60_000\nper_sender = 4\n").start().await;
    waha.fail_next_times(3, Fault::Hang);
    let hook = Hook::to(&gateway);
    for n in 0..12 {
        hook.say(&text(&phone(1, n), &format!("A{n}"), "start_realty_1")).await;
    }
    until("the first tenant's requests hang", SOON, async || (waha.requests() == 3).then_some(())).await;
    for n in 0..3 {
        hook.say(&text(&phone(2, n), &format!("B{n}"), "start_realty_2")).await;
    }
    let sent = waha.wait_for(3, SOON).await;
    assert!(sent.iter().all(|sent| sent.chat.starts_with("971502")), "{sent:?}");
}

/// What waits for a sender that is switched off costs one line of the log, and goes out when it is
/// switched on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_switched_off_is_told_of_once() {
    let waha = FakeWaha::start().await;
    let gateway = shared(&waha, "active = false\nrate_per_second = 500").start().await;
    let gateway = start_with(gateway, &[(1, 0..40, false), (2, 0..10, true)]).await;
    gateway.wait_for_line("the sender is switched off").await;
    let waiting = outbox(&gateway).await;
    assert_eq!(waiting.len(), 50);
    for reply in &waiting {
        assert_eq!((&reply["state"], &reply["attempts"]), (&json!("waiting"), &json!(0)), "{reply}");
        assert!(reply["last_error"].is_null(), "nothing is written of it: {reply}");
    }
    let mut main = gateway.get("/api/senders/main").await.ok();
    main["active"] = json!(true);
    let put = gateway.client().put(gateway.url("/api/senders/main")).bearer_auth(gateway.token());
    let put = put.json(&main).send().await.expect("an answer");
    assert!(put.status().is_success(), "{put:?}");
    waha.wait_for(50, SOON).await;
    settled(&gateway).await;
    assert_eq!(gateway.log().matches("the sender is switched off").count(), 1);
}
