//! What may be said, when and how fast, end to end: rates, quiet hours, machines that answer each
//! other, and numbers typed in answer to a menu.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp as Clock};
use serde_json::{Value, json};
use switchboard::conversation::{Author, Line, TimerChange, Trigger};
use switchboard::message::{ContactKey, Content, ConversationKey, Provider, TenantId, Timestamp};
use switchboard::store::Store;
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::peer::Fault;
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::wait::until;

use crate::store::lab::{Answer, arrival, says, turn};

const SOON: Duration = Duration::from_secs(20);
const PHONE: &str = "971501234567";
const CHAT: &str = "971501234567@c.us";

/// A sender at this WAHA, with further keys.
fn sender(waha: &FakeWaha, name: &str, account: &str, more: &str) -> String {
    waha.set_session(account, "WORKING");
    format!(
        "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = '{}'\napi_key = '{}'\n\
         auth = 'none'\n{more}",
        waha.url(),
        waha.api_key(),
    )
}

fn tenant(id: u32, brain: &str, policy: &str) -> String {
    format!("id = {id}\nname = 'Tenant {id}'\norganization = 1\nbrain = '{brain}'\n[tenant.policy]\n{policy}")
}

fn key(phone: &str) -> ConversationKey {
    ConversationKey { tenant: TenantId::from_stored(1), contact: ContactKey::from_stored(phone) }
}

fn now() -> Timestamp {
    Timestamp::from_ms(Clock::now().as_millisecond())
}

async fn outbox(gateway: &Gateway) -> Vec<Value> {
    gateway.get("/api/outbox").await.ok()["outbox"].as_array().expect("a list of replies").clone()
}

async fn begin(hook: &Hook, contacts: std::ops::Range<usize>, session: &str) {
    for n in contacts {
        let phone = format!("9715020{n:05}");
        hook.say(&text(&phone, &format!("LINK{n}"), "start_realty_1").on_session(session)).await;
    }
}

/// One reply a second, and not one before; other senders do not notice. What waits has not begun, so
/// that a death makes nothing of it unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_keeps_its_pace_and_delays_nobody_else() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", ""))
        .sender(&sender(&waha, "slow", "default", "rate_per_second = 1"))
        .sender(&sender(&waha, "quick", "second", ""))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    let by = |session: &str| waha.sent().iter().filter(|sent| sent.session == session).count();
    begin(&hook, 0..6, "default").await;
    begin(&hook, 6..26, "second").await;
    waha.wait_until("all of the quick sender", SOON, |sent| {
        sent.iter().filter(|sent| sent.session == "second").count() == 20
    })
    .await;
    let waiting = outbox(&gateway).await;
    assert!(waiting.len() >= 6 - by("default"), "{waiting:?}");
    assert!(
        waiting.iter().all(|send| send["state"] == "waiting" || send["state"] == "sending"),
        "{waiting:?}"
    );
    waha.wait_until("two of the slow one", SOON, |sent| {
        sent.iter().filter(|sent| sent.session == "default").count() == 2
    })
    .await;
    gateway.kill().await;
    gateway.start().await;
    gateway.drained(SOON).await;
    // One may have been on its way in the moment of the death.
    let unknown = outbox(&gateway).await;
    assert!(unknown.len() <= 1 && by("default") + unknown.len() >= 6, "{unknown:?}");
    let times: Vec<_> =
        waha.sent().iter().filter(|sent| sent.session == "default").map(|sent| sent.at).collect();
    // The second before the death is forgotten with the process.
    for pair in times[..2].windows(2).chain(times[2..].windows(2)) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_millis(900), "{gap:?}");
    }
}

/// A tenant's own rate holds its replies back on a sender that others use too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_keeps_its_pace_and_delays_nobody_else() {
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", "rate_per_second = 1"))
        .tenant(&tenant(2, "echo", ""))
        .sender(&sender(&waha, "main", "default", ""))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    begin(&hook, 0..4, "default").await;
    for n in 0..20 {
        hook.say(&text(&format!("9715030{n:05}"), &format!("OTHER{n}"), "start_realty_2")).await;
    }
    let of = |sent: &[switchboard_tests::waha::Sent], prefix: &str| -> Vec<_> {
        sent.iter().filter(|sent| sent.chat.starts_with(prefix)).map(|sent| sent.at).collect()
    };
    let sent = waha.wait_for(24, SOON).await;
    let (slow, quick) = (of(&sent, "9715020"), of(&sent, "9715030"));
    assert_eq!((slow.len(), quick.len()), (4, 20));
    assert!(slow.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_millis(900)), "{slow:?}");
    assert!(quick.last() < slow.last(), "twenty of the one while the other's fourth waits");
    let metrics = gateway.metrics().await.expect("metrics");
    assert!(metrics.value("switchboard_sends_total").is_some_and(|sends| sends > 24.0), "waiting is counted");
}

/// `[tenant.policy]` with quiet hours around this very moment, in UTC.
fn quiet_now() -> String {
    let clock = |hours: i64| {
        let at = Clock::now() + SignedDuration::from_hours(hours);
        at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M").to_string()
    };
    format!("quiet_hours = {{ from = '{}', until = '{}' }}", clock(-2), clock(2))
}

/// What a timer makes a brain say waits for the morning; answers do not, and take along what waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_night_reminders_wait_and_answers_do_not() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("hostile")
        .tenant(&tenant(1, "hostile", &quiet_now()))
        .sender(&sender(&waha, "main", "default", ""))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    hook.say(&text(PHONE, "LINK", "start_realty_1")).await;
    waha.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    gateway.stop().await;
    set_timer(&*gateway.open_store().await).await;
    gateway.start().await;
    let waiting = until("the reminder waits, and says why", SOON, async || {
        let waiting = outbox(&gateway).await.into_iter().find(|send| send["occasion"] == "timer")?;
        waiting["last_error"].is_string().then_some(waiting)
    })
    .await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("waiting"), &json!(0)), "{waiting}");
    assert!(waiting["last_error"].as_str().is_some_and(|why| why.contains("quiet hours")), "{waiting}");
    assert!(waiting["due_at"].as_str() > Some(now().to_string().as_str()), "{waiting}");
    assert_eq!(waha.texts_to(CHAT).len(), 1);
    hook.say(&text(PHONE, "AWAKE", "anybody there?")).await;
    waha.wait_for(3, SOON).await;
    assert_eq!(waha.texts_to(CHAT)[1..], ["timer: nudge", "heard: anybody there?"]);
    gateway.drained(SOON).await;
    assert_eq!(outbox(&gateway).await, [] as [Value; 0]);
}

/// The brain of the one conversation wants to be reminded now.
async fn set_timer(store: &dyn Store) {
    let mut message = arrival(PHONE, "REMIND", "remind me", now());
    message.inbound.from_raw = CHAT.into();
    store.accept(message).await.expect("accepted");
    let claim = store.claim_turns(1, now()).await.expect("claimed").remove(0);
    let timers = vec![TimerChange::Set { key: "nudge".into(), at: now(), payload: String::new() }];
    store.commit_turn(turn(&claim, Answer { timers, ..Answer::default() }, now())).await.expect("committed");
}

/// A machine at the other end answers every message at once: after a few rounds a human is asked to
/// look, once, and the brain is not asked any more until it is handed back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_do_not_talk_for_ever() {
    const TURNS: usize = 5;
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", &format!("loop_turns = {TURNS}")))
        .sender(&sender(&waha, "main", "default", ""))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    hook.say(&text(PHONE, "LINK", "start_realty_1")).await;
    for n in 0..TURNS {
        waha.wait_for(n + 1, SOON).await;
        hook.say(&text(PHONE, &format!("N{n}"), "I am a bot")).await;
    }
    waha.wait_for(TURNS + 1, SOON).await;
    hook.say(&text(PHONE, "TOO-MANY", "I am a bot")).await;
    gateway.wait_for_line("answers like a machine").await;
    hook.say(&text(PHONE, "MORE", "I am a bot")).await;
    gateway.drained(SOON).await;
    assert_eq!(waha.sent().len(), TURNS + 1, "nothing more is said");
    let audit = gateway.get("/api/audit").await.ok();
    let of = |action: &str| {
        let entries = audit["audit"].as_array().expect("a list of entries").iter();
        entries.filter(|entry| entry["action"] == action && entry["actor"] == "gateway").count()
    };
    assert_eq!((of("take over"), of("stop loop")), (1, 1), "{audit}");
    assert_eq!(gateway.log().matches("answers like a machine").count(), 1);
    gateway.cli(&["contact", "handback", "--tenant", "1", PHONE]).await.ok();
    gateway.drained(SOON).await;
    hook.say(&text(PHONE, "HUMAN", "I am a person")).await;
    waha.wait_for(TURNS + 2, SOON).await;
}

/// The row's number, typed in any script, is the row: the brain sees a choice, the history the text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_number_is_the_row_of_the_menu() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("real-estate")
        .tenant(&tenant(1, "real-estate", ""))
        .sender(&sender(&waha, "main", "default", ""))
        .collection(1, "properties", &json!([]))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    let menu = |sent: &[switchboard_tests::waha::Sent], after: usize| {
        sent.iter().skip(after).any(|sent| sent.text().is_some_and(|text| text.contains("\n2. ")))
    };
    hook.say(&text(PHONE, "LINK", "start_realty_1")).await;
    let read = waha.wait_until("a menu", SOON, |sent| menu(sent, 0)).await.len();
    hook.say(&text(PHONE, "TWO", "۲")).await;
    waha.wait_until("an answer", SOON, |sent| sent.len() > read).await;
    gateway.drained(SOON).await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let journal = store.journal(&key(PHONE), 1).await.expect("the journal").remove(0);
    let Trigger::Messages { messages } = &journal.trigger else { panic!("{:?}", journal.trigger) };
    assert!(matches!(&messages[0].content, Content::Choice(choice) if !choice.id.is_empty()), "{messages:?}");
    let history = store.history(&key(PHONE), None, 100).await.expect("the history");
    let typed = history.iter().rev().find(|(_, entry)| entry.author == Author::Contact).expect("it is kept");
    let Line::Heard(heard) = &typed.1.line else { panic!("{typed:?}") };
    assert_eq!(heard.content, Content::Text { text: "۲".into() });
}

/// A day after the contact's last message nothing but a template may go out; without one the reply is
/// dead before it was ever tried, and says what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_window_is_told_before_the_provider_is_asked() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", ""))
        .sender(&sender(&waha, "main", "default", "").replace("'waha'", "'meta'"))
        .start()
        .await;
    gateway.stop().await;
    {
        let store = gateway.open_store().await;
        let then = now().plus_ms(-25 * 3_600_000);
        let mut link = arrival(PHONE, "LINK", "start_realty_1", then);
        link.inbound.provider = Provider::Meta;
        store.accept(link).await.expect("accepted");
        let claim = store.claim_turns(1, now()).await.expect("claimed").remove(0);
        store.commit_turn(turn(&claim, says(&["Still looking?"]), now())).await.expect("committed");
    }
    gateway.start().await;
    let dead = until("it is dead", SOON, async || {
        outbox(&gateway).await.into_iter().find(|send| send["state"] == "dead")
    })
    .await;
    assert_eq!(dead["attempts"], 0, "{dead}");
    let why = dead["last_error"].as_str().expect("a reason");
    assert!(why.contains("24 hours") && why.contains("[tenant.policy.fallback_template]"), "{why}");
    let listed = gateway.cli(&["outbox", "list", "--dead"]).await;
    assert!(listed.ok().contains("24 hours"), "{}", listed.stdout);
    assert_eq!(waha.requests(), 0);
}

/// What an operator asks for again is tried as long as what was just said, however old it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_reply_that_is_tried_again_may_fail_again() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", ""))
        .sender(&sender(&waha, "main", "default", ""))
        .config("[delivery]\nbackoff_ms = 20\n")
        .start()
        .await;
    gateway.stop().await;
    {
        let store = gateway.open_store().await;
        let then = now().plus_ms(-30 * 24 * 3_600_000);
        let link = arrival(PHONE, "LINK", "start_realty_1", then);
        store.accept(link).await.expect("accepted");
        let claim = store.claim_turns(1, then).await.expect("claimed").remove(0);
        store.commit_turn(turn(&claim, says(&["Still looking?"]), then)).await.expect("committed");
    }
    waha.fail_next_times(2, Fault::TooMany { retry_after: None });
    gateway.start().await;
    let dead = until("it is given up", SOON, async || {
        outbox(&gateway).await.into_iter().find(|send| send["state"] == "dead")
    })
    .await;
    assert!(dead["last_error"].as_str().is_some_and(|why| why.contains("given up")), "{dead}");
    gateway.cli(&["outbox", "retry", dead["id"].as_str().expect("an id")]).await.ok();
    let sent = waha.wait_until("it is out", SOON, |sent| !sent.is_empty()).await;
    assert_eq!(sent[0].text(), Some("Still looking?"));
    gateway.drained(SOON).await;
    assert_eq!(waha.requests(), 3);
}

/// After the contact's own word nothing the brain says goes out, but for the gateway's confirmation; its
/// other word lets messages through again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_says_stop_hears_nothing_more() {
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, "echo", ""))
        .sender(&sender(&waha, "main", "default", ""))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    for (n, words) in ["start_realty_1", "STOP", "hello?"].iter().enumerate() {
        hook.say(&text(PHONE, &format!("N{n}"), words)).await;
        gateway.drained(SOON).await;
    }
    let sent = waha.texts_to(CHAT);
    assert_eq!(sent.len(), 2, "the welcome and the confirmation: {sent:?}");
    let refused = outbox(&gateway).await;
    assert_eq!(refused.len(), 2, "{refused:?}");
    for reply in &refused {
        assert_eq!((&reply["state"], &reply["attempts"]), (&json!("dead"), &json!(0)), "{reply}");
        assert!(reply["last_error"].as_str().is_some_and(|why| why.contains("no more messages")), "{reply}");
    }
    let signals = waha.calls().into_iter().filter(|call| call.path == "/api/sendSeen");
    let shown: String = signals.map(|call| call.json().to_string()).collect();
    assert!(
        shown.contains("N0") && !shown.contains("N1") && !shown.contains("N2"),
        "it sees nothing: {shown}"
    );
    hook.say(&text(PHONE, "AGAIN", "START")).await;
    hook.say(&text(PHONE, "HELLO", "hello again")).await;
    waha.wait_until("an answer", SOON, |sent| {
        sent.iter().any(|sent| sent.text().is_some_and(|text| text.contains("hello again")))
    })
    .await;
    let sent = waha.texts_to(CHAT).join("\n");
    assert!(!sent.contains("You said: STOP") && !sent.contains("You said: hello?"), "{sent}");
}

/// A message is shown as read when it is taken up, and that somebody writes when the brain takes its
/// time; not where the sender keeps it to itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_see_that_they_are_read_and_answered() {
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("hostile")
        .tenant(&format!("{}\n[tenant.limits]\nwall_time_ms = 2_000", tenant(1, "hostile", "")))
        .sender(&sender(&waha, "open", "default", ""))
        .sender(&sender(&waha, "shy", "second", "read_receipts = false\ntyping = false"))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    let (open, shy) = ("971501234567", "971501234568");
    for (phone, session) in [(shy, "second"), (open, "default")] {
        hook.say(&text(phone, "LINK", "start_realty_1").on_session(session)).await;
        hook.say(&text(phone, "SLOW", "sleep").on_session(session)).await;
    }
    let signals = |path: &str| -> Vec<Value> {
        waha.calls().iter().filter(|call| call.path == path).map(|call| call.json()).collect()
    };
    until("somebody writes", SOON, async || (!signals("/api/startTyping").is_empty()).then_some(())).await;
    gateway.drained(Duration::from_secs(60)).await;
    let seen = signals("/api/sendSeen");
    assert!(seen.iter().any(|body| body.to_string().contains("SLOW")), "{seen:?}");
    for body in seen.iter().chain(&signals("/api/startTyping")) {
        assert_eq!((&body["session"], &body["chatId"]), (&json!("default"), &json!(CHAT)), "{body}");
    }
    assert_eq!(waha.refused(), []);
    assert!(waha.sent().iter().any(|sent| sent.session == "second"), "the shy one answers all the same");
    let metrics = gateway.metrics().await.expect("metrics");
    assert!(metrics.value("switchboard_signals_total").is_some_and(|signals| signals >= 3.0));
}
