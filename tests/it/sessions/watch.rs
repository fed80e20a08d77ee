//! The watchdog restarts what failed or fell silent, says so, and leaves a quiet number alone.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use switchboard_tests::gateway::{Gateway, Setup, free_address};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;

use super::SOON;

/// Looks twenty times a second; a fifth of a second is silence.
fn setup(waha: &FakeWaha) -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .sender(&format!(
            "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
            waha.url(),
            waha.api_key()
        ))
        .config(
            "[waha]\nwatch_every_ms = 50\nsilent_ms = 200\nrestart_backoff_ms = 50\nrestart_backoff_max_ms = 100\n",
        )
}

async fn restarted(waha: &FakeWaha, session: &str, times: usize) {
    until(&format!("{session} is restarted"), SOON, async || {
        waha.session(session).filter(|known| known.starts >= times)
    })
    .await;
}

async fn alerts(gateway: &Gateway, why: &str) -> Option<f64> {
    let metrics = gateway.metrics().await?;
    metrics.value(&format!(r#"switchboard_session_alerts_total{{outcome="{why}"}}"#))
}

fn chats_overviews(waha: &FakeWaha) -> usize {
    waha.calls().iter().filter(|call| call.path.ends_with("/chats/overview")).count()
}

fn looks(waha: &FakeWaha) -> usize {
    waha.calls().iter().filter(|call| call.path == "/api/sessions/default").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_session_is_restarted() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).config("[waha]\nsilent_ms = 600_000\n").start().await;
    waha.set_session("default", "FAILED");
    restarted(&waha, "default", 1).await;
    assert_eq!(waha.session("default").unwrap().status, "WORKING");
    let line = gateway.wait_for_line("the WhatsApp session was restarted").await;
    assert!(line.contains("the WhatsApp session failed"), "{line}");
    until("it is counted", SOON, async || alerts(&gateway, "failed").await).await;
}

/// One that fails again and again is not restarted as often as it is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_keep_their_distance() {
    let waha = FakeWaha::start().await;
    waha.set_session("default", "FAILED");
    waha.with(|known| known.sessions.get_mut("default").unwrap().broken = true);
    let patient =
        "[waha]\nsilent_ms = 600_000\nrestart_backoff_ms = 600_000\nrestart_backoff_max_ms = 600_000\n";
    let _gateway = setup(&waha).config(patient).start().await;
    restarted(&waha, "default", 1).await;
    let before = looks(&waha);
    until("it is looked at again", SOON, async || (looks(&waha) >= before + 5).then_some(())).await;
    assert_eq!(waha.session("default").unwrap().starts, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_says_it_works_and_does_not_is_restarted() {
    let waha = FakeWaha::start().await;
    waha.with(|known| known.sessions.get_mut("default").unwrap().deaf = true);
    let gateway = setup(&waha).start().await;
    restarted(&waha, "default", 1).await;
    let line = gateway.wait_for_line("the WhatsApp session was restarted").await;
    assert!(line.contains("does not reach WhatsApp"), "{line}");
    until("it is counted", SOON, async || alerts(&gateway, "deaf").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_messages_do_not_come_is_restarted() {
    let waha = FakeWaha::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let chat = json!({"id": super::CHAT, "lastMessage": {"id": "false_1@c.us_A", "timestamp": now + 30}});
    waha.with(|known| known.sessions.get_mut("default").unwrap().chats = vec![chat]);
    let gateway = setup(&waha).start().await;
    restarted(&waha, "default", 1).await;
    gateway.wait_for_line("messages at WAHA never came here").await;
    until("it is counted", SOON, async || alerts(&gateway, "unheard").await).await;
}

/// At three in the morning nobody writes. WAHA is asked again and again, and nothing happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_number_is_left_alone() {
    let waha = FakeWaha::start().await;
    // With a picture in it the overview is longer than other answers may be.
    let yesterday = json!({
        "id": super::CHAT, "picture": "A".repeat(2 << 20),
        "lastMessage": {"id": "false_1@c.us_A", "timestamp": 1_700_000_000},
    });
    waha.with(|known| known.sessions.get_mut("default").unwrap().chats = vec![yesterday]);
    let gateway = setup(&waha).start().await;
    until("WAHA is asked five times", SOON, async || (chats_overviews(&waha) >= 5).then_some(())).await;
    assert_eq!(waha.session("default").unwrap().starts, 0);
    assert!(!gateway.log().contains("restarted"), "{}", gateway.log());
    assert_eq!(waha.refused(), []);
}

/// Sessions that wait for their phone are nobody's failure. One that is gone is told
/// once, however often it is looked for; what it missed meanwhile is put right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_left_alone_and_what_is_gone_is_told_once() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let url = gateway.url("/api/gateway/waha");
    let client = switchboard_tests::client::client();
    Webhook::session("WORKING").post(&client, &url).await.unwrap();
    for word in ["SCAN_QR_CODE", "PASSKEY_REQUIRED"] {
        waha.set_session("default", word);
        until("the missed change is known", SOON, async || {
            let sender = gateway.get("/api/senders/main").await.ok();
            (sender["session"]["status"] == word).then_some(())
        })
        .await;
    }
    assert_eq!(waha.session("default").unwrap().starts, 0);
    waha.remove_session("default");
    let looks =
        |waha: &FakeWaha| waha.calls().iter().filter(|call| call.path == "/api/sessions/default").count();
    let before = looks(&waha);
    until("it is looked for", SOON, async || (looks(&waha) >= before + 5).then_some(())).await;
    assert_eq!(
        gateway.log().matches("the WhatsApp session cannot be watched").count(),
        1,
        "{}",
        gateway.log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_starts_for_ever_is_restarted() {
    let waha = FakeWaha::start().await;
    waha.set_session("default", "STARTING");
    let gateway = setup(&waha).config("[waha]\nstarting_ms = 100\n").start().await;
    restarted(&waha, "default", 1).await;
    assert_eq!(waha.session("default").unwrap().status, "WORKING");
    let line = gateway.wait_for_line("the WhatsApp session was restarted").await;
    assert!(line.contains("does not get beyond its start"), "{line}");
    assert_eq!(alerts(&gateway, "starting").await, Some(1.0));
}

/// A night is long: WAHA is asked ever more seldom whether all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_silence_is_asked_about_ever_more_seldom() {
    let waha = FakeWaha::start().await;
    let often = "[waha]\nwatch_every_ms = 10\nsilent_ms = 1_000\n";
    let _gateway = setup(&waha).config(often).start().await;
    until("the silence is asked about", SOON, async || (chats_overviews(&waha) > 0).then_some(())).await;
    let before = looks(&waha);
    until("it is looked at again", SOON, async || (looks(&waha) >= before + 60).then_some(())).await;
    let (asked, looked) = (chats_overviews(&waha), looks(&waha) - before);
    assert!(asked * 3 < looked, "asked {asked} times in {looked} looks");
    assert_eq!(waha.session("default").unwrap().starts, 0);
}

/// A WAHA that is away is told of once, and not for each of its numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waha_that_is_away_is_one_line() {
    let nobody = free_address();
    let mut setup = Setup::new().config("[waha]\nwatch_every_ms = 50\n");
    for n in 0..20 {
        setup = setup.sender(&format!(
            "name = 'n{n}'\nprovider = 'waha'\naccount = 's{n}'\nbase_url = 'http://{nobody}'\napi_key = 'k'\nhmac_key = 'h'"
        ));
    }
    let gateway = setup.start().await;
    let line = gateway.wait_for_line("the WhatsApp session cannot be watched").await;
    assert!(line.contains("senders=20") && line.contains("n0, n1, n10, n11, n12 and 15 more"), "{line}");
    assert_eq!(gateway.log().matches("cannot be watched").count(), 1, "{}", gateway.log());
}
