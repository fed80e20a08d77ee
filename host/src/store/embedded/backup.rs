//! Copies of the store: made while it runs, checked before they count, and put back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::{
    Builder, Database, Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, Value,
    WriteTransaction,
};

use super::batch::Step;
use super::codec::{read_place, under};
use super::disk::{Backend, Maker};
use super::mirror::State;
use super::open::{file, verify};
use super::rows::Reply;
use super::tables::{Copy, copy_all, define};
use super::usage;
use crate::clock;
use crate::message::{ContactKey, ConversationKey, Timestamp};
use crate::store::{Error, OutboxState};

/// Written between two commits of the copy.
const CHUNK_BYTES: usize = 16 << 20;

/// Copies a snapshot to `to`: a directory, where the copy is named by its time, or a file that does
/// not exist yet. Returns the copy's path.
pub(super) fn backup(snapshot: &ReadTransaction, to: &Path) -> Result<PathBuf, Error> {
    let to = if to.is_dir() { to.join(file_name(clock::now())) } else { to.to_owned() };
    if to.exists() {
        return Err(Error::Conflict(format!("{} exists already", to.display())));
    }
    // Two backups of the same millisecond have one name; they must not write one file.
    let unfinished = with_suffix(&to, &format!(".unfinished-{:08x}", rand::random::<u32>()));
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        Error::Failed(format!("the backup {}: {what}: {error}", to.display()))
    };
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(|error| wrong("its directory", &error))?;
    }
    let done = copy(snapshot, &unfinished)
        .map_err(|error| wrong("copying", &error))
        .and_then(|()| verify(&maker(&unfinished)).map_err(|flaw| wrong("checking it", &flaw)))
        .and_then(|()| put_in_place(&unfinished, &to).map_err(|error| wrong("renaming it", &error)));
    if done.is_err() {
        // The half of a copy helps nobody; if it cannot be removed, its name says what it is.
        let _ = std::fs::remove_file(&unfinished);
    }
    done.map(|()| to)
}

const UNFINISHED: &str = ".redb.unfinished-";

/// Removes the halves of copies that a process before this one did not come to the end of. Whoever has the
/// store to itself may do so: nobody else writes backups of it there.
pub fn remove_unfinished(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().contains(UNFINISHED) {
            continue;
        }
        let file = entry.path();
        match std::fs::remove_file(&file) {
            Ok(()) => tracing::info!(file = %file.display(), "removed a backup that was not finished"),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a backup that was not finished cannot be removed");
            }
        }
    }
}

fn copy(snapshot: &ReadTransaction, to: &Path) -> Result<(), redb::Error> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut copier = Copier(Builder::new().set_cache_size(32 << 20).create(to)?);
    copy_all(snapshot, &mut copier)?;
    copier.0.compact()?;
    drop(copier);
    File::open(to)?.sync_all()?;
    Ok(())
}

struct Copier(Database);

impl Copy for Copier {
    type Error = redb::Error;

    fn copy<K: Key + 'static, V: Value + 'static>(
        &mut self,
        from: &ReadTransaction,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<(), redb::Error> {
        let from = from.open_table(definition)?;
        let mut rows = from.iter()?;
        let mut more = true;
        while more {
            more = false;
            let transaction = self.0.begin_write()?;
            let mut to = transaction.open_table(definition)?;
            let mut bytes = 0;
            for row in rows.by_ref() {
                let (key, value) = row?;
                bytes += V::as_bytes(&value.value()).as_ref().len();
                to.insert(key.value(), value.value())?;
                if bytes > CHUNK_BYTES {
                    more = true;
                    break;
                }
            }
            drop(to);
            transaction.commit()?;
        }
        Ok(())
    }
}

/// The newest backup in `directory` that passes every check. Backups are named by their time.
pub fn newest_good_backup(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "redb"))
        .collect();
    paths.sort();
    paths.into_iter().rev().find(|path| verify(&maker(path)).is_ok())
}

/// Why a backup was not put back. The present file is where it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{} is no good backup: {flaw}", backup.display())]
    Bad { backup: PathBuf, flaw: String },
    #[error("another gateway runs on {}; stop it first", target.display())]
    Running { target: PathBuf },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// Where that lies which was there before.
    pub replaced: Option<PathBuf>,
    /// Replies that waited in the backup. They may have gone out since, so they are of unknown
    /// outcome now and are not sent by themselves.
    pub unknown: u64,
    /// Messages and timers that waited for their turn in the backup, and do so again.
    pub waiting: u64,
}

/// Checks `backup` and puts a copy of it in the place of `target`. What was there is kept beside it.
/// A crash in between leaves one or the other in place, never neither.
pub fn restore(backup: &Path, target: &Path) -> Result<Restored, RestoreError> {
    let bad = |flaw: String| RestoreError::Bad { backup: backup.to_owned(), flaw };
    if std::fs::metadata(backup).is_ok_and(|there| there.len() == 0) {
        return Err(bad("it is empty".into()));
    }
    verify(&maker(backup)).map_err(|flaw| bad(flaw.to_string()))?;
    let failed = |what: &str, path: &Path| {
        let what = format!("{what} {}", path.display());
        move |source| RestoreError::Io { what, source }
    };
    // Held until the end, so that no gateway starts on the file that is being replaced.
    let present = if target.exists() { Some(file(target).map_err(failed("opening", target))?) } else { None };
    if let Some(present) = &present {
        use std::ops::Bound::Unbounded;
        if let Ok(false) = present.try_lock_range(Unbounded, Unbounded) {
            return Err(RestoreError::Running { target: target.to_owned() });
        }
    }
    let unfinished = with_suffix(target, ".restoring");
    std::fs::copy(backup, &unfinished).map_err(failed("copying to", &unfinished))?;
    let (unknown, waiting) = doubt(&unfinished, backup).map_err(|fault| bad(fault.to_string()))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed("writing", &unfinished))?;
    let replaced = present.as_ref().map(|_| with_suffix(target, &format!(".replaced-{}", stamp())));
    if let Some(replaced) = &replaced {
        // A second name for the present file; where the file system has none, a copy.
        std::fs::hard_link(target, replaced)
            .or_else(|_| std::fs::copy(target, replaced).map(drop))
            .map_err(failed("keeping the present file as", replaced))?;
    }
    put_in_place(&unfinished, target).map_err(failed("renaming to", target))?;
    if let Some(present) = &present {
        // The lock goes with the file in any case.
        let _ = present.close();
    }
    Ok(Restored { replaced, unknown, waiting })
}

/// Rows that are moved in one commit.
const ROWS: usize = 10_000;

/// Declares the replies that wait in `file` to be of unknown outcome. How many, and how much waits in
/// the inbox.
fn doubt(file_of: &Path, backup: &Path) -> Step<(u64, u64)> {
    let backend = file(file_of).map_err(redb::Error::Io)?;
    let database = Builder::new().create_with_backend(Backend(backend)).map_err(redb::Error::from)?;
    let name = backup.file_name().unwrap_or(backup.as_os_str()).to_string_lossy();
    let error = format!("restored from the backup {name}; it may have gone out since");
    let mut unknown = 0;
    loop {
        let mut transaction = database.begin_write().map_err(redb::Error::from)?;
        transaction.set_two_phase_commit(true);
        if unknown == 0 {
            skip_numbers(&transaction)?;
        }
        let moved = doubt_some(&transaction, &error)?;
        let waiting = transaction.open_table(define::inbox)?.len()?;
        transaction.commit().map_err(redb::Error::from)?;
        unknown += moved as u64;
        if moved < ROWS {
            usage::rewrite(&database)?;
            return Ok((unknown, waiting));
        }
    }
}

/// Arrival numbers that were given out after the backup was made are known outside, in the names that
/// replies have at their providers: they must not be given out again. Nobody knows how many there were,
/// nor whether the same backup is restored a second time.
fn skip_numbers(transaction: &WriteTransaction) -> Step<()> {
    let mut meta = transaction.open_table(define::meta)?;
    let state = meta.get("state")?.map(|row| State::read(row.value())).transpose()?;
    let Some(mut state) = state else { return Ok(()) };
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| redb::Error::Io(io::Error::other(error.to_string())))?;
    state.next_seq += (1 << 32) + u64::from(u32::from_be_bytes(random));
    let mut buffer = Vec::new();
    state.write(&mut buffer);
    meta.insert("state", buffer.as_slice())?;
    Ok(())
}

fn doubt_some(transaction: &WriteTransaction, error: &str) -> Step<usize> {
    let mut outbox = transaction.open_table(define::outbox)?;
    let mut ended = transaction.open_table(define::ended_sends)?;
    let mut places = transaction.open_table(define::ended_places)?;
    let mut rows = Vec::new();
    for row in outbox.iter()?.take(ROWS) {
        let (place, row) = row?;
        rows.push((*place.value(), row.value().to_vec()));
    }
    let mut buffer = Vec::new();
    for (place, row) in &rows {
        let (seq, tenant) = read_place(place);
        let reply = Reply::read(row)?;
        let key = ConversationKey { tenant, contact: ContactKey::from_stored(reply.contact) };
        Reply { state: OutboxState::Unknown, error: Some(error), ..reply }.write(&mut buffer);
        ended.insert(under(&key, &seq.to_be_bytes()).as_slice(), buffer.as_slice())?;
        places.insert(place, key.contact.as_str().as_bytes())?;
        outbox.remove(place)?;
    }
    let mut meta = transaction.open_table(define::meta)?;
    let state = meta.get("state")?.map(|row| State::read(row.value())).transpose()?;
    if let Some(mut state) = state {
        state.outbox_waiting = state.outbox_waiting.saturating_sub(rows.len() as u64);
        state.outbox_unknown += rows.len() as u64;
        state.write(&mut buffer);
        meta.insert("state", buffer.as_slice())?;
    }
    Ok(rows.len())
}

fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn maker(path: &Path) -> Maker {
    let path = path.to_owned();
    Box::new(move || file(&path))
}

/// What a backup is called: named by their time, they sort by it.
pub fn file_name(now: Timestamp) -> String {
    format!("switchboard-{}.redb", stamp_of(now))
}

/// How long until the next backup is due, if the newest in `directory` is to be no older than
/// `every`. At once where there is none.
pub fn due_in(directory: &Path, every: Duration) -> Duration {
    age(directory).map_or(Duration::ZERO, |age| every.saturating_sub(age))
}

/// Of the newest; `None`: there is none.
pub fn age(directory: &Path) -> Option<Duration> {
    let made = backups(directory).pop().and_then(|newest| newest.metadata().ok()?.modified().ok());
    made.map(|made| made.elapsed().unwrap_or(Duration::ZERO))
}

/// Removes all but the newest `keep` backups. Files with other names are nobody's business here.
pub fn keep_newest(directory: &Path, keep: usize) {
    let found = backups(directory);
    for old in found.iter().rev().skip(keep) {
        if let Err(error) = std::fs::remove_file(old) {
            tracing::warn!(file = %old.display(), %error, "an old backup could not be removed");
        }
    }
}

/// Those named by [`file_name`], oldest first.
fn backups(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("switchboard-") && name.ends_with(".redb")
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(ours).collect();
    paths.sort();
    paths
}

fn stamp() -> String {
    stamp_of(clock::now())
}

fn stamp_of(now: Timestamp) -> String {
    now.to_string().replace(['-', ':', '.'], "")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
