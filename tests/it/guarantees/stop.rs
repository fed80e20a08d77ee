//! A stop that is asked for ends what has begun and takes nothing new; what waited goes on after the
//! next start.

use switchboard_tests::waha::Fault;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_drains_and_the_next_start_goes_on() {
    const CONTACTS: usize = 20;
    let waha = FakeWaha::start().await;
    // Each answer takes its time.
    waha.fail_next_times(CONTACTS, Fault::Drip { pause: Duration::from_millis(2) });
    let mut gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(1, 1, "echo"))
        .sender(&sender(&waha))
        .config("[delivery]\nper_sender = 4\n")
        .start()
        .await;
    let hook = Hook::to(&gateway);
    let phones: Vec<String> = (0..CONTACTS).map(|number| format!("97150400{number:04}")).collect();
    for (number, phone) in phones.iter().enumerate() {
        hook.say(&text(phone, &format!("U{number}"), "start_realty_1")).await;
    }
    waha.wait_for(2, ANSWER).await;
    let status = gateway.stop().await;
    assert!(status.success(), "the gateway ended with {status}");
    let sent = waha.sent().len();
    let store = gateway.open_store().await;
    let counters = store.counters();
    assert_eq!(counters.outbox_unknown, 0, "no reply was torn off in mid-air");
    let left = counters.outbox_waiting + counters.inbox;
    assert_eq!(sent as u64 + left, CONTACTS as u64, "what was not sent waits");
    assert!(left > 0, "the stop came too late to prove anything");
    drop(store);

    gateway.start().await;
    gateway.drained(Duration::from_secs(60)).await;
    for phone in &phones {
        assert_eq!(texts_to(&waha, phone).len(), 1, "{phone} was welcomed once");
    }
}
