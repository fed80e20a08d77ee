//! What is kept of a tenant: beyond its quota it is refused or trimmed, and nobody else notices.

use switchboard::conversation::TimerChange;
use switchboard::event::Consent;
use switchboard::message::{Provider, SenderName};
use switchboard::policy::quota::Level;
use switchboard::store::contacts::OptOut;
use switchboard::store::quotas::Shelf;
use switchboard::store::{Arrival, Error, Filter, Limit, Settlement, TurnClaim, TurnFate};
use switchboard::tenant::quotas::Kind;

use super::lab::{self, Answer, Factory, Lab, arrival, at, contact, key, says, tenant_id, turn, words};
use super::quotas::{gauge, of, served};
use super::templates;

/// Says something in tenant 1's conversation again and again, until its turns wait or it was often enough;
/// how often. `then`: what becomes of each turn.
async fn until_it_waits(lab: &Lab<'_>, then: impl AsyncFn(&Lab<'_>, &TurnClaim, i64)) -> usize {
    for n in 0..500 {
        let ms = 10 * (n as i64 + 1);
        lab.hears("97101", &format!("line {n}"), ms).await;
        let claims = lab.claim(10, ms).await;
        let Some(claim) = claims.first() else { return n };
        then(lab, claim, ms).await;
    }
    500
}

async fn trimmed(lab: &Lab<'_>) {
    while lab.store().trim(10).await.expect("trimmed") == 10 {}
}

/// Of tenant 1, in bytes.
fn kept(lab: &Lab<'_>, shelf: Shelf) -> u64 {
    lab.store().usage()[&tenant_id(1)].of(shelf).bytes
}

/// The one that waits goes on, and so did everybody else.
async fn it_alone_waited(lab: &Lab<'_>, kind: Kind) {
    assert_eq!(gauge(lab.store().as_ref(), 1, kind, 9_000).level, Level::Over);
    lab.hears("97102", "hello", 9_000).await;
    let others = served(lab, 9_000).await;
    assert_eq!((of(&others, 1), of(&others, 2)), (0, 1), "{others:?}");
    trimmed(lab).await;
    assert_eq!(served(lab, 9_001).await.len(), 1);
    assert_eq!(lab.store().trim(1000).await.expect("nothing to do"), 0);
    lab.assert_counters_true().await;
}

/// Quotas: 4 kB of replies that have ended.
pub async fn replies_that_ended_are_given_up_oldest_first(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    lab.meets("97101", 1, 0).await;
    let said = until_it_waits(&lab, async |lab, claim, ms| {
        lab.commit(claim, says(&["yes"]), ms).await;
        let send = lab.sends(1, ms).await.remove(0);
        lab.settle(&send, Settlement::Dead { error: "no more messages".into() }, ms).await;
    })
    .await;
    assert!((4_500..6_000).contains(&kept(&lab, Shelf::EndedSends)), "its turns wait an eighth beyond it");
    lab.restart();
    it_alone_waited(&lab, Kind::EndedRepliesBytes).await;
    assert!((3_000..=4_000).contains(&kept(&lab, Shelf::EndedSends)));
    let failed = lab.lines(1, "97101").await.iter().filter(|line| *line == "Brain: yes (Failed)").count();
    assert_eq!(failed, said, "every one is a line still");
    let listed = lab.store().outbox(&lab::all()).await.expect("listed");
    assert!((1..said).contains(&listed.len()));
    let newest = &lab.store().history(&key(1, "97101"), None, 1000).await.expect("read");
    let last = newest.iter().rev().find(|(_, line)| line.state.is_some()).expect("a reply").1.at;
    assert_eq!(listed.last().expect("the newest").entry.created_at, last);
}

/// Quotas: 4 kB of dead turns.
pub async fn the_oldest_dead_turns_go_first(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    lab.meets("97101", 1, 0).await;
    let died = until_it_waits(&lab, async |lab, claim, ms| {
        lab.fail(claim, TurnFate::Dead { fallback: None }, ms).await;
    })
    .await;
    assert!((4_500..6_000).contains(&kept(&lab, Shelf::DeadTurns)), "its turns wait an eighth beyond it");
    lab.restart();
    it_alone_waited(&lab, Kind::DeadTurnsBytes).await;
    assert!((3_000..=4_000).contains(&kept(&lab, Shelf::DeadTurns)));
    let dead = lab.store().turns(&Filter { ended: true, ..lab::all() }).await.expect("listed");
    assert!((1..died).contains(&dead.len()));
    assert_eq!(words(&dead.last().expect("the newest").trigger), [format!("line {}", died - 1)]);
    lab.store().retry_turn(&dead[0].id, "test", at(9_100)).await.expect("one may be tried again");
    assert_eq!(served(&lab, 9_100).await.len(), 1);
    lab.assert_counters_true().await;
}

/// Quotas: 2 kB of sent templates.
pub async fn the_oldest_sent_templates_go_first(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..30 {
        let who = format!("9715{n:02}");
        templates::owes_template(&lab, &who, 2 - n % 2, "hello", i64::from(n) * 10).await;
        let claim = lab.sends(1, i64::from(n) * 10 + 5).await.remove(0);
        lab.settle(&claim, Settlement::Sent { provider_id: None }, i64::from(n) * 10 + 6).await;
        trimmed(&lab).await;
    }
    for tenant in [1, 2] {
        let uses = lab.store().template_log(tenant_id(tenant), None, 100).await.expect("log");
        let bytes = lab.store().usage()[&tenant_id(tenant)].of(Shelf::TemplateUses).bytes;
        assert!((1_500..=2_000).contains(&bytes) && uses.len() < 15, "{bytes} of {}", uses.len());
        assert_eq!(uses[0].1.contact.as_str(), if tenant == 1 { "971529" } else { "971528" });
    }
    lab.assert_counters_true().await;
}

/// Quotas: 3 kB of history.
pub async fn turns_wait_while_the_history_piles_up(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    lab.meets("97101", 1, 0).await;
    until_it_waits(&lab, async |lab, claim, ms| {
        lab.commit(claim, says(&["yes"]), ms).await;
        lab.sends_one(ms).await;
    })
    .await;
    assert!((3_375..4_000).contains(&kept(&lab, Shelf::History)));
    it_alone_waited(&lab, Kind::HistoryBytes).await;
}

/// Quotas: 1 MB of history. A slice reads no more than 16 MB, and says that there is more.
pub async fn a_slice_of_large_lines_is_not_the_last(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97101", 1, 0).await;
    lab.store().take_over(&key(1, "97101"), "human", at(1)).await.expect("taken over");
    let long = "x".repeat(60_000);
    for n in 0..400 {
        lab.hears("97101", &long, 10 + n).await;
    }
    let before = kept(&lab, Shelf::History);
    assert!(before > 20_000_000);
    assert_eq!(lab.store().trim(2_000).await.expect("trimmed"), 2_000, "there is more");
    assert!(before - kept(&lab, Shelf::History) < 17_000_000);
    assert!(kept(&lab, Shelf::History) > 1_000_000);
    while lab.store().trim(2_000).await.expect("trimmed") == 2_000 {}
    assert!(kept(&lab, Shelf::History) <= 1_000_000);
    lab.assert_counters_true().await;
}

fn timer(name: &str, letters: usize) -> TimerChange {
    TimerChange::Set { key: name.into(), at: at(5_000), payload: "x".repeat(letters) }
}

/// Quotas: 1 kB of timers.
pub async fn timers_have_a_size_together(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for (tenant, who) in [(1, "97101"), (1, "97103"), (2, "97102")] {
        lab.meets(who, tenant, 0).await;
    }
    let mut ms = 10;
    let mut sets = async |who: &str, timers: Vec<TimerChange>| {
        ms += 1;
        lab.hears(who, "hello", ms).await;
        let claim = lab.claim_one(ms).await;
        let refused =
            lab.store().commit_turn(turn(&claim, Answer { timers, ..Answer::default() }, at(ms))).await;
        if refused.is_err() {
            lab.fail(&claim, TurnFate::Dead { fallback: None }, ms).await;
        }
        refused
    };
    sets("97101", vec![timer("a", 400), timer("b", 400)]).await.expect("there is room");
    let refused = sets("97103", vec![timer("c", 400)]).await.expect_err("all conversations together");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.timer_bytes"), "{refused}");
    sets("97102", vec![timer("c", 400)]).await.expect("another tenant's room");
    sets("97101", vec![timer("a", 410)]).await.expect("one in the place of another");
    sets("97101", vec![TimerChange::Cancel { key: "b".into() }]).await.expect("less");
    sets("97103", vec![timer("c", 400)]).await.expect("there is room again");
    lab.assert_counters_true().await;
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::TimerBytes, 0).used, kept(&lab, Shelf::Timers));
}

/// Quotas: 100 turns without a word. Timers that are due together ring in parts, and those of all tenants in each.
pub async fn large_timers_ring_in_parts(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for n in 0..4 {
        let who = format!("9710{n}");
        lab.meets(&who, 1, 0).await;
        lab.hears(&who, "hello", 1).await;
        let claim = lab.claim_one(1).await;
        let timers = (0..40).map(|t| timer(&format!("t{t}"), 60_000)).collect();
        lab.commit(&claim, Answer { timers, ..Answer::default() }, 1).await;
    }
    lab.meets("97109", 2, 2).await;
    lab.hears("97109", "hello", 3).await;
    let claim = lab.claim_one(3).await;
    lab.commit(&claim, Answer { timers: vec![timer("own", 1)], ..Answer::default() }, 3).await;
    let first = lab.claim(100, 6_000).await;
    assert!(first.iter().any(|claim| claim.key.tenant == tenant_id(2)), "the neighbour's is not the last");
    assert!(kept(&lab, Shelf::Inbox) < 6_000_000, "{}", kept(&lab, Shelf::Inbox));
    for _ in 0..10 {
        lab.claim(100, 6_000).await;
    }
    assert_eq!(kept(&lab, Shelf::Timers), 0, "all have rung");
    lab.assert_counters_true().await;
}

/// To tenant 2's own number.
fn to_own(who: &str, text: &str, ms: i64) -> Arrival {
    let mut arrival: Arrival = arrival(who, &format!("{who}/{text}/{ms}"), text, at(ms));
    (arrival.sender, arrival.inbound.account) = (SenderName::new("own"), "own".into());
    arrival
}

/// Quotas: 2 conversations.
pub async fn a_conversation_too_many_does_not_begin(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for who in ["97101", "97102"] {
        lab.accept(to_own(who, "hello", 1)).await;
    }
    assert_eq!(served(&lab, 2).await.len(), 2);
    let refused = lab.store().accept(to_own("97103", "hello", 3)).await.expect_err("two there are");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.conversations"), "{refused}");
    lab.accept(to_own("97101", "more", 4)).await;
    lab.hears("97104", "start_realty_1", 5).await;
    lab.hears("97105", "start_realty_2", 5).await;
    assert_eq!(served(&lab, 6).await.len(), 3, "who is there goes on, and so does a shared number");
    lab.assert_counters_true().await;
}

/// Quotas: 2 kB of conversations.
pub async fn a_brain_does_not_remember_without_end(factory: &dyn Factory) {
    const LONG: &str =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
    let lab = Lab::new(factory).await;
    let remembers = async |tenant: u32, n: i64, memory| {
        let who = format!("971{tenant}{n:02}");
        lab.meets(&who, tenant, n * 10).await;
        lab.hears(&who, "hello", n * 10 + 1).await;
        let claim = lab.claim_one(n * 10 + 1).await;
        let answer = Answer { memory: Some(memory), ..Answer::default() };
        let done = lab.store().commit_turn(turn(&claim, answer, at(n * 10 + 1))).await;
        if done.is_err() {
            lab.commit(&claim, Answer { memory: Some(""), ..Answer::default() }, n * 10 + 2).await;
        }
        done
    };
    let mut refused = None;
    for n in 0..20 {
        refused = remembers(1, n, LONG).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("it ends");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.conversation_bytes"), "{refused}");
    assert!(kept(&lab, Shelf::Conversations) < 2_400);
    remembers(2, 50, LONG).await.expect("another tenant's room");
    lab.assert_counters_true().await;
}

/// Quotas: 2 opt-outs.
pub async fn opt_outs_have_a_number(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let set = async |tenant: u32, who: &str, out: bool| {
        let opt_out = out.then(|| OptOut::by_operator(at(0), "asked"));
        lab.store().set_opt_out(&key(tenant, who), opt_out, "tenant 1", at(0)).await
    };
    set(1, "97101", true).await.expect("one");
    set(1, "97102", true).await.expect("two");
    let refused = set(1, "97103", true).await.expect_err("two there are");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.opt_outs"), "{refused}");
    set(1, "97102", true).await.expect("it is there already");
    set(2, "97103", true).await.expect("another tenant's");
    set(1, "97102", false).await.expect("lifted");
    set(1, "97103", true).await.expect_err("that it was lifted is remembered");
    let told = |who: &str, opted_in| Consent {
        provider: Provider::Waha,
        account: "own".into(),
        contact: contact(who),
        aliases: Vec::new(),
        from_raw: who.into(),
        opted_in,
        at: at(3),
    };
    let own = SenderName::new("own");
    for (who, opted_in, room) in [("97105", true, true), ("97106", false, false), ("97105", true, true)] {
        let told = lab.store().record_consent(told(who, opted_in), own.clone(), None, at(4)).await;
        assert_eq!(told.is_ok(), room, "{who}: {told:?}");
    }
    lab.meets("97104", 1, 1).await;
    lab.hears("97104", "stop", 2).await;
    assert!(
        lab.store().opt_out(&key(1, "97104")).await.expect("read").is_some(),
        "who says so itself is heard"
    );
    lab.assert_counters_true().await;
}
