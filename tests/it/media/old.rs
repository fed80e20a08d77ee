//! A file that nobody waits for any more is not asked for again.

use super::*;

const HOUR_S: i64 = 3_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_become_too_old_is_not_fetched() {
    let peer = FileServer::start().await;
    peer.fail_next(Fault::Unavailable { retry_after: Some("3600".into()) });
    let mut gateway = setup(peer.url())
        .config("[media]\nbackoff_max_ms = 3_600_000\ngive_up_after_minutes = 120\n")
        .write();
    gateway.with_clock();
    gateway.start().await;
    let url = format!("{}{PATH}", peer.url());
    Hook::to(&gateway).say(&file("F1", &url, "handle")).await;
    let asked = || peer.calls().iter().filter(|call| call.path == PATH).count();
    until("it was asked for", SOON, async || (asked() == 1).then_some(())).await;
    in_state(&gateway, "waiting").await;
    gateway.kill().await;
    gateway.set_clock_ahead(26 * HOUR_S);
    gateway.start().await;
    let failed = in_state(&gateway, "failed").await;
    assert!(failed.to_string().contains("media.give_up_after_minutes"), "{failed}");
    assert_eq!(asked(), 1, "it would be there by now");
}
