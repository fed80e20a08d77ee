//! What runs in the background and finds nothing new neither asks nor writes without end. Every loop is given
//! an answer that changes nothing; the gateway's own looks at its session are the clock that it is counted by.

use std::time::Duration;

use serde_json::json;
use switchboard::conversation::{Mode, TimerChange};
use switchboard::message::SenderName;
use switchboard::store::Store;
use switchboard::tenant::Sender;
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::meta::{self, FakeMeta};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;

use crate::store::lab::{Answer, arrival, turn};

const LID: &str = "245800000000182@lid";
const PHONE: &str = "971501234567";
const SOON: Duration = Duration::from_secs(30);

fn asked(waha: &FakeWaha, part: &str) -> usize {
    waha.calls().iter().filter(|call| call.path.contains(part)).count()
}

async fn commits(gateway: &Gateway) -> f64 {
    gateway
        .metrics()
        .await
        .expect("it runs")
        .value("switchboard_store_commits_total")
        .expect("commits are counted")
}

fn setup(waha: &FakeWaha, meta: &FakeMeta) -> Setup {
    let number = |name: &str, account: &str| {
        format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
            waha.url(),
            waha.api_key()
        )
    };
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&number("main", "default"))
        .sender(&number("held", "held"))
        .sender(&format!(
            "name = 'shop'\nprovider = 'meta'\naccount = '{}'\ntenant = 1\nbusiness_account = '{}'\n\
             base_url = '{}'\napi_version = '{}'\napi_key = '{}'\nhmac_key = '{}'\nverify_token = 'v'",
            meta::NUMBER,
            meta::BUSINESS,
            meta.url(),
            meta::VERSION,
            meta::TOKEN,
            meta::SECRET,
        ))
        .config(
            "[waha]\nwatch_every_ms = 20\nsilent_ms = 400\n\
             [delivery]\nbackoff_ms = 60_000\nbackoff_max_ms = 60_000\n",
        )
}

/// A hidden id that nobody knows, a file that is not there, a reply to a number that is not logged in, another to
/// one that is switched off, a list of templates that stays the same, a number that nobody writes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_round_in_circles() {
    let (waha, meta) = (FakeWaha::start().await, meta::start().await);
    waha.set_session("held", "SCAN_QR_CODE");
    let gateway = setup(&waha, &meta).start().await;
    let hook = Hook::to(&gateway);
    hook.say(&Webhook::text(LID, "start_realty_1")).await;
    let mut file = text(PHONE, "A1", "start_realty_1");
    file.envelope["payload"]["hasMedia"] = true.into();
    file.envelope["payload"]["_data"] = json!({ "type": "document" });
    let url = format!("{}/api/files/default/gone.txt", waha.url());
    file.envelope["payload"]["media"] =
        json!({ "url": url, "mimetype": "text/plain", "filename": "gone.txt" });
    hook.say(&file).await;
    hook.say(&text("971501234568", "A2", "start_realty_1").on_session("held")).await;
    waha.wait_until("what can go out is out", SOON, |sent| sent.len() >= 2).await;
    until("the hidden id and the file are asked for", SOON, async || {
        (asked(&waha, "/lids/") > 0 && asked(&waha, "/files/") > 0).then_some(())
    })
    .await;
    let mut held = gateway.get("/api/senders/held").await.ok();
    held["active"] = json!(false);
    let put = gateway.client().put(gateway.url("/api/senders/held")).bearer_auth(gateway.token());
    assert_eq!(put.json(&held).send().await.expect("an answer").status(), 200);
    until("the silence is asked about", SOON, async || (asked(&waha, "/chats/overview") > 0).then_some(()))
        .await;

    let looks = || asked(&waha, "/api/sessions/default");
    let (looked, written, files) = (looks(), commits(&gateway).await, asked(&waha, "/files/"));
    until("much time has gone by", SOON, async || (looks() >= looked + 100).then_some(())).await;
    let written = commits(&gateway).await - written;
    // Each attempt at a file is written down, and the next one waits longer.
    assert!(written <= 15.0, "{written} commits within {} looks:\n{}", looks() - looked, gateway.log());
    assert_eq!(asked(&waha, "/lids/"), 1, "the hidden id was asked for once");
    assert!(asked(&waha, "/files/") - files <= 4, "the file was asked for {} times", asked(&waha, "/files/"));
    assert!(asked(&waha, "/chats/overview") * 3 < looks() - looked, "the silence is asked about more seldom");
    let lists = meta.calls().iter().filter(|call| call.path.ends_with("/message_templates")).count();
    assert!(lists <= 1, "the templates were asked for {lists} times");
    let tried = waha.calls().iter().filter(|call| call.path == "/api/sendText").count();
    assert!(tried <= 4, "replies were tried {tried} times");
}

/// In its conversation the brain sets these timers, all due at once, and a human may take it over.
async fn set_timers(store: &dyn Store, (sender, phone): (&str, &str), keys: &[&str], mode: Option<Mode>) {
    let now = switchboard::clock::now();
    let mut message = arrival(phone, &format!("T{phone}"), "remind me", now);
    message.inbound.from_raw = format!("{phone}@c.us");
    (message.inbound.account, message.sender) = (sender.into(), SenderName::new(sender));
    store.accept(message).await.expect("accepted");
    let claims = store.claim_turns(10, now).await.expect("claimed");
    let claim = claims.iter().find(|claim| claim.key.contact.as_str().contains(phone)).expect("its turn");
    let set = |key: &&str| TimerChange::Set { key: (*key).into(), at: now, payload: String::new() };
    let timers = keys.iter().map(set).collect();
    store
        .commit_turn(turn(claim, Answer { timers, mode, ..Answer::default() }, now))
        .await
        .expect("committed");
}

/// Timers that are due and may not ring: a human answers, the number is switched off, the contact has to say a
/// word first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_that_may_not_ring_go_round_in_no_circles() {
    let waha = FakeWaha::start().await;
    let numbers = ["answered", "asleep", "silent"];
    let mut setup = Setup::new()
        .package("hostile")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'hostile'")
        .config("[waha]\nwatch_every_ms = 20\nsilent_ms = 600_000\n[quotas]\nturns_unprompted = 1\n");
    for name in numbers {
        waha.set_session(name, "WORKING");
        setup = setup.sender(&format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{name}'\nbase_url = '{}'\napi_key = '{}'\n\
             auth = 'none'\ntenant = 1\nactive = {}",
            waha.url(),
            waha.api_key(),
            name != "asleep"
        ));
    }
    let mut gateway = setup.start().await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let [answered, asleep, silent] =
        [("answered", "971501000001"), ("asleep", "971501000002"), ("silent", PHONE)];
    // Until the next start, which reads again what is declared.
    let sleeping = store.directory().senders[&SenderName::new("asleep")].clone();
    store.put_sender(Sender { active: true, ..(*sleeping).clone() }, "test").await.expect("put");
    set_timers(&*store, answered, &["human"], Some(Mode::Human)).await;
    set_timers(&*store, asleep, &["asleep"], None).await;
    set_timers(&*store, silent, &["first", "second"], None).await;
    drop(store);
    gateway.start().await;
    waha.wait_until("the one that may ring has rung", SOON, |sent| !sent.is_empty()).await;
    let looks = || asked(&waha, "/api/sessions/silent");
    let (looked, written) = (looks(), commits(&gateway).await);
    until("much time has gone by", SOON, async || (looks() >= looked + 100).then_some(())).await;
    let written = commits(&gateway).await - written;
    assert!(written <= 5.0, "{written} commits within {} looks:\n{}", looks() - looked, gateway.log());
    assert_eq!(waha.sent().len(), 1, "and none of the others has");
}
