//! A WAHA that takes questions and answers none holds up nothing that is asked of another.

use switchboard_tests::gateway::Gateway;
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::wait::until;

use super::{SOON, Setup};

/// Two that hang and a healthy one, each with this many sessions; what they ask waits for a minute.
struct Three {
    one: FakeWaha,
    other: FakeWaha,
    well: FakeWaha,
}

impl Three {
    async fn start(sessions: usize, hang_at: &str) -> (Self, Setup) {
        let three = Three {
            one: FakeWaha::start().await,
            other: FakeWaha::start().await,
            well: FakeWaha::start().await,
        };
        let mut setup = Setup::new()
            .package("echo")
            .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
            .config("[delivery]\ntimeout_ms = 60_000\n");
        for (name, waha) in [("one", &three.one), ("other", &three.other)] {
            waha.hang_at(hang_at);
            for n in 0..sessions {
                let session = format!("{name}{n}");
                waha.set_session(&session, "WORKING");
                setup = setup.sender(&sender(&session, waha));
            }
        }
        three.well.set_session("well", "WORKING");
        (three, setup)
    }
}

fn sender(session: &str, waha: &FakeWaha) -> String {
    format!(
        "name = '{session}'\nprovider = 'waha'\naccount = '{session}'\nbase_url = '{}'\napi_key = '{}'\n\
         auth = 'none'\ntenant = 1\nrate_per_second = 500",
        waha.url(),
        waha.api_key()
    )
}

async fn write(gateway: &Gateway, session: &str, contact: &str, id: &str) {
    let webhook = Webhook::text(contact, "hello").with_id(&format!("false_{contact}_{id}"));
    Hook::to(gateway).say(&webhook.on_session(session)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_ids_are_looked_up_elsewhere() {
    let (three, setup) = Three::start(1, "/lids/").await;
    let gateway = setup.sender(&sender("well", &three.well)).start().await;
    for n in 0..20 {
        for (session, kind) in [("one0", 1), ("other0", 2)] {
            let contact = format!("24580{kind}{n:09}@lid");
            write(&gateway, session, &contact, &format!("{session}{n}")).await;
        }
    }
    until("they hang", SOON, async || {
        (three.one.asked("/lids/") > 0 && three.other.asked("/lids/") > 0).then_some(())
    })
    .await;
    write(&gateway, "well", "245810000000001@lid", "W").await;
    until("the healthy one is asked", SOON, async || (three.well.asked("/lids/") > 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_watched_elsewhere() {
    let (three, setup) = Three::start(10, "/api/sessions/").await;
    let watch = "[waha]\nwatch_every_ms = 20\n";
    let _gateway = setup.sender(&sender("well", &three.well)).config(watch).start().await;
    until("they hang", SOON, async || {
        (three.one.asked("/api/sessions/") >= 4 && three.other.asked("/api/sessions/") >= 4).then_some(())
    })
    .await;
    let before = three.well.asked("/api/sessions/");
    until("the healthy one is looked at", SOON, async || {
        (three.well.asked("/api/sessions/") >= before + 5).then_some(())
    })
    .await;
}

/// Read marks are given up after some seconds, and there is one for each message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_marks_are_shown_elsewhere() {
    let (three, setup) = Three::start(1, "/api/sendSeen").await;
    let gateway = setup.sender(&sender("well", &three.well)).start().await;
    for n in 0..60 {
        for session in ["one0", "other0"] {
            write(&gateway, session, &format!("97150{n:07}@c.us"), &format!("{session}{n}")).await;
        }
    }
    until("they hang", SOON, async || {
        (three.one.asked("/api/sendSeen") >= 3 && three.other.asked("/api/sendSeen") >= 3).then_some(())
    })
    .await;
    Hook::to(&gateway).say(&text("971501234567", "W1", "hello").on_session("well")).await;
    until("the healthy one is told", SOON, async || (three.well.asked("/api/sendSeen") > 0).then_some(()))
        .await;
    assert!(three.one.asked("/api/sendSeen") <= 16, "{}", three.one.asked("/api/sendSeen"));
}
