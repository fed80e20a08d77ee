//! A hidden id (`@lid`) is looked up at WAHA, and its person is then known by phone as well.

use reqwest::Method;
use switchboard::clock;
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::webhook::Webhook;
use switchboard_tests::waha::{Engine, FakeWaha};
use switchboard_tests::wait::until;

use super::{SOON, setup};

const LID: &str = "245800000000182@lid";
const PHONE: &str = "971501234567";

fn asked(waha: &FakeWaha, lid: &str) -> usize {
    let path = format!("/api/default/lids/{}", lid.replace('@', "%40"));
    waha.calls().iter().filter(|call| call.path == path).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_id_joins_its_phone() {
    let waha = FakeWaha::start().await;
    waha.with(|known| known.lids.insert(LID.into(), PHONE.into()));
    let sender = format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
        waha.url(),
        waha.api_key()
    );
    let gateway = setup(&waha).sender(&sender).start().await;
    let hook = Hook::to(&gateway);
    assert_eq!(hook.say(&Webhook::text(LID, "start_realty_1")).await["tenant_id"], 1);
    until("the phone has the hidden id's tenant", SOON, async || {
        let told = gateway.get(&format!("/api/gateway/user/{PHONE}/tenant")).await;
        (told.status == 200 && told.json()["tenant_id"] == 1).then_some(())
    })
    .await;
    // Without a link: it is the same person.
    assert_eq!(hook.say(&text(PHONE, "A1", "hello")).await["tenant_id"], 1);
    assert_eq!(asked(&waha, LID), 1, "what is known is not asked again");
}

/// Whom WAHA does not know is served all the same, and not asked for without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_is_asked_for_later() {
    let waha = FakeWaha::start().await;
    let sender = format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
        waha.url(),
        waha.api_key()
    );
    let gateway = setup(&waha).sender(&sender).start().await;
    let hook = Hook::to(&gateway);
    assert_eq!(hook.say(&Webhook::text(LID, "start_realty_2")).await["tenant_id"], 2);
    until("WAHA is asked", SOON, async || (asked(&waha, LID) > 0).then_some(())).await;
    assert_eq!(hook.say(&Webhook::text(LID, "hello")).await["tenant_id"], 2);
    assert_eq!(hook.say(&Webhook::text("9990001112223@lid", "start_realty_2")).await["tenant_id"], 2);
    until("the other one is asked for", SOON, async || (asked(&waha, "9990001112223@lid") > 0).then_some(()))
        .await;
    waha.wait_until("all replies are out", SOON, |sent| sent.len() >= 3).await;
    assert_eq!(asked(&waha, LID), 1);
    assert!(
        waha.sent().iter().all(|sent| sent.chat.ends_with("@lid")),
        "replies go to the address that wrote"
    );
}

/// While the session keeps nothing to look up in, WAHA refuses; when it does, it is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_off_is_no_answer_for_ever() {
    let waha = FakeWaha::start_as(Engine::Noweb).await;
    let sender = format!(
        "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
        waha.url(),
        waha.api_key()
    );
    let mut gateway = setup(&waha).sender(&sender).start().await;
    assert_eq!(Hook::to(&gateway).say(&Webhook::text(LID, "start_realty_1")).await["tenant_id"], 1);
    until("WAHA refuses", SOON, async || {
        waha.refused().iter().any(|(status, _)| *status == 400).then_some(())
    })
    .await;
    assert!(gateway.stop().await.success());
    let store = gateway.open_store().await;
    let again = store.next_lookup_at().expect("it is asked for again");
    assert!(again.as_ms() - clock::now().as_ms() <= 3_600_000, "within the hour: {again}");
    drop(store);
    waha.with(|known| known.lids.insert(LID.into(), PHONE.into()));
    gateway.start().await;
    gateway.api(Method::POST, "/api/senders/main/whatsapp/connect").await.ok();
    let session = waha.session("default").unwrap();
    assert_eq!(session.config["noweb"]["store"]["enabled"], true, "connect switches it on");
    // A session that is just beginning anew is asked again after a minute.
    until("it is asked for again, and known", 6 * SOON, async || {
        let told = gateway.get(&format!("/api/gateway/user/{PHONE}/tenant")).await;
        (told.status == 200 && told.json()["tenant_id"] == 1).then_some(())
    })
    .await;
}

/// What one tenant's own number finds out of another tenant's contact is not joined for all. It is an answer
/// all the same, and not asked for without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_joins_nobody_is_an_answer() {
    let waha = FakeWaha::start().await;
    waha.with(|known| known.lids.insert(LID.into(), PHONE.into()));
    waha.set_session("second", "WORKING");
    let own = |name: &str, account: &str, more: &str| {
        format!(
            "name = '{name}'\nprovider = 'waha'\naccount = '{account}'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'\n{more}",
            waha.url(),
            waha.api_key()
        )
    };
    let mut gateway = setup(&waha)
        .sender(&own("main", "default", ""))
        .sender(&own("second", "second", "tenant = 2"))
        .start()
        .await;
    let hook = Hook::to(&gateway);
    assert_eq!(hook.say(&text(PHONE, "A1", "start_realty_1")).await["tenant_id"], 1);
    let asked = |waha: &FakeWaha| {
        waha.calls().iter().filter(|call| call.path.starts_with("/api/second/lids/")).count()
    };
    hook.say(&Webhook::text(LID, "hello").on_session("second")).await;
    until("WAHA is asked", SOON, async || (asked(&waha) > 0).then_some(())).await;
    // Others are looked up after it, one after the other, and it is not among them again.
    for n in 0..5 {
        let other = format!("99900011122{n}@lid");
        hook.say(&Webhook::text(&other, "hello").on_session("second")).await;
        until("the next one is asked for", SOON, async || (asked(&waha) >= n + 2).then_some(())).await;
    }
    assert_eq!(asked(&waha), 6, "each once");
    assert!(gateway.stop().await.success());
    let store = gateway.open_store().await;
    let due = store.due_lookups(clock::now(), 100).await.expect("it can be read");
    assert!(due.iter().all(|lookup| lookup.contact.as_str() != LID), "{due:?}");
}
