//! Replies going out.

use switchboard::message::{DeliveryState, SenderName};
use switchboard::store::{Error, Filter, OutboxState, Settlement, Store};

use super::lab::{Factory, Lab, all, arrival, at, key, receipt, says, text_of};

fn sent(id: &str) -> Settlement {
    Settlement::Sent { provider_id: Some(id.into()) }
}

pub async fn replies_leave_in_order(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two", "three"], 0).await;
    let claims = lab.sends(10, 10).await;
    assert_eq!(claims.len(), 1, "the second waits until the first is settled");
    assert_eq!((claims[0].entry.state, claims[0].entry.attempts), (OutboxState::Sending, 1));
    assert_eq!(lab.sends(10, 10).await.len(), 0);
    lab.settle(&claims[0], sent("p1"), 11).await;
    lab.restart();
    assert_eq!(lab.sends_one(12).await, "two");
    assert_eq!(lab.sends_one(13).await, "three");
    assert_eq!((lab.sends(10, 99).await.len(), lab.store().next_send_at()), (0, None));
    assert_eq!(
        lab.lines(2, "971501")[2..],
        ["Brain: one (Sent)", "Brain: two (Sent)", "Brain: three (Sent)"]
    );
    assert_eq!(lab.store().counters().outbox_waiting, 0);
    lab.assert_counters_true();
}

pub async fn senders_take_turns(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..6 {
        lab.owes(&format!("97150{n}"), 1, &["hi"], n * 10).await;
    }
    let mut own = arrival("971600", "m1", "hello", at(100));
    own.sender = SenderName::new("own");
    own.inbound.account = "own".into();
    lab.accept(own).await;
    let claim = lab.claim_one(101).await;
    lab.commit(&claim, says(&["hello"]), 101).await;
    let claims = lab.sends(3, 200).await;
    let senders: Vec<_> = claims.iter().map(|claim| claim.entry.sender.as_str()).collect();
    assert_eq!(senders.iter().filter(|name| **name == "own").count(), 1, "{senders:?}");
    assert_eq!(lab.sends(10, 200).await.len(), 0, "main is held to two at a time");
    let main = claims.iter().find(|claim| claim.entry.sender.as_str() == "main").expect("two of them");
    lab.settle(main, sent("p"), 201).await;
    assert_eq!(lab.sends(10, 201).await.len(), 1);
}

pub async fn a_later_send_waits_and_holds_those_behind_it(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    lab.settle(&claim, Settlement::Later { at: at(500), error: "connection refused".into() }, 11).await;
    assert_eq!((lab.sends(10, 499).await.len(), lab.store().next_send_at()), (0, Some(at(500))));
    lab.restart();
    assert_eq!(lab.sends(10, 499).await.len(), 0);
    let listed = lab.store().outbox(&all()).expect("outbox");
    assert_eq!(listed[0].entry.last_error.as_deref(), Some("connection refused"));
    assert_eq!(listed[0].entry.state, OutboxState::Waiting);
    let again = lab.sends(10, 500).await;
    assert_eq!((again.len(), again[0].entry.attempts), (1, 2));
    assert_eq!(text_of(&again[0].entry.outbound), "one");
    // The operator does not want to wait.
    lab.settle(&again[0], Settlement::Later { at: at(99_999), error: "still refused".into() }, 501).await;
    lab.store().retry_send(&listed[0].id, "operator", at(502)).await.expect("retried");
    assert_eq!(lab.sends_one(502).await, "one");
    assert_eq!(lab.sends_one(503).await, "two");
}

pub async fn the_dead_and_the_unknown_hold_nobody(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two", "three"], 0).await;
    let one = lab.sends(1, 10).await.remove(0);
    lab.settle(&one, Settlement::Dead { error: "no such number".into() }, 11).await;
    let two = lab.sends(1, 12).await.remove(0);
    lab.settle(&two, Settlement::Unknown { error: "timed out".into() }, 13).await;
    assert_eq!(lab.sends_one(14).await, "three");
    let lines = &lab.lines(2, "971501")[2..];
    assert_eq!(lines, ["Brain: one (Failed)", "Brain: two (Unknown)", "Brain: three (Sent)"]);
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_dead, counters.outbox_unknown), (0, 1, 1));
    let listed = lab.store().outbox(&Filter { ended: true, ..all() }).expect("outbox");
    let errors: Vec<_> = listed.iter().map(|send| send.entry.last_error.as_deref().unwrap_or("")).collect();
    assert_eq!(errors, ["no such number", "timed out"]);
    lab.assert_counters_true();
}

pub async fn a_send_cut_off_in_the_middle_is_unknown(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    assert_eq!(lab.sends(1, 10).await.len(), 1);
    lab.restart();
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_unknown), (1, 1));
    lab.assert_counters_true();
    let listed = lab.store().outbox(&Filter { ended: true, ..all() }).expect("outbox");
    assert_eq!((listed[0].entry.state, listed[0].entry.attempts), (OutboxState::Unknown, 1));
    assert!(listed[0].entry.last_error.as_deref().is_some_and(|error| error.contains("stopped")));
    assert_eq!(lab.sends_one(20).await, "two", "it is not sent again by itself, and holds nobody");
    assert_eq!(lab.lines(2, "971501")[2..], ["Brain: one (Unknown)", "Brain: two (Sent)"]);
}

pub async fn receipts_move_forward_only(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    lab.settle(&claim, sent("p1"), 11).await;
    use DeliveryState::{Delivered, Read, Sent};
    for (id, state, shown) in [
        ("p1", Delivered, "Delivered"),
        ("p1", Sent, "Delivered"),
        ("p2", Read, "Delivered"),
        ("p1", Read, "Read"),
        ("p1", Delivered, "Read"),
        ("p1", Read, "Read"),
    ] {
        lab.store().record_receipt(receipt(id, state)).await.expect("recorded");
        assert_eq!(lab.lines(2, "971501")[2], format!("Brain: one ({shown})"), "after {id} {state:?}");
    }
    let mut elsewhere = receipt("p1", DeliveryState::Read);
    elsewhere.account = Some("second".into());
    lab.store().record_receipt(elsewhere).await.expect("ignored");
    lab.restart();
    assert_eq!(lab.lines(2, "971501")[2], "Brain: one (Read)");
}

pub async fn a_receipt_may_overtake_the_answer(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    lab.store().record_receipt(receipt("p1", DeliveryState::Delivered)).await.expect("noted");
    lab.settle(&claim, sent("p1"), 11).await;
    assert_eq!(lab.lines(2, "971501")[2], "Brain: one (Delivered)");
}

pub async fn what_ended_can_be_retried_and_dropped(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let store: &dyn Store = lab.store().as_ref();
    lab.owes("971501", 2, &["one", "two", "three", "four"], 0).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let claim = lab.sends(1, 10).await.remove(0);
        lab.settle(&claim, Settlement::Unknown { error: "timed out".into() }, 11).await;
        ids.push(format!("2-971501-{}", claim.id.seq));
    }
    store.retry_send(&ids[0], "operator", at(20)).await.expect("retried");
    store.drop_send(&ids[1], "operator", at(21)).await.expect("dropped");
    lab.assert_counters_true();
    let on_its_way = lab.sends(1, 22).await.remove(0);
    assert_eq!(
        (text_of(&on_its_way.entry.outbound), on_its_way.entry.attempts),
        ("one", 2),
        "it goes out now"
    );
    for word in [
        store.retry_send(&ids[0], "operator", at(23)).await,
        store.drop_send(&ids[0], "operator", at(23)).await,
    ] {
        assert!(matches!(word, Err(Error::Conflict(_))), "{word:?}");
    }
    lab.settle(&on_its_way, sent("p1"), 24).await;
    let waiting = store.outbox(&all()).expect("outbox");
    store.drop_send(&waiting[0].id, "operator", at(25)).await.expect("dropped");
    assert_eq!(lab.sends_one(26).await, "four");
    assert_eq!(
        lab.lines(2, "971501")[2..],
        ["Brain: one (Sent)", "Brain: two (Unknown)", "Brain: three (Failed)", "Brain: four (Sent)"],
        "the places in the history stay"
    );
    for id in [ids[1].as_str(), "3-971501-5", "2-971502-5", "nonsense"] {
        let word = store.retry_send(id, "operator", at(30)).await;
        assert!(matches!(word, Err(Error::NotFound(_))), "{id}: {word:?}");
    }
    let done: Vec<_> = store.audit_log(3).expect("audit").into_iter().map(|entry| entry.action).collect();
    assert_eq!(done, ["drop send", "drop send", "retry send"], "refused words are not deeds");
    lab.assert_counters_true();
}

pub async fn a_settlement_is_written_once(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    lab.settle(&claim, sent("p1"), 11).await;
    let second = lab.sends(1, 12).await.remove(0);
    assert_eq!(text_of(&second.entry.outbound), "two");
    // The answer to the first was lost, so that it is told again; whatever it says now, it is late.
    let before = lab.store().counters();
    lab.settle(&claim, Settlement::Unknown { error: "told again".into() }, 13).await;
    let mut strange = claim.id.clone();
    strange.key = key(3, "971501");
    lab.store().settle_send(&strange, sent("p"), at(13)).await.expect("nothing to write");
    assert_eq!(lab.store().counters(), before);
    assert_eq!(lab.lines(2, "971501")[2..], ["Brain: one (Sent)", "Brain: two (Queued)"]);
    assert_eq!(lab.sends(1, 14).await.len(), 0, "the second is still being sent");
    lab.settle(&second, Settlement::Later { at: at(50), error: "busy".into() }, 15).await;
    lab.settle(&second, sent("p2"), 16).await;
    assert_eq!(lab.lines(2, "971501")[3], "Brain: two (Queued)", "it waits for its time");
    assert_eq!((lab.sends(1, 49).await.len(), lab.sends_one(50).await.as_str()), (0, "two"));
    lab.assert_counters_true();
}
