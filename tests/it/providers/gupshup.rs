//! Gupshup end to end, in both webhook versions, and what becomes of every failure.

use std::time::Duration;

use serde_json::Value;
use switchboard::message::{ContactKey, ConversationKey, DeliveryState, TenantId};
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::gupshup::webhook::{Webhook, now_ms};
use switchboard_tests::gupshup::{Gupshup, KEY, Sent};
use switchboard_tests::peer::Peer;
use switchboard_tests::wait::until;

mod contract;
mod faults;

const APP: &str = "DemoApp";
const APP_ID: &str = "82ed52f4-30c0-4f12-81b4-e7ad07bd41de";
const NUMBER: &str = "918400000048";
const OTHER: &str = "OtherApp";
const OTHER_ID: &str = "11111111-30c0-4f12-81b4-e7ad07bd41de";
const OTHER_NUMBER: &str = "918400000049";
const PHONE: &str = "918298002134";
/// The secret ends of the two apps' addresses.
const SECRET: &str = "s3cret-0123456789";
const OTHER_SECRET: &str = "0ther-0123456789a";

/// For one reply to come out, whatever the back-off.
const SOON: Duration = Duration::from_secs(20);

async fn peer() -> Peer<Gupshup> {
    Peer::start(Gupshup::with(&[(APP, APP_ID, NUMBER), (OTHER, OTHER_ID, OTHER_NUMBER)])).await
}

/// One app with its secret address; `more` are further keys of the sender.
fn sender(name: &str, app: (&str, &str, &str), path: &str, peer: &Peer<Gupshup>, more: &str) -> String {
    let (app, app_id, number) = app;
    format!(
        "name = '{name}'\nprovider = 'gupshup'\naccount = '{app}'\napp_id = '{app_id}'\nnumber = '{number}'\n\
         base_url = '{}'\napi_key = '{KEY}'\nwebhook_path = '{path}'\n{more}",
        peer.url()
    )
}

/// Two echo tenants. The first app is shared; it has half a second to answer.
fn setup(peer: &Peer<Gupshup>) -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("main", (APP, APP_ID, NUMBER), SECRET, peer, ""))
        .config("[delivery]\ntimeout_ms = 500\n")
}

async fn say(gateway: &Gateway, phone: &str, words: &str) {
    Webhook::text(APP, phone, words).at(SECRET).deliver(gateway).await;
}

fn texts_to(sent: &[Sent], phone: &str) -> Vec<String> {
    let of_phone = sent.iter().filter(|sent| sent.destination == phone);
    of_phone.filter_map(|sent| sent.text().map(str::to_owned)).collect()
}

fn echo(words: &str, number: usize) -> String {
    format!("You said: {words} (message {number})")
}

/// What is kept of replies that are not sent: waiting, dead, unknown.
async fn outbox(gateway: &Gateway) -> Vec<Value> {
    gateway.get("/api/outbox").await.ok()["outbox"].as_array().expect("a list of replies").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_either_version_is_answered() {
    let peer = peer().await;
    let gateway = setup(&peer).start().await;
    Webhook::handshake(APP).at(SECRET).deliver(&gateway).await;
    say(&gateway, PHONE, "start_realty_1").await;
    peer.wait_for(1, SOON).await;
    Webhook::text_v3(APP_ID, PHONE, "hello").at(SECRET).deliver(&gateway).await;
    peer.wait_for(2, SOON).await;
    // The same message again, as it comes when our answer got lost.
    let twice = Webhook::text(APP, PHONE, "once more").at(SECRET);
    twice.deliver(&gateway).await;
    twice.deliver(&gateway).await;
    peer.wait_for(3, SOON).await;
    gateway.drained(SOON).await;
    let sent = peer.sent();
    assert_eq!(texts_to(&sent, PHONE)[1..], [echo("hello", 1), echo("once more", 2)]);
    assert!(sent.iter().all(|sent| sent.app == APP && sent.source == NUMBER), "{sent:?}");
    assert_eq!(peer.refused(), []);
    let log = gateway.log();
    assert!(!log.contains(PHONE) && !log.contains("once more") && !log.contains(KEY), "{log}");
}

/// What was pressed reaches the brain in words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_menu_is_heard() {
    let peer = peer().await;
    let gateway = setup(&peer).start().await;
    say(&gateway, PHONE, "start_realty_1").await;
    let part = serde_json::json!({"title": "Rent", "id": "m-1", "reply": "Rent 2", "postbackText": "rent"});
    Webhook::message(APP, PHONE, "button_reply", part).at(SECRET).deliver(&gateway).await;
    let sent = peer.wait_for(2, SOON).await;
    assert_eq!(texts_to(&sent, PHONE)[1], echo("Rent", 1));
}

/// Dedicated apps: the app decides the tenant, the reply leaves by it, and nobody speaks for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_app_has_its_own_tenant_and_its_own_secret() {
    let peer = peer().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .sender(&sender("one", (APP, APP_ID, NUMBER), SECRET, &peer, "tenant = 1"))
        .sender(&sender(
            "two",
            (OTHER, OTHER_ID, OTHER_NUMBER),
            OTHER_SECRET,
            &peer,
            "tenant = 2\nwebhook_key = 'k'\nwebhook_header = 'Authorization'",
        ))
        .start()
        .await;
    Webhook::text(APP, PHONE, "one").at(SECRET).deliver(&gateway).await;
    let to_other = |words: &str| Webhook::text(OTHER, PHONE, words).at(OTHER_SECRET);
    to_other("two").with_header("Authorization", "k").deliver(&gateway).await;
    Webhook::text_v3(OTHER_ID, PHONE, "three")
        .at(OTHER_SECRET)
        .with_header("Authorization", "k")
        .deliver(&gateway)
        .await;
    peer.wait_for(3, SOON).await;

    // Without its proof nothing is for an app: no address, another's address, half the proof.
    for (webhook, status) in [
        (Webhook::text(APP, PHONE, "no"), 401),
        (Webhook::text(APP, PHONE, "no").at(OTHER_SECRET), 401),
        (Webhook::text(OTHER, PHONE, "no").at(SECRET), 401),
        (to_other("no"), 401),
        (to_other("no").with_header("Authorization", "K"), 401),
    ] {
        let answer = webhook.post(&gateway).await;
        assert_eq!(answer.status, status, "{} {}", webhook.body, answer.text);
    }
    // A body that names both apps is proven to one, and speaks for the other: it reaches neither.
    let mut both = Webhook::text_v3(OTHER_ID, PHONE, "no").at(SECRET);
    both.body["app"] = serde_json::json!(APP);
    both.deliver(&gateway).await;
    // An app that nobody has: counted, and to nobody.
    let unknown = Webhook::text("Nobody", PHONE, "no").at(SECRET);
    unknown.deliver(&gateway).await;
    gateway.drained(SOON).await;
    let sent = peer.sent();
    let replies: Vec<_> =
        sent.iter().map(|sent| (sent.app.as_str(), sent.source.as_str(), sent.text())).collect();
    assert!(replies.contains(&(APP, NUMBER, Some(echo("one", 1).as_str()))), "{replies:?}");
    assert!(replies.contains(&(OTHER, OTHER_NUMBER, Some(echo("two", 1).as_str()))), "{replies:?}");
    assert!(replies.contains(&(OTHER, OTHER_NUMBER, Some(echo("three", 2).as_str()))), "{replies:?}");
    assert_eq!(replies.len(), 3, "{replies:?}");
    let line = gateway.wait_for_line("an account that no sender has").await;
    assert!(line.contains("Nobody"), "{line}");
}

/// Some of version 3 name no app: then the address says whose they are, if it is one app's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_names_no_app_belongs_to_its_address() {
    let peer = peer().await;
    let apps = |other: &str| {
        Setup::new()
            .package("echo")
            .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
            .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
            .sender(&sender("one", (APP, APP_ID, NUMBER), SECRET, &peer, "tenant = 1"))
            .sender(&sender("two", (OTHER, OTHER_ID, OTHER_NUMBER), other, &peer, "tenant = 2"))
    };
    let nameless = |words: &str, at: &str| {
        let mut webhook = Webhook::text_v3(APP_ID, PHONE, words).at(at);
        webhook.body.as_object_mut().expect("an object").remove("gs_app_id");
        webhook
    };
    let gateway = apps(OTHER_SECRET).start().await;
    nameless("one", SECRET).deliver(&gateway).await;
    nameless("two", OTHER_SECRET).deliver(&gateway).await;
    peer.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    let mut sent: Vec<_> =
        peer.sent().into_iter().map(|sent| (sent.app.clone(), sent.text().map(str::to_owned))).collect();
    sent.sort();
    assert_eq!(sent, [(APP.to_owned(), Some(echo("one", 1))), (OTHER.to_owned(), Some(echo("two", 1)))]);
    assert_eq!(nameless("no", "another").post(&gateway).await.status, 401);

    // Two share it: nobody's, and not lost.
    let gateway = apps(SECRET).start().await;
    nameless("whose", SECRET).deliver(&gateway).await;
    let unread = gateway.cli(&["webhook", "unread"]).await;
    assert!(unread.ok().contains("it names no account"), "{}", unread.stdout);
    assert_eq!(peer.sent().len(), 2);
}

/// A batch of version 3: bad items cost no other, and each contact gets one answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_item_costs_no_other() {
    let peer = peer().await;
    let gateway = setup(&peer).start().await;
    let now = (now_ms() / 1000).to_string();
    let text = serde_json::json!({"body": "start_realty_1"});
    let link = |phone: &str, id: &str| serde_json::json!({"from": phone, "id": id, "timestamp": now, "type": "text", "text": text});
    let mut items = vec![link("918298002101", "a"), link("918298002102", "b"), link("918298002101", "a")];
    items.insert(
        1,
        serde_json::json!({"from": "918298002103", "type": "text", "text": {"body": "start_realty_1"}}),
    );
    items.insert(2, serde_json::json!(null));
    let value = serde_json::json!({"messages": items, "statuses": [{"gs_id": "nobody's", "status": "read"}, {"status": 7}]});
    Webhook::value(APP_ID, value).at(SECRET).deliver(&gateway).await;
    let sent = peer.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    let mut to: Vec<_> = sent.iter().map(|sent| sent.destination.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["918298002101", "918298002102"]);
    assert_eq!(peer.sent().len(), 2);
}

/// Reports name a message by the id that Gupshup gave when it took it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_move_a_reply_forward_only() {
    let peer = peer().await;
    let mut gateway = setup(&peer).start().await;
    say(&gateway, PHONE, "start_realty_1").await;
    peer.wait_for(1, SOON).await;
    say(&gateway, PHONE, "hi").await;
    let sent = peer.wait_for(2, SOON).await;
    gateway.drained(SOON).await;
    for told in ["enqueued", "read", "delivered", "sent"] {
        Webhook::report(APP, told, &sent[0].id, PHONE).at(SECRET).deliver(&gateway).await;
    }
    let why = "Number Does Not Exists On WhatsApp";
    Webhook::failed(APP, &sent[1].id, PHONE, 1002, why).at(SECRET).deliver(&gateway).await;
    Webhook::report(APP, "read", "not-ours", PHONE).at(SECRET).deliver(&gateway).await;
    gateway.stop().await;
    let store = gateway.open_store().await;
    let key =
        ConversationKey { tenant: TenantId::new(1).expect("not 0"), contact: ContactKey::from_stored(PHONE) };
    let history = store.history(&key, None, 100).await.expect("the history is read");
    let states: Vec<DeliveryState> = history.into_iter().filter_map(|(_, entry)| entry.state).collect();
    assert_eq!(states, [DeliveryState::Read, DeliveryState::Failed]);
}
