//! Messages coming in.

use serde_json::json;
use switchboard::conversation::{Mode, Trigger};
use switchboard::message::SenderName;
use switchboard::route::{Answer, Reason};
use switchboard::store::{Error, Retention};

use super::lab::{Answer as Reply, Factory, Lab, all, arrival, at, contact, key, says, tenant_id, words};

fn routed(tenant: u32, who: &str, is_new_session: bool) -> Answer {
    Answer::Routed { tenant: tenant_id(tenant), contact: contact(who), is_new_session }
}

pub async fn a_duplicate_gets_the_first_answer(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let first = lab.accept(arrival("971501", "m1", "start_realty_2-instagram", at(0))).await;
    assert_eq!(first.answer, routed(2, "971501", true));
    assert!(!first.duplicate);
    let before = lab.store().counters();
    for restarted in [false, true] {
        if restarted {
            lab.restart();
        }
        let again = lab.accept(arrival("971501", "m1", "start_realty_1", at(900))).await;
        assert_eq!(again.answer, first.answer, "restarted: {restarted}");
        assert!(again.duplicate);
        assert_eq!(lab.store().counters(), before, "nothing changes");
    }
    let mut elsewhere = arrival("971501", "m1", "hello", at(901));
    elsewhere.inbound.account = "second".into();
    assert!(
        !lab.accept(elsewhere).await.duplicate,
        "another account's message of the same id is another message"
    );
    assert_eq!(lab.store().turns(&all()).await.expect("turns").len(), 2);
    lab.assert_counters_true().await;
}

pub async fn what_is_ignored_is_a_duplicate_too(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (id, text, reason) in [
        ("a", "hello", Reason::NoTenant),
        ("b", "start_realty_99", Reason::UnknownTenant),
        ("c", "start_realty_4", Reason::UnknownTenant),
    ] {
        for duplicate in [false, true] {
            let accepted = lab.accept(arrival("971501", id, text, at(0))).await;
            assert_eq!((accepted.answer, accepted.duplicate), (Answer::Ignored(reason), duplicate), "{text}");
        }
    }
    assert_eq!(lab.store().counters().accepted, 0);
    assert_eq!(lab.store().lock_of(&contact("971501")).await.expect("read"), None);
}

pub async fn two_links_at_once_make_one_lock(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for round in 0..8 {
        let who = format!("9715{round:03}");
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (store, who) = (lab.store().clone(), who.clone());
                let link = format!("start_realty_{}", n % 2 + 1);
                tokio::spawn(
                    async move { store.accept(arrival(&who, &format!("{who}-{n}"), &link, at(0))).await },
                )
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("no panic").expect("accepted").answer);
        }
        let lock = lab.store().lock_of(&contact(&who)).await.expect("read").expect("locked");
        let winner = routed(lock.tenant.get(), &who, true);
        let later = routed(lock.tenant.get(), &who, false);
        assert_eq!(
            answers.iter().filter(|answer| **answer == winner).count(),
            1,
            "one message made the lock"
        );
        assert_eq!(answers.iter().filter(|answer| **answer == later).count(), 63, "all others follow it");
    }
    let counters = lab.store().counters();
    assert_eq!((counters.users, counters.conflicts), (8, 8 * 32));
    lab.assert_counters_true().await;
}

pub async fn a_conflict_is_counted_and_audited_once(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    for _ in 0..3 {
        let accepted = lab.accept(arrival("971501", "m2", "start_realty_2", at(10))).await;
        assert_eq!(accepted.answer, routed(1, "971501", false), "the contact stays, and is told nothing");
    }
    lab.accept(arrival("971501", "m3", "start_realty_99", at(11))).await;
    assert_eq!(lab.store().counters().conflicts, 1, "a link of nobody is no conflict");
    let audit = lab.store().audit_log(100).await.expect("audit");
    let conflicts: Vec<_> = audit.iter().filter(|entry| entry.action == "conflict").collect();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].subject, "971501");
    assert_eq!((&conflicts[0].detail["locked_to"], &conflicts[0].detail["link_of"]), (&1.into(), &2.into()));
    let claim = lab.claim_one(20).await;
    assert!(matches!(claim.trigger, Trigger::Messages { .. }), "another's link is just a text");
}

pub async fn a_dedicated_sender_decides_by_itself(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let own = |id: &str, text: &str, ms| {
        let mut arrival = arrival("971501", id, text, at(ms));
        arrival.sender = SenderName::new("own");
        arrival.inbound.account = "own".into();
        arrival
    };
    assert_eq!(lab.accept(own("m1", "hello", 0)).await.answer, routed(2, "971501", true));
    assert_eq!(lab.accept(own("m2", "start_realty_2", 1)).await.answer, routed(2, "971501", false));
    assert_eq!(lab.store().counters().users, 0, "it makes no lock");
    let claim = lab.claim_one(10).await;
    lab.commit(&claim, says(&["hi"]), 10).await;
    let claim = lab.claim_one(11).await;
    assert!(matches!(&claim.trigger, Trigger::Started { first: false, .. }), "{:?}", claim.trigger);
    assert_eq!(
        lab.sends(1, 12).await[0].entry.sender,
        SenderName::new("own"),
        "replies leave where it came in"
    );
}

pub async fn an_unknown_sender_is_refused(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let mut lost = arrival("971501", "m1", "start_realty_1", at(0));
    lost.sender = SenderName::new("nobody");
    assert!(matches!(lab.store().accept(lost.clone()).await, Err(Error::NotFound(_))));
    lost.sender = SenderName::new("main");
    assert!(!lab.accept(lost).await.duplicate, "what was refused left nothing behind");
}

pub async fn a_stranger_is_told_once_a_day(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    const DAY: i64 = 24 * 3_600_000;
    let mut told = Vec::new();
    for (ms, restart) in [(0, false), (1, false), (DAY - 1, true), (DAY, false), (DAY + 5, false)] {
        if restart {
            lab.restart();
        }
        lab.hears("971501", "hello", ms).await;
        told.push(lab.store().counters().outbox_waiting);
    }
    assert_eq!(told, [1, 1, 1, 2, 2]);
    lab.hears("971502", "start_realty_99", DAY).await;
    assert_eq!(lab.store().counters().outbox_waiting, 3, "a wrong link helps no more than none");
    let sends = lab.sends(1, DAY).await;
    assert_eq!(sends[0].id.key, key(0, "971501"), "in the gateway's own name");
    assert_eq!(sends[0].entry.to, "971501@c.us");
    assert_eq!(lab.lines(0, "971501").await.len(), 2);
    lab.assert_counters_true().await;
}

pub async fn aliases_lead_to_one_contact(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("111@lid", 2, 0).await;
    let mut both = arrival("971501", "m1", "hello", at(10));
    both.inbound.aliases = vec![contact("111@lid")];
    assert_eq!(lab.accept(both).await.answer, routed(2, "111@lid", false), "the older lock wins");
    lab.restart();
    assert_eq!(lab.hears("971501", "me again", 11).await.answer, routed(2, "111@lid", false));
    let lock =
        lab.store().lock_of(&contact("971501")).await.expect("read").expect("locked through its alias");
    assert_eq!(lock.tenant, tenant_id(2));
    assert_eq!(lab.store().counters().users, 1);
    assert_eq!(lab.store().locks(None, 10).await.expect("locks").len(), 1);

    // The other way round: the phone is known first, the hidden id is learnt.
    let mut link = arrival("971777", "m2", "start_realty_1", at(20));
    link.inbound.aliases = vec![contact("222@lid")];
    lab.accept(link).await;
    assert_eq!(lab.hears("222@lid", "hello", 21).await.answer, routed(1, "971777", false));
    let freed = lab.store().unlock(&contact("222@lid"), "test", at(30)).await.expect("unlocked by its alias");
    assert_eq!(freed.tenant, tenant_id(1));
    assert_eq!(lab.hears("971777", "start_realty_3", 31).await.answer, routed(3, "971777", true));
    assert_eq!(lab.hears("222@lid", "still me", 32).await.answer, routed(3, "971777", false));
    lab.assert_counters_true().await;
}

pub async fn a_human_is_not_answered_by_the_brain(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "agent", 1).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, Reply { says: vec!["one moment"], mode: Some(Mode::Human), ..Reply::default() }, 2)
        .await;
    lab.restart();
    let accepted = lab.hears("971501", "thank you", 3).await;
    assert_eq!(accepted.answer, routed(2, "971501", false));
    assert_eq!(lab.claim(10, 1000).await.len(), 0);
    assert_eq!(lab.store().counters().inbox, 0);
    assert_eq!(
        lab.lines(2, "971501").await,
        ["Contact: start_realty_2", "Contact: agent", "Brain: one moment (Queued)", "Contact: thank you"]
    );
    let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
    assert_eq!((conversation.mode, conversation.last_inbound_at), (Mode::Human, at(3)));
    assert!(lab.accept(arrival("971501", "971501/thank you/3", "thank you", at(9))).await.duplicate);
    assert_eq!(lab.lines(2, "971501").await.len(), 4);
}

pub async fn an_ended_conversation_opens_again(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "bye", 1).await;
    let claim = lab.claim_one(1).await;
    // This one comes while the turn that ends the conversation still runs.
    lab.hears("971501", "one more thing", 2).await;
    lab.commit(&claim, Reply { mode: Some(Mode::Ended), ..Reply::default() }, 3).await;
    for (text, ms) in [("one more thing", 4), ("and again", 10)] {
        if ms == 10 {
            lab.hears("971501", text, ms).await;
        }
        let claim = lab.claim_one(ms).await;
        assert_eq!(words(&claim.trigger), [text]);
        assert_eq!(claim.conversation.mode, Mode::Bot);
        lab.commit(&claim, Reply { mode: Some(Mode::Ended), ..Reply::default() }, ms).await;
        let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
        assert_eq!(conversation.mode, Mode::Ended);
    }
    lab.hears("971501", "hello?", 20).await;
    let claim = lab.claim_one(20).await;
    lab.commit(&claim, says(&["hi"]), 21).await;
    let conversation = lab.store().conversation(&key(2, "971501")).await.expect("read").expect("there");
    assert_eq!(conversation.mode, Mode::Bot, "it stays open until the brain ends it again");
}

pub async fn a_link_that_names_no_tenant_is_told_of_too(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("971501", "start_realty_222", 0).await;
    assert_eq!(lab.sends_one(1).await, "Please open your agent's link.");
    lab.hears("971501", "start_realty_222", 2).await;
    assert_eq!(lab.sends(1, 3).await.len(), 0, "once");
}

pub async fn what_was_ignored_is_forgotten_in_time(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for id in ["m1", "m2", "m3"] {
        assert!(!lab.accept(arrival("971501", id, "hello", at(0))).await.duplicate);
    }
    let keep = Retention {
        dedup_ms: 1000,
        history_ms: 1000,
        ended_ms: 1000,
        journal_ms: 1000,
        audit_ms: i64::MAX,
        template_log_ms: i64::MAX,
    };
    lab.store().prune(keep, at(5000), 1000).await.expect("pruned");
    for id in ["m1", "m2", "m3"] {
        assert!(!lab.accept(arrival("971501", id, "hello", at(6000))).await.duplicate, "{id}");
    }
}

pub async fn two_locks_of_one_person_become_one(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let both = |phone: &str, lid: &str, id: &str, ms: i64| {
        let mut both = arrival(phone, id, "hello", at(ms));
        both.inbound.aliases = vec![contact(lid)];
        both
    };
    lab.meets("111@lid", 1, 0).await;
    lab.meets("971501", 2, 1).await;
    assert_eq!(lab.store().counters().users, 2);
    let accepted = lab.accept(both("971501", "111@lid", "m1", 10)).await;
    assert_eq!(accepted.answer, routed(1, "111@lid", false), "the older lock wins");
    lab.restart();
    for who in ["971501", "111@lid"] {
        assert_eq!(lab.hears(who, "and again", 11).await.answer, routed(1, "111@lid", false));
        let lock = lab.store().lock_of(&contact(who)).await.expect("read").expect("locked");
        assert_eq!(lock.tenant, tenant_id(1));
    }
    let counters = lab.store().counters();
    assert_eq!((counters.users, counters.users_per_tenant.get(&2)), (1, None));
    lab.assert_counters_true().await;
    let audit = lab.store().audit_log(1).await.expect("audit").remove(0);
    assert_eq!((audit.action.as_str(), audit.subject.as_str()), ("merge", "111@lid"));
    assert_eq!((&audit.detail["merged"], &audit.detail["was_locked_to"]), (&json!("971501"), &json!(2)));

    // The canonical key is freed, and later turns out to be somebody with an older lock: whoever led
    // to it leads there too.
    lab.meets("971600", 3, 20).await;
    lab.store().unlock(&contact("971501"), "test", at(21)).await.expect("unlocked");
    lab.accept(both("971600", "111@lid", "m2", 22)).await;
    for who in ["971600", "111@lid", "971501"] {
        assert_eq!(lab.hears(who, "hi", 23).await.answer, routed(3, "971600", false), "{who}");
        assert_eq!(
            lab.store().lock_of(&contact(who)).await.expect("read").expect("locked").tenant,
            tenant_id(3)
        );
    }
    lab.assert_counters_true().await;
}

/// A message may have been on its way for most of a day.
pub async fn a_window_counts_from_when_the_contact_wrote(factory: &dyn Factory) {
    const HOUR: i64 = 3_600_000;
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    // When it came, when it says it was written (0: it does not), and from when the window counts.
    for (n, (came, told, counted)) in [
        (20 * HOUR, HOUR, HOUR),
        (21 * HOUR, 0, 21 * HOUR),
        (22 * HOUR, 2 * HOUR, 21 * HOUR),
        (23 * HOUR, 99 * HOUR, 23 * HOUR),
        // No redelivery takes nineteen days.
        (480 * HOUR, 24 * HOUR, 480 * HOUR),
    ]
    .into_iter()
    .enumerate()
    {
        let mut late = arrival("971501", &format!("late{n}"), "still free?", at(came));
        late.inbound.sent_at = if told == 0 { switchboard::message::Timestamp::ZERO } else { at(told) };
        lab.accept(late).await;
        let claim = lab.claim_one(came).await;
        lab.commit(&claim, Reply::default(), came).await;
        lab.restart();
        let kept = lab.store().conversation(&key(1, "971501")).await.expect("read").expect("a conversation");
        assert_eq!((kept.last_inbound_at, kept.wrote_at), (at(came), at(counted)), "{n}");
        assert_eq!(
            (claim.conversation.last_inbound_at, claim.conversation.wrote_at),
            (at(came), at(counted))
        );
    }
}
