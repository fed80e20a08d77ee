//! The plugins directory while turns run: what is dropped there goes live, nothing is lost meanwhile,
//! and what is broken stays out.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use async_trait::async_trait;

async fn live(brains: &Brains, package: &str, wanted: &str) {
    eventually("the version", || status(brains, package).digest, |seen| seen.as_deref() == Some(wanted))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_nothing_and_free_what_is_old() {
    let workshop = Workshop::hostile();
    let brains = workshop.watched().await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (brains, stop, answered) = (brains.clone(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = brains.handle(ask("hostile", "static")).await;
                    assert_eq!(texts(&answer.expect("no turn is lost")), ["1"]);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 0..12 {
        let next = variant(&component("hostile"), n);
        let before = answered.load(Ordering::Relaxed);
        workshop.write("hostile", "brain.wasm", &next);
        live(&brains, "hostile", &digest(&next)).await;
        let more = || answered.load(Ordering::Relaxed);
        eventually("turns on the new version", more, |seen| *seen > before + 8).await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.expect("no turn failed");
    }
    assert_eq!(brains.versions_in_memory(), 1, "the old ones are freed");
    assert_eq!(status(&brains, "hostile").earlier.len(), 9, "and kept on disk, bounded");
}

/// Holds a turn that asks for the history until it is opened.
#[derive(Default)]
struct Gate {
    reached: AtomicBool,
    open: AtomicBool,
}

#[async_trait]
impl Sources for Gate {
    async fn history(&self, _limit: usize) -> Result<Vec<HistoryEntry>, String> {
        self.reached.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.open.load(Ordering::SeqCst) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        Ok(Vec::new())
    }

    async fn collection(&self, _name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
        Ok(None)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_turn_ends_on_the_version_it_began_with() {
    let mut workshop = Workshop::hostile();
    workshop.limits.wall_time_ms = 120_000;
    let brains = workshop.watched().await;
    let began = digest(&component("hostile"));
    let gate = Arc::new(Gate::default());
    let mut held = ask("hostile", "calls");
    held.sources = gate.clone();
    let turn = tokio::spawn({
        let brains = brains.clone();
        async move { brains.handle(held).await }
    });
    eventually("the turn", || gate.reached.load(Ordering::SeqCst), |seen| *seen).await;
    let next = variant(&component("hostile"), 1);
    workshop.write("hostile", "brain.wasm", &next);
    live(&brains, "hostile", &digest(&next)).await;
    assert_eq!(brains.versions_in_memory(), 2, "the old one lives as long as its turn");
    gate.open.store(true, Ordering::SeqCst);
    let failure = turn.await.expect("no panic").expect_err("it calls without an end");
    assert_eq!((failure.code.as_str(), failure.version), ("host-calls", began));
}

#[tokio::test]
async fn a_broken_drop_leaves_the_running_one() {
    let workshop = Workshop::hostile();
    let brains = workshop.watched().await;
    let running = status(&brains, "hostile").digest;
    let whole = variant(&component("hostile"), 1);
    workshop.write("hostile", "brain.wasm", &whole[..whole.len() / 2]);
    let refused = || status(&brains, "hostile").refused;
    let reason = eventually("the refusal", refused, Option::is_some).await.expect("there");
    assert!(reason.contains("hostile/brain.wasm: damaged or cut short at byte "), "{reason}");
    assert_eq!(status(&brains, "hostile").digest, running);
    assert_eq!(says(&brains, "hostile", "good morning").await, "heard: good morning");

    workshop.write("hostile", "brain.wasm", &whole);
    live(&brains, "hostile", &digest(&whole)).await;
    assert_eq!(status(&brains, "hostile").refused, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slowly_written_file_is_never_read_as_a_version() {
    let workshop = Workshop::hostile();
    let brains = workshop.watched().await;
    let next = variant(&component("hostile"), 1);
    let path = workshop.plugins().join("hostile/brain.wasm");
    let writer = tokio::task::spawn_blocking({
        let next = next.clone();
        move || {
            use std::io::Write;
            let mut file = std::fs::File::create(path).expect("opened");
            // Longer than it takes to call a file settled.
            for part in next.chunks(next.len() / 8) {
                file.write_all(part).expect("written");
                std::thread::sleep(Duration::from_millis(250));
            }
        }
    });
    while !writer.is_finished() {
        assert_eq!(status(&brains, "hostile").refused, None);
        assert_eq!(says(&brains, "hostile", "static").await, "1");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    live(&brains, "hostile", &digest(&next)).await;
    assert_eq!(status(&brains, "hostile").earlier.len(), 1, "nothing between the two");
}

#[tokio::test]
async fn packages_come_and_go() {
    let workshop = Workshop::hostile();
    let brains = workshop.watched().await;
    let directory = workshop.plugins().join("late");
    workshop.package("late", &component("echo"), "[echo]\nen = \"{said}!\"\n");
    let listed = || brains.list().iter().any(|status| status.package == "late" && status.digest.is_some());
    eventually("the new package", listed, |seen| *seen).await;
    assert_eq!(says(&brains, "late", "hi").await, "hi!");
    std::fs::remove_dir_all(directory).expect("removed");
    eventually("the package gone", listed, |seen| !*seen).await;
    assert_eq!(fails(&brains, "late", "hi").await.code, "no-brain");
}

/// As a deployment by two renames does, and then an edit in what is there now.
#[tokio::test]
async fn a_directory_that_was_replaced_is_followed() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), "[echo]\nen = \"old: {said}\"\n");
    let brains = workshop.watched().await;
    workshop.package(".next", &component("echo"), "[echo]\nen = \"new: {said}\"\n");
    let (live, next) = (workshop.plugins().join("echo"), workshop.plugins().join(".next"));
    let version = || status(&brains, "echo").personality_version;
    let before = version();
    std::fs::rename(&live, workshop.plugins().join(".old")).expect("renamed");
    std::fs::rename(&next, &live).expect("renamed");
    let replaced = eventually("the new directory", version, |seen| *seen != before).await;
    assert_eq!(says(&brains, "echo", "hi").await, "new: hi");
    edits_are_followed(&workshop, &brains, "echo").await;
    assert_ne!(version(), replaced);
}

#[tokio::test]
async fn compiled_code_is_kept_checked_and_made_again() {
    let workshop = Workshop::hostile();
    std::fs::remove_dir_all(workshop.cache()).expect("removed");
    drop(workshop.open().await);
    let compiled = workshop.cache().join("compiled");
    let files = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&compiled).expect("the cache");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let file = files().pop().expect("one file");
    let whole = std::fs::read(&file).expect("read");
    let inode = || std::fs::metadata(&file).expect("there").ino();
    let before = inode();

    assert_eq!(says(&*workshop.open().await, "hostile", "static").await, "1");
    assert_eq!(inode(), before, "the second start reads what the first compiled");

    let mut damages = vec![whole[..whole.len() / 2].to_vec(), Vec::new(), b"not ours".to_vec()];
    for at in [9, 60, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        damages.push(damaged);
    }
    for damaged in damages {
        std::fs::write(&file, &damaged).expect("damaged");
        assert_eq!(says(&*workshop.open().await, "hostile", "static").await, "1");
        assert_eq!(std::fs::read(&file).expect("read").len(), whole.len(), "made again");
    }
    std::fs::write(compiled.join("stray.cwasm"), b"old").expect("written");
    drop(workshop.open().await);
    assert_eq!(files(), [file], "what belongs to no version is removed");
}

#[tokio::test]
async fn a_plugins_directory_that_is_not_there_is_an_error() {
    let workshop = Workshop::new();
    std::fs::remove_dir(workshop.plugins()).expect("removed");
    let error = Brains::open(workshop.settings(), |_| None).await.err().expect("cannot open");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

/// A pipe, a device or a link that leads out is refused by its name, and holds nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_regular_file_is_refused_and_named() {
    let workshop = Workshop::hostile();
    let secret = workshop.plugins().join("../secret");
    std::fs::write(&secret, "password = 'hunter2'\n").expect("written");
    let in_package = |package: &str, file: &str| {
        let directory = workshop.plugins().join(package);
        std::fs::create_dir_all(&directory).expect("a package");
        directory.join(file)
    };
    for (package, file) in [("pipe", "plugin.toml"), ("late-pipe", "brain.wasm")] {
        let path = in_package(package, file);
        assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo is there").success());
    }
    std::os::unix::fs::symlink("/dev/zero", in_package("device", "personality.toml")).expect("a link");
    std::os::unix::fs::symlink(&secret, in_package("tenant-9", "personality.toml")).expect("a link");
    std::os::unix::fs::symlink("../hostile/brain.wasm", in_package("tenant-2", "brain.wasm"))
        .expect("a link");
    let brains = workshop.open_for("hostile").await;
    for (package, file, why) in [
        ("pipe", "plugin.toml", "a FIFO, not a regular file"),
        ("late-pipe", "brain.wasm", "a FIFO, not a regular file"),
        ("device", "personality.toml", "a link that leads out of "),
        ("tenant-9", "personality.toml", "a link that leads out of "),
    ] {
        let refused = status(&brains, package).refused.expect("it is refused");
        assert!(refused.contains(&format!("{package}/{file}: {why}")), "{package}: {refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    assert_eq!(
        status(&brains, "tenant-2").refused,
        None,
        "a link about the plugins directory is one of ours"
    );
    assert!(status(&brains, "hostile").digest.is_some(), "the others run");
}
