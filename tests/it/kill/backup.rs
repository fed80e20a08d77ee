//! kill -9 amid a backup, while contacts write. What was acknowledged is there; of the backup there is nothing, or,
//! where the disk wants a name for it, a draft that says what it is until the next start; and the next one is whole.

use std::path::{Path, PathBuf};

use switchboard_tests::gateway::Answer;

use super::*;

/// Contacts beside those who write, so that a backup takes longer than a look at it.
const BESIDE: u64 = 20_000;

/// A backup is begun again if it was whole before it could be broken off.
const ATTEMPTS: usize = 20;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_broken_off_leaves_no_half_and_takes_nothing_along() {
    let seed = number("SWITCHBOARD_TEST_SEED").unwrap_or_else(rand::random);
    let waha = FakeWaha::start().await;
    let config = "[turns]\nprocess_deaths = 255\n[backup]\nkeep_by_hand = 1000\n";
    let mut gateway = setup(&waha).config(config).start().await;
    bring_contacts(&gateway).await;
    let writers = Writers::begin(&gateway, seed);
    break_off(&mut gateway, 1, false).await;
    break_off(&mut gateway, 1 << 20, false).await;
    gateway.with_plain_disk();
    gateway.restart().await;
    break_off(&mut gateway, 1, true).await;
    break_off(&mut gateway, 1 << 20, true).await;
    let facts = writers.end().await;
    gateway.drained(SOON).await;
    check_counters(&gateway).await;

    gateway.cli(&["backup"]).await.ok();
    let (whole, drafts) = backups(&gateway);
    assert_eq!(drafts, [""; 0], "nothing is half done");
    assert!(!whole.is_empty(), "the backup lies in its directory");
    let on_time = waha.sent().len();
    let status = gateway.stop().await;
    assert!(status.success(), "the gateway ended with {status}");
    // The newest comes last, and stays. Those before it were there before they could be broken off.
    for backup in whole {
        let backup = backups_of(&gateway).join(backup);
        gateway.cli(&["restore", backup.to_str().expect("UTF-8")]).await.ok();
    }
    let history = read(&gateway, (&waha, on_time), facts).await;
    assert_sound(&history, seed);
    assert!(history.locks.len() as u64 > BESIDE, "{} contacts are locked", history.locks.len());
}

async fn bring_contacts(gateway: &Gateway) {
    let mapping: BTreeMap<String, u32> =
        (0..BESIDE).map(|n| ((971_500_000_000 + n).to_string(), 1)).collect();
    let file = gateway.dir().join("mapping.json");
    std::fs::write(&file, json!(mapping).to_string()).expect("a file in a temporary directory");
    gateway.cli(&["import", "mapping", file.to_str().expect("UTF-8")]).await.ok();
}

/// Kills it when its backup has so many bytes, looks at what that leaves, and starts it again.
async fn break_off(gateway: &mut Gateway, bytes: u64, named: bool) {
    for _ in 0..ATTEMPTS {
        let (before, _) = backups(gateway);
        let begin = gateway.client().post(gateway.url("/api/backup")).bearer_auth(gateway.token());
        let begun = tokio::spawn(Answer::of(begin.json(&json!({}))));
        until("the backup grows, or is whole", SOON, async || {
            (written(gateway) >= Some(bytes) || begun.is_finished()).then_some(())
        })
        .await;
        gateway.kill().await;
        let (after, drafts) = backups(gateway);
        let amid = before == after;
        if amid {
            assert_eq!(drafts.len(), usize::from(named), "{drafts:?}");
        }
        gateway.start().await;
        assert_eq!(backups(gateway), (after, Vec::new()), "a start removes drafts and nothing else");
        if amid {
            return;
        }
    }
    panic!("{ATTEMPTS} times the backup was whole before it could be broken off");
}

/// How many bytes the backup has that the process is writing, whether it has a name or not.
fn written(gateway: &Gateway) -> Option<u64> {
    let directory = backups_of(gateway);
    let open = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).expect("Linux tells what is open");
    let drafts = open.flatten().map(|open| open.path()).filter(|open| {
        let leads_to = std::fs::read_link(open);
        leads_to.is_ok_and(|file| file.starts_with(&directory))
    });
    // The directory itself is open for a moment, too.
    drafts.filter_map(|open| open.metadata().ok()).filter(std::fs::Metadata::is_file).map(|it| it.len()).max()
}

/// The names of backups in the order of their times, and of what is not one yet.
fn backups(gateway: &Gateway) -> (Vec<String>, Vec<String>) {
    let entries = std::fs::read_dir(backups_of(gateway)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("names are UTF-8")).collect();
    names.sort();
    let whole = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "tar");
    names.into_iter().partition(whole)
}

/// As the kernel names it.
fn backups_of(gateway: &Gateway) -> PathBuf {
    gateway.dir().canonicalize().expect("it is there").join("data/backups")
}
