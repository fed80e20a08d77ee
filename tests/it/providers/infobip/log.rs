//! What nobody knows of is asked of Infobip's log, by the name that we gave it: what is there has gone out or
//! was refused. What is not there says nothing.

use switchboard_tests::infobip::log::entry;
use switchboard_tests::peer::Fault;

use super::*;

/// A chat is asked about again after ten seconds, and then after twenty.
const AFTER_A_WHILE: Duration = Duration::from_secs(60);

fn with_word(infobip: &Peer<Infobip>, word: &str) -> Setup {
    Setup::new()
        .package("echo")
        .tenant(&format!("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'\n{word}"))
        .sender(&sender("first", FIRST, 1, "secret", infobip.url()))
        .config("[delivery]\ntimeout_ms = 500\n")
}

/// The answer to Frank meets this fault.
async fn meets(setup: Setup, infobip: &Peer<Infobip>, fault: Fault) -> (Gateway, Value) {
    let mut gateway = setup.write();
    gateway.with_clock();
    gateway.start().await;
    infobip.fail_next(fault);
    say(&gateway, [text(FRANK, FIRST, "hello")]).await;
    let doubtful = until("it is in doubt", SOON, async || {
        outbox(&gateway).await.into_iter().find(|reply| reply["state"] == "unknown")
    })
    .await;
    (gateway, doubtful)
}

async fn asked(infobip: &Peer<Infobip>, times: usize) {
    until("the log is asked", AFTER_A_WHILE, async || {
        infobip.with(|account| account.log.questions >= times).then_some(())
    })
    .await;
}

/// The states of what is listed, once it has all come to its end.
async fn settled(gateway: &Gateway) -> Vec<Value> {
    until("nothing is in doubt", AFTER_A_WHILE, async || {
        let all = outbox(gateway).await;
        all.iter()
            .all(|reply| reply["state"] == "dead")
            .then(|| all.into_iter().map(|reply| reply["state"].clone()).collect())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_has_has_gone_out() {
    let infobip = account().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'send' } }";
    infobip.with(|account| account.log.late_by = 1);
    let (gateway, _) = meets(with_word(&infobip, word), &infobip, Fault::HangAfterSending).await;
    assert_eq!(settled(&gateway).await, [] as [Value; 0]);
    assert_eq!(texts_to(&infobip.sent(), FRANK), [echo("hello", 1)], "once, whatever the tenant's word");
    assert_eq!(infobip.with(|account| account.log.questions), 2, "it was there at the second look");
    assert_eq!(infobip.refused(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_says_was_refused_is_dead() {
    let infobip = account().await;
    let refused = ("UNDELIVERABLE", "UNDELIVERABLE_REJECTED_OPERATOR", "EC_INVALID_TEMPLATE");
    infobip.with(|account| account.rejects_next = Some(refused));
    let (gateway, _) = meets(with_word(&infobip, ""), &infobip, Fault::ErrorAfterSending).await;
    assert_eq!(settled(&gateway).await, ["dead"]);
}

/// Nothing promises that the log has everything, or has it soon: absence alone settles nothing, and not even the
/// tenant's word is heeded before it could be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_does_not_have_is_the_tenants_word_to_settle_and_not_at_once() {
    let infobip = account().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'send' } }";
    let (gateway, _) = meets(with_word(&infobip, word), &infobip, Fault::Hang).await;
    asked(&infobip, 2).await;
    assert_eq!(outbox(&gateway).await[0]["state"], "unknown");
    assert_eq!(infobip.sent().len(), 0);
    gateway.set_clock_ahead(11 * 60);
    let sent = infobip.wait_for(1, AFTER_A_WHILE).await;
    assert_eq!(texts_to(&sent, FRANK), [echo("hello", 1)]);
    assert_eq!(settled(&gateway).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_log_the_tenants_word_counts() {
    let infobip = account().await;
    let word = "policy = { doubt = { after_minutes = 0, then = 'drop' } }";
    infobip.with(|account| account.log.is_missing = true);
    let (gateway, _) = meets(with_word(&infobip, word), &infobip, Fault::Hang).await;
    assert_eq!(settled(&gateway).await, [] as [Value; 0]);
    assert_eq!(infobip.sent().len(), 0);
}

/// Whatever it says of others, and however it fails, the reply stays as it is until it is told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lies_or_fails_settles_nothing() {
    let cases = ["500", "no list", "empty", "another number", "another message", "a duplicate", "too many"];
    futures::future::join_all(cases.map(lies)).await;
}

async fn lies(case: &str) {
    let delivered = ("DELIVERED", "DELIVERED_TO_HANDSET");
    let infobip = account().await;
    let page = |entries: Vec<Value>| (200, json!({ "results": entries }));
    let word = "policy = { doubt = { after_minutes = 0, then = 'send' } }";
    let (gateway, doubtful) = meets(with_word(&infobip, word), &infobip, Fault::Hang).await;
    let call = infobip.calls().into_iter().rev().find(|call| call.path.starts_with("/whatsapp/1/message/"));
    let id = call.expect("it was sent").json()["messageId"].as_str().expect("our name").to_owned();
    infobip.with(|account| {
        account.log.questions = 0;
        account.log.questions_left = (case == "too many").then_some(0);
        account.log.says = match case {
            "500" => Some((500, json!({}))),
            "no list" => Some((200, json!({ "results": "none" }))),
            "empty" => Some(page(vec![])),
            "another number" => Some(page(vec![entry(SECOND, FRANK, &id, delivered)])),
            "another message" => Some(page(vec![
                entry(FIRST, FRANK, "a28dd97c", delivered),
                entry(FIRST, FRANK, "", delivered),
            ])),
            "a duplicate" => {
                let twice = ("REJECTED", "REJECTED_DUPLICATE_MESSAGE_ID");
                Some(page(vec![entry(FIRST, FRANK, &id, twice), entry(FIRST, FRANK, &id, twice)]))
            }
            _ => None,
        };
    });
    asked(&infobip, 1).await;
    assert_eq!(outbox(&gateway).await, [doubtful], "{case}");
    // Two entries alike are one message.
    infobip.with(|account| {
        account.log.questions_left = None;
        let one = entry(FIRST, FRANK, &id, delivered);
        account.log.says = Some(page(vec![one.clone(), one]));
    });
    assert_eq!(settled(&gateway).await, [] as [Value; 0], "{case}");
}
