//! Who is who: keys that turn out to be one person's, and are told apart again.

use futures::future::join_all;
use serde_json::json;
use switchboard::conversation::{LeadChange, Mode, TimerChange, Trigger};
use switchboard::event::SameBecause::{self, LookedUp, NumberChanged, NumberForm};
use switchboard::event::SamePerson;
use switchboard::message::{ContactKey, OrganizationId, Provider, SenderName};
use switchboard::route::Answer as Routing;
use switchboard::store::contacts::OptOut;
use switchboard::store::pages::{Before, Span};
use switchboard::store::{Error, Filter, Retention, Settlement, TurnFate};

use super::lab::{Answer, Factory, Lab, all, arrival, at, contact, key, says, tenant_id, text_of, words};
use super::reads::paged;

fn same(known: &str, also: &str, because: SameBecause) -> SamePerson {
    SamePerson {
        provider: Provider::Waha,
        account: "default".into(),
        known: contact(known),
        also: contact(also),
        message_id: None,
        at: at(0),
        because,
    }
}

async fn learn(lab: &Lab<'_>, known: &str, also: &str, ms: i64) -> bool {
    lab.store().learn(same(known, also, LookedUp), at(ms)).await.expect("learnt")
}

fn keys(keys: &[&str]) -> Vec<ContactKey> {
    keys.iter().map(|key| contact(key)).collect()
}

async fn lock(lab: &Lab<'_>, who: &str) -> Option<u32> {
    lab.store().lock_of(&contact(who)).await.expect("read").map(|lock| lock.tenant.get())
}

fn lead(stage: &str, fields: serde_json::Value) -> LeadChange {
    let serde_json::Value::Object(fields) = fields else { panic!("an object") };
    LeadChange { stage: Some(stage.into()), fields }
}

/// One person writes to tenant 1 under two keys, and the tenant's brain answers both.
async fn writes_under_two_keys(lab: &Lab<'_>) {
    let timer = |name: &str, ms| TimerChange::Set { key: name.into(), at: at(ms), payload: name.into() };
    let lid = Answer {
        memory: Some("{\"rooms\":2}"),
        leads: vec![lead("warm", json!({"rooms": 2}))],
        timers: vec![timer("both", 500), timer("lid", 510)],
        ..says(&["noted"])
    };
    let phone = Answer {
        memory: Some("{\"rooms\":3}"),
        leads: vec![lead("new", json!({"rooms": 3, "city": "Dubai"}))],
        timers: vec![timer("both", 520), timer("phone", 530)],
        ..says(&["sure"])
    };
    for (who, ms, text, answer) in [
        ("111@lid", 0, "start_realty_1-ad", says(&["welcome"])),
        ("971501", 10, "start_realty_1-link", says(&["hello"])),
        ("111@lid", 20, "two rooms", lid),
        ("971501", 30, "three rooms", phone),
    ] {
        lab.hears(who, text, ms).await;
        let claim = lab.claim_one(ms).await;
        assert_eq!(claim.key.contact, contact(who));
        lab.commit(&claim, answer, ms).await;
    }
}

pub async fn everything_of_two_keys_becomes_one_persons(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    writes_under_two_keys(&lab).await;
    assert_eq!(lab.store().counters().users, 2);
    assert!(learn(&lab, "971501", "111@lid", 50).await);
    assert!(!learn(&lab, "971501", "111@lid", 51).await, "it is known already");
    for round in 0..2 {
        lab.assert_counters_true().await;
        for who in ["971501", "111@lid"] {
            let person = lab.store().person(&contact(who)).await.expect("read");
            assert_eq!((person.canonical, person.aliases), (contact("111@lid"), keys(&["971501"])));
            assert_eq!(person.lock.map(|lock| lock.tenant), Some(tenant_id(1)));
        }
        assert_eq!(lab.store().counters().users_per_tenant.get(&1), Some(&1));
        assert_eq!(
            lab.lines(1, "111@lid").await,
            [
                "Contact: start_realty_1-ad",
                "Brain: welcome (Queued)",
                "Contact: start_realty_1-link",
                "Brain: hello (Queued)",
                "Contact: two rooms",
                "Brain: noted (Queued)",
                "Contact: three rooms",
                "Brain: sure (Queued)",
            ],
            "round {round}"
        );
        assert_eq!(lab.lines(1, "971501").await, [""; 0]);
        let person = key(1, "111@lid");
        let whole = lab.store().history(&person, None, 100).await.expect("history");
        for limit in 1..10 {
            assert_eq!(paged(&lab, &person, None, limit).await, whole, "pages of {limit}");
        }
        for (at, (seq, _)) in whole.iter().enumerate() {
            let span = Span { before: Some(Before { seq: *seq, chains: Vec::new() }), ..Span::newest(100) };
            let before = lab.store().history_span(&person, &span).await.expect("history");
            assert_eq!(before.entries, whole[..at], "before a line of whichever key");
        }
        let journal = lab.store().journal(&key(1, "111@lid"), 10).await.expect("journal");
        assert_eq!(journal.iter().map(|entry| entry.at).collect::<Vec<_>>(), [at(0), at(10), at(20), at(30)]);
        lab.restart();
    }
    let lead = lab.store().lead(OrganizationId(1), &contact("111@lid")).await.expect("read").expect("a lead");
    assert_eq!(
        (lead.stage.as_str(), &lead.fields["rooms"], &lead.fields["city"]),
        ("warm", &json!(2), &json!("Dubai"))
    );
    assert_eq!(lead.threads[&1].source.as_deref(), Some("ad"), "first contact wins");
    assert!(lab.store().lead(OrganizationId(1), &contact("971501")).await.expect("read").is_none());
    let audit = lab.store().audit_log(1).await.expect("audit").remove(0);
    let told = (audit.action.as_str(), &audit.detail["merged"], &audit.detail["reason"]);
    assert_eq!(told, ("merge", &json!("971501"), &json!("hidden id looked up")));
    assert_eq!(audit.detail["conversations_with"], json!([1]));
}

pub async fn what_waits_goes_on_under_the_one_key(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    writes_under_two_keys(&lab).await;
    lab.hears("971501", "are you there?", 40).await;
    assert!(learn(&lab, "971501", "111@lid", 50).await);
    lab.restart();
    let claim = lab.claim_one(60).await;
    assert_eq!(
        (claim.key.clone(), words(&claim.trigger)),
        (key(1, "111@lid"), vec!["are you there?".to_owned()])
    );
    assert_eq!(claim.conversation.memory.as_deref(), Some("{\"rooms\":2}"));
    assert_eq!((claim.conversation.turns, claim.conversation.reply_to.as_str()), (4, "971501@c.us"));
    lab.commit(&claim, says(&["yes"]), 60).await;
    let mut left = Vec::new();
    for ms in 61..66 {
        left.push(lab.sends_one(ms).await);
    }
    assert_eq!(left, ["welcome", "hello", "noted", "sure", "yes"], "in the order in which they were written");
    let mut rung = Vec::new();
    for ms in [600, 601, 602] {
        let claim = lab.claim_one(ms).await;
        rung.extend(words(&claim.trigger));
        lab.commit(&claim, Answer::default(), ms).await;
    }
    assert_eq!(rung, ["timer: both both", "timer: lid lid", "timer: phone phone"]);
    assert_eq!(lab.claim(9, 9_000).await.len(), 0);
    lab.assert_counters_true().await;
}

/// `known` and `also`, the reason, and whether they are one person then.
pub async fn only_what_is_proved_is_merged(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (known, also, because, expected) in [
        ("971501", "971501", NumberChanged, false),
        ("971501", "971502", NumberForm, false),
        ("971501", "971502", LookedUp, false),
        ("111@lid", "971501", LookedUp, true),
        ("971501", "111@lid", LookedUp, false),
        // A hidden id with the digits of a phone number is not that number.
        ("971501@lid", "971502", LookedUp, true),
        ("971501@lid", "971501", LookedUp, false),
        // Somebody else has got this number by now.
        ("222@lid", "971501", LookedUp, false),
        ("111@lid", "971503", NumberForm, false),
        ("971501", "971503", NumberChanged, true),
        ("111@lid", "971503", LookedUp, false),
        ("US.77", "971504", LookedUp, true),
        ("US.77", "971505", LookedUp, false),
    ] {
        let merged = lab.store().learn(same(known, also, because), at(1)).await.expect("learnt");
        assert_eq!(merged, expected, "{known} {also} {because:?}");
    }
    let person = lab.store().person(&contact("971503")).await.expect("read");
    assert_eq!((person.canonical, person.aliases), (contact("111@lid"), keys(&["971501", "971503"])));
    assert_eq!(
        lab.store().audit_log(100).await.expect("audit").iter().filter(|it| it.action == "merge").count(),
        0
    );
}

pub async fn a_merge_by_hand_is_undone(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.meets("971502", 2, 10).await;
    lab.meets("971503", 3, 20).await;
    let store = lab.store().clone();
    let merge = async |from: &str, into: &str| {
        store.merge_contacts(&contact(from), &contact(into), "operator", at(30)).await
    };
    let person = merge("971501", "971502").await.expect("merged");
    assert_eq!((person.canonical, person.aliases), (contact("971502"), keys(&["971501"])));
    assert_eq!(
        person.lock.map(|lock| lock.tenant),
        Some(tenant_id(1)),
        "the older lock wins, whoever is called what"
    );
    merge("971502", "971503").await.expect("merged");
    for (from, into) in [("971501", "971503"), ("971503", "971503"), ("971502", "971501")] {
        assert!(matches!(merge(from, into).await, Err(Error::Conflict(_))), "{from} {into}");
    }
    drop(store);
    lab.restart();
    lab.assert_counters_true().await;
    assert_eq!(lab.store().counters().users, 1);
    assert_eq!(join_all(["971501", "971502", "971503"].map(|who| lock(&lab, who))).await, [Some(1); 3]);
    let lines = join_all([1, 2, 3].map(async |tenant| lab.lines(tenant, "971503").await.len())).await;
    assert_eq!(lines, [1, 1, 1], "each tenant's conversation goes on under the one key");

    // The first leaves again: everybody has what was theirs.
    let left = lab.store().unmerge_contact(&contact("971501"), "operator", at(40)).await.expect("unmerged");
    assert_eq!((left.canonical, left.aliases), (contact("971503"), keys(&["971502"])));
    assert_eq!(
        join_all(["971501", "971502", "971503"].map(|who| lock(&lab, who))).await,
        [Some(1), Some(2), Some(2)]
    );
    lab.store().unmerge_contact(&contact("971502"), "operator", at(41)).await.expect("unmerged");
    assert_eq!(
        join_all(["971501", "971502", "971503"].map(|who| lock(&lab, who))).await,
        [Some(1), Some(2), Some(3)]
    );
    lab.assert_counters_true().await;
    assert_eq!(lab.lines(1, "971503").await.len(), 1, "what was merged of the conversations stays");
    for who in ["971501", "971503", "nobody"] {
        let word = lab.store().unmerge_contact(&contact(who), "operator", at(42)).await;
        assert!(matches!(word, Err(Error::Conflict(_))), "{who}: {word:?}");
    }
    let done: Vec<_> =
        lab.store().audit_log(4).await.expect("audit").into_iter().map(|entry| entry.action).collect();
    assert_eq!(done, ["unmerge", "unmerge", "merge", "merge"]);
}

pub async fn who_was_told_apart_stays_apart(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let both = |id: &str, ms| {
        let mut both = arrival("971501", id, "hello", at(ms));
        both.inbound.aliases = vec![contact("111@lid")];
        both
    };
    lab.meets("111@lid", 1, 0).await;
    lab.meets("971501", 2, 1).await;
    let routed = |accepted: switchboard::store::Accepted| match accepted.answer {
        Routing::Routed { tenant, contact, .. } => (tenant.get(), contact),
        other => panic!("{other:?}"),
    };
    assert_eq!(routed(lab.accept(both("m1", 10)).await), (1, contact("111@lid")));
    lab.store().unmerge_contact(&contact("971501"), "operator", at(20)).await.expect("unmerged");
    lab.restart();
    assert_eq!(routed(lab.accept(both("m2", 30)).await), (2, contact("971501")));
    assert!(!learn(&lab, "111@lid", "971501", 31).await);
    assert_eq!(routed(lab.hears("111@lid", "hi", 32).await), (1, contact("111@lid")));
    lab.assert_counters_true().await;
    // Until somebody says that they are one after all.
    lab.store()
        .merge_contacts(&contact("971501"), &contact("111@lid"), "operator", at(40))
        .await
        .expect("merged");
    assert_eq!(routed(lab.accept(both("m3", 41)).await), (1, contact("111@lid")));
    lab.assert_counters_true().await;
}

pub async fn what_is_under_way_survives_a_merge(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("111@lid", 1, 0).await;
    lab.owes("971501", 1, &["one", "two"], 10).await;
    let sending = lab.sends(9, 20).await.remove(0);
    lab.hears("971501", "hello?", 21).await;
    let running = lab.claim_one(21).await;
    assert!(learn(&lab, "111@lid", "971501", 22).await);

    // The turn is not lost and not done twice.
    let late = lab.store().commit_turn(super::lab::turn(&running, says(&["twice"]), at(23))).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    lab.store().release_turn(&running.key);
    let again = lab.claim_one(24).await;
    assert_eq!((again.key.clone(), words(&again.trigger)), (key(1, "111@lid"), vec!["hello?".to_owned()]));
    lab.commit(&again, says(&["three"]), 25).await;

    // The reply that is on its way holds those behind it until it is settled, by the name it had.
    assert_eq!(lab.sends(9, 26).await.len(), 0);
    lab.settle(&sending, Settlement::Later { at: at(30), error: "busy".into() }, 27).await;
    assert_eq!(lab.sends(9, 29).await.len(), 0);
    let mut left = Vec::new();
    for ms in 30..33 {
        left.push(lab.sends_one(ms).await);
    }
    assert_eq!(left, ["one", "two", "three"]);
    assert_eq!(lab.sends(9, 99).await.len(), 0);
    assert_eq!(lab.lines(1, "111@lid").await.iter().filter(|line| line.ends_with("(Sent)")).count(), 3);
    lab.assert_counters_true().await;
}

/// Both have a reply on its way when they become one.
pub async fn two_replies_on_their_way_are_settled_once_each(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("111@lid", 1, &["a", "b"], 0).await;
    lab.owes("971501", 1, &["c", "d"], 10).await;
    let claims = lab.sends(9, 20).await;
    assert_eq!(claims.len(), 2);
    assert!(learn(&lab, "111@lid", "971501", 21).await);
    assert_eq!(lab.sends(9, 22).await.len(), 0, "nothing is handed out twice");
    for claim in &claims {
        lab.settle(claim, Settlement::Sent { provider_id: None }, 23).await;
    }
    let mut left = vec![lab.sends_one(24).await, lab.sends_one(25).await];
    left.sort();
    assert_eq!(left, ["b", "d"]);
    lab.restart();
    assert_eq!(lab.sends(9, 99).await.len(), 0);
    assert_eq!(lab.lines(1, "111@lid").await.iter().filter(|line| line.ends_with("(Sent)")).count(), 4);
    lab.assert_counters_true().await;
}

/// A third key turns up while what two keys left is still on its way.
pub async fn a_chain_of_merges_loses_nothing(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.owes("971501", 1, &["one"], 0).await;
    let one = lab.sends(9, 5).await.remove(0);
    lab.owes("971502", 1, &["two", "three"], 10).await;
    let merge = async |lab: &Lab<'_>, from: &str, into: &str| {
        lab.store().merge_contacts(&contact(from), &contact(into), "operator", at(20)).await.expect("merged");
    };
    merge(&lab, "971501", "971502").await;
    lab.meets("971503", 1, 30).await;
    lab.hears("971502", "still me", 31).await;
    merge(&lab, "971502", "971503").await;
    lab.settle(&one, Settlement::Unknown { error: "timed out".into() }, 40).await;
    lab.assert_counters_true().await;
    let ended = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox");
    assert_eq!((ended[0].contact.clone(), text_of(&ended[0].entry.outbound)), (contact("971503"), "one"));
    let claim = lab.claim_one(50).await;
    lab.fail(&claim, TurnFate::Dead { fallback: None }, 51).await;
    lab.meets("971504", 1, 52).await;
    merge(&lab, "971503", "971504").await;
    lab.restart();
    lab.assert_counters_true().await;
    let dead = lab.store().turns(&Filter { ended: true, ..all() }).await.expect("turns");
    assert_eq!((dead.len(), dead[0].contact.clone()), (1, contact("971504")));
    lab.store().retry_turn(&dead[0].id, "operator", at(60)).await.expect("retried");
    let claim = lab.claim_one(60).await;
    assert_eq!(words(&claim.trigger), ["still me"]);
    lab.commit(&claim, Answer::default(), 61).await;
    let ended = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox");
    lab.store().retry_send(&ended[0].id, "operator", at(62)).await.expect("retried");
    let mut left = Vec::new();
    for ms in 63..66 {
        left.push(lab.sends_one(ms).await);
    }
    left.sort();
    assert_eq!(left, ["one", "three", "two"]);
    let lines = lab.lines(1, "971504").await;
    for said in ["hello", "one (Sent)", "two (Sent)", "three (Sent)", "still me"] {
        assert!(lines.iter().any(|line| line.ends_with(said)), "{said} in {lines:?}");
    }
    lab.assert_counters_true().await;
}

pub async fn a_human_keeps_what_becomes_one(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("111@lid", 1, 0).await;
    lab.meets("971501", 1, 10).await;
    lab.store().take_over(&key(1, "971501"), "operator", at(20)).await.expect("taken over");
    lab.hears("971501", "to the human", 21).await;
    assert!(learn(&lab, "111@lid", "971501", 22).await);
    for round in 0..2 {
        let conversation = lab.store().conversation(&key(1, "111@lid")).await.expect("read").expect("there");
        assert_eq!(conversation.mode, Mode::Human, "round {round}");
        lab.restart();
    }
    lab.hears("971501", "still to the human", 30).await;
    assert_eq!(lab.claim(9, 31).await.len(), 0);
    lab.store().hand_back(&key(1, "111@lid"), "operator", at(40)).await.expect("given back");
    let claim = lab.claim_one(41).await;
    let Trigger::Handback { said } = &claim.trigger else { panic!("{:?}", claim.trigger) };
    assert_eq!(said.len(), 2);
    lab.commit(&claim, Answer::default(), 42).await;
    lab.assert_counters_true().await;
}

/// On a dedicated sender no lock tells who was there before.
pub async fn a_dedicated_senders_conversations_become_one(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let own = |who: &str, id: &str, ms: i64| {
        let mut own = arrival(who, id, "hello", at(ms));
        (own.sender, own.inbound.account) = (SenderName::new("own"), "own".into());
        own
    };
    lab.accept(own("111@lid", "m1", 0)).await;
    let claim = lab.claim_one(0).await;
    lab.commit(&claim, Answer { memory: Some("{}"), ..says(&["hi"]) }, 0).await;
    lab.accept(own("111@lid", "m2", 1)).await;
    let mut both = own("971501", "m3", 2);
    both.inbound.aliases = vec![contact("111@lid")];
    let routed = |is_new_session| Routing::Routed {
        tenant: tenant_id(2),
        contact: contact("111@lid"),
        is_new_session,
    };
    assert_eq!(lab.accept(both).await.answer, routed(false), "the key that was known stays");
    // The same in one group of operations, before anything is seen in memory.
    let mut later = own("971502", "n2", 4);
    later.inbound.aliases = vec![contact("222@lid")];
    let (first, second) = tokio::join!(lab.accept(own("222@lid", "n1", 3)), lab.accept(later));
    assert_ne!(first.answer, second.answer);
    let claims = lab.claim(9, 10).await;
    assert_eq!(claims.iter().filter(|claim| claim.key == key(2, "111@lid")).count(), 1);
    assert_eq!(claims.len(), 2, "one conversation a person");
    lab.assert_counters_true().await;
}

pub async fn hidden_ids_are_asked_for_once(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let store = lab.store().clone();
    let due = async |store: &dyn switchboard::store::Store, ms| -> Vec<String> {
        let due = store.due_lookups(at(ms), 10).await.expect("read");
        due.into_iter().map(|lookup| format!("{} {}", lookup.contact, lookup.sender)).collect()
    };
    lab.meets("111@lid", 1, 1).await;
    lab.meets("222@lid", 1, 2).await;
    lab.meets("971501", 1, 3).await;
    lab.hears("111@lid", "hello again", 4).await;
    assert_eq!(store.next_lookup_at(), Some(at(1)));
    assert_eq!(due(store.as_ref(), 4).await, ["111@lid main", "222@lid main"]);
    assert_eq!(due(store.as_ref(), 0).await, [""; 0]);
    store.lookup_missed(&contact("111@lid"), Some(at(100))).await.expect("kept");
    assert!(learn(&lab, "222@lid", "971502", 5).await);
    drop(store);
    lab.restart();
    let store = lab.store().clone();
    assert_eq!((due(store.as_ref(), 99).await, store.next_lookup_at()), (vec![], Some(at(100))));
    assert_eq!(due(store.as_ref(), 100).await, ["111@lid main"]);
    let misses =
        async || store.due_lookups(at(100), 10).await.expect("read").first().map(|lookup| lookup.misses);
    assert_eq!(misses().await, Some(1), "counted, and over a start");
    store.lookup_put_off(&contact("111@lid"), at(90)).await.expect("kept");
    assert_eq!(
        (misses().await, store.next_lookup_at()),
        (Some(1), Some(at(90))),
        "nobody was asked: no miss"
    );
    store.lookup_missed(&contact("111@lid"), Some(at(400))).await.expect("kept");
    for (sender, limit, again) in [("another", 9, 0), ("main", 0, 0), ("main", 9, 1), ("main", 9, 0)] {
        let made_due = store.look_up_again(&SenderName::new(sender), at(95), limit).await.expect("kept");
        assert_eq!(made_due, again, "{sender}, at most {limit}");
    }
    assert_eq!(due(store.as_ref(), 95).await, ["111@lid main"], "and not the one that is known");
    store.lookup_missed(&contact("111@lid"), None).await.expect("kept");
    for who in ["111@lid", "222@lid", "971502"] {
        lab.hears(who, "and again", 200).await;
    }
    assert_eq!((due(store.as_ref(), 999).await, store.next_lookup_at()), (vec![], None));
    let mut known = arrival("971503", "m9", "start_realty_1", at(300));
    known.inbound.aliases = vec![contact("444@lid")];
    lab.accept(known).await;
    lab.hears("444@lid", "hi", 301).await;
    assert_eq!(store.next_lookup_at(), None, "the payload told its number");
}

/// Strangers are forgotten in time, whether or not they were ever told anything.
pub async fn hidden_ids_that_were_asked_for_are_forgotten(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let store = lab.store();
    lab.hears("111@lid", "hello", 1).await;
    store.lookup_missed(&contact("111@lid"), Some(at(i64::MAX / 2))).await.expect("kept");
    lab.hears("222@lid", "hello", 2).await;
    store.lookup_missed(&contact("222@lid"), None).await.expect("kept");
    let (day, keep) = (86_400_000, i64::MAX);
    let keep = Retention {
        dedup_ms: keep,
        history_ms: 1000,
        ended_ms: 1000,
        journal_ms: keep,
        audit_ms: keep,
        template_log_ms: keep,
    };
    lab.hears("333@lid", "hello", 3 * day).await;
    store.lookup_missed(&contact("333@lid"), None).await.expect("kept");
    store.prune(keep, at(3 * day), 1000).await.expect("pruned");
    assert_eq!(store.next_lookup_at(), None);
    for who in ["111@lid", "222@lid", "333@lid"] {
        lab.hears(who, "hello again", 3 * day + 1).await;
    }
    let due = store.due_lookups(at(3 * day + 1), 10).await.expect("read");
    let due: Vec<_> = due.into_iter().map(|lookup| lookup.contact).collect();
    assert_eq!(due, keys(&["111@lid", "222@lid"]), "who is not old is not asked for again");
}

/// Who is known by phone number may come under a hidden id alone.
pub async fn a_stranger_may_be_somebody_we_know(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.hears("333@lid", "it is me", 10).await;
    assert_eq!(lab.lines(0, "333@lid").await.len(), 1, "it is taken for a stranger");
    let due = lab.store().due_lookups(at(10), 10).await.expect("read");
    assert_eq!(due.into_iter().map(|lookup| lookup.contact).collect::<Vec<_>>(), keys(&["333@lid"]));
    assert!(learn(&lab, "333@lid", "971501", 20).await);
    let routed = Routing::Routed { tenant: tenant_id(1), contact: contact("971501"), is_new_session: false };
    assert_eq!(lab.hears("333@lid", "me again", 30).await.answer, routed);
    assert_eq!((lab.lines(0, "333@lid").await.len(), lab.lines(0, "971501").await.len()), (0, 1));
    lab.assert_counters_true().await;
}

/// Two links in the same moment, and then a message that names both keys.
pub async fn the_tenant_that_answers_is_the_one_that_keeps_the_lock(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (n, [phone, hidden]) in [["971501", "111@lid"], ["971502", "222@lid"]].into_iter().enumerate() {
        let at_once = n as i64 * 100;
        lab.meets(hidden, 1, at_once).await;
        lab.meets(phone, 2, at_once).await;
        let (first, second) = if n == 0 { (phone, hidden) } else { (hidden, phone) };
        let mut both = arrival(first, &format!("both{n}"), "hello", at(at_once + 10));
        both.inbound.aliases = vec![contact(second)];
        let Routing::Routed { tenant, contact, .. } = lab.accept(both).await.answer else {
            panic!("it is nobody's")
        };
        assert_eq!(lock(&lab, contact.as_str()).await, Some(tenant.get()), "{n}");
        assert_eq!(lock(&lab, phone).await, lock(&lab, hidden).await);
    }
    lab.assert_counters_true().await;
}

/// What the stricter of two wishes is. Tenants 1 and 2 had the contact under both keys; tenant 3 has it under
/// none, and its wishes stand as they were written.
pub async fn an_opt_out_survives_a_merge(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (n, who) in ["111@lid", "971501"].into_iter().enumerate() {
        let ms = n as i64 * 10;
        lab.meets(who, 2, ms).await;
        lab.store().unlock(&contact(who), "operator", at(ms + 1)).await.expect("unlocked");
        lab.meets(who, 1, ms + 2).await;
    }
    for (tenant, who) in [(2, "971501"), (2, "111@lid"), (3, "971501"), (3, "111@lid")] {
        let since = at(i64::from(tenant) + i64::from(who == "971501"));
        let wish = Some(OptOut::by_operator(since, "asked on the phone"));
        lab.store().set_opt_out(&key(tenant, who), wish, "operator", at(25)).await.expect("kept");
    }
    assert!(learn(&lab, "111@lid", "971501", 30).await);
    let since = async |tenant, who| {
        lab.store().opt_out(&key(tenant, who)).await.expect("read").map(|found| found.since)
    };
    for who in ["111@lid", "971501"] {
        assert_eq!([since(1, who).await, since(2, who).await], [None, Some(at(2))], "{who}");
    }
    assert_eq!([since(3, "111@lid").await, since(3, "971501").await], [Some(at(3)), Some(at(4))]);
    let listed = async |tenant| -> Vec<ContactKey> {
        let listed = lab.store().opt_outs(tenant_id(tenant), None, 10).await.expect("read");
        listed.into_iter().map(|(who, _)| who).collect()
    };
    assert_eq!(listed(2).await, keys(&["111@lid"]));
    assert_eq!(listed(3).await, keys(&["111@lid", "971501"]));
    // Told apart again, nobody knows whose wish it was: neither gets messages.
    lab.store().unmerge_contact(&contact("971501"), "operator", at(40)).await.expect("unmerged");
    for who in ["111@lid", "971501"] {
        let opted_out = async |tenant| lab.store().opt_out(&key(tenant, who)).await.expect("read").is_some();
        assert_eq!(join_all([1, 2, 3].map(opted_out)).await, [false, true, true], "{who}");
    }
    lab.assert_counters_true().await;
}
