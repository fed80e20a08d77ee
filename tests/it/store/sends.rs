//! Replies going out.

use switchboard::conversation::{Author, Occasion, TimerChange, Trigger};
use switchboard::event::Receipt;
use switchboard::message::{DeliveryState, Outbound, SenderName};
use switchboard::store::{Error, Filter, OutboxState, SendClaim, Settlement, Store, TurnCommit, TurnFate};

use super::lab::{
    Answer, Factory, Lab, all, arrival, at, claim_sends, key, receipt, says, text_of, turn, words,
};

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
        lab.lines(2, "971501").await[2..],
        ["Brain: one (Sent)", "Brain: two (Sent)", "Brain: three (Sent)"]
    );
    assert_eq!(lab.store().counters().outbox_waiting, 0);
    lab.assert_counters_true().await;
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
    let listed = lab.store().outbox(&all()).await.expect("outbox");
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
    let lines = &lab.lines(2, "971501").await[2..];
    assert_eq!(lines, ["Brain: one (Failed)", "Brain: two (Unknown)", "Brain: three (Sent)"]);
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_dead, counters.outbox_unknown), (0, 1, 1));
    let listed = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox");
    let errors: Vec<_> = listed.iter().map(|send| send.entry.last_error.as_deref().unwrap_or("")).collect();
    assert_eq!(errors, ["no such number", "timed out"]);
    lab.assert_counters_true().await;
}

pub async fn a_send_cut_off_in_the_middle_is_unknown(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    assert_eq!(lab.sends(1, 10).await.len(), 1);
    lab.restart();
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_unknown), (1, 1));
    lab.assert_counters_true().await;
    let listed = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox");
    assert_eq!((listed[0].entry.state, listed[0].entry.attempts), (OutboxState::Unknown, 1));
    assert!(listed[0].entry.last_error.as_deref().is_some_and(|error| error.contains("stopped")));
    assert_eq!(lab.sends_one(20).await, "two", "it is not sent again by itself, and holds nobody");
    assert_eq!(lab.lines(2, "971501").await[2..], ["Brain: one (Unknown)", "Brain: two (Sent)"]);
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
        assert_eq!(lab.lines(2, "971501").await[2], format!("Brain: one ({shown})"), "after {id} {state:?}");
    }
    let mut elsewhere = receipt("p1", DeliveryState::Read);
    elsewhere.account = Some("second".into());
    lab.store().record_receipt(elsewhere).await.expect("ignored");
    lab.restart();
    assert_eq!(lab.lines(2, "971501").await[2], "Brain: one (Read)");
}

pub async fn a_receipt_may_overtake_the_answer(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    lab.store().record_receipt(receipt("p1", DeliveryState::Delivered)).await.expect("noted");
    lab.settle(&claim, sent("p1"), 11).await;
    assert_eq!(lab.lines(2, "971501").await[2], "Brain: one (Delivered)");
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
    lab.assert_counters_true().await;
    let on_its_way = lab.sends(1, 22).await.remove(0);
    assert_eq!(
        (text_of(&on_its_way.entry.outbound), on_its_way.entry.attempts),
        ("one", 1),
        "it goes out now, as the attempt that it repeats"
    );
    for word in [
        store.retry_send(&ids[0], "operator", at(23)).await,
        store.drop_send(&ids[0], "operator", at(23)).await,
    ] {
        assert!(matches!(word, Err(Error::Conflict(_))), "{word:?}");
    }
    lab.settle(&on_its_way, sent("p1"), 24).await;
    let waiting = store.outbox(&all()).await.expect("outbox");
    store.drop_send(&waiting[0].id, "operator", at(25)).await.expect("dropped");
    assert_eq!(lab.sends_one(26).await, "four");
    assert_eq!(
        lab.lines(2, "971501").await[2..],
        ["Brain: one (Sent)", "Brain: two (Unknown)", "Brain: three (Failed)", "Brain: four (Sent)"],
        "the places in the history stay"
    );
    for id in [ids[1].as_str(), "3-971501-5", "2-971502-5", "nonsense"] {
        let word = store.retry_send(id, "operator", at(30)).await;
        assert!(matches!(word, Err(Error::NotFound(_))), "{id}: {word:?}");
    }
    let done: Vec<_> =
        store.audit_log(3).await.expect("audit").into_iter().map(|entry| entry.action).collect();
    assert_eq!(done, ["drop send", "drop send", "retry send"], "refused words are not deeds");
    lab.assert_counters_true().await;
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
    assert_eq!(lab.lines(2, "971501").await[2..], ["Brain: one (Sent)", "Brain: two (Queued)"]);
    assert_eq!(lab.sends(1, 14).await.len(), 0, "the second is still being sent");
    lab.settle(&second, Settlement::Later { at: at(50), error: "busy".into() }, 15).await;
    lab.settle(&second, sent("p2"), 16).await;
    assert_eq!(lab.lines(2, "971501").await[3], "Brain: two (Queued)", "it waits for its time");
    assert_eq!((lab.sends(1, 49).await.len(), lab.sends_one(50).await.as_str()), (0, "two"));
    lab.assert_counters_true().await;
}

pub async fn what_was_claimed_and_not_begun_is_simply_sent(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    let claims = claim_sends(lab.store().as_ref(), 10, 10).await;
    assert_eq!((claims.len(), claims[0].entry.state, claims[0].entry.attempts), (1, OutboxState::Waiting, 0));
    assert_eq!(lab.sends(10, 10).await.len(), 0, "it is claimed");
    lab.restart();
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_unknown), (2, 0));
    let begun = lab.sends(1, 11).await;
    assert_eq!((begun[0].entry.state, begun[0].entry.attempts), (OutboxState::Sending, 1));
    assert_eq!(begun[0].id, claims[0].id);
    lab.restart();
    assert_eq!(lab.store().counters().outbox_unknown, 1, "now it may have gone out");
    lab.assert_counters_true().await;
}

pub async fn what_is_postponed_waits_in_memory_only(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    lab.owes("971502", 1, &["other"], 5).await;
    let claims = claim_sends(lab.store().as_ref(), 10, 10).await;
    let first = claims.iter().find(|claim| claim.id.key == key(2, "971501")).expect("one of two");
    let other = claims.iter().find(|claim| claim.id != first.id).expect("the other");
    lab.store().postpone_send(&first.id, at(500));
    lab.store().postpone_send(&other.id, at(300));
    assert_eq!((lab.sends(10, 299).await.len(), lab.store().next_send_at()), (0, Some(at(300))));
    assert_eq!(lab.sends_one(300).await, "other");
    assert_eq!((lab.sends(10, 499).await.len(), lab.store().next_send_at()), (0, Some(at(500))));
    let again = claim_sends(lab.store().as_ref(), 10, 500).await;
    assert_eq!((again.len(), again[0].entry.attempts), (1, 0));
    lab.store().postpone_send(&again[0].id, at(9_000));
    // One that is not claimed any more is left alone.
    lab.store().postpone_send(&again[0].id, at(1));
    assert_eq!(lab.sends(10, 8_999).await.len(), 0);
    lab.restart();
    assert_eq!((lab.sends_one(501).await, lab.sends_one(502).await), ("one".into(), "two".into()));
}

pub async fn what_is_held_back_is_settled_without_an_attempt(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two", "three"], 0).await;
    let held = async |ms| claim_sends(lab.store().as_ref(), 1, ms).await.remove(0);
    let one = held(10).await;
    // What has not begun has not been sent, whatever is said.
    lab.settle(&one, sent("p1"), 11).await;
    lab.settle(&one, Settlement::Unknown { error: "?".into() }, 11).await;
    let one = held(12).await;
    lab.settle(&one, Settlement::Later { at: at(500), error: "quiet hours".into() }, 12).await;
    assert_eq!((lab.sends(10, 499).await.len(), lab.store().next_send_at()), (0, Some(at(500))));
    let one = held(500).await;
    assert_eq!((one.entry.attempts, one.entry.last_error.as_deref()), (0, Some("quiet hours")));
    lab.settle(&one, Settlement::Dead { error: "opted out".into() }, 501).await;
    lab.settle(&one, Settlement::Later { at: at(502), error: "told again".into() }, 501).await;
    let counters = lab.store().counters();
    assert_eq!((counters.outbox_waiting, counters.outbox_dead, counters.outbox_unknown), (2, 1, 0));
    lab.assert_counters_true().await;
    lab.restart();
    assert_eq!((lab.sends_one(600).await, lab.sends_one(601).await), ("two".into(), "three".into()));
    let dead = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox").remove(0).entry;
    assert_eq!((dead.state, dead.attempts), (OutboxState::Dead, 0));
    assert_eq!(lab.lines(2, "971501").await[2], "Brain: one (Failed)");
}

pub async fn what_has_gone_does_not_begin(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    lab.owes("971502", 1, &["other"], 5).await;
    let claims = claim_sends(lab.store().as_ref(), 10, 10).await;
    let ids: Vec<_> = claims.iter().map(|claim| claim.id.clone()).collect();
    let first = claims.iter().find(|claim| claim.id.key == key(2, "971501")).expect("one of two");
    let name = format!("2-971501-{}", first.id.seq);
    lab.store().drop_send(&name, "operator", at(11)).await.expect("it is not on its way yet");
    let begun = lab.store().begin_sends(&ids).await.expect("begun");
    let begun: Vec<_> = begun.iter().map(|claim| text_of(&claim.entry.outbound)).collect();
    assert_eq!(begun, ["other"]);
    assert_eq!(lab.sends_one(12).await, "two", "nobody holds the conversation");
    lab.assert_counters_true().await;
}

pub async fn what_went_out_instead_is_in_the_history(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 2, &["one"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    let by = Outbound::text("in its place");
    lab.settle(&claim, Settlement::Replaced { provider_id: Some("p1".into()), by }, 11).await;
    assert_eq!(lab.lines(2, "971501").await[2], "Brain: in its place (Sent)");
    lab.store().record_receipt(receipt("p1", DeliveryState::Read)).await.expect("recorded");
    assert_eq!(lab.lines(2, "971501").await[2], "Brain: in its place (Read)");
    lab.assert_counters_true().await;
}

pub async fn the_occasion_is_kept_until_an_operator_asks(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "remind me", 1).await;
    let timers = vec![TimerChange::Set { key: "nudge".into(), at: at(100), payload: String::new() }];
    let claim = lab.claim_one(2).await;
    lab.commit(&claim, Answer { timers, ..says(&["I will"]) }, 2).await;
    let occasion = |claim: &SendClaim| (claim.entry.author, claim.entry.occasion);
    let answer = lab.sends(1, 3).await.remove(0);
    assert_eq!(occasion(&answer), (Author::Brain, Occasion::Answer));
    lab.settle(&answer, sent("p1"), 4).await;
    let claim = lab.claim_one(100).await;
    lab.commit(&claim, says(&["now"]), 100).await;
    lab.restart();
    let nudge = claim_sends(lab.store().as_ref(), 1, 101).await.remove(0);
    assert_eq!(occasion(&nudge), (Author::Brain, Occasion::Timer));
    lab.settle(&nudge, Settlement::Postponed { until: at(9_000), why: "quiet hours".into() }, 101).await;
    let id = format!("2-971501-{}", nudge.id.seq);
    lab.store().retry_send(&id, "operator", at(102)).await.expect("due now");
    assert_eq!(occasion(&lab.sends(1, 102).await[0]), (Author::Brain, Occasion::Answer));
}

/// A contact that writes at night is awake: its answer does not wait behind a reminder.
pub async fn what_waits_for_the_morning_goes_before_an_answer(factory: &dyn Factory) {
    // Whether the reminder was postponed before the contact wrote, or is only being looked at then.
    for (who, late) in [("971501", false), ("971502", true)] {
        let mut lab = Lab::new(factory).await;
        lab.meets(who, 2, 0).await;
        lab.hears(who, "remind me", 1).await;
        let timers = vec![TimerChange::Set { key: "nudge".into(), at: at(100), payload: String::new() }];
        let claim = lab.claim_one(2).await;
        lab.commit(&claim, Answer { timers, ..Answer::default() }, 2).await;
        let claim = lab.claim_one(100).await;
        lab.commit(&claim, says(&["one", "two"]), 100).await;
        let one = claim_sends(lab.store().as_ref(), 1, 101).await.remove(0);
        let postponed = Settlement::Postponed { until: at(9_000), why: "quiet hours".into() };
        if !late {
            lab.settle(&one, postponed.clone(), 101).await;
            lab.restart();
            assert_eq!((lab.sends(1, 8_999).await.len(), lab.store().next_send_at()), (0, Some(at(9_000))));
        }
        lab.hears(who, "hello?", 200).await;
        let claim = lab.claim_one(201).await;
        lab.commit(&claim, says(&["three"]), 201).await;
        if late {
            lab.settle(&one, postponed, 202).await;
        }
        let said = [lab.sends_one(203).await, lab.sends_one(204).await, lab.sends_one(205).await];
        assert_eq!(said, ["one", "two", "three"], "late: {late}");
        lab.assert_counters_true().await;
    }
}

/// Turns of a brain that wants receipts, each with one reply, until nothing is left to say; what each
/// was about. Every reply is refused, at once or by a report.
pub async fn a_brain_hears_of_the_death_of_its_words(factory: &dyn Factory) {
    let told = || vec!["hello", "Failed: opted out"];
    for (who, wants, at_once, expected) in [
        ("971501", true, true, told()),
        ("971502", true, false, told()),
        ("971503", false, true, vec!["hello"]),
        ("971504", false, false, vec!["hello"]),
    ] {
        let lab = Lab::new(factory).await;
        lab.meets(who, 2, 0).await;
        lab.hears(who, "hello", 1).await;
        let mut heard = Vec::new();
        for ms in (2..).step_by(10) {
            // Reports are of the present, far behind these times.
            let Some(claim) = lab.claim(1, i64::MAX / 4).await.pop() else { break };
            heard.push(match &claim.trigger {
                Trigger::Receipt { state, reason, .. } => {
                    format!("{state:?}: {}", reason.as_deref().unwrap_or("no reason"))
                }
                other => words(other).join(" "),
            });
            let commit = TurnCommit { wants_receipts: wants, ..turn(&claim, says(&["more"]), at(ms)) };
            lab.store().commit_turn(commit).await.expect("committed");
            let reply = claim_sends(lab.store().as_ref(), 1, ms).await.remove(0);
            if at_once {
                lab.settle(&reply, Settlement::Dead { error: "opted out".into() }, ms + 1).await;
            } else {
                lab.store().begin_sends(std::slice::from_ref(&reply.id)).await.expect("begun");
                let id = format!("p{ms}");
                lab.settle(&reply, Settlement::Sent { provider_id: Some(id.clone()) }, ms + 1).await;
                let reason = Some("opted out".into());
                let report = Receipt { reason, ..receipt(&id, DeliveryState::Failed) };
                lab.store().record_receipt(report).await.expect("recorded");
            }
            assert!(heard.len() < 10, "it never ends: {heard:?}");
        }
        assert_eq!(heard, expected);
    }
}

/// A brain that wants receipts is not told of the words that the contact reads in its place.
pub async fn only_a_brain_hears_of_its_own_words(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "hello", 1).await;
    let claim = lab.claim_one(2).await;
    let commit = TurnCommit { wants_receipts: true, ..turn(&claim, Answer::default(), at(3)) };
    lab.store().commit_turn(commit).await.expect("committed");
    lab.hears("971501", "boom", 4).await;
    let claim = lab.claim_one(5).await;
    lab.fail(&claim, TurnFate::Dead { fallback: Some(Outbound::text("sorry")) }, 6).await;
    let reply = lab.sends(1, 7).await.remove(0);
    lab.settle(&reply, Settlement::Sent { provider_id: Some("p1".into()) }, 8).await;
    for state in [DeliveryState::Delivered, DeliveryState::Read] {
        lab.store().record_receipt(receipt("p1", state)).await.expect("recorded");
    }
    assert_eq!(lab.lines(2, "971501").await.last().map(String::as_str), Some("Gateway: sorry (Read)"));
    assert!(lab.claim(1, 1000).await.is_empty(), "nobody is told");
}
