//! The way of one message, by whatever name somebody has of it.

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};
use switchboard::conversation::TimerChange;
use switchboard::message::{DeliveryState, Outbound, TenantId};
use switchboard::route::{Reason, Via};
use switchboard::store::ways::{Found, Message, State, Way};
use switchboard::store::{Retention, Settlement, TurnFate};

use super::lab::{Answer, Factory, Lab, Options, at, key, receipt, says, sender};

fn tenant(id: u32) -> TenantId {
    TenantId::new(id).expect("not 0")
}

async fn way(lab: &Lab<'_>, name: &str) -> Way {
    match lab.store().way(name, None).await.expect("read") {
        Some(Found::Way(way)) => *way,
        other => panic!("{name}: {other:?}"),
    }
}

async fn message(lab: &Lab<'_>, name: &str) -> Message {
    way(lab, name).await.message.expect("the message is known")
}

pub async fn a_message_is_followed_by_all_its_names(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let accepted = lab.hears("971501", "start_realty_2", 10).await;
    let number = accepted.message.expect("it is routed");
    assert_eq!(accepted.via, Some(Via::Link));
    let (said, id) = (number.to_string(), format!("2-971501-{number}"));
    let waiting = message(&lab, &said).await;
    assert_eq!((waiting.state, waiting.via), (State::Waiting { due_at: at(10) }, Via::Link));
    assert_eq!(waiting.heard.as_ref().map(|(id, _)| id.as_str()), Some("971501/start_realty_2/10"));
    assert_eq!(
        lab.hears("971501", "start_realty_2", 10).await.message,
        Some(number),
        "a duplicate is the same"
    );
    let claim = lab.claim_one(20).await;
    lab.commit(&claim, says(&["one", "two"]), 30).await;
    let claims = lab.sends(1, 40).await;
    assert_eq!(claims[0].entry.message, Some(number), "what goes out says what it answers");
    lab.settle(&claims[0], Settlement::Sent { provider_id: Some("true_971501@c.us_3EB0".into()) }, 50).await;
    for state in [DeliveryState::Delivered, DeliveryState::Read] {
        let moved = lab.store().record_receipt(receipt("true_971501@c.us_3EB0", state)).await.expect("kept");
        let moved = moved.expect("it is news");
        assert_eq!((moved.message, moved.state, moved.returned), (Some(number), state, false));
    }
    lab.restart();
    let whole = way(&lab, &said).await;
    let done = whole.message.clone().expect("the message");
    assert_eq!((done.state, done.failures, done.error.as_deref()), (State::Answered, 0, None));
    assert_eq!((done.received_at, done.dealt_at, done.sender.as_str()), (at(10), Some(at(30)), "main"));
    assert_eq!(
        done.turns.iter().map(|turn| (turn.number, turn.brain_version.as_str())).collect::<Vec<_>>(),
        [(1, "v1")]
    );
    let replies: Vec<_> =
        whole.replies.iter().map(|reply| (reply.state, reply.provider_id.as_deref())).collect();
    assert_eq!(replies, [("read", Some("true_971501@c.us_3EB0")), ("waiting", None)]);
    let reached: Vec<_> = whole.replies[0].reached.iter().map(|(state, _)| *state).collect();
    assert_eq!(reached, ["sent", "delivered", "read"]);
    for name in [
        id.as_str(),
        "971501/start_realty_2/10",
        "true_971501@c.us_3EB0",
        "3EB0",
        claims[0].reference.as_str(),
        whole.replies[0].id.as_str(),
        whole.replies[1].id.as_str(),
    ] {
        assert_eq!(way(&lab, name).await, whole, "{name}");
        assert_eq!(
            lab.store().way(name, Some(tenant(1))).await.expect("read"),
            None,
            "{name} is not tenant 1's"
        );
        assert!(lab.store().way(name, Some(tenant(2))).await.expect("read").is_some(), "{name}");
    }
    for wrong in
        ["", "0", "-", "999999", "2-971502-1", &format!("1-971501-{number}"), "3EB", "true_971501@c.us_3EB1"]
    {
        assert_eq!(lab.store().way(wrong, None).await.expect("read"), None, "{wrong:?}");
    }
    lab.assert_counters_true().await;
}

pub async fn a_turn_that_died_and_its_second_try_are_one_way(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let number = lab.hears("971501", "start_realty_2", 0).await.message.expect("routed").to_string();
    let claim = lab.claim_one(1).await;
    lab.fail(&claim, TurnFate::Retry { at: at(5) }, 2).await;
    let waiting = message(&lab, &number).await;
    assert_eq!((waiting.state, waiting.failures), (State::Waiting { due_at: at(5) }, 1));
    assert_eq!(waiting.error.as_deref(), Some("trap: unreachable"));
    let claim = lab.claim_one(5).await;
    lab.fail(&claim, TurnFate::Dead { fallback: Some(Outbound::text("sorry")) }, 6).await;
    let dead = way(&lab, &number).await;
    let died = dead.message.clone().expect("the message");
    assert_eq!((died.state, died.failures, dead.replies.len()), (State::Dead, 2, 1));
    lab.store().retry_turn(&format!("2-971501-{number}"), "test", at(7)).await.expect("retried");
    assert_eq!(message(&lab, &number).await.state, State::Waiting { due_at: at(7) });
    let claim = lab.claim_one(7).await;
    lab.commit(&claim, says(&["hello"]), 8).await;
    let whole = way(&lab, &number).await;
    let done = whole.message.clone().expect("the message");
    assert_eq!((done.state, done.turns.len(), whole.replies.len()), (State::Answered, 2, 2));
    assert!(done.heard.is_some(), "its line is found still");
    lab.assert_counters_true().await;
}

pub async fn messages_of_one_turn_share_its_replies(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let mut numbers = Vec::new();
    for (text, ms) in [("one", 100), ("two", 150)] {
        numbers.push(lab.hears("971501", text, ms).await.message.expect("routed"));
    }
    let claim = lab.claim_one(2000).await;
    assert_eq!(claim.entries.len(), 2);
    lab.commit(&claim, says(&["both"]), 2001).await;
    let (first, second) =
        (way(&lab, &numbers[0].to_string()).await, way(&lab, &numbers[1].to_string()).await);
    assert_eq!(first.replies, second.replies);
    assert_eq!(second.message.and_then(|message| message.together_with), Some(numbers[0]));
    assert_eq!(first.message.and_then(|message| message.together_with), None);
}

pub async fn what_no_brain_answers_is_followed_too(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let waited = lab.hears("971501", "before", 10).await.message.expect("routed");
    lab.store().take_over(&key(2, "971501"), "test", at(11)).await.expect("taken over");
    let accepted = lab.hears("971501", "for the human", 20).await;
    assert!(accepted.for_human);
    assert!(lab.claim(10, 30).await.is_empty());
    for number in [waited, accepted.message.expect("routed")] {
        let seen = message(&lab, &number.to_string()).await;
        assert_eq!((seen.state, seen.via), (State::PutDown, Via::Lock), "{number}");
    }
    lab.hears("971777", "who are you?", 40).await;
    let name = "971777/who are you?/40";
    let Some(Found::LeftAlone { sender, reason }) = lab.store().way(name, None).await.expect("read") else {
        panic!("it was left alone")
    };
    assert_eq!((sender.as_str(), reason), ("main", Reason::NoTenant));
    assert_eq!(lab.store().way(name, Some(tenant(2))).await.expect("read"), None, "the operator's to know");
    lab.assert_counters_true().await;
}

pub async fn a_number_of_its_own_and_an_address_are_reasons(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.store().put_sender(sender("office", "office", Some(3)), "test").await.expect("put");
    let mut own = super::lab::arrival("971501", "m1", "hi", at(1));
    own.sender = switchboard::message::SenderName::new("office");
    own.inbound.account = "office".into();
    assert_eq!(lab.accept(own).await.via, Some(Via::OwnNumber));
    let mut named = super::lab::arrival("971502", "m2", "hi", at(2));
    named.tenant = Some(tenant(1));
    assert_eq!(lab.accept(named).await.via, Some(Via::Address));
    lab.meets("971503", 2, 3).await;
    assert_eq!(lab.hears("971503", "again", 4).await.via, Some(Via::Lock));
}

/// Whatever of it is kept for the way alone goes with what is kept of the message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_leaves_with_its_line_or_its_turn() {
    const DAY: i64 = 86_400_000;
    let files = super::Files::new(Options::default());
    let lab = Lab::new(&files).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "stop", 1).await;
    let claim = lab.claim_one(2).await;
    let timers = vec![TimerChange::Set { key: "k".into(), at: at(3), payload: String::new() }];
    lab.commit(&claim, Answer { timers, ..Answer::default() }, 2).await;
    let claim = lab.claim_one(10).await;
    lab.commit(&claim, says(&["it rang"]), 11).await;
    lab.hears("971501", "dies", 12).await;
    let claim = lab.claim_one(13).await;
    lab.fail(&claim, TurnFate::Dead { fallback: None }, 14).await;
    drop(lab);
    let rows = || {
        let database = Database::open(files.settings().path).expect("the file");
        let read = database.begin_read().expect("read");
        let ways: TableDefinition<'_, &[u8; 12], &[u8]> = TableDefinition::new("ways");
        read.open_table(ways).expect("the table").len().expect("its length")
    };
    assert_eq!(rows(), 4, "the link, the word, the timer and what died");
    let lab = Lab::open(&files);
    let retention = Retention {
        dedup_ms: 8 * DAY,
        history_ms: 15 * DAY,
        ended_ms: 10_000 * DAY,
        journal_ms: 25 * DAY,
        audit_ms: 10_000 * DAY,
        template_log_ms: 10_000 * DAY,
    };
    while lab.store().prune(retention, at(16 * DAY), 2).await.expect("pruned") > 0 {}
    drop(lab);
    assert_eq!(rows(), 1, "the timer's, which is no line");
    let lab = Lab::open(&files);
    while lab.store().prune(retention, at(26 * DAY), 2).await.expect("pruned") > 0 {}
    lab.assert_counters_true().await;
    drop(lab);
    assert_eq!(rows(), 0);
}
