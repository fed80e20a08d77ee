//! Copies of the store: made while it runs, checked before they count, and put back. What a backup holds
//! beside the store is [`crate::backup`]'s.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, Key, ReadTransaction, ReadableDatabase as _, ReadableTable, ReadableTableMetadata,
    StorageBackend, TableDefinition, Value, WriteTransaction,
};

use super::batch::Step;
use super::disk::{Backend, Maker};
use super::families;
use super::tables::{Copy, copy_all, create_all, define};
use super::verify::{file, verify};
use super::within::Within;
use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::frames::codec::{read_place, under};
use crate::store::frames::rows::Reply;
use crate::store::packages::OwnPackage;
use crate::store::rows::{TenantUsage, Totals};
use crate::store::rules::{own_packages, usage};
use crate::store::{Error, OutboxState};
use crate::{clock, ownership, regular_file};

/// Written between two commits of the copy.
const CHUNK_BYTES: usize = 16 << 20;

/// What the store is called in a backup, where it comes first.
pub const STORE: &str = "switchboard.redb";

/// Where the store begins in a backup: behind the entry that names it.
pub const STORE_AT: u64 = 512;

/// Copies a snapshot into `file` from the byte `from` on, and verifies it. How many bytes it has.
pub(super) fn copy_into(snapshot: &ReadTransaction, file: &File, from: u64) -> Result<u64, Error> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        Error::Failed(format!("the backup: {what} the store: {error}"))
    };
    let length = copy(snapshot, file, from).map_err(|error| wrong("copying", &error))?;
    let written = file.try_clone().map_err(|error| wrong("copying", &error))?;
    let make: Maker = Box::new(move || Ok(Box::new(Within::part(written.try_clone()?, from, length))));
    verify(&make).map_err(|flaw| wrong("checking", &flaw))?;
    Ok(length)
}

fn copy(snapshot: &ReadTransaction, file: &File, from: u64) -> Result<u64, redb::Error> {
    file.set_len(from)?;
    let part = Within::growing(file.try_clone()?, from);
    let mut copier = Copier(Builder::new().set_cache_size(32 << 20).create_with_backend(part)?);
    copy_all(snapshot, &mut copier)?;
    copier.0.compact()?;
    drop(copier);
    file.sync_all()?;
    Ok(file.metadata()?.len().saturating_sub(from))
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

/// Where the store lies in a file: in a backup, or a store that is the whole file.
fn part_of(file: &File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let mut first = [0; STORE_AT as usize];
    if length < STORE_AT || file.read_exact_at(&mut first, 0).is_err() {
        return Ok((0, length));
    }
    let header = tar::Header::from_byte_slice(&first);
    let named = header.path_bytes().as_ref() == STORE.as_bytes();
    match header.entry_size() {
        Ok(size) if named => Ok((STORE_AT, size)),
        _ => Ok((0, length)),
    }
}

/// The newest backup in `directory` whose store passes every check. Backups are named by their time.
pub fn newest_good_backup(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar" || extension == "redb"))
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
    #[error("{what}")]
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

/// A checked copy of a backup's store beside the place that it is for. Dropped before it is put there, it
/// leaves nothing behind.
#[derive(Debug)]
pub struct Prepared {
    unfinished: PathBuf,
    target: PathBuf,
    /// Held until the end, so that no gateway starts on the file that is being replaced.
    present: Option<Box<dyn StorageBackend>>,
    unknown: u64,
    waiting: u64,
    /// The tenants that had a package of their own when the backup was made.
    pub own_packages: BTreeMap<TenantId, OwnPackage>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Renamed, it is there no more.
        std::fs::remove_file(&self.unfinished).ok();
        if let Some(present) = &self.present {
            // The lock goes with the file in any case.
            let _ = present.close();
        }
    }
}

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    let what = format!("{what} {}", path.display());
    move |source| RestoreError::Io { what, source }
}

/// Checks `backup` and puts a copy of it in the place of `target`. What was there is kept beside it.
/// A crash in between leaves one or the other in place, never neither.
pub fn restore(backup: &Path, target: &Path) -> Result<Restored, RestoreError> {
    prepare(backup, target)?.put_in_place()
}

/// Checks `backup` and copies its store beside `target`.
pub fn prepare(backup: &Path, target: &Path) -> Result<Prepared, RestoreError> {
    let bad = |flaw: String| RestoreError::Bad { backup: backup.to_owned(), flaw };
    let from = regular_file::open(backup).map_err(failed("opening", backup))?;
    let (at, length) = part_of(&from).map_err(failed("reading", backup))?;
    if length == 0 {
        return Err(bad("it is empty".into()));
    }
    verify(&maker(backup)).map_err(|flaw| bad(flaw.to_string()))?;
    let present = if target.exists() { Some(file(target).map_err(failed("opening", target))?) } else { None };
    if let Some(present) = &present {
        use std::ops::Bound::Unbounded;
        if let Ok(false) = present.try_lock_range(Unbounded, Unbounded) {
            return Err(RestoreError::Running { target: target.to_owned() });
        }
    }
    let unfinished = with_suffix(target, ".restoring");
    let mut prepared = Prepared {
        unfinished: unfinished.clone(),
        target: target.to_owned(),
        present,
        unknown: 0,
        waiting: 0,
        own_packages: BTreeMap::new(),
    };
    copy_out(&from, at, length, &unfinished).map_err(failed("copying to", &unfinished))?;
    let told = doubt(&unfinished, backup).map_err(|fault| bad(fault.to_string()))?;
    (prepared.unknown, prepared.waiting, prepared.own_packages) = told;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed("writing", &unfinished))?;
    ownership::as_in(directory_of(target), &unfinished)
        .map_err(failed("giving the data directory's owner", &unfinished))?;
    Ok(prepared)
}

/// A part of a file as a file of its own, which is this user's alone.
fn copy_out(from: &File, at: u64, length: u64, to: &Path) -> io::Result<()> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut from = from.try_clone()?;
    from.seek(SeekFrom::Start(at))?;
    match io::copy(&mut from.take(length), &mut file)? {
        copied if copied == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Prepared {
    /// Puts it where the gateway looks for it.
    pub fn put_in_place(self) -> Result<Restored, RestoreError> {
        let target = &self.target;
        let replaced = self.present.as_ref().map(|_| with_suffix(target, &format!(".replaced-{}", stamp())));
        if let Some(replaced) = &replaced {
            // A second name for the present file; where the file system has none, a copy.
            std::fs::hard_link(target, replaced)
                .or_else(|_| std::fs::copy(target, replaced).map(drop))
                .map_err(failed("keeping the present file as", replaced))?;
        }
        put_in_place(&self.unfinished, target).map_err(failed("renaming to", target))?;
        Ok(Restored { replaced, unknown: self.unknown, waiting: self.waiting })
    }
}

/// Rows that are moved in one commit.
const ROWS: usize = 10_000;

/// Declares the replies that wait in `file` to be of unknown outcome. How many, and how much waits in
/// the inbox, and who had a package of its own.
fn doubt(file_of: &Path, backup: &Path) -> Step<(u64, u64, BTreeMap<TenantId, OwnPackage>)> {
    let backend = file(file_of).map_err(redb::Error::Io)?;
    let database = Builder::new().create_with_backend(Backend(backend)).map_err(redb::Error::from)?;
    let name = backup.file_name().unwrap_or(backup.as_os_str()).to_string_lossy();
    let error = format!("restored from the backup {name}; it may have gone out since");
    let mut unknown = 0;
    loop {
        let mut transaction = database.begin_write().map_err(redb::Error::from)?;
        transaction.set_two_phase_commit(true);
        if unknown == 0 {
            // A backup may be from before a table existed.
            create_all(&transaction)?;
            skip_numbers(&transaction)?;
        }
        let moved = doubt_some(&transaction, &error)?;
        let waiting = transaction.open_table(define::inbox)?.len()?;
        transaction.commit().map_err(redb::Error::from)?;
        unknown += moved as u64;
        if moved < ROWS {
            rewrite_usage(&database)?;
            let own = own_packages::all(&database.begin_read().map_err(redb::Error::from)?)?;
            return Ok((unknown, waiting, own));
        }
    }
}

/// Arrival numbers that were given out after the backup was made are known outside, in the names that
/// replies have at their providers: they must not be given out again. Nobody knows how many there were,
/// nor whether the same backup is restored a second time.
fn skip_numbers(transaction: &WriteTransaction) -> Step<()> {
    let known = families::get::<Totals>(&transaction.open_table(define::totals)?, &())?;
    let Some(mut state) = known else { return Ok(()) };
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| redb::Error::Io(io::Error::other(error.to_string())))?;
    state.next_seq += (1 << 32) + u64::from(u32::from_be_bytes(random));
    families::put::<Totals>(transaction, &(), &state)
}

/// What tenants keep is counted anew: rows were moved past the rules.
fn rewrite_usage(database: &Database) -> Step<()> {
    let counted = usage::recount(&database.begin_read().map_err(redb::Error::from)?)?;
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    transaction.set_two_phase_commit(true);
    for (tenant, usage) in counted {
        families::put::<TenantUsage>(&transaction, &tenant, &usage)?;
    }
    transaction.commit().map_err(redb::Error::from)?;
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
    let known = families::get::<Totals>(&transaction.open_table(define::totals)?, &())?;
    if let Some(mut state) = known {
        state.outbox_waiting = state.outbox_waiting.saturating_sub(rows.len() as u64);
        state.outbox_unknown += rows.len() as u64;
        families::put::<Totals>(transaction, &(), &state)?;
    }
    Ok(rows.len())
}

fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    File::open(directory_of(to))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The store of a backup, or a store that is a file of its own.
fn maker(path: &Path) -> Maker {
    let path = path.to_owned();
    Box::new(move || {
        let opened = regular_file::open(&path)?;
        match part_of(&opened)? {
            (0, _) => file(&path),
            (from, length) => Ok(Box::new(Within::part(opened, from, length))),
        }
    })
}

fn stamp() -> String {
    clock::now().to_string().replace(['-', ':', '.'], "")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
