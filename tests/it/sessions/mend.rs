//! What WAHA loses or somebody changes there is noticed and put right, with everything else left as it was.

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::waha::{Engine, FakeWaha};
use switchboard_tests::wait::until;

use super::{SOON, setup, text_payload, webhook};

/// Looks twenty times a second.
const OFTEN: &str = "[waha]\nwatch_every_ms = 50\nrestart_backoff_ms = 50\nrestart_backoff_max_ms = 100\n";
const NEVER: &str = "[waha]\nwatch_every_ms = 0\n";

/// The shared number `main`, connected and scanned.
async fn connected(waha: &FakeWaha, setup: Setup) -> Gateway {
    waha.remove_session("default");
    let gateway = setup.tenant("id = 3\nname = 'Third'\norganization = 1\nbrain = 'echo'").start().await;
    gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok();
    waha.scan("default", "971500000009").await;
    gateway
}

async fn alerts(gateway: &Gateway, why: &str) -> f64 {
    let metrics = gateway.metrics().await.expect("the gateway runs");
    metrics.value(&format!(r#"switchboard_session_alerts_total{{outcome="{why}"}}"#)).unwrap_or_default()
}

/// Its messages come in.
async fn is_heard(waha: &FakeWaha, session: &str) {
    let heard = waha.tell(session, &Webhook::event("message.any", text_payload("start_realty_1"))).await;
    assert_eq!(heard.len(), 1, "one webhook brings it");
    assert_eq!(heard[0].status, 200, "{}", heard[0].text);
}

async fn faults(gateway: &Gateway) -> Vec<String> {
    let status = gateway.get("/api/senders/main/whatsapp/status").await.ok();
    let faults = status["faults"].as_array().unwrap().iter();
    faults.map(|fault| fault.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_lost_at_a_restart_are_put_right() {
    let waha = FakeWaha::start().await;
    let gateway = connected(&waha, setup(&waha).config(OFTEN)).await;
    let before = waha.session("default").unwrap().config;
    for status in ["WORKING", "STOPPED"] {
        waha.with(|known| known.lose_settings("default", status));
        until("the settings are there again", SOON, async || {
            let session = waha.session("default").unwrap();
            (session.config["webhooks"] == before["webhooks"] && session.status == "WORKING").then_some(())
        })
        .await;
        is_heard(&waha, "default").await;
    }
    let line = gateway.wait_for_line("settings were put right").await;
    assert!(line.contains("no webhook of its session leads to this gateway"), "{line}");
    assert!(alerts(&gateway, "settings").await >= 2.0);
    assert_eq!(faults(&gateway).await, [""; 0]);
}

/// A key that somebody changed in WAHA, an address, an event that was taken away, a store that was switched
/// off: ours is put right, and all that is not ours stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changed_is_put_right_and_nothing_else() {
    let waha = FakeWaha::start_as(Engine::Noweb).await;
    let gateway = connected(&waha, setup(&waha).config(OFTEN)).await;
    let ours = webhook(&waha.session("default").unwrap()).clone();
    let theirs =
        json!({"url": "http://elsewhere.example/hook", "events": ["message"], "hmac": {"key": "theirs"}});
    let foreign = json!({
        "metadata": {"owner": "crm"}, "proxy": {"server": "proxy:3128"}, "debug": true,
        "ignore": {"status": true}, "client": {"browserName": "IE"},
        "noweb": {"markOnline": false, "store": {"enabled": true, "fullSync": true}},
    });
    let changed = |name: &str, value: Value| {
        let (mut config, mut hook) = (foreign.clone(), ours.clone());
        hook[name] = value;
        config["webhooks"] = json!([theirs, hook]);
        config
    };
    let mut unkept = changed("events", ours["events"].clone());
    unkept["noweb"]["store"]["enabled"] = json!(false);
    let elsewhere = gateway.url("/api/webhook/waha?tenant_id=1");
    let mut right = foreign.clone();
    right["webhooks"] = json!([theirs, ours]);
    for config in [
        changed("hmac", json!({"key": "another"})),
        changed("hmac", Value::Null),
        changed("url", json!(elsewhere)),
        unkept,
    ] {
        waha.with(|known| known.sessions.get_mut("default").unwrap().config = config.clone());
        until("it is put right", SOON, async || {
            (waha.session("default").unwrap().config == right).then_some(())
        })
        .await;
    }
    let fewer = changed("events", json!(["message.ack"]));
    waha.with(|known| known.sessions.get_mut("default").unwrap().config = fewer);
    is_put_right(&gateway).await;
    is_heard(&waha, "default").await;
    assert_eq!(waha.refused().iter().filter(|(status, _)| *status != 404).count(), 0, "{:?}", waha.refused());
}

async fn is_put_right(gateway: &Gateway) {
    until("nothing lacks", SOON, async || faults(gateway).await.is_empty().then_some(())).await;
}

/// The same is said where nobody mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_is_told_by_status_and_doctor() {
    let waha = FakeWaha::start().await;
    let gateway = connected(&waha, setup(&waha).config(NEVER)).await;
    assert_eq!(faults(&gateway).await, [""; 0]);
    let doctor = gateway.cli(&["doctor"]).await;
    assert!(!doctor.stdout.contains("webhook"), "{}", doctor.stdout);
    waha.with(|known| known.lose_settings("default", "WORKING"));
    let lacks = "no webhook of its session leads to this gateway";
    assert!(faults(&gateway).await[0].contains(lacks));
    let told = gateway.cli(&["sender", "status", "main"]).await;
    assert!(told.ok().contains(lacks) && told.ok().contains("connect it"), "{}", told.stdout);
    let doctor = gateway.get("/api/doctor").await.ok();
    let finding = doctor["findings"].as_array().unwrap().iter();
    let finding =
        finding.into_iter().find(|finding| finding["what"].as_str().unwrap().contains(lacks)).unwrap();
    assert_eq!(finding["severity"], "error");
    assert!(finding["action"].as_str().unwrap().contains("sender connect main"), "{finding}");
    gateway.cli(&["sender", "connect", "main"]).await.ok();
    assert_eq!(faults(&gateway).await, [""; 0]);
}

/// STOPPED is mended where nobody asked for it, and left alone where somebody did, also after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_stopped_is_started_again() {
    let waha = FakeWaha::start().await;
    let mut gateway = connected(&waha, setup(&waha).config(OFTEN)).await;
    waha.set_session("default", "STOPPED");
    until("it works again", SOON, async || {
        (waha.session("default").unwrap().status == "WORKING").then_some(())
    })
    .await;
    gateway.wait_for_line("the WhatsApp session was started again").await;
    assert_eq!(alerts(&gateway, "stopped").await, 1.0);

    gateway.api(Method::POST, "/api/senders/main/whatsapp/disconnect").await.ok();
    let starts = waha.session("default").unwrap().starts;
    for round in 0..2 {
        let before = looks(&waha);
        until("it is looked at", SOON, async || (looks(&waha) >= before + 5).then_some(())).await;
        let session = waha.session("default").unwrap();
        assert_eq!((session.status.as_str(), session.starts), ("STOPPED", starts), "round {round}");
        let doctor = gateway.cli(&["doctor"]).await;
        assert!(doctor.stdout.contains("logged out here"), "{}", doctor.stdout);
        gateway.restart().await;
    }
}

fn looks(waha: &FakeWaha) -> usize {
    waha.calls().iter().filter(|call| call.path == "/api/sessions/default").count()
}

/// A number that somebody set up by hand may be heard by a webhook that WAHA does not show. If it is not, that
/// is told once, and nothing is changed there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_up_by_hand_is_left_alone() {
    for heard in [true, false] {
        let waha = FakeWaha::start().await;
        let sender = format!(
            "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
            waha.url(),
            waha.api_key()
        );
        let config = "[waha]\nwatch_every_ms = 50\nsilent_ms = 3_000\n";
        // Without a brain it serves at once, long before it has been silent for long.
        let gateway = Setup::new().config(config).sender(&sender).start().await;
        if heard {
            let url = gateway.url("/api/gateway/waha");
            Webhook::session("WORKING").post(gateway.client(), &url).await.unwrap();
        }
        let asked = |waha: &FakeWaha| waha.calls().iter().any(|call| call.path.ends_with("/chats/overview"));
        until("it has been silent for long", SOON, async || asked(&waha).then_some(())).await;
        let before = looks(&waha);
        until("it is looked at again", SOON, async || (looks(&waha) >= before + 5).then_some(())).await;
        let told = gateway.log().matches("is not set up for this gateway").count();
        assert_eq!(told, usize::from(!heard), "{}", gateway.log());
        assert_eq!(alerts(&gateway, "unset").await, f64::from(u8::from(!heard)));
        let doctor = gateway.cli(&["doctor"]).await;
        assert_eq!(doctor.stdout.contains("no webhook of its session"), !heard, "{}", doctor.stdout);
        let session = waha.session("default").unwrap();
        assert_eq!((session.starts, &session.config), (0, &json!({})));
    }
}
