//! A disk that fills up, and a file that gives back what it does not need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard::conversation::TimerChange;
use switchboard::store::Error;
use switchboard::store::embedded::space::{Ask, Reserve};
use switchboard::store::upkeep::{Mark, StoreFile};

use super::Files;
use super::lab::{Answer, Lab, Options, arrival, at, contact, key, says, tenant_id, turn};

const MIB: u64 = 1 << 20;

/// A disk of 10 GiB with as much left as the test says.
fn disk() -> (Arc<AtomicU64>, Reserve) {
    let free = Arc::new(AtomicU64::new(1024 * MIB));
    let told = free.clone();
    let ask = Ask::by(move || Some((told.load(Ordering::SeqCst), 10 * 1024 * MIB)));
    (free, Reserve { ask, bytes: 64 * MIB })
}

/// The disk is asked now and then only.
async fn until(file: &dyn StoreFile, short: Option<Mark>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while file.room().short != short {
        assert!(Instant::now() < deadline, "{:?}", file.room());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_refused_before_the_disk_is_full_and_the_rest_goes_on() {
    let (free, reserve) = disk();
    let files = Files::new(Options { reserve, ..Options::default() });
    let lab = Lab::new(&files).await;
    lab.owes("971501", 1, &["one", "two"], 0).await;
    lab.hears("971501", "more", 10).await;
    let put = async || lab.store().put_collection(tenant_id(1), "a", vec![json!({"id": 1})], "test").await;
    put().await.expect("there is room");

    free.store(127 * MIB, Ordering::SeqCst);
    until(lab.file().as_ref(), Some(Mark::Stored)).await;
    let refused = put().await.expect_err("the first mark");
    assert!(matches!(&refused, Error::Full(text) if text.contains("reserve_bytes")), "{refused:?}");
    assert!(matches!(lab.store().room_for_files(tenant_id(1)), Err(Error::Full(_))));
    lab.hears("971501", "still taken", 11).await;

    free.store(63 * MIB, Ordering::SeqCst);
    until(lab.file().as_ref(), Some(Mark::Messages)).await;
    let refused = lab.store().accept(arrival("971502", "m", "start_realty_1", at(12))).await;
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    assert!(matches!(lab.store().probe().await, Err(Error::Full(_))), "it is not ready");
    assert!(lab.claim(10, 20).await.is_empty() && lab.store().next_turn_at().is_none(), "turns wait");
    assert_eq!(lab.sends_one(20).await, "one", "replies go out");
    assert_eq!(
        lab.store().lock_of(&contact("971501")).await.expect("read").expect("locked").tenant,
        tenant_id(1)
    );
    lab.store().trim(10).await.expect("there is room to remove");

    free.store(70 * MIB, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(lab.file().room().short, Some(Mark::Messages), "it does not flicker");
    free.store(1024 * MIB, Ordering::SeqCst);
    until(lab.file().as_ref(), None).await;
    assert!(
        !lab.accept(arrival("971502", "m", "start_realty_1", at(12))).await.duplicate,
        "nothing was kept of it"
    );
    assert_eq!(lab.claim(10, 30).await.len(), 2, "and nothing was lost");
    lab.assert_counters_true().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_disk_keeps_a_part_of_itself() {
    let ask = Ask::by(|| Some((3 * MIB, 40 * MIB)));
    let files = Files::new(Options { reserve: Reserve { ask, bytes: 64 * MIB }, ..Options::default() });
    let lab = Lab::new(&files).await;
    let room = lab.file().room();
    assert_eq!((room.reserve, room.short), (2 * MIB, Some(Mark::Stored)));
    lab.hears("971501", "start_realty_1", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_gives_bytes_back_and_loses_nothing() {
    let files = Files::new(Options::default());
    let mut lab = Lab::new(&files).await;
    for n in 0..20 {
        lab.owes(&format!("9715{n}"), 1, &["one", "two"], n).await;
    }
    let claim = {
        lab.hears("97150", "remind me", 100).await;
        lab.claim_one(100).await
    };
    let timers = vec![TimerChange::Set { key: "later".into(), at: at(1_000_000), payload: "p".into() }];
    lab.commit(&claim, Answer { timers, ..says(&["three"]) }, 100).await;
    let large = |letters: usize| (0..100).map(|id| json!({"id": id, "text": "x".repeat(letters)})).collect();
    for name in ["a", "b", "c"] {
        lab.store().put_collection(tenant_id(1), name, large(60_000), "test").await.expect("put");
    }
    for name in ["a", "b", "c"] {
        lab.store().put_collection(tenant_id(1), name, large(1), "test").await.expect("put");
    }
    lab.hears("97151", "waits", 200).await;
    let before = (lab.store().counters(), lab.lines(1, "97150").await, lab.store().usage());
    let spare = lab.file().file_bytes().await.expect("known").spare;
    assert!(spare > 4 * MIB, "{spare}");
    let done = lab.file().compact().await.expect("compacted");
    assert!(done.bytes_after + 4 * MIB < done.bytes_before, "{done:?}");
    assert!(lab.file().file_bytes().await.expect("known").spare < spare / 2);
    for _ in 0..2 {
        assert_eq!((lab.store().counters(), lab.lines(1, "97150").await, lab.store().usage()), before);
        lab.assert_counters_true().await;
        let kept = lab.store().collection(tenant_id(1), "b").await.expect("read").expect("there");
        assert_eq!(kept.len(), 100);
        lab.restart();
    }
    let rings = lab.claim(10, 1_000_000).await;
    assert_eq!(rings.len(), 2, "the message that waited, and the timer");
    for claim in &rings {
        lab.store().commit_turn(turn(claim, Answer::default(), at(1_000_001))).await.expect("committed");
    }
    assert_eq!(lab.sends_one(1_000_002).await, "one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_during_a_compaction_waits_for_it() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    let file = lab.file().clone();
    let compacting = tokio::spawn(async move { file.compact().await });
    let mut accepted = Vec::new();
    for n in 0..200 {
        let store = lab.store().clone();
        let hears =
            arrival(&format!("9716{n}"), &format!("m{n}"), &format!("start_realty_{}", n % 3 + 1), at(n));
        accepted.push(tokio::spawn(async move { store.accept(hears).await }));
    }
    for accepting in accepted {
        accepting.await.expect("no panic").expect("accepted");
    }
    compacting.await.expect("no panic").expect("compacted");
    assert_eq!(lab.store().counters().accepted, 200);
    lab.assert_counters_true().await;
    assert_eq!(lab.claim(1000, 1000).await.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_used_is_not_idle() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    assert!(lab.store().is_idle(Duration::from_secs(1)), "it was written to long ago");
    lab.hears("971501", "start_realty_1", 0).await;
    assert!(!lab.store().is_idle(Duration::from_secs(1)), "a turn waits");
    let claim = lab.claim_one(1).await;
    assert!(!lab.store().is_idle(Duration::from_secs(1)), "a turn runs");
    lab.commit(&claim, Answer::default(), 1).await;
    assert!(lab.store().is_idle(Duration::from_secs(1)));
    assert_eq!(lab.store().journal(&key(1, "971501"), 1).await.expect("read").len(), 1);
}
