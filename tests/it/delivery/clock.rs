//! A machine's clock is set, by hand or by NTP: nobody waits for the time that it was set back by, and what
//! has become too old is not sent.

use super::*;

const HOUR_S: i64 = 3_600;

/// A number with a rate, as all have.
async fn begun(config: &str) -> (FakeWaha, Gateway) {
    let waha = FakeWaha::start().await;
    let main = sender("main", "default", waha.url(), &waha.api_key());
    let mut gateway = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&format!("{main}\nrate_per_second = 20"))
        .config(config)
        .write();
    gateway.with_clock();
    gateway.start().await;
    (waha, gateway)
}

async fn say(hook: &Hook, range: std::ops::Range<usize>) {
    for n in range {
        hook.say(&text(&format!("97150700{n:04}"), &format!("C{n}"), "start_realty_1")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_makes_nobody_wait() {
    let (waha, gateway) = begun("").await;
    let hook = Hook::to(&gateway);
    // More than its burst: the sender's next place lies ahead when the clock is set.
    say(&hook, 0..10).await;
    waha.wait_for(3, SOON).await;
    gateway.set_clock_ahead(-2 * HOUR_S);
    say(&hook, 10..30).await;
    waha.wait_for(30, SOON).await;
    gateway.set_clock_ahead(-26 * HOUR_S);
    say(&hook, 30..40).await;
    waha.wait_for(40, SOON).await;
    settled(&gateway).await;
    assert_eq!(outbox(&gateway).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_another_attempt_when_the_clock_is_set_back_gets_it() {
    let (waha, mut gateway) = begun("").await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next_times(2, Fault::TooMany { retry_after: Some("2".into()) });
    hook.say(&text(PHONE, "W1", "one")).await;
    refused(&gateway).await;
    gateway.set_clock_ahead(-2 * HOUR_S);
    hook.say(&text(PHONE, "W2", "two")).await;
    waha.wait_for(3, SOON).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)], "in order");

    // Long enough that it does not begin again before the process ends.
    waha.fail_next_times(1, Fault::TooMany { retry_after: Some("600".into()) });
    hook.say(&text(PHONE, "W3", "three")).await;
    refused(&gateway).await;
    gateway.kill().await;
    gateway.set_clock_ahead(-26 * HOUR_S);
    gateway.start().await;
    waha.wait_for(4, SOON).await;
    settled(&gateway).await;
}

/// Also when nothing was tried before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_become_too_old_is_not_sent() {
    let (waha, mut gateway) = begun("").await;
    let hook = begin(&gateway, &waha).await;
    waha.fail_next_times(1, Fault::TooMany { retry_after: Some("600".into()) });
    hook.say(&text(PHONE, "O1", "old")).await;
    hook.say(&text(PHONE, "O2", "old as well")).await;
    until("one waits behind the other", SOON, async || (outbox(&gateway).await.len() == 2).then_some(()))
        .await;
    refused(&gateway).await;
    gateway.kill().await;
    gateway.set_clock_ahead(240 * HOUR_S);
    gateway.start().await;
    let dead = in_state(&gateway, "dead").await;
    assert!(dead["last_error"].as_str().is_some_and(|why| why.contains("given up after")), "{dead}");
    hook.say(&text("971507000001", "N1", "start_realty_1")).await;
    waha.wait_for(2, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT).len(), 1, "the greeting, and nothing that is ten days old");
}
