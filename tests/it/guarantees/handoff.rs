//! A conversation is taken over and given back while its first message still waits for its turn.

use redb::{Database, TableDefinition};
use reqwest::Method;
use switchboard_tests::package::replace;

use super::*;

const PHONE: &str = "971502000001";
const CONVERSATION: &str = "/api/tenants/2/conversations/971502000001";

/// Whatever comes waits: no turn is run.
async fn paused(waha: &FakeWaha) -> Gateway {
    let setup = Setup::new().package("hostile").tenant(&tenant(1, 1, "hostile"));
    let setup = setup.tenant(&tenant(2, 1, "hostile")).sender(&sender(waha));
    setup.config("[turns]\npaused = true\nattempts = 3\nbackoff_ms = 5\nbackoff_max_ms = 20\n").start().await
}

/// The stopped gateway runs turns from its next start on.
fn unpause(gateway: &Gateway) {
    let file = gateway.config_file();
    let text = std::fs::read_to_string(&file).expect("the configuration");
    replace(&file, text.replace("paused = true", "paused = false").as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_answers_what_was_given_back_before_its_first_turn() {
    let waha = FakeWaha::start().await;
    let mut gateway = paused(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, PHONE);
    contact.posts("start_realty_2").await;
    gateway.api(Method::POST, &format!("{CONVERSATION}/handoff")).await.ok();
    gateway.restart().await;
    gateway.api(Method::POST, &format!("{CONVERSATION}/handback")).await.ok();
    gateway.stop().await;
    unpause(&gateway);
    gateway.start().await;
    assert_eq!(contact.reads().await, "handback: 0 said");
    contact.reads().await;
    assert_eq!(contact.says("good morning").await, "heard: good morning");
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
    let metrics = gateway.metrics().await.expect("metrics");
    assert_eq!(metrics.value("switchboard_store_late_refusals_total"), Some(0.0));
}

/// As an earlier version left it: nothing tells where the contact is to be answered. What cannot be
/// committed is a failure like any other, has an end, and is tried again when it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_the_store_refuses_is_a_failed_turn() {
    let waha = FakeWaha::start().await;
    let mut gateway = paused(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, PHONE);
    contact.posts("start_realty_2").await;
    gateway.api(Method::POST, &format!("{CONVERSATION}/handoff")).await.ok();
    gateway.api(Method::POST, &format!("{CONVERSATION}/handback")).await.ok();
    gateway.stop().await;
    forget_the_sender(&gateway);
    unpause(&gateway);
    gateway.start().await;
    // The first message's own turn goes on behind the one that has died.
    contact.reads().await;
    let dead = dead_turns(&gateway).await;
    assert_eq!((dead.len(), &dead[0]["failures"]), (1, &json!(3)), "{dead:?}");
    let error = dead[0]["error"].as_str().expect("an error");
    assert!(error.starts_with("refused: ") && error.contains("never heard from"), "{error}");
    let id = dead[0]["id"].as_str().expect("an id");
    gateway.cli(&["turns", "retry", id]).await.ok();
    assert_eq!(contact.reads().await, "handback: 0 said");
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
    let metrics = gateway.metrics().await.expect("metrics");
    assert_eq!(metrics.value("switchboard_store_late_refusals_total"), Some(0.0));
}

/// A conversation of which nothing is known.
fn forget_the_sender(gateway: &Gateway) {
    let key = [2_u32.to_be_bytes().as_slice(), PHONE.as_bytes()].concat();
    let row = [[2, 0].as_slice(), &[0; 5 * 8], &[0; 5]].concat();
    let database = Database::open(gateway.store_file()).expect("opened");
    let transaction = database.begin_write().expect("begun");
    {
        let conversations = TableDefinition::<&[u8], &[u8]>::new("conversations");
        let mut table = transaction.open_table(conversations).expect("the table");
        let known = table.insert(key.as_slice(), row.as_slice()).expect("written");
        assert!(known.is_some(), "it is there");
    }
    transaction.commit().expect("committed");
}
