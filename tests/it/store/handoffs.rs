//! Between brain and human: taken over, given back, and what waits meanwhile.

use switchboard::conversation::{LeadChange, Mode, TimerChange, Trigger};
use switchboard::event::Receipt;
use switchboard::message::{DeliveryState, Provider, SenderName};
use switchboard::store::{Error, Limit, Settlement, Store, TurnFate};

use super::lab::{Answer, Factory, Lab, arrival, at, contact, key, says, turn, words};

fn set(key: &str, ms: i64) -> TimerChange {
    TimerChange::Set { key: key.into(), at: at(ms), payload: format!("{ms}") }
}

fn cancel(key: &str) -> TimerChange {
    TimerChange::Cancel { key: key.into() }
}

fn timers(timers: Vec<TimerChange>) -> Answer {
    Answer { timers, ..Answer::default() }
}

/// What a hand-back tells the brain.
fn told(trigger: &Trigger) -> Vec<String> {
    use switchboard::conversation::Line;
    let Trigger::Handback { said } = trigger else { panic!("no hand-back: {trigger:?}") };
    let text = |line: &Line| match line {
        Line::Heard(heard) => heard.content.text().unwrap_or("").to_owned(),
        Line::Said(outbound) => super::lab::text_of(outbound).to_owned(),
    };
    said.iter().map(|entry| format!("{:?}: {}", entry.author, text(&entry.line))).collect()
}

pub async fn a_hand_back_tells_what_was_said(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let conversation = key(2, "971501");
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "agent", 1).await;
    let claim = lab.claim_one(1).await;
    let answer = Answer {
        says: vec!["one moment"],
        timers: vec![set("nudge", 50), set("later", 5000)],
        mode: Some(Mode::Human),
        ..Answer::default()
    };
    lab.commit(&claim, answer, 2).await;
    for n in 0..60 {
        lab.hears("971501", &format!("line {n}"), 10 + n).await;
    }
    assert_eq!(lab.claim(10, 1000).await.len(), 0, "neither lines nor timers are the brain's business");
    assert_eq!(lab.store().next_turn_at(), Some(at(5000)));
    lab.restart();
    lab.store().hand_back(&conversation, "tenant 2", at(1001)).await.expect("given back");
    let again = lab.store().hand_back(&conversation, "tenant 2", at(1002)).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let stranger = lab.store().hand_back(&key(3, "971501"), "operator", at(1002)).await;
    assert!(matches!(stranger, Err(Error::NotFound(_))), "{stranger:?}");
    lab.hears("971501", "are you there?", 1003).await;
    let claim = lab.claim_one(1004).await;
    let lines = told(&claim.trigger);
    assert_eq!(
        (lines.len(), lines[0].as_str(), lines[49].as_str()),
        (50, "Contact: line 10", "Contact: line 59")
    );
    assert_eq!(claim.conversation.mode, Mode::Bot);
    lab.commit(&claim, says(&["I am back"]), 1005).await;
    let mut next = Vec::new();
    for ms in [1006, 1007, 5000] {
        let claim = lab.claim_one(ms).await;
        next.extend(words(&claim.trigger));
        lab.commit(&claim, Answer::default(), ms).await;
    }
    assert_eq!(next, ["timer: nudge 50", "are you there?", "timer: later 5000"]);
    assert_eq!(lab.lines(2, "971501").await.len(), 2 + 1 + 60 + 2, "a hand-back is no line");
    let audit = lab.store().audit_log(1).await.expect("audit").remove(0);
    assert_eq!(
        (audit.action.as_str(), audit.actor.as_str(), audit.subject.as_str()),
        ("hand back", "tenant 2", "2/971501")
    );
    lab.assert_counters_true().await;
}

pub async fn a_human_takes_over_by_itself(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let conversation = key(2, "971501");
    let nobody = lab.store().take_over(&conversation, "operator", at(0)).await;
    assert!(matches!(nobody, Err(Error::NotFound(_))), "{nobody:?}");
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "hello", 1).await;
    let running = lab.claim_one(1).await;
    lab.commit(&running, timers(vec![set("soon", 5)]), 2).await;
    lab.hears("971501", "hello?", 3).await;
    let running = lab.claim_one(3).await;
    // It rings, and waits for the turn that runs.
    assert_eq!(lab.claim(10, 6).await.len(), 0);
    lab.store().take_over(&conversation, "operator", at(7)).await.expect("taken over");
    let again = lab.store().take_over(&conversation, "operator", at(8)).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    // The turn that ran while the human came does not take the conversation away again.
    let late = Answer { says: vec!["goodbye"], mode: Some(Mode::Ended), ..Answer::default() };
    lab.commit(&running, late, 9).await;
    lab.hears("971501", "a human?", 10).await;
    assert_eq!(lab.claim(10, 100).await.len(), 0);
    let kept = lab.store().conversation(&conversation).await.expect("read").expect("there");
    assert_eq!((kept.mode, lab.store().counters().inbox), (Mode::Human, 0));
    lab.restart();
    lab.store().hand_back(&conversation, "operator", at(200)).await.expect("given back");
    let claim = lab.claim_one(200).await;
    assert_eq!(told(&claim.trigger), ["Contact: hello?", "Brain: goodbye", "Contact: a human?"]);
    lab.commit(&claim, Answer::default(), 201).await;
    assert_eq!(words(&lab.claim_one(202).await.trigger), ["timer: soon 5"], "it had rung already");
    let done: Vec<_> =
        lab.store().audit_log(2).await.expect("audit").into_iter().map(|entry| entry.action).collect();
    assert_eq!(done, ["hand back", "take over"]);
    lab.assert_counters_true().await;
}

/// The first message waits, has failed once, or was absorbed; and the process may end in between.
pub async fn a_first_message_that_waits_is_heard_by_who_takes_over(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let cases = (0..12).map(|n| (n % 3, n / 3 % 2 == 1, n / 6 == 1));
    for (n, (fate, before, after)) in cases.enumerate() {
        let who = format!("9715{n:02}");
        let (conversation, ms) = (key(2, &who), 100 * n as i64);
        lab.hears(&who, "start_realty_2", ms).await;
        if fate == 1 {
            let claim = lab.claim_one(ms).await;
            lab.fail(&claim, TurnFate::Retry { at: at(ms + 20) }, ms).await;
        }
        lab.store().take_over(&conversation, "tenant 2", at(ms + 1)).await.expect("taken over");
        let kept = lab.store().conversation(&conversation).await.expect("read").expect("there");
        assert_eq!(
            (kept.mode, kept.sender, kept.created_at),
            (Mode::Human, Some(SenderName::new("main")), at(ms))
        );
        if before {
            lab.restart();
        }
        if fate == 2 {
            assert_eq!(lab.claim(10, ms + 2).await.len(), 0, "it is the human's");
        }
        lab.store().hand_back(&conversation, "tenant 2", at(ms + 3)).await.expect("given back");
        if after {
            lab.restart();
        }
        let claim = lab.claim_one(ms + 4).await;
        assert_eq!(told(&claim.trigger).len(), usize::from(fate == 2), "{fate}");
        lab.commit(&claim, says(&["I am back"]), ms + 5).await;
        let send = lab.sends(1, ms + 6).await.remove(0);
        assert_eq!((send.entry.to.as_str(), &send.id.key), (format!("{who}@c.us").as_str(), &conversation));
        lab.settle(&send, Settlement::Sent { provider_id: None }, ms + 6).await;
        if fate != 2 {
            let claim = lab.claim_one(ms + 30).await;
            assert_eq!(words(&claim.trigger), ["started: start_realty_2"]);
            lab.commit(&claim, Answer::default(), ms + 30).await;
        }
        lab.assert_counters_true().await;
    }
}

/// Whatever may be refused is refused before anything is written.
pub async fn a_refusal_costs_nobody_else_anything(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.owes("971501", 1, &["one"], 0).await;
    let store = lab.store();
    let nobody = key(1, "971599");
    let stranger = contact("971599");
    let file = switchboard::store::media::FileState::Gone;
    let refused = [
        store.remove_api_key("nobody's", "test", at(1)).await.map(drop),
        store.take_over(&nobody, "test", at(1)).await,
        store.hand_back(&key(1, "971501"), "test", at(1)).await,
        store.hand_back(&nobody, "test", at(1)).await,
        store.unlock(&stranger, "test", at(1)).await.map(drop),
        store.unmerge_contact(&stranger, "test", at(1)).await.map(drop),
        store.merge_contacts(&stranger, &stranger, "test", at(1)).await.map(drop),
        store.set_opt_out(&nobody, None, "test", at(1)).await,
        store.retry_turn("1-971501-99", "test", at(1)).await,
        store.retry_send("1-971501-99", "test", at(1)).await,
        store.drop_send("1-971501-99", "test", at(1)).await,
        store.settle_file(nobody.tenant, "file-0", file).await,
        store.put_tenant(super::lab::tenant(9, 99), "test").await,
        store.put_sender(super::lab::sender("new", "new", Some(99)), "test").await,
        store.put_collection(super::lab::tenant_id(99), "homes", Vec::new(), "test").await,
    ];
    for (nth, refused) in refused.iter().enumerate() {
        assert!(matches!(refused, Err(Error::NotFound(_) | Error::Conflict(_))), "{nth}: {refused:?}");
    }
    lab.assert_counters_true().await;
}

pub async fn a_conversation_has_few_timers(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let some = |from: i64, to: i64| (from..to).map(|n| set(&format!("t{n}"), 1000 + n)).collect::<Vec<_>>();
    lab.hears("971501", "one", 1).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, timers(some(0, 64)), 2).await;
    lab.hears("971501", "two", 3).await;
    let claim = lab.claim_one(3).await;
    let before = lab.store().counters();
    let refused = lab.store().commit_turn(turn(&claim, timers(some(64, 65)), at(4))).await;
    assert!(
        matches!(&refused, Err(Error::Limit { of: Limit::Timers, message }) if message.contains("65 timers; the limit is 64")),
        "{refused:?}"
    );
    assert_eq!(lab.store().counters(), before, "nothing of it happened");
    // The same keys again, or another in the place of one, are no more than before.
    let mut swap = some(0, 64);
    swap.extend([cancel("t3"), set("other", 2000)]);
    lab.commit(&claim, timers(swap), 5).await;
    // Those that have rung count as long as they wait.
    let claim = lab.claim_one(1100).await;
    assert_eq!(words(&claim.trigger), ["timer: t0 1000"]);
    let refused = lab.store().commit_turn(turn(&claim, timers(some(100, 102)), at(1101))).await;
    assert!(matches!(refused, Err(Error::Limit { of: Limit::Timers, .. })), "{refused:?}");
    lab.commit(&claim, timers(some(100, 101)), 1102).await;
    lab.assert_counters_true().await;
}

pub async fn what_is_cancelled_does_not_ring(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    lab.hears("971501", "hi", 1).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, timers(vec![set("a", 10), set("b", 11), set("c", 12)]), 2).await;
    lab.hears("971501", "here I am", 5).await;
    // All three have rung when the contact's words are answered.
    let claim = lab.claim_one(20).await;
    assert_eq!(words(&claim.trigger), ["here I am"]);
    assert_eq!(lab.store().counters().inbox, 4);
    lab.commit(&claim, timers(vec![cancel("a"), set("b", 500)]), 21).await;
    let claim = lab.claim_one(22).await;
    assert_eq!(words(&claim.trigger), ["timer: c 12"]);
    lab.commit(&claim, timers(vec![set("c", 600)]), 23).await;
    assert_eq!((lab.claim(10, 499).await.len(), lab.store().counters().inbox), (0, 0));
    for (ms, rings) in [(500, "timer: b 500"), (600, "timer: c 600")] {
        let claim = lab.claim_one(ms).await;
        assert_eq!(words(&claim.trigger), [rings]);
        lab.commit(&claim, Answer::default(), ms).await;
    }
    lab.assert_counters_true().await;
}

pub async fn a_lead_does_not_grow_without_end(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 2, 0).await;
    let fields = |count: usize, text: &str| {
        let fields = (0..count).map(|n| (format!("f{n}"), text.into())).collect();
        Answer { leads: vec![LeadChange { stage: None, fields }], ..Answer::default() }
    };
    lab.hears("971501", "one", 1).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, fields(256, "x"), 2).await;
    lab.hears("971501", "two", 3).await;
    let claim = lab.claim_one(3).await;
    let before = (lab.store().counters(), lab.lines(2, "971501").await);
    for (wanted, says) in [
        (fields(257, "x"), "would have 257 fields; the limit is 256"),
        (fields(20, &"x".repeat(4000)), "bytes; the limit is 65536"),
    ] {
        let refused = lab.store().commit_turn(turn(&claim, wanted, at(4))).await;
        assert!(
            matches!(&refused, Err(Error::Limit { of: Limit::Lead, message }) if message.contains(says)),
            "{refused:?}"
        );
    }
    assert_eq!((lab.store().counters(), lab.lines(2, "971501").await), before, "nothing of it happened");
    lab.fail(&claim, TurnFate::Dead { fallback: None }, 5).await;
    let organization = switchboard::message::OrganizationId(1);
    let lead = lab.store().lead(organization, &contact("971501")).await.expect("read").expect("there");
    assert_eq!(lead.fields.len(), 256);
    lab.assert_counters_true().await;
}

fn receipt(id: &str, state: DeliveryState) -> Receipt {
    Receipt {
        provider: Provider::Waha,
        account: Some("default".into()),
        message_id: id.into(),
        contact: None,
        from_raw: None,
        state,
        at: at(0),
        reason: None,
        other_ids: Vec::new(),
        reference: None,
        fate: None,
    }
}

pub async fn receipts_become_turns_where_they_are_wanted(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let store = |lab: &Lab<'_>| lab.store().clone() as std::sync::Arc<dyn Store>;
    lab.owes("971501", 2, &["one", "two"], 0).await;
    let sent = |id: &str| Settlement::Sent { provider_id: Some(id.into()) };
    let claim = lab.sends(1, 10).await.remove(0);
    lab.settle(&claim, sent("p1"), 11).await;
    store(&lab).record_receipt(receipt("p1", DeliveryState::Delivered)).await.expect("recorded");
    assert_eq!(lab.store().counters().inbox, 0, "not asked for");

    lab.accept(arrival("971501", "m9", "and now?", at(12))).await;
    let claim = lab.claim_one(12).await;
    let mut asks = turn(&claim, Answer::default(), at(13));
    asks.wants_receipts = true;
    store(&lab).commit_turn(asks).await.expect("committed");
    lab.restart();
    for state in [DeliveryState::Read, DeliveryState::Delivered, DeliveryState::Read] {
        store(&lab).record_receipt(receipt("p1", state)).await.expect("recorded");
    }
    let far = i64::MAX / 4;
    let claim = lab.claim_one(far).await;
    let expected = Trigger::Receipt { message_id: "p1".into(), state: DeliveryState::Read, reason: None };
    assert_eq!(claim.trigger, expected, "forward only, and once");
    let mut answer = turn(&claim, Answer::default(), at(20));
    answer.wants_receipts = true;
    store(&lab).commit_turn(answer).await.expect("committed");
    assert_eq!(lab.lines(2, "971501").await.len(), 5, "a receipt is no line");

    // One that overtakes the answer to its request is told of too.
    let claim = lab.sends(1, 30).await.remove(0);
    store(&lab).record_receipt(receipt("p2", DeliveryState::Delivered)).await.expect("noted");
    lab.settle(&claim, sent("p2"), 31).await;
    let claim = lab.claim_one(far).await;
    let expected =
        Trigger::Receipt { message_id: "p2".into(), state: DeliveryState::Delivered, reason: None };
    assert_eq!(claim.trigger, expected);
    lab.assert_counters_true().await;
}

/// What waited for the brain when humans took over is taken in together, and keeps no other turn waiting.
pub async fn what_waited_for_a_human_is_taken_in_together(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..100 {
        let who = format!("9715{n:02}");
        lab.meets(&who, 1, 0).await;
        lab.hears(&who, "hello", 1).await;
        lab.store().take_over(&key(1, &who), "human", at(2)).await.expect("taken over");
    }
    lab.hears("971600", "start_realty_2", 3).await;
    let claims = lab.claim(1000, 4).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].key, key(2, "971600"));
    lab.commit(&claims[0], Answer::default(), 5).await;
    // The queue is in order: what was handed to the writer before that commit is done.
    assert_eq!(lab.store().counters().inbox, 100 - 64, "so many in one commit");
    assert!(lab.claim(1000, 6).await.is_empty());
    assert_eq!(lab.store().counters().inbox, 0);
    assert_eq!(lab.lines(1, "971599").await.last().map(String::as_str), Some("Contact: hello"));
    assert_eq!(lab.store().next_turn_at(), None, "no claim is left behind");
    lab.assert_counters_true().await;
}
