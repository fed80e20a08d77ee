//! Files that are not what they should be, and the way back from them.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::{Database, TableDefinition};
use switchboard::conversation::TimerChange;
use switchboard::event::Receipt;
use switchboard::message::{ContactKey, ConversationKey, DeliveryState};
use switchboard::store::OutboxState;
use switchboard::store::embedded::backup::{RestoreError, newest_good_backup, restore};
use switchboard::store::embedded::{Embedded, OpenError, Settings};
use switchboard::store::prelude::*;

use super::Files;
use super::lab::{
    Answer, Lab, Options, all, arrival, at, claim_sends, contact, copied, furnish, key, receipt, says, words,
};

/// A store in which something has happened, closed.
async fn inhabited() -> (Files, Settings) {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    for n in 0..60 {
        lab.owes(&format!("9715{n:03}"), 1 + n % 3, &["hello", "and welcome"], i64::from(n) * 10).await;
    }
    for n in 0..60 {
        lab.hears(&format!("9715{n:03}"), &"words ".repeat(200), 1000 + n).await;
    }
    drop(lab);
    let settings = files.settings();
    (files, settings)
}

#[tokio::test]
async fn flipped_bytes_are_refused_or_harmless() {
    let (_files, settings) = inhabited().await;
    let sound = std::fs::read(&settings.path).expect("the file");
    let expected = Embedded::open(settings.clone()).expect("sound").counters();
    let mut random = StdRng::seed_from_u64(7);
    let (mut refused, mut harmless) = (0, 0);
    for round in 0..250 {
        let mut bytes = sound.clone();
        // The beginning of the file decides how the rest is read; it is hit more often.
        let end = if round % 3 == 0 { 4096.min(bytes.len()) } else { bytes.len() };
        let hit = random.random_range(0..end);
        // The byte that says which of the two commits counts, and how it was made, has no checksum.
        if hit == 9 {
            continue;
        }
        bytes[hit] ^= 1 << random.random_range(0..8);
        std::fs::write(&settings.path, &bytes).expect("written");
        match Embedded::open(settings.clone()) {
            Ok(store) => {
                assert_eq!(store.counters(), expected, "byte {hit}");
                assert_eq!(store.recount().await.expect("recounted"), expected, "byte {hit}");
                harmless += 1;
            }
            Err(error) => {
                assert!(matches!(error, OpenError::Damaged { .. }), "byte {hit}: {error}");
                let now = std::fs::read(&settings.path).expect("the file");
                assert!(now == bytes, "byte {hit}: a file that is refused is left as it is");
                refused += 1;
            }
        }
    }
    assert!(refused > 20 && harmless > 20, "refused {refused}, harmless {harmless}");
}

#[tokio::test]
async fn cut_and_foreign_files_are_refused() {
    let (_files, settings) = inhabited().await;
    let sound = std::fs::read(&settings.path).expect("the file");
    for keep in [1, 9, 511, 512, 4096, 40_000, sound.len() / 2, sound.len() - 4096, sound.len() - 1] {
        std::fs::write(&settings.path, &sound[..keep]).expect("written");
        let error = Embedded::open(settings.clone()).err();
        assert!(matches!(error, Some(OpenError::Damaged { .. })), "{keep} bytes: {error:?}");
    }
    for foreign in [&b"SQLite format 3\0"[..], &[0; 8192], &[0xff; 8192]] {
        std::fs::write(&settings.path, foreign).expect("written");
        let error = Embedded::open(settings.clone()).err();
        assert!(matches!(error, Some(OpenError::Damaged { .. })), "{error:?}");
        assert_eq!(std::fs::read(&settings.path).expect("the file"), foreign, "left as it is");
    }
}

#[tokio::test]
async fn a_missing_and_an_empty_file_are_made() {
    let files = Files::new(Options::default());
    let mut settings = files.settings();
    settings.path = settings.path.with_file_name("deep").join("down").join("switchboard.redb");
    furnish(&Embedded::open(settings.clone()).expect("made with its directories")).await;
    std::fs::write(&settings.path, b"").expect("emptied");
    let store = Embedded::open(settings).expect("made anew");
    assert_eq!(store.directory().tenants.len(), 0);
}

#[tokio::test]
async fn two_gateways_do_not_share_a_file() {
    let (_files, settings) = inhabited().await;
    let first = Embedded::open(settings.clone()).expect("opened");
    let error = Embedded::open(settings.clone()).err().expect("refused");
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().starts_with("another gateway runs on this file"), "{error}");
    let target = settings.path.clone();
    let backup = copied(&first, &settings.backups.join("one.redb")).await;
    assert!(matches!(restore(&backup, &target), Err(RestoreError::Running { .. })));
    drop(first);
    Embedded::open(settings).expect("free again");
}

fn write_format(path: &Path, format: u32) {
    let database = Database::open(path).expect("opened");
    let transaction = database.begin_write().expect("begun");
    {
        let mut meta = transaction.open_table(TableDefinition::<&str, &[u8]>::new("meta")).expect("meta");
        meta.insert("format", format.to_be_bytes().as_slice()).expect("written");
    }
    transaction.commit().expect("committed");
}

#[tokio::test]
async fn a_file_from_before_a_table_existed_gains_it() {
    let (_files, settings) = inhabited().await;
    let before = Embedded::open(settings.clone()).expect("sound").counters();
    let database = Database::open(&settings.path).expect("opened");
    let transaction = database.begin_write().expect("begun");
    for table in ["humans", "ties", "aliases", "apart"] {
        let table = TableDefinition::<&[u8], ()>::new(table);
        assert!(transaction.delete_table(table).expect("deleted"), "it was there");
    }
    transaction.commit().expect("committed");
    drop(database);
    let store = Embedded::open(settings).expect("taken as it is");
    assert_eq!(store.counters(), before);
    store.probe().await.expect("it commits");
    // Conversations that no lock tells of are found again by a merge.
    let (who, _) = store.locks(None, 1).await.expect("read").remove(0);
    let lock = store.unlock(&who, "test", at(1)).await.expect("unlocked");
    let lines = async |contact: &ContactKey| {
        let key = ConversationKey { tenant: lock.tenant, contact: contact.clone() };
        store.history(&key, None, 1000).await.expect("read").len()
    };
    let (before, other) = (lines(&who).await, contact("5000@lid"));
    store.merge_contacts(&who, &other, "test", at(2)).await.expect("merged");
    assert_eq!((lines(&who).await, lines(&other).await), (0, before));
}

#[tokio::test]
async fn a_backup_from_before_a_table_existed_gains_it() {
    let (_files, settings) = inhabited().await;
    let before = Embedded::open(settings.clone()).expect("sound").counters();
    let backup = settings.path.with_extension("backup");
    std::fs::copy(&settings.path, &backup).expect("copied");
    let database = Database::open(&backup).expect("opened");
    let transaction = database.begin_write().expect("begun");
    let table = TableDefinition::<u32, &[u8]>::new("own_packages");
    assert!(transaction.delete_table(table).expect("deleted"), "it was there");
    let table = TableDefinition::<(), u64>::new("probe");
    assert!(transaction.delete_table(table).expect("deleted"), "it was there");
    transaction.commit().expect("committed");
    drop(database);
    let restored = restore(&backup, &settings.path).expect("taken as it is");
    assert_eq!((restored.unknown, restored.waiting), (120, 60));
    let store = Embedded::open(settings).expect("opened");
    assert_eq!(store.counters().users, before.users);
    assert_eq!(store.own_packages().await.expect("read").len(), 0);
    store.probe().await.expect("it commits");
}

#[tokio::test]
async fn a_newer_file_is_refused_with_the_newest_good_backup() {
    let (_files, settings) = inhabited().await;
    let store = Embedded::open(settings.clone()).expect("opened");
    let mut backups: Vec<PathBuf> = Vec::new();
    std::fs::create_dir_all(&settings.backups).expect("made");
    for n in 0..3 {
        backups.push(copied(&store, &settings.backups.join(format!("{n}.redb"))).await);
    }
    drop(store);
    // The newest is damaged: it is passed over.
    let mut bytes = std::fs::read(&backups[2]).expect("read");
    let middle = bytes.len() / 3;
    bytes[middle..middle + 4096].fill(0xaa);
    std::fs::write(&backups[2], bytes).expect("written");
    assert_eq!(newest_good_backup(&settings.backups).as_ref(), Some(&backups[1]));
    write_format(&settings.path, 1);
    let error = Embedded::open(settings.clone()).err().expect("refused");
    assert!(matches!(error, OpenError::Older { found: 1, .. }), "{error}");
    write_format(&settings.path, 99);
    let error = Embedded::open(settings.clone()).err().expect("refused");
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    let way_back = format!("switchboard restore {}", backups[1].display());
    assert!(error.to_string().contains(&way_back), "{error}");

    std::fs::write(&settings.path, b"garbage").expect("written");
    let error = Embedded::open(settings.clone()).err().expect("refused");
    assert!(error.to_string().contains(&way_back), "{error}");
    let restored = restore(&backups[1], &settings.path).expect("restored");
    let replaced = restored.replaced.expect("the present file is kept");
    assert_eq!(std::fs::read(replaced).expect("kept"), b"garbage");
    let store = Embedded::open(settings.clone()).expect("opened");
    // What waited may have gone out since the backup.
    assert_eq!((restored.unknown, restored.waiting), (120, 60));
    assert_eq!(claim_sends(&store, 1000, 1_000_000).await.len(), 0);
    let outbox = store.outbox(&all()).await.expect("outbox");
    assert_eq!(
        (outbox.len(), store.counters().outbox_unknown, store.counters().outbox_waiting),
        (120, 120, 0)
    );
    let name = backups[1].file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(
        outbox.iter().all(|send| send.entry.state == OutboxState::Unknown
            && send.entry.last_error.as_ref().is_some_and(|error| error.contains(name))),
        "{:?}",
        outbox[0]
    );
    assert_eq!(store.counters(), store.recount().await.expect("recounted"));
    assert_eq!(store.counters().users, 60);
    drop(store);
    assert!(matches!(restore(&backups[2], &settings.path), Err(RestoreError::Bad { .. })));
    std::fs::remove_dir_all(&settings.backups).expect("removed");
    std::fs::write(&settings.path, b"garbage").expect("written");
    let error = Embedded::open(settings).err().expect("refused");
    assert!(error.to_string().contains("There is no good backup in"), "{error}");
}

/// What was on its way when the backup was made is of unknown outcome, until a report names it.
#[tokio::test]
async fn a_report_resolves_what_a_restore_left_unknown() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    lab.owes("971501", 1, &["one", "two"], 0).await;
    let claim = lab.sends(1, 10).await.remove(0);
    let settings = files.settings();
    let backup = copied(&**lab.file(), &settings.backups.join("one.redb")).await;
    drop(lab);
    assert_eq!(restore(&backup, &settings.path).expect("restored").unknown, 2);
    let lab = Lab::open(&files);
    let told = Receipt { reference: Some(claim.reference), ..receipt("p1", DeliveryState::Delivered) };
    lab.store().record_receipt(told).await.expect("recorded");
    assert_eq!(lab.lines(1, "971501").await[2..], ["Brain: one (Delivered)", "Brain: two (Unknown)"]);
    assert_eq!(lab.store().counters().outbox_unknown, 1);
    lab.assert_counters_true().await;
}

/// A provider that knows a name already would take the reply for one that it has sent.
#[tokio::test]
async fn a_restored_store_calls_no_reply_what_another_was_called() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    let settings = files.settings();
    let backup = copied(&**lab.file(), &settings.backups.join("one.redb")).await;
    lab.owes("971501", 1, &["after the backup"], 0).await;
    let mut names = vec![lab.sends(1, 10).await.remove(0).reference];
    drop(lab);
    for round in 1..3 {
        restore(&backup, &settings.path).expect("restored");
        let lab = Lab::open(&files);
        lab.owes("971501", 1, &["after the restore"], round).await;
        names.push(lab.sends(1, 10 + round).await.remove(0).reference);
    }
    let different: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), 3, "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_consistent() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy = {
        let (store, stop) = (lab.store().clone(), stop.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let text = format!("start_realty_{}", n % 3 + 1);
                store
                    .accept(arrival(&format!("98{n}"), &format!("m{n}"), &text, at(n)))
                    .await
                    .expect("accepted");
                for claim in store.claim_turns(2, at(n)).await.expect("claimed") {
                    store
                        .commit_turn(super::lab::turn(&claim, says(&["hi"]), at(n)))
                        .await
                        .expect("committed");
                }
                n += 1;
            }
            n
        })
    };
    let mut users = Vec::new();
    for n in 0..4 {
        let path = copied(&**lab.file(), &files.settings().backups.join(format!("{n}.redb"))).await;
        let copy = Embedded::open(Settings { path, ..files.settings() }).expect("it opens like any other");
        let counters = copy.counters();
        assert_eq!(counters, copy.recount().await.expect("recounted"));
        assert_eq!(counters.users, copy.locks(None, usize::MAX).await.expect("locks").len() as u64);
        users.push(counters.users);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = busy.await.expect("no panic");
    assert!(users.is_sorted() && users[3] > users[0] && users[3] <= written as u64, "{users:?} of {written}");
    assert!(lab.store().lock_of(&contact("980")).await.expect("read").is_some());
}

/// Changes the first row of a table, while nobody has the file.
fn spoil_first<K: redb::Key + 'static>(path: &Path, name: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
    let definition: TableDefinition<'_, K, &[u8]> = TableDefinition::new(name);
    let database = Database::open(path).expect("opened");
    let transaction = database.begin_write().expect("begun");
    {
        let mut table = transaction.open_table(definition).expect("the table");
        let mut rows = table.extract_if(|_, _| true).expect("rows");
        let (key, row) = rows.next().expect("a row").expect("read");
        let mut changed = row.value().to_vec();
        let name = K::as_bytes(&key.value()).as_ref().to_vec();
        drop((key, row, rows));
        spoil(&mut changed);
        table.insert(K::from_bytes(&name), changed.as_slice()).expect("written");
    }
    transaction.commit().expect("committed");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_nobody_else() {
    let files = Files::new(Options::default());
    let lab = Lab::new(&files).await;
    for who in ["971501", "971502"] {
        lab.owes(who, 2, &["hello"], 0).await;
        lab.hears(who, "remind me", 10).await;
        let claim = lab.claim_one(10).await;
        let timers = vec![TimerChange::Set { key: "k".into(), at: at(100), payload: String::new() }];
        lab.commit(&claim, Answer { timers, ..Answer::default() }, 11).await;
    }
    drop(lab);
    let path = files.settings().path;
    // Of the first conversation in both tables. A reply's head says when it is due and is sound.
    spoil_first::<&[u8; 12]>(&path, "outbox", |row| row.truncate(row.len() - 5));
    spoil_first::<&[u8]>(&path, "timers", |row| row.truncate(3));
    let lab = Lab::open(&files);
    let sends = lab.sends(10, 1000).await;
    assert_eq!(sends.iter().map(|claim| claim.id.key.clone()).collect::<Vec<_>>(), [key(2, "971502")]);
    assert_eq!(lab.sends(10, 1000).await.len(), 0, "it is not asked for again");
    let turns = lab.claim(10, 1000).await;
    assert_eq!(turns.iter().map(|claim| claim.key.clone()).collect::<Vec<_>>(), [key(2, "971502")]);
    assert_eq!(words(&turns[0].trigger), ["timer: k "]);
    assert_eq!(lab.store().next_turn_at(), None);
    // The brain may set it anew.
    lab.hears("971501", "once more", 2000).await;
    let claim = lab.claim_one(2000).await;
    let timers = vec![TimerChange::Set { key: "k".into(), at: at(3000), payload: String::new() }];
    lab.commit(&claim, Answer { timers, ..Answer::default() }, 2001).await;
    assert_eq!(words(&lab.claim_one(3000).await.trigger), ["timer: k "]);
}
