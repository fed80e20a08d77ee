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
    let waha = FakeWaha::start_on(address).await;
    waha.wait_for(3, SOON).await;
    settled(&gateway).await;
    assert_eq!(waha.texts_to(CHAT)[1..], [echo("one", 1), echo("two", 2)]);
}
