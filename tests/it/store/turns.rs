//! Turns: who is next, and what becomes of them.

use std::collections::HashSet;

use switchboard::clock;
use switchboard::conversation::{Mode, TimerChange, Trigger};
use switchboard::message::{Outbound, SenderName, Timestamp};
use switchboard::store::{Error, Filter, TurnFate, TurnState};
use switchboard::tenant::Sender;

use super::lab::{Answer, Factory, Lab, all, arrival, at, key, says, text_of, turn, words};

pub async fn messages_come_in_order_of_provider_time(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    for (text, sent, received) in [
        ("third", at(300), at(1000)),
        ("first", at(100), at(1001)),
        ("second", at(200), at(1002)),
        ("fourth, sent in the future", at(999_999_999), at(1003)),
        ("fifth, without a time", Timestamp::ZERO, at(1004)),
        ("sixth, of a broken clock", Timestamp::from_ms(i64::MAX), at(1005)),
        ("seventh, from before time", Timestamp::from_ms(-5), at(1006)),
    ] {
        let mut arrival = arrival("971501", text, text, received);
        arrival.inbound.sent_at = sent;
        lab.accept(arrival).await;
    }
    let mut order = Vec::new();
    for round in 0..7 {
        if round == 3 {
            lab.restart();
        }
        let claim = lab.claim_one(2000).await;
        order.extend(words(&claim.trigger));
        lab.commit(&claim, Answer::default(), 2000).await;
    }
    let ordinals: Vec<_> = order.iter().map(|text| text.split(',').next().unwrap_or("")).collect();
    assert_eq!(ordinals, ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]);
}

pub async fn a_conversation_runs_one_turn_at_a_time(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..200 {
        let who = format!("97150{}", n % 10);
        let text = if n < 10 { "start_realty_2".to_owned() } else { format!("message {n}") };
        lab.accept(arrival(&who, &format!("m{n}"), &text, at(n))).await;
    }
    // Eight loops claim at once; each turn is handed out once and never beside another of its own.
    let out = std::sync::Arc::new(std::sync::Mutex::new(HashSet::new()));
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let (store, out) = (lab.store().clone(), out.clone());
            tokio::spawn(async move {
                let mut done = 0;
                loop {
                    let claims = store.claim_turns(3, at(10_000)).await.expect("claimed");
                    if claims.is_empty() && store.counters().inbox == 0 {
                        break done;
                    }
                    for claim in &claims {
                        assert!(out.lock().expect("lock").insert(claim.key.clone()), "claimed twice");
                    }
                    tokio::task::yield_now().await;
                    for claim in claims {
                        assert!(out.lock().expect("lock").remove(&claim.key));
                        store.commit_turn(turn(&claim, says(&["ok"]), at(10_000))).await.expect("committed");
                        done += 1;
                    }
                }
            })
        })
        .collect();
    let mut done = 0;
    for task in loops {
        done += task.await.expect("no panic");
    }
    assert_eq!(done, 200);
    for n in 0..10 {
        let heard: Vec<_> = lab
            .lines(2, &format!("97150{n}"))
            .await
            .into_iter()
            .filter(|line| line.starts_with("Contact"))
            .collect();
        let expected: Vec<_> = (1..20).map(|round| format!("Contact: message {}", round * 10 + n)).collect();
        assert_eq!(heard[1..], expected, "in order");
    }
    lab.assert_counters_true().await;
}

pub async fn tenants_take_turns(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..30 {
        lab.hears(&format!("97150{n}"), "start_realty_1", n).await;
    }
    for n in 0..2 {
        lab.hears(&format!("97160{n}"), "start_realty_2", 100 + n).await;
        lab.hears(&format!("97170{n}"), "start_realty_3", 100 + n).await;
    }
    let claims = lab.claim(6, 1000).await;
    let tenants: Vec<u32> = claims.iter().map(|claim| claim.key.tenant.get()).collect();
    for tenant in [1, 2, 3] {
        assert_eq!(tenants.iter().filter(|other| **other == tenant).count(), 2, "{tenants:?}");
    }
    let more = lab.claim(100, 1000).await;
    assert_eq!(more.len(), 2, "tenant 1 is held to four at a time");
    assert_eq!(lab.store().next_turn_at(), None, "and nothing is to be waited for");
    lab.commit(&claims[0], Answer::default(), 1000).await;
    assert_eq!(lab.claim(100, 1000).await.len(), 1);
}

pub async fn a_turn_is_committed_as_a_whole(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_2-instagram", 0).await;
    let claim = lab.claim_one(1).await;
    assert!(
        matches!(&claim.trigger, Trigger::Started { first: true, attribution: Some(from), .. } if from == "instagram")
    );
    assert_eq!((claim.conversation.turns, claim.failures, claim.lead.is_none()), (0, 0, true));
    let answer = Answer {
        says: vec!["welcome", "what do you look for?"],
        memory: Some(r#"{"step":1}"#),
        timers: vec![TimerChange::Set { key: "nudge".into(), at: at(5000), payload: "{}".into() }],
        leads: vec![
            serde_json::from_value(serde_json::json!({ "stage": "new", "fields": { "budget": 2 } }))
                .expect("a change"),
        ],
        ..Answer::default()
    };
    lab.commit(&claim, answer, 2).await;
    for restarted in [false, true] {
        if restarted {
            lab.restart();
        }
        let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
        assert_eq!(conversation.memory.as_deref(), Some(r#"{"step":1}"#));
        assert_eq!((conversation.turns, conversation.brain_version.as_deref()), (1, Some("v1")));
        assert_eq!(conversation.created_at, at(0));
        assert_eq!(
            lab.lines(2, "971501").await,
            [
                "Contact: start_realty_2-instagram",
                "Brain: welcome (Queued)",
                "Brain: what do you look for? (Queued)"
            ]
        );
        let outbox = lab.store().outbox(&all()).await.expect("outbox");
        let texts: Vec<_> =
            outbox.iter().map(|send| (text_of(&send.entry.outbound), send.entry.to.as_str())).collect();
        assert_eq!(texts, [("welcome", "971501@c.us"), ("what do you look for?", "971501@c.us")]);
        assert_eq!(lab.store().journal(&key(2, "971501"), 10).await.expect("journal").len(), 1);
        assert_eq!(lab.store().counters().inbox, 0);
        assert_eq!(lab.store().next_turn_at(), Some(at(5000)), "the timer");
        let lead = lab
            .store()
            .lead(switchboard::message::OrganizationId(1), &key(2, "971501").contact)
            .await
            .expect("read");
        assert_eq!(lead.expect("there").threads[&2].source.as_deref(), Some("instagram"));
        lab.assert_counters_true().await;
    }
    lab.hears("971501", "a flat", 10).await;
    let claim = lab.claim_one(11).await;
    assert_eq!(claim.conversation.memory.as_deref(), Some(r#"{"step":1}"#));
    assert_eq!(claim.lead.as_ref().map(|lead| lead.stage.as_str()), Some("new"));
    lab.commit(&claim, Answer::default(), 12).await;
    let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
    assert_eq!(conversation.memory.as_deref(), Some(r#"{"step":1}"#), "None keeps it");
}

pub async fn a_turn_is_committed_once(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_2", 0).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, says(&["hi"]), 2).await;
    let again = lab.store().commit_turn(turn(&claim, says(&["hi"]), at(3))).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let failed =
        lab.store().fail_turn(super::lab::failure(&claim, TurnFate::Retry { at: at(4) }, at(3))).await;
    assert!(matches!(failed, Err(Error::Conflict(_))), "{failed:?}");
    assert_eq!(lab.lines(2, "971501").await.len(), 2);
    let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
    assert_eq!(conversation.turns, 1);
    lab.assert_counters_true().await;
}

pub async fn entries_of_another_conversation_are_refused(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_2", 0).await;
    lab.hears("971502", "start_realty_2", 0).await;
    lab.hears("971503", "start_realty_3", 0).await;
    let claims = lab.claim(10, 1).await;
    for other in &claims[1..] {
        let mut mixed = turn(&claims[0], says(&["hi"]), at(2));
        mixed.entries.clone_from(&other.entries);
        let refused = lab.store().commit_turn(mixed).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    }
    assert_eq!((lab.store().counters().inbox, lab.store().counters().outbox_waiting), (3, 0));
}

pub async fn a_retry_keeps_its_place_and_its_seed(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "one", 1).await;
    lab.hears("971501", "two", 2).await;
    let first = lab.claim_one(3).await;
    lab.fail(&first, TurnFate::Retry { at: at(500) }, 4).await;
    assert_eq!(lab.claim(10, 499).await.len(), 0, "the second waits behind the first");
    assert_eq!(lab.store().next_turn_at(), Some(at(500)));
    lab.restart();
    assert_eq!(lab.claim(10, 499).await.len(), 0);
    let waiting = lab.store().turns(&all()).await.expect("turns");
    assert_eq!(waiting[0].error.as_deref(), Some("trap: unreachable"));
    assert_eq!((waiting[0].failures, waiting[0].state), (1, TurnState::Waiting));
    let again = lab.claim_one(500).await;
    assert_eq!(words(&again.trigger), ["one"]);
    assert_eq!((again.seed, again.failures), (first.seed, 1));
    lab.fail(&again, TurnFate::Retry { at: at(99_999) }, 501).await;
    lab.store().retry_turn(&waiting[0].id, "operator", at(600)).await.expect("retried");
    let again = lab.claim_one(600).await;
    assert_eq!((words(&again.trigger), again.failures), (vec!["one".to_owned()], 2));
    lab.commit(&again, Answer::default(), 601).await;
    let second = lab.claim_one(602).await;
    assert_eq!(words(&second.trigger), ["two"]);
    assert_ne!(second.seed, first.seed);
    lab.store().release_turn(&second.key);
    assert_eq!(lab.claim_one(602).await.seed, second.seed, "given back untouched");
}

pub async fn a_dead_turn_falls_back_once(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "boom", 1).await;
    let dead = || TurnFate::Dead { fallback: Some(Outbound::text("sorry")) };
    let claim = lab.claim_one(2).await;
    lab.fail(&claim, dead(), 3).await;
    let counters = lab.store().counters();
    assert_eq!((counters.dead_turns, counters.inbox, counters.outbox_waiting), (1, 0, 1));
    assert_eq!(
        lab.lines(2, "971501").await,
        ["Contact: start_realty_2", "Contact: boom", "Gateway: sorry (Queued)"]
    );
    lab.restart();
    let listed = lab.store().turns(&Filter { ended: true, ..all() }).await.expect("turns");
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].state, listed[0].error.as_deref()), (TurnState::Dead, Some("trap: unreachable")));
    assert_eq!(words(&listed[0].trigger), ["boom"]);

    // Tried again by the operator, it dies again: no second apology, no second line.
    lab.store().retry_turn(&listed[0].id, "operator", at(10)).await.expect("retried");
    lab.assert_counters_true().await;
    let again = lab.claim_one(11).await;
    assert_eq!((words(&again.trigger), again.failures), (vec!["boom".to_owned()], 0));
    lab.fail(&again, dead(), 12).await;
    assert_eq!(lab.lines(2, "971501").await.len(), 3);
    assert_eq!(lab.store().counters().outbox_waiting, 1);
    lab.store().retry_turn(&listed[0].id, "operator", at(13)).await.expect("retried");
    let again = lab.claim_one(14).await;
    lab.commit(&again, says(&["better now"]), 15).await;
    assert_eq!(lab.lines(2, "971501").await[3..], ["Brain: better now (Queued)"]);
    assert_eq!(lab.store().counters().dead_turns, 0);
    assert!(matches!(
        lab.store().retry_turn(&listed[0].id, "operator", at(16)).await,
        Err(Error::NotFound(_))
    ));
    lab.assert_counters_true().await;
}

pub async fn messages_that_come_together_make_one_turn(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    for n in 0..25 {
        lab.hears("971501", &format!("m{n}"), 100 + n).await;
    }
    assert_eq!(lab.claim(10, 599).await.len(), 0);
    assert_eq!(lab.store().next_turn_at(), Some(at(600)));
    let claim = lab.claim_one(600).await;
    assert_eq!(words(&claim.trigger), (0..20).map(|n| format!("m{n}")).collect::<Vec<_>>());
    lab.commit(&claim, says(&["all read"]), 601).await;
    let claim = lab.claim_one(624).await;
    assert_eq!(claim.entries.len(), 5);
    lab.commit(&claim, Answer::default(), 625).await;
    assert_eq!(lab.lines(2, "971501").await.len(), 1 + 25 + 1);
    lab.assert_counters_true().await;
}

pub async fn a_started_turn_stands_alone(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (text, ms) in [("start_realty_2", 0), ("a", 1), ("b", 2), ("start_realty_2", 3), ("c", 4)] {
        lab.hears("971501", text, ms).await;
    }
    let mut turns = Vec::new();
    while let Some(claim) = lab.claim(1, 10_000).await.pop() {
        turns.push(words(&claim.trigger).join(" "));
        lab.commit(&claim, Answer::default(), 10_000).await;
    }
    assert_eq!(turns, ["started: start_realty_2", "a b", "started: start_realty_2", "c"]);
}

pub async fn timers_become_turns(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "remind me", 1).await;
    let set = |key: &str, ms| TimerChange::Set { key: key.into(), at: at(ms), payload: format!("{ms}") };
    let claim = lab.claim_one(2).await;
    let timers = vec![set("b", 2000), set("a", 1000), set("never", 1500)];
    lab.commit(&claim, Answer { timers, ..Answer::default() }, 3).await;
    assert_eq!(lab.store().next_turn_at(), Some(at(1000)));
    assert_eq!(lab.claim(10, 999).await.len(), 0);
    let claim = lab.claim_one(1000).await;
    assert_eq!(words(&claim.trigger), ["timer: a 1000"]);
    assert_eq!(lab.store().counters().inbox, 1);
    let cancel = TimerChange::Cancel { key: "never".into() };
    lab.commit(&claim, Answer { says: vec!["ding"], timers: vec![cancel], ..Answer::default() }, 1001).await;
    assert_eq!(lab.lines(2, "971501").await.last().map(String::as_str), Some("Brain: ding (Queued)"));
    // Two that are due at once are two turns, in their order.
    let claim = lab.claim_one(9000).await;
    assert_eq!(words(&claim.trigger), ["timer: b 2000"]);
    lab.commit(&claim, Answer::default(), 9001).await;
    assert_eq!((lab.claim(10, 99_999).await.len(), lab.store().next_turn_at()), (0, None));
    lab.assert_counters_true().await;
}

pub async fn timers_survive_a_restart_and_are_replaced_by_key(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    for (who, tenant) in [("971501", 2), ("971502", 3)] {
        lab.meets(who, tenant, 0).await;
        lab.hears(who, "hi", 1).await;
        let claim = lab.claim_one(2).await;
        let set = |ms: i64| TimerChange::Set { key: "k".into(), at: at(ms), payload: format!("{who} {ms}") };
        lab.commit(&claim, Answer { timers: vec![set(100), set(700)], ..Answer::default() }, 3).await;
    }
    lab.restart();
    assert_eq!(lab.store().next_turn_at(), Some(at(700)));
    assert_eq!(lab.claim(10, 699).await.len(), 0, "the earlier time was replaced");
    let claims = lab.claim(10, 700).await;
    let mut said: Vec<_> =
        claims.iter().map(|claim| (claim.key.tenant.get(), words(&claim.trigger).join(""))).collect();
    said.sort();
    assert_eq!(said, [(2, "timer: k 971501 700".to_owned()), (3, "timer: k 971502 700".to_owned())]);
}

pub async fn a_hand_off_takes_what_waits_out_of_the_brains_hands(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "agent", 1).await;
    let claim = lab.claim_one(2).await;
    lab.hears("971501", "please hurry", 3).await;
    let timers = vec![TimerChange::Set { key: "nudge".into(), at: at(50), payload: String::new() }];
    lab.commit(&claim, Answer { mode: Some(Mode::Human), timers, ..Answer::default() }, 4).await;
    assert_eq!(lab.claim(10, 100).await.len(), 0);
    assert_eq!(lab.lines(2, "971501").await[1..], ["Contact: agent", "Contact: please hurry"]);
    assert_eq!((lab.store().counters().inbox, lab.store().next_turn_at()), (0, None));
    lab.assert_counters_true().await;
}

pub async fn what_was_claimed_is_claimed_again_after_a_start(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_2", 0).await;
    let before = lab.claim_one(1).await;
    lab.restart();
    let after = lab.claim_one(1).await;
    assert_eq!((after.key, after.entries, after.seed), (before.key, before.entries, before.seed));
}

/// However long its number is switched off, and whatever it waits for: it is not read again and again, and what
/// changes that calls it.
pub async fn a_conversation_of_a_number_that_is_switched_off_is_called(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let own = lab.store().directory().senders[&SenderName::new("own")].clone();
    let switch = async |active| {
        lab.store().put_sender(Sender { active, ..(*own).clone() }, "test").await.expect("put");
    };
    let mut arrival = arrival("971501", "m1", "hello", clock::now());
    (arrival.inbound.account, arrival.sender) = (own.account.clone(), own.name.clone());
    switch(false).await;
    lab.accept(arrival).await;
    let claim = async || lab.store().claim_turns(1, clock::now()).await.expect("claimed");
    for _ in 0..3 {
        assert_eq!(claim().await.len(), 0);
        let again = lab.store().next_turn_at().expect("it waits");
        assert!(again > clock::now().plus_ms(10 * 60_000), "not soon: {again}");
        switch(false).await;
    }
    assert_eq!(claim().await.len(), 0);
    let main = lab.store().directory().senders[&SenderName::new("main")].clone();
    lab.store().put_sender(Sender { groups: true, ..(*main).clone() }, "test").await.expect("put");
    assert!(lab.store().next_turn_at().is_some_and(|at| at > clock::now().plus_ms(10 * 60_000)), "another's");
    switch(true).await;
    assert_eq!(claim().await.len(), 1, "at once");
}

/// A change of any number uses up no try of what waits to be tried again.
pub async fn a_turn_that_is_tried_later_is_called_by_no_change_of_a_sender(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_2", 0).await;
    let claim = lab.claim_one(1).await;
    let retry_at = clock::now().plus_ms(3_600_000);
    lab.fail(&claim, TurnFate::Retry { at: retry_at }, 2).await;
    for name in ["main", "own"] {
        let sender = lab.store().directory().senders[&SenderName::new(name)].clone();
        lab.store().put_sender(Sender { groups: true, ..(*sender).clone() }, "test").await.expect("put");
    }
    assert_eq!(lab.store().next_turn_at(), Some(retry_at));
}
