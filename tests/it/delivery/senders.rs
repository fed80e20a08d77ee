//! Several numbers: a reply leaves by the one that was written to, and one provider's trouble is not
//! another's.

use switchboard_tests::gateway::free_address;

use super::*;

/// Two numbers, each at a WAHA of its own.
fn two_numbers(first: &FakeWaha, second: &FakeWaha) -> Setup {
    second.set_session("office", "WORKING");
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("main", "default", first.url(), &first.api_key()))
        .sender(&sender("office", "office", second.url(), &second.api_key()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_leaves_by_the_number_that_was_written_to() {
    let (first, second) = (FakeWaha::start().await, FakeWaha::start().await);
    let gateway = two_numbers(&first, &second).start().await;
    let hook = begin(&gateway, &first).await;
    hook.say(&text(PHONE, "J1", "here").on_session("office")).await;
    second.wait_for(1, SOON).await;
    hook.say(&text(PHONE, "J2", "there")).await;
    first.wait_for(2, SOON).await;
    assert_eq!(second.texts_to(CHAT), [echo("here", 1)]);
    assert_eq!(first.texts_to(CHAT)[1..], [echo("there", 2)]);
    assert!(second.sent().iter().all(|sent| sent.session == "office"));
    assert!(first.sent().iter().all(|sent| sent.session == "default"));
}

/// A provider that takes everything and answers nothing holds its own sender's slots and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_delays_its_own_sender_only() {
    let (hanging, healthy) = (FakeWaha::start().await, FakeWaha::start().await);
    let gateway = two_numbers(&hanging, &healthy)
        .config("[delivery]\ntimeout_ms = 30_000\nconcurrent = 12\nper_sender = 4\n")
        .start()
        .await;
    hanging.fail_next_times(1_000, Fault::Hang);
    let hook = Hook::to(&gateway);
    for number in 0..24 {
        hook.say(&text(&format!("97150700{number:04}"), &format!("K{number}"), "start_realty_1")).await;
    }
    until("the hanging provider is full", SOON, async || (hanging.requests() >= 3).then_some(())).await;
    for number in 0..24 {
        let link = text(&format!("97150800{number:04}"), &format!("L{number}"), "start_realty_1");
        hook.say(&link.on_session("office")).await;
    }
    healthy.wait_for(24, Duration::from_secs(10)).await;
    assert_eq!(hanging.requests(), 3, "per_sender holds, and its last slot is for another tenant");
    assert_eq!(hanging.sent().len(), 0);
}

/// However many providers hang and however much there is for them, a healthy one's replies go out at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_that_hang_together_hold_no_place_of_a_healthy_one() {
    let healthy = FakeWaha::start().await;
    let mut hanging = Vec::new();
    for _ in 0..4 {
        hanging.push(FakeWaha::start().await);
    }
    let mut setup = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("main", "default", healthy.url(), &healthy.api_key()))
        .config("[delivery]\ntimeout_ms = 60_000\nconcurrent = 64\nper_sender = 32\nper_tenant = 64\n");
    for (n, waha) in hanging.iter().enumerate() {
        let name = format!("hangs{n}");
        waha.set_session(&name, "WORKING");
        waha.fail_next_times(100, Fault::Hang);
        setup = setup
            .sender(&format!("{}\nrate_per_second = 500", sender(&name, &name, waha.url(), &waha.api_key())));
    }
    let gateway = setup.start().await;
    let hook = Hook::to(&gateway);
    for n in 0..20 {
        for number in 0..hanging.len() {
            let link = text(&format!("9715070{number}{n:04}"), &format!("H{number}-{n}"), "start_realty_1");
            hook.say(&link.on_session(&format!("hangs{number}"))).await;
        }
    }
    for waha in &hanging {
        until("it hangs", SOON, async || (waha.requests() >= 8).then_some(())).await;
    }
    for n in 0..16 {
        hook.say(&text(&format!("97150800{n:04}"), &format!("K{n}"), "start_realty_1")).await;
    }
    healthy.wait_for(16, SOON).await;
    let held: Vec<usize> = hanging.iter().map(FakeWaha::requests).collect();
    assert_eq!(held, [8; 4], "no more than it begins with until one is answered");
}

/// A provider that stops answering puts few replies in doubt, is asked one at a time, and gets what waits
/// as soon as it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_stopped_answering_is_asked_one_at_a_time() {
    let waha = FakeWaha::start().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&format!("{}\nrate_per_second = 500", sender("main", "default", waha.url(), &waha.api_key())))
        .config("[delivery]\ntimeout_ms = 300\n")
        .start()
        .await;
    waha.fail_next_times(9, Fault::Hang);
    let hook = Hook::to(&gateway);
    for n in 0..40 {
        hook.say(&text(&format!("97150700{n:04}"), &format!("S{n}"), "start_realty_1")).await;
    }
    gateway.wait_for_line("a host does not answer").await;
    gateway.wait_for_line("a host answers again").await;
    waha.wait_for(31, SOON).await;
    settled(&gateway).await;
    let (unknown, waiting): (Vec<_>, Vec<_>) =
        outbox(&gateway).await.into_iter().partition(|reply| reply["state"] == "unknown");
    assert_eq!((unknown.len(), waiting.len()), (9, 0), "what was on the wire, and one that asked");
    assert_eq!(waha.requests(), 40);
    for said in ["does not answer", "answers again"] {
        assert_eq!(gateway.log().matches(said).count(), 1, "its host, and not each of its senders: {said}");
    }
}

/// Nothing listens: the replies wait with the reason, and go out in order once somebody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_wait_for_a_provider_that_is_not_there() {
    let address = free_address();
    let gateway = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("main", "default", &format!("http://{address}"), "waha-api-key"))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    hook.say(&text(PHONE, "M1", "start_realty_1")).await;
    hook.say(&text(PHONE, "M2", "one")).await;
    hook.say(&text(PHONE, "M3", "two")).await;
    let waiting = until("it was tried more than once", SOON, async || {
        outbox(&gateway).await.into_iter().find(|entry| entry["attempts"].as_u64() >= Some(2))
    })
    .await;
    assert!(waiting["last_error"].as_str().is_some_and(|error| error.contains("connect")), "{waiting}");
    let metrics = gateway.metrics().await.expect("it runs");
    assert!(
        metrics.value(r#"switchboard_outbox_oldest_seconds{sender="main"}"#).is_some_and(|age| age > 0.0)
    );
    assert!(
        metrics
            .value(r#"switchboard_send_failures_total{provider="waha",kind="retry"}"#)
            .is_some_and(|times| times >= 1.0)
    );
    assert_eq!(
        metrics.value(r#"switchboard_session_working{sender="main"}"#),
        Some(0.0),
        "nothing was heard of it"
    );
    let waha = FakeWaha::start_on(address).await;
    waha.wait_for(3, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)]);
}
