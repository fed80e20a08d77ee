//! Disks that fail, fill up or are slow, and what the store makes of it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use switchboard::store::embedded::{Embedded, Settings};
use switchboard::store::prelude::*;
use switchboard::store::{Error, Settlement};

use super::Files;
use super::lab::{Options, arrival, at, begin, claim_sends, failure, furnish, says, turn};

/// A disk whose moods the test decides.
#[derive(Clone, Debug)]
struct Moody(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    memory: InMemoryBackend,
    /// 0: works; else writes fail with this error.
    mood: AtomicU8,
    stuck: Mutex<bool>,
    moved: Condvar,
    /// Somebody waits in a sync.
    waiting: AtomicBool,
}

const WORKS: u8 = 0;
const FULL: u8 = 1;
const BROKEN: u8 = 2;

impl Moody {
    fn new() -> Self {
        Moody(Arc::new(Inner {
            memory: InMemoryBackend::new(),
            mood: AtomicU8::new(WORKS),
            stuck: Mutex::new(false),
            moved: Condvar::new(),
            waiting: AtomicBool::new(false),
        }))
    }

    fn feels(&self, mood: u8) {
        self.0.mood.store(mood, Ordering::SeqCst);
    }

    fn stick(&self, stuck: bool) {
        *self.0.stuck.lock().expect("lock") = stuck;
        self.0.moved.notify_all();
    }

    fn check(&self) -> io::Result<()> {
        match self.0.mood.load(Ordering::SeqCst) {
            WORKS => Ok(()),
            FULL => Err(io::ErrorKind::StorageFull.into()),
            _ => Err(io::Error::other("the cable is out")),
        }
    }

    fn open(&self, settings: Settings) -> Embedded {
        let disk = self.clone();
        Embedded::open_on(settings, move || Ok(Box::new(disk.clone()))).expect("opened")
    }
}

impl StorageBackend for Moody {
    fn len(&self) -> io::Result<u64> {
        self.0.memory.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.memory.read(offset, out)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check()?;
        self.0.memory.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut stuck = self.0.stuck.lock().expect("lock");
        while *stuck {
            self.0.waiting.store(true, Ordering::SeqCst);
            stuck = self.0.moved.wait(stuck).expect("lock");
        }
        self.check()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.0.memory.write(offset, data)
    }
}

fn settings(queue: usize) -> Settings {
    Settings { queue, verify: false, ..Files::new(Options::default()).settings() }
}

/// Until `done` says so; the store tries its file again by itself.
async fn eventually<T, F: Future<Output = Result<T, Error>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "it does not recover: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once() {
    let disk = Moody::new();
    let store = Arc::new(disk.open(settings(4)));
    furnish(store.as_ref()).await;
    disk.stick(true);
    let mut waiting = Vec::new();
    let mut accept = |n: i64| {
        let store = store.clone();
        waiting.push(tokio::spawn(async move {
            store.accept(arrival("971501", &format!("m{n}"), "start_realty_1", at(n))).await
        }));
    };
    accept(0);
    while !disk.0.waiting.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // One is being committed; the queue takes four more, and no fifth.
    let mut refused = None;
    for n in 1..=4 {
        accept(n);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while refused.is_none() && Instant::now() < deadline {
        let probed = tokio::time::timeout(Duration::from_millis(50), store.probe()).await;
        refused = probed.ok().and_then(Result::err);
    }
    assert!(matches!(&refused, Some(Error::Busy(text)) if text.contains("[store] queue")), "{refused:?}");
    assert!(store.counters().users == 0 && store.recount().await.is_ok(), "reading goes on");
    disk.stick(false);
    let mut accepted = 0;
    for task in waiting {
        match task.await.expect("no panic") {
            Ok(_) => accepted += 1,
            Err(Error::Busy(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert!(accepted >= 4, "those in the queue are done: {accepted}");
    assert_eq!(store.counters(), store.recount().await.expect("recounted"));
    assert_eq!(store.counters().accepted, accepted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_disk_acknowledges_nothing_and_is_taken_up_again() {
    for (mood, busy) in [(FULL, true), (BROKEN, false)] {
        let disk = Moody::new();
        let store = disk.open(settings(1024));
        furnish(&store).await;
        for n in 0..20 {
            store
                .accept(arrival(&format!("98{n}"), &format!("a{n}"), "start_realty_1", at(n)))
                .await
                .expect("accepted");
        }
        let before = store.counters();
        let claims = store.claim_turns(3, at(100)).await.expect("claimed");
        store.commit_turn(turn(&claims[0], says(&["hi"]), at(101))).await.expect("committed");
        let sends = begin(&store, 1, 102).await;
        let during = store.counters();
        disk.feels(mood);
        for n in 0..5 {
            let error = store
                .accept(arrival("97", &format!("b{n}"), "start_realty_1", at(n)))
                .await
                .expect_err("refused");
            assert_eq!(matches!(error, Error::Busy(_)), busy, "{error}");
            if busy {
                assert!(error.to_string().contains("disk is full"), "{error}");
            }
        }
        assert_eq!(store.counters(), during, "nothing half-kept");
        disk.feels(WORKS);
        eventually(|| store.probe()).await;
        assert_eq!(store.counters(), store.recount().await.expect("recounted"));
        assert_eq!(store.counters(), during);
        assert_eq!(before.users, 20);
        // What was claimed before is still its claimer's, and nobody else's.
        let others = store.claim_turns(100, at(200)).await.expect("claimed");
        assert_eq!(others.len(), 17);
        assert_eq!(claim_sends(&store, 10, 200).await.len(), 0);
        store.commit_turn(turn(&claims[1], says(&["hi"]), at(201))).await.expect("committed");
        let fate = switchboard::store::TurnFate::Retry { at: at(300) };
        store.fail_turn(failure(&claims[2], fate, at(201))).await.expect("put off");
        let sent = Settlement::Sent { provider_id: None };
        store.settle_send(&sends[0].id, sent, at(202)).await.expect("settled");
        assert!(
            !store.accept(arrival("97", "b0", "start_realty_1", at(203))).await.expect("accepted").duplicate
        );
        drop(store);
        let again = disk.open(settings(1024));
        assert_eq!(again.counters(), again.recount().await.expect("recounted"));
        assert_eq!(again.counters().users, 21);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_while_the_file_is_opened_again() {
    let disk = Moody::new();
    // Held by the test while the file is to take long to open.
    let gate = Arc::new(Mutex::new(()));
    let (backend, opening) = (disk.clone(), gate.clone());
    let store = Embedded::open_on(settings(1024), move || {
        let _open = opening.lock().expect("lock");
        Ok(Box::new(backend.clone()))
    });
    let store = Arc::new(store.expect("opened"));
    furnish(store.as_ref()).await;
    disk.feels(BROKEN);
    store.probe().await.expect_err("the disk is broken");
    disk.feels(WORKS);
    let held = gate.lock().expect("lock");
    let writing = store.clone();
    // Opening begins with what is written next.
    let opened = tokio::spawn(async move { eventually(|| writing.probe()).await });
    let reader = store.clone();
    // On a thread of its own: a reader that waited would wait for this test.
    let (told, answer) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    let asking = std::thread::spawn(move || {
        loop {
            let answer = runtime.block_on(reader.lock_of(&super::lab::contact("971501")));
            if answer.is_err() && told.send(answer).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let answer = answer.recv_timeout(Duration::from_secs(30)).expect("it does not wait");
    assert!(matches!(&answer, Err(Error::Busy(text)) if text.contains("opened again")), "{answer:?}");
    drop(held);
    asking.join().expect("no panic");
    opened.await.expect("no panic");
    assert_eq!(store.lock_of(&super::lab::contact("971501")).await.expect("read"), None);
}
