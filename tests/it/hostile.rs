//! Hostile guests, uploads and callers, each beside an honest neighbour; see `tests/hostile/`. Here each
//! is tried once; `cargo xtask hostile` goes round all of them for as long as it is told to.

use std::time::Duration;

use futures::StreamExt as _;
use switchboard_tests::hostile::beside::{Beside, Pace};
use switchboard_tests::hostile::caller::{self, Caller};
use switchboard_tests::hostile::case::Guest;
use switchboard_tests::hostile::ground::Ground;
use switchboard_tests::hostile::trial;

/// The neighbour writes this often.
const PACE: Pace =
    Pace { contacts: 3, every: Duration::from_millis(200), health_every: Duration::from_millis(50) };

/// So many guests run side by side.
const AT_ONCE: usize = 4;

/// Of each guest.
const CONTACTS: usize = 2;

/// Small, so that what wants too much is told soon, on a slow machine too.
const LIMITS: &str = "[limits]\nfuel = 100_000_000\nwall_time_ms = 2_000\nmemory_bytes = 33554432\n";

/// A machine that runs other tests too is slow; one that a guest holds does not answer at all.
const HEALTH: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests() {
    all_are_held("guests").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads() {
    all_are_held("uploads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers() {
    let mut cases = Caller::all().unwrap();
    cases.retain(|case| is_named(&case.name));
    let ground = Ground::start(&[], cases.len(), LIMITS).await;
    let beside = ground.beside(PACE);
    let mut wrong = Vec::new();
    // One by one: each is held against what the gateway holds and logs for it.
    for (number, case) in cases.iter().enumerate() {
        if let Err(error) = caller::try_caller(&ground, number, case).await {
            wrong.push(format!("{}: {error:#}", case.name));
        }
    }
    ended(ground, beside, wrong, cases.len()).await;
}

/// Tries every case of a folder.
async fn all_are_held(folder: &str) {
    let mut cases = Guest::all(folder).unwrap();
    cases.retain(|case| is_named(&case.name));
    let ground = Ground::start(&cases, 0, LIMITS).await;
    let beside = ground.beside(PACE);
    let tried = futures::stream::iter(cases.iter().enumerate()).map(|(number, case)| {
        let ground = &ground;
        async move { (case, trial::try_guest(ground, number, case, CONTACTS).await) }
    });
    let tried: Vec<_> = tried.buffer_unordered(AT_ONCE).collect().await;
    let wrong =
        tried.iter().filter_map(|(case, tried)| Some(format!("{}: {:#}", case.name, tried.as_ref().err()?)));
    ended(ground, beside, wrong.collect(), cases.len()).await;
}

/// All, or those whose names hold what the environment's `SWITCHBOARD_HOSTILE` says.
fn is_named(name: &str) -> bool {
    std::env::var("SWITCHBOARD_HOSTILE").is_ok_and(|wanted| name.contains(&wanted))
        || std::env::var_os("SWITCHBOARD_HOSTILE").is_none()
}

/// Nothing that ran beside the cases noticed, and nothing of them is left.
async fn ended(mut ground: Ground, beside: Beside, mut wrong: Vec<String>, cases: usize) {
    let seen = beside.take();
    drop(beside);
    wrong.extend(seen.unanswered.iter().map(|what| format!("the neighbour: {what}")));
    let slowest = seen.health.quantile(1.0);
    if slowest > HEALTH {
        wrong.push(format!("/health took {slowest:?}"));
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases} cases and what runs beside them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // A few chosen cases may be over before it has come to that.
    assert!(cases < 10 || seen.turns.count() > 0, "the neighbour wrote");
    ground.settles().await.expect("it holds no more than before");
    let metrics = ground.gateway.metrics().await.expect("metrics");
    assert_eq!(
        metrics.value("switchboard_store_late_refusals_total"),
        Some(0.0),
        "nobody pays for another's refusal"
    );
    assert!(ground.gateway.stop().await.success(), "it stops within its drain time");
}

#[test]
fn every_case_can_be_made() {
    let cases = ["guests", "uploads"].map(|folder| Guest::all(folder).unwrap()).concat();
    assert!(cases.len() >= 60, "{} guests and uploads", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| Some(format!("{:#}", case.component().err()?))).collect();
    assert!(wrong.is_empty(), "{} cannot be made:\n{}", wrong.len(), wrong.join("\n"));
    let callers = Caller::all().unwrap().len();
    assert!(callers >= 40, "{callers} callers");
}
