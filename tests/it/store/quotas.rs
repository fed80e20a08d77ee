//! Quotas: whoever uses them up waits or is refused, nobody else notices, and nothing is forgotten.

use serde_json::json;
use switchboard::conversation::TimerChange;
use switchboard::message::{ContactKey, SenderName, TenantId};
use switchboard::policy::quota::Level;
use switchboard::store::quotas::{Gauge, Shelf};
use switchboard::store::{Arrival, Error, Limit, Store, TurnFate};
use switchboard::tenant::Tenant;
use switchboard::tenant::quotas::{Kind, Own};

use super::lab::{self, Answer, Factory, Lab, arrival, at, contact, key, says, tenant_id, turn, words};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

pub fn gauge(store: &dyn Store, tenant: u32, kind: Kind, ms: i64) -> Gauge {
    let gauges = store.gauges(tenant_id(tenant), at(ms));
    gauges.into_iter().find(|gauge| gauge.name == kind.name()).expect("every quota has a gauge")
}

/// Whose turns are handed out.
pub async fn served(lab: &Lab<'_>, ms: i64) -> Vec<(TenantId, ContactKey)> {
    let claims = lab.claim(100, ms).await;
    for claim in &claims {
        lab.commit(claim, Answer::default(), ms).await;
    }
    claims.into_iter().map(|claim| (claim.key.tenant, claim.key.contact)).collect()
}

pub fn of(served: &[(TenantId, ContactKey)], tenant: u32) -> usize {
    served.iter().filter(|(of, _)| *of == tenant_id(tenant)).count()
}

/// Contacts 100.. of tenant 1 and 200.. of tenant 2 have something to say.
async fn crowd(lab: &Lab<'_>, each: u32, ms: i64) {
    for n in 0..each {
        for (tenant, who) in [(1, 100 + n), (2, 200 + n)] {
            lab.hears(&format!("971{who}"), &format!("start_realty_{tenant}"), ms).await;
        }
    }
}

/// Quotas: 3 turns a minute.
pub async fn turns_over_the_minutes_quota_wait(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let own = Tenant { quotas: Own { turns_per_minute: Some(100), ..Own::default() }, ..lab::tenant(2, 1) };
    lab.store().put_tenant(own, "test").await.expect("put");
    crowd(&lab, 5, 0).await;
    let first = served(&lab, 10).await;
    assert_eq!((of(&first, 1), of(&first, 2)), (3, 5), "{first:?}");
    let shown = gauge(lab.store().as_ref(), 1, Kind::TurnsPerMinute, 10);
    assert_eq!((shown.limit, shown.used, shown.level, shown.own), (3, 3, Level::Over, false));
    assert!(gauge(lab.store().as_ref(), 2, Kind::TurnsPerMinute, 10).own);
    let next = lab.store().next_turn_at().expect("two wait");
    assert_eq!(Some(next), shown.frees_at, "it is said when they go on, and nobody looks before");
    assert!(next > at(10) && next <= at(10 + MINUTE + MINUTE / 10), "{next:?}");
    let next_ms = next.as_ms() - at(0).as_ms();
    assert!(served(&lab, next_ms - 1).await.is_empty());
    assert_eq!(lab.store().counters().inbox, 2, "nothing is lost");
    assert_eq!(served(&lab, next_ms).await.len(), 2);
    lab.assert_counters_true().await;
}

/// Quotas: 3 turns a minute.
pub async fn a_clock_set_back_and_a_raised_quota_let_turns_go_on(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    crowd(&lab, 5, 0).await;
    assert_eq!(served(&lab, 10 * MINUTE).await.len(), 6);
    // An hour back: they wait for the minute that they were told, not for an hour.
    assert!(served(&lab, 0).await.is_empty());
    let next = lab.store().next_turn_at().expect("they wait");
    assert!(next <= at(2 * MINUTE), "{next:?}");
    let own = Tenant { quotas: Own { turns_per_minute: Some(4), ..Own::default() }, ..lab::tenant(1, 1) };
    lab.store().put_tenant(own, "test").await.expect("put");
    let raised = served(&lab, 1).await;
    assert_eq!((of(&raised, 1), of(&raised, 2)), (1, 0));
}

/// Quotas: 3 turns and 100 fuel a day; a turn takes 7.
pub async fn a_days_quota_survives_a_restart(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    for n in 0..3 {
        lab.meets(&format!("9710{n}"), 1, n).await;
    }
    lab.restart();
    lab.assert_counters_true().await;
    lab.hears("97109", "start_realty_1", 10).await;
    lab.hears("97108", "start_realty_2", 10).await;
    let next = served(&lab, 11).await;
    assert_eq!((of(&next, 1), of(&next, 2)), (0, 1), "{next:?}");
    let turns = gauge(lab.store().as_ref(), 1, Kind::TurnsPerDay, 11);
    assert_eq!((turns.used, turns.level), (3, Level::Over));
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::FuelPerDay, 11).used, 21);
    let midnight = turns.frees_at.expect("at midnight");
    assert!(midnight.as_ms() % DAY == 0 && lab.store().next_turn_at() == Some(midnight), "{midnight:?}");
    let midnight = midnight.as_ms() - at(0).as_ms();
    assert_eq!(served(&lab, midnight).await.len(), 1, "and then they go on");
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::TurnsPerDay, midnight).used, 1);
}

/// Fuel 20 a day; a turn takes 7, a failed one too.
pub async fn fuel_counts_whatever_came_of_the_turn(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.hears("97101", "start_realty_1", 0).await;
    for n in 0..3 {
        let claim = lab.claim_one(n).await;
        lab.fail(&claim, TurnFate::Retry { at: at(n) }, n).await;
    }
    assert!(lab.claim(10, 10).await.is_empty());
    let fuel = gauge(lab.store().as_ref(), 1, Kind::FuelPerDay, 10);
    assert_eq!((fuel.used, fuel.level), (21, Level::Over));
}

fn again(ms: i64) -> Vec<TimerChange> {
    vec![TimerChange::Set { key: "again".into(), at: at(ms), payload: String::new() }]
}

/// Lets the timers of a brain ring that sets one at every turn; how often, until nothing is due.
async fn rings(lab: &Lab<'_>, from: i64) -> usize {
    let mut rang = 0;
    for ms in from..from + 100 {
        for claim in lab.claim(10, ms).await {
            rang += usize::from(words(&claim.trigger)[0].starts_with("timer"));
            lab.commit(&claim, Answer { timers: again(ms), ..Answer::default() }, ms).await;
        }
    }
    rang
}

/// Quotas: 5 turns without a word.
pub async fn timers_that_set_themselves_wait_for_a_word(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    lab.meets("97101", 1, 0).await;
    lab.hears("97101", "hello", 1).await;
    assert_eq!(rings(&lab, 10).await, 5);
    let silenced = gauge(lab.store().as_ref(), 1, Kind::TurnsUnprompted, 200);
    assert_eq!((silenced.used, silenced.level), (1, Level::Over), "one conversation");
    assert_eq!(lab.store().next_turn_at(), None, "nobody looks after it");
    lab.restart();
    lab.assert_counters_true().await;
    assert_eq!(rings(&lab, 200).await, 0, "a restart is no word");
    lab.hears("97102", "hello", 300).await;
    assert_eq!(rings(&lab, 301).await, 5, "a neighbour's timers ring, and are counted for themselves");
    lab.hears("97101", "hello again", 400).await;
    assert_eq!(rings(&lab, 401).await, 5, "a word lets them ring again");
    assert_eq!(gauge(lab.store().as_ref(), 2, Kind::TurnsUnprompted, 600).used, 1);
    lab.store().take_over(&key(1, "97101"), "human", at(600)).await.expect("taken over");
    lab.store().hand_back(&key(1, "97101"), "human", at(601)).await.expect("given back");
    assert_eq!(rings(&lab, 602).await, 0, "who gives it back says no word for the contact");
    lab.assert_counters_true().await;
    lab.hears("97101", "and again", 800).await;
    assert_eq!(rings(&lab, 801).await, 5);
    lab.assert_counters_true().await;
}

/// Quotas: 5 turns without a word. What is left of them is there after the human too.
pub async fn a_human_in_between_gives_timers_nothing(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97101", 1, 0).await;
    lab.hears("97101", "hello", 1).await;
    let claim = lab.claim_one(1).await;
    lab.commit(&claim, Answer { timers: again(2), ..Answer::default() }, 1).await;
    let mut rang = 0;
    for round in 0..10 {
        let ms = 10 + round * 10;
        for claim in lab.claim(10, ms).await {
            rang += usize::from(words(&claim.trigger)[0].starts_with("timer"));
            lab.commit(&claim, Answer { timers: again(ms), ..Answer::default() }, ms).await;
        }
        lab.store().take_over(&key(1, "97101"), "tenant 1", at(ms + 1)).await.expect("taken over");
        lab.store().hand_back(&key(1, "97101"), "tenant 1", at(ms + 2)).await.expect("given back");
        let told = lab.claim_one(ms + 3).await;
        lab.commit(&told, Answer { timers: again(ms + 4), ..Answer::default() }, ms + 3).await;
    }
    assert!((1..=5).contains(&rang), "{rang}");
    lab.assert_counters_true().await;
}

/// A merge keeps the stricter count and loses no timer.
pub async fn a_merge_does_not_wake_timers(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    for who in ["97101", "97102"] {
        lab.meets(who, 1, 0).await;
        lab.hears(who, "hello", 1).await;
    }
    assert_eq!(rings(&lab, 10).await, 10);
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::TurnsUnprompted, 200).used, 2);
    lab.store().merge_contacts(&contact("97101"), &contact("97102"), "test", at(200)).await.expect("merged");
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::TurnsUnprompted, 200).used, 1);
    lab.assert_counters_true().await;
    assert_eq!(rings(&lab, 201).await, 0);
    lab.hears("97102", "hello", 400).await;
    assert_eq!(rings(&lab, 401).await, 5);
    lab.assert_counters_true().await;
}

/// Quotas: 2 collections, 400 bytes.
pub async fn collections_have_a_number_and_a_size(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let put = async |tenant: u32, name: &str, letters: usize| {
        let records = vec![json!({ "id": 1, "text": "x".repeat(letters) })];
        lab.store().put_collection(tenant_id(tenant), name, records, "test").await
    };
    put(1, "a", 100).await.expect("put");
    put(1, "b", 100).await.expect("put");
    let refused = put(1, "c", 1).await.expect_err("two are there");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    for part in ["collections", "limit 2", "used 3", "quotas.collections"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    put(1, "b", 400).await.expect_err("too large together");
    put(1, "b", 120).await.expect("one may grow");
    put(2, "c", 200).await.expect("another tenant's room");
    lab.assert_counters_true().await;
    let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::Collections);
    assert_eq!(kept.rows, 2);
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::CollectionBytes, 0).used, kept.bytes);
}

/// Quotas: 20 kB of journal, 4 kB a minute.
pub async fn the_journal_is_bounded_and_keeps_the_newest(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    let before = lab.store().journal(&key(2, "97102"), 10).await.expect("read").len();
    lab.meets("97101", 1, 0).await;
    let mut written = 0;
    for n in 0..200_i64 {
        let ms = n * 5_000 + 10;
        lab.hears("97101", "hello", ms).await;
        let claim = lab.claim_one(ms).await;
        let mut commit = turn(&claim, Answer::default(), at(ms));
        commit.journal.outcome = json!({ "long": "x".repeat(1000), "n": n });
        lab.store().commit_turn(commit).await.expect("committed");
        let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::Journal).bytes;
        assert!(kept < 32_000, "an eighth beyond the quota, and what is brief until it is trimmed: {kept}");
        written += 1000;
        if n % 20 == 19 {
            while lab.store().trim(50).await.expect("trimmed") == 50 {}
            let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::Journal).bytes;
            assert!(kept <= 20_000, "{kept}");
        }
    }
    assert!(written > 100_000);
    let journal = lab.store().journal(&key(1, "97101"), 1000).await.expect("read");
    let whole = journal.iter().filter(|entry| entry.outcome.get("long").is_some()).count();
    let brief = journal.iter().filter(|entry| entry.outcome.get("omitted").is_some()).count();
    assert!(
        whole > 0 && brief > 0 && whole + brief == journal.len(),
        "{whole} and {brief} of {}",
        journal.len()
    );
    assert!(journal.iter().any(|entry| entry.turn == 201), "the newest is there");
    assert!(journal.iter().all(|entry| entry.turn > 20), "the oldest are not");
    assert_eq!(
        lab.store().journal(&key(2, "97102"), 10).await.expect("read").len(),
        before,
        "nobody else's are gone"
    );
    lab.assert_counters_true().await;
}

/// Quotas: 3 kB of history.
pub async fn the_oldest_lines_go_first(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    lab.meets("97101", 1, 0).await;
    for n in 0..60 {
        lab.hears("97101", &format!("line {n}"), 10 + n).await;
        let claim = lab.claim_one(10 + n).await;
        lab.commit(&claim, says(&["yes"]), 10 + n).await;
        lab.sends_one(10 + n).await;
        while lab.store().trim(10).await.expect("trimmed") == 10 {}
    }
    while lab.store().trim(10).await.expect("trimmed") == 10 {}
    let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::History).bytes;
    assert!((1_500..=3_000).contains(&kept), "{kept}");
    let lines = lab.lines(1, "97101").await;
    assert_eq!(lines.last().map(String::as_str), Some("Brain: yes (Sent)"));
    assert!(
        lines.iter().any(|line| line.ends_with("line 59"))
            && !lines.iter().any(|line| line.ends_with("line 0"))
    );
    assert_eq!(lab.lines(2, "97102").await.len(), 1);
    lab.assert_counters_true().await;
    lab.hears("97101", "more", 100).await;
    assert_eq!(lab.store().trim(1000).await.expect("nothing to do"), 0);
}

/// Quotas: 2 waiting turns.
pub async fn a_number_of_its_own_is_told_to_wait(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let to_own = |n: i64| {
        let mut arrival: Arrival = arrival(&format!("9710{n}"), &format!("m{n}"), "hello", at(n));
        (arrival.sender, arrival.inbound.account) = (SenderName::new("own"), "own".into());
        arrival
    };
    lab.accept(to_own(1)).await;
    lab.accept(to_own(2)).await;
    let refused = lab.store().accept(to_own(3)).await.expect_err("two wait");
    assert!(matches!(&refused, Error::Limit { of: Limit::Quota, .. }), "{refused:?}");
    assert!(lab.accept(to_own(2)).await.duplicate);
    lab.hears("97105", "start_realty_2", 5).await;
    lab.hears("97106", "start_realty_1", 5).await;
    assert_eq!(served(&lab, 10).await.len(), 4, "what comes through a shared number is kept");
    assert!(!lab.accept(to_own(3)).await.duplicate, "the refused one was not remembered");
    lab.assert_counters_true().await;
}

/// Quotas: 2 uploads an hour.
pub async fn what_is_counted_by_the_hour_is_refused_until_it_frees(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let spend = |tenant: u32, ms: i64| lab.store().spend(tenant_id(tenant), Kind::UploadsPerHour, 1, at(ms));
    spend(1, 0).expect("the first");
    spend(1, 1).expect("the second");
    let refused = spend(1, 2).expect_err("the third").to_string();
    assert!(refused.contains("uploads_per_hour") && refused.contains("free again at"), "{refused}");
    spend(2, 2).expect("another tenant's");
    let freed = gauge(lab.store().as_ref(), 1, Kind::UploadsPerHour, 2).frees_at.expect("in about an hour");
    spend(1, freed.as_ms() - at(0).as_ms()).expect("then");
    // By the minute, and many at once: what begins below the limit is taken whole.
    let log = |bytes| lab.store().spend(tenant_id(1), Kind::LogBytesPerMinute, bytes, at(3));
    let limit = gauge(lab.store().as_ref(), 1, Kind::LogBytesPerMinute, 3).limit;
    log(limit - 1).expect("below it");
    log(100).expect("the last line");
    let refused = log(1).expect_err("no more of it").to_string();
    assert!(refused.contains("log_bytes_per_minute"), "{refused}");
}
