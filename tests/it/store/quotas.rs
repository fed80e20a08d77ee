//! Quotas: whoever uses them up waits or is refused, nobody else notices, and nothing is forgotten.

use serde_json::json;
use switchboard::conversation::TimerChange;
use switchboard::message::{ContactKey, SenderName, TenantId};
use switchboard::policy::quota::Level;
use switchboard::store::contacts::OptOut;
use switchboard::store::quotas::{Gauge, Shelf};
use switchboard::store::{Arrival, Error, Filter, Settlement, Store, TurnClaim, TurnFate};
use switchboard::tenant::Tenant;
use switchboard::tenant::quotas::{Kind, Own};

use super::lab::{self, Answer, Factory, Lab, arrival, at, contact, key, says, tenant_id, turn, words};
use super::templates;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn gauge(store: &dyn Store, tenant: u32, kind: Kind, ms: i64) -> Gauge {
    let gauges = store.gauges(tenant_id(tenant), at(ms));
    gauges.into_iter().find(|gauge| gauge.name == kind.name()).expect("every quota has a gauge")
}

/// Whose turns are handed out.
async fn served(lab: &Lab<'_>, ms: i64) -> Vec<(TenantId, ContactKey)> {
    let claims = lab.claim(100, ms).await;
    for claim in &claims {
        lab.commit(claim, Answer::default(), ms).await;
    }
    claims.into_iter().map(|claim| (claim.key.tenant, claim.key.contact)).collect()
}

fn of(served: &[(TenantId, ContactKey)], tenant: u32) -> usize {
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
    lab.assert_counters_true();
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
    lab.assert_counters_true();
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
    lab.assert_counters_true();
    assert_eq!(rings(&lab, 200).await, 0, "a restart is no word");
    lab.hears("97102", "hello", 300).await;
    assert_eq!(rings(&lab, 301).await, 5, "a neighbour's timers ring, and are counted for themselves");
    lab.hears("97101", "hello again", 400).await;
    assert_eq!(rings(&lab, 401).await, 5, "a word lets them ring again");
    assert_eq!(gauge(lab.store().as_ref(), 2, Kind::TurnsUnprompted, 600).used, 1);
    lab.store().take_over(&key(1, "97101"), "human", at(600)).await.expect("taken over");
    lab.store().hand_back(&key(1, "97101"), "human", at(601)).await.expect("given back");
    assert_eq!(rings(&lab, 602).await, 0, "who gives it back says no word for the contact");
    lab.assert_counters_true();
    lab.hears("97101", "and again", 800).await;
    assert_eq!(rings(&lab, 801).await, 5);
    lab.assert_counters_true();
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
    lab.assert_counters_true();
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
    lab.assert_counters_true();
    assert_eq!(rings(&lab, 201).await, 0);
    lab.hears("97102", "hello", 400).await;
    assert_eq!(rings(&lab, 401).await, 5);
    lab.assert_counters_true();
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
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    for part in ["collections", "limit 2", "used 3", "quotas.collections"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    put(1, "b", 400).await.expect_err("too large together");
    put(1, "b", 120).await.expect("one may grow");
    put(2, "c", 200).await.expect("another tenant's room");
    lab.assert_counters_true();
    let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::Collections);
    assert_eq!(kept.rows, 2);
    assert_eq!(gauge(lab.store().as_ref(), 1, Kind::CollectionBytes, 0).used, kept.bytes);
}

/// Quotas: 20 kB of journal, 4 kB a minute.
pub async fn the_journal_is_bounded_and_keeps_the_newest(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("97102", 2, 0).await;
    let before = lab.store().journal(&key(2, "97102"), 10).expect("read").len();
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
    let journal = lab.store().journal(&key(1, "97101"), 1000).expect("read");
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
        lab.store().journal(&key(2, "97102"), 10).expect("read").len(),
        before,
        "nobody else's are gone"
    );
    lab.assert_counters_true();
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
        trimmed(&lab).await;
    }
    while lab.store().trim(10).await.expect("trimmed") == 10 {}
    let kept = lab.store().usage()[&tenant_id(1)].of(Shelf::History).bytes;
    assert!((1_500..=3_000).contains(&kept), "{kept}");
    let lines = lab.lines(1, "97101");
    assert_eq!(lines.last().map(String::as_str), Some("Brain: yes (Sent)"));
    assert!(
        lines.iter().any(|line| line.ends_with("line 59"))
            && !lines.iter().any(|line| line.ends_with("line 0"))
    );
    assert_eq!(lab.lines(2, "97102").len(), 1);
    lab.assert_counters_true();
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
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    assert!(lab.accept(to_own(2)).await.duplicate);
    lab.hears("97105", "start_realty_2", 5).await;
    lab.hears("97106", "start_realty_1", 5).await;
    assert_eq!(served(&lab, 10).await.len(), 4, "what comes through a shared number is kept");
    assert!(!lab.accept(to_own(3)).await.duplicate, "the refused one was not remembered");
    lab.assert_counters_true();
}

/// Quotas: 2 uploads an hour.
pub async fn what_is_counted_by_the_hour_is_refused_until_it_frees(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let spend = |tenant: u32, ms: i64| lab.store().spend(tenant_id(tenant), Kind::UploadsPerHour, at(ms));
    spend(1, 0).expect("the first");
    spend(1, 1).expect("the second");
    let refused = spend(1, 2).expect_err("the third").to_string();
    assert!(refused.contains("uploads_per_hour") && refused.contains("free again at"), "{refused}");
    spend(2, 2).expect("another tenant's");
    let freed = gauge(lab.store().as_ref(), 1, Kind::UploadsPerHour, 2).frees_at.expect("in about an hour");
    spend(1, freed.as_ms() - at(0).as_ms()).expect("then");
}

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
    lab.assert_counters_true();
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
    let failed = lab.lines(1, "97101").iter().filter(|line| *line == "Brain: yes (Failed)").count();
    assert_eq!(failed, said, "every one is a line still");
    let listed = lab.store().outbox(&lab::all()).expect("listed");
    assert!((1..said).contains(&listed.len()));
    let newest = &lab.store().history(&key(1, "97101"), None, 1000).expect("read");
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
    let dead = lab.store().turns(&Filter { ended: true, ..lab::all() }).expect("listed");
    assert!((1..died).contains(&dead.len()));
    assert_eq!(words(&dead.last().expect("the newest").trigger), [format!("line {}", died - 1)]);
    lab.store().retry_turn(&dead[0].id, "test", at(9_100)).await.expect("one may be tried again");
    assert_eq!(served(&lab, 9_100).await.len(), 1);
    lab.assert_counters_true();
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
        let uses = lab.store().template_log(tenant_id(tenant), None, 100).expect("log");
        let bytes = lab.store().usage()[&tenant_id(tenant)].of(Shelf::TemplateUses).bytes;
        assert!((1_500..=2_000).contains(&bytes) && uses.len() < 15, "{bytes} of {}", uses.len());
        assert_eq!(uses[0].1.contact.as_str(), if tenant == 1 { "971529" } else { "971528" });
    }
    lab.assert_counters_true();
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
    lab.assert_counters_true();
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
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.timer_bytes"), "{refused}");
    sets("97102", vec![timer("c", 400)]).await.expect("another tenant's room");
    sets("97101", vec![timer("a", 410)]).await.expect("one in the place of another");
    sets("97101", vec![TimerChange::Cancel { key: "b".into() }]).await.expect("less");
    sets("97103", vec![timer("c", 400)]).await.expect("there is room again");
    lab.assert_counters_true();
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
    lab.assert_counters_true();
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
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.conversations"), "{refused}");
    lab.accept(to_own("97101", "more", 4)).await;
    lab.hears("97104", "start_realty_1", 5).await;
    lab.hears("97105", "start_realty_2", 5).await;
    assert_eq!(served(&lab, 6).await.len(), 3, "who is there goes on, and so does a shared number");
    lab.assert_counters_true();
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
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.conversation_bytes"), "{refused}");
    assert!(kept(&lab, Shelf::Conversations) < 2_400);
    remembers(2, 50, LONG).await.expect("another tenant's room");
    lab.assert_counters_true();
}

/// Quotas: 2 opt-outs.
pub async fn opt_outs_have_a_number(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    let set = async |tenant: u32, who: &str, out: bool| {
        let opt_out = out.then(|| OptOut::new(at(0), "asked"));
        lab.store().set_opt_out(&key(tenant, who), opt_out, "tenant 1", at(0)).await
    };
    set(1, "97101", true).await.expect("one");
    set(1, "97102", true).await.expect("two");
    let refused = set(1, "97103", true).await.expect_err("two there are");
    assert!(matches!(&refused, Error::Limit { code: "quota", .. }), "{refused:?}");
    assert!(refused.to_string().contains("quotas.opt_outs"), "{refused}");
    set(1, "97102", true).await.expect("it is there already");
    set(2, "97103", true).await.expect("another tenant's");
    set(1, "97102", false).await.expect("lifted");
    set(1, "97103", true).await.expect_err("that it was lifted is remembered");
    lab.meets("97104", 1, 1).await;
    lab.hears("97104", "stop", 2).await;
    assert!(lab.store().opt_out(&key(1, "97104")).expect("read").is_some(), "who says so itself is heard");
    lab.assert_counters_true();
}
