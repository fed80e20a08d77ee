//! Whose words a sender carries: a number that gets another owner, and a contact that gets another tenant,
//! hear nothing of the old one any more.

use switchboard::conversation::TimerChange;
use switchboard::event::Own;
use switchboard::message::{Content, Provider, SenderName, TenantId};
use switchboard::store::contacts::OwnKept;
use switchboard::store::{Arrival, Error, Filter, Handover, OutboxState, Settlement};

use super::lab::{Answer, Factory, Lab, all, arrival, at, contact, key, says, sender, tenant_id, text_of};

fn to_own(who: &str, id: &str, text: &str, ms: i64) -> Arrival {
    let mut said = arrival(who, id, text, at(ms));
    (said.sender, said.inbound.account) = (SenderName::new("own"), "own".into());
    said
}

async fn give(lab: &Lab<'_>, name: &str, to: Option<u32>, dry_run: bool, ms: i64) -> Handover {
    let to = to.map(tenant_id);
    lab.store().give_sender(&SenderName::new(name), to, dry_run, "operator", at(ms)).await.expect("given")
}

/// The reasons of the dead replies of a tenant, by their texts.
async fn dead(lab: &Lab<'_>, tenant: u32) -> Vec<(String, String)> {
    let filter = Filter { tenant: Some(tenant_id(tenant)), ended: true, ..all() };
    let dead = lab.store().outbox(&filter).await.expect("outbox").into_iter();
    let dead = dead.filter(|send| send.entry.state == OutboxState::Dead);
    dead.map(|send| (text_of(&send.entry.outbound).to_owned(), send.entry.last_error.unwrap_or_default()))
        .collect()
}

/// Tenant 2 talks with a contact through its own number: one reply is on its way, two wait, a timer is set.
async fn talks(lab: &Lab<'_>) -> switchboard::store::SendClaim {
    lab.accept(to_own("971501", "m1", "hello", 0)).await;
    let claim = lab.claim_one(0).await;
    let timer = TimerChange::Set { key: "viewing".into(), at: at(5_000), payload: "at ten".into() };
    lab.commit(&claim, Answer { timers: vec![timer], ..says(&["one", "my address", "three"]) }, 0).await;
    lab.accept(to_own("971501", "m2", "and?", 1)).await;
    lab.sends(1, 2).await.remove(0)
}

fn counts(plan: &Handover) -> [u64; 5] {
    [plan.conversations, plan.turns, plan.timers, plan.waiting, plan.sending]
}

pub async fn a_number_that_is_given_away_takes_nothing_along(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    let sending = talks(&lab).await;
    let before = lab.store().counters();
    let plan = give(&lab, "own", Some(1), true, 10).await;
    assert_eq!((plan.from, plan.to, plan.applied), (Some(tenant_id(2)), Some(tenant_id(1)), false));
    assert_eq!(counts(&plan), [1, 1, 1, 2, 1]);
    assert_eq!(lab.store().counters(), before, "a plan changes nothing");

    let done = give(&lab, "own", Some(1), false, 11).await;
    assert_eq!((counts(&done), done.applied), ([1, 1, 1, 2, 1], true));
    let audit = lab.store().audit_log(1).await.expect("audit").remove(0);
    assert_eq!((audit.action.as_str(), &audit.detail["waiting"]), ("give sender", &serde_json::json!(2)));
    assert!(!audit.detail.to_string().contains("hush"));
    let said: Vec<String> = dead(&lab, 2).await.into_iter().map(|(text, _)| text).collect();
    assert_eq!(said, ["my address", "three"]);
    assert_eq!(lab.store().directory().senders[&SenderName::new("own")].api_key.expose(), "hush");
    // What was on its way ends as it would have, and is not tried again.
    lab.settle(&sending, Settlement::Later { at: at(20), error: "busy".into() }, 19).await;
    assert_eq!(lab.sends(9, 21).await.len(), 0);
    assert_eq!(dead(&lab, 2).await.len(), 3);
    lab.assert_counters_true().await;

    // The turn that waits runs, the timer rings, and both speak to nobody.
    for (ms, text) in [(30, "answer"), (6_000, "reminder")] {
        let claim = lab.claim_one(ms).await;
        assert_eq!(claim.key, key(2, "971501"));
        lab.commit(&claim, says(&[text]), ms).await;
        assert_eq!(lab.sends(9, ms + 1).await.len(), 0);
        let (said, why) = dead(&lab, 2).await.pop().expect("it is listed");
        assert_eq!(said, text);
        assert!(why.contains("does not serve this tenant"), "{why}");
    }
    // An operator who asks for it again gets the same answer.
    let id = lab.store().outbox(&Filter { ended: true, ..all() }).await.expect("outbox").remove(0).id;
    lab.store().retry_send(&id, "operator", at(7_000)).await.expect("asked for");
    assert_eq!(lab.sends(9, 7_001).await.len(), 0);
    lab.restart();
    assert_eq!(lab.sends(9, 7_002).await.len(), 0);
    lab.assert_counters_true().await;

    // Who writes to the number now writes to its new owner.
    lab.accept(to_own("971501", "m3", "who is this?", 8_000)).await;
    let claim = lab.claim_one(8_000).await;
    assert_eq!(claim.key, key(1, "971501"));
    lab.commit(&claim, says(&["tenant 1"]), 8_000).await;
    assert_eq!(lab.sends_one(8_001).await, "tenant 1");
    lab.assert_counters_true().await;
}

pub async fn an_owner_changes_by_its_own_verb_alone(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (name, account, to) in [("own", "own", Some(1)), ("own", "own", None), ("main", "default", Some(1))] {
        let refused = lab.store().put_sender(sender(name, account, to), "operator").await;
        let Err(Error::Conflict(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains(&format!("switchboard sender give {name} ")), "{why}");
    }
    // The same owner, another setting.
    let mut same = sender("own", "own", Some(2));
    same.typing = false;
    lab.store().put_sender(same, "operator").await.expect("put");
    for (name, to) in [("own", Some(99)), ("nobody", Some(1))] {
        let to: Option<TenantId> = to.map(tenant_id);
        let refused = lab.store().give_sender(&SenderName::new(name), to, false, "operator", at(1)).await;
        assert!(matches!(refused, Err(Error::Conflict(_) | Error::NotFound(_))), "{refused:?}");
    }
    let same = give(&lab, "own", Some(2), false, 2).await;
    assert!(!same.applied, "it is so already");
    // Given and taken back, it carries the words of its owner again.
    talks(&lab).await;
    give(&lab, "own", None, false, 5).await;
    let shared = &lab.store().directory().senders[&SenderName::new("own")].tenant;
    assert_eq!(*shared, None);
    give(&lab, "own", Some(2), false, 6).await;
    lab.accept(to_own("971502", "m9", "hi", 7)).await;
    let claims = lab.claim(9, 8).await;
    let claim = claims.iter().find(|claim| claim.key == key(2, "971502")).expect("its turn");
    lab.commit(claim, says(&["back"]), 8).await;
    assert!(lab.sends(9, 9).await.iter().any(|send| text_of(&send.entry.outbound) == "back"));
    lab.assert_counters_true().await;
}

/// Unlocked and locked to another tenant: the old one's turns, timers and waiting replies write to nobody.
pub async fn who_lost_a_contact_writes_to_it_no_more(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.hears("971501", "a viewing?", 1).await;
    let claim = lab.claim_one(1).await;
    let timer = TimerChange::Set { key: "viewing".into(), at: at(5_000), payload: String::new() };
    lab.commit(&claim, Answer { timers: vec![timer], ..says(&["waits"]) }, 1).await;
    lab.hears("971501", "still there?", 2).await;
    lab.store().unlock(&contact("971501"), "operator", at(3)).await.expect("unlocked");
    // Nobody else has the contact: what was promised is kept.
    assert_eq!(lab.sends_one(4).await, "waits");
    let claim = lab.claim_one(5).await;
    lab.commit(&claim, says(&["pending"]), 5).await;
    lab.meets("971501", 3, 10).await;
    lab.restart();
    assert_eq!(lab.sends(9, 11).await.len(), 0, "what waited is dead");
    let claim = lab.claim_one(6_000).await;
    assert_eq!(claim.key, key(1, "971501"));
    lab.commit(&claim, says(&["your viewing is today"]), 6_000).await;
    assert_eq!(lab.sends(9, 6_001).await.len(), 0);
    let told = dead(&lab, 1).await;
    assert_eq!(
        told.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(),
        ["pending", "your viewing is today"]
    );
    assert!(told.iter().all(|(_, why)| why.contains("not this tenant's any more")), "{told:?}");
    assert!(told.iter().all(|(_, why)| !why.contains('3')), "it does not tell whose it is: {told:?}");
    // The new tenant speaks.
    lab.hears("971501", "hello", 6_002).await;
    let claim = lab.claim_one(6_002).await;
    assert_eq!(claim.key, key(3, "971501"));
    lab.commit(&claim, says(&["welcome"]), 6_002).await;
    assert_eq!(lab.sends_one(6_003).await, "welcome");
    lab.assert_counters_true().await;
}

/// An echo of the old owner's reply is filed with nobody, whether or not its provider has answered.
pub async fn an_echo_never_crosses(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let sending = talks(&lab).await;
    give(&lab, "own", Some(1), false, 10).await;
    let echo = |id: &str, text: &str| Own {
        provider: Provider::Waha,
        account: "own".into(),
        id: id.into(),
        contact: Some(contact("971501")),
        from_raw: None,
        to_raw: Some("971501@c.us".into()),
        sent_at: at(11),
        content: Some(Content::Text { text: text.into() }),
        quoted: None,
        origin: None,
    };
    let record = async |own: Own, ms| {
        lab.store().record_own(own, SenderName::new("own"), None, at(ms)).await.expect("recorded")
    };
    assert_eq!(record(echo("e1", "one"), 12).await, OwnKept::Known);
    assert_eq!(lab.lines(1, "971501").await, [""; 0]);
    assert!(
        lab.lines(2, "971501").await.contains(&"Brain: one (Sent)".to_owned()),
        "{:?}",
        lab.lines(2, "971501").await
    );
    lab.settle(&sending, Settlement::Sent { provider_id: Some("e1".into()) }, 13).await;
    assert_eq!(record(echo("true_971501@c.us_e1", "one"), 14).await, OwnKept::Known);
    assert_eq!(lab.lines(1, "971501").await, [""; 0]);
    // What the new owner types on the phone is its own.
    assert_eq!(record(echo("e2", "hello, tenant 1 here"), 15).await, OwnKept::Said);
    assert_eq!(lab.lines(1, "971501").await, ["Human: hello, tenant 1 here (Sent)"]);
    lab.assert_counters_true().await;
}
