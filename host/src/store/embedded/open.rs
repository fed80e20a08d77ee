//! Opening: whose file it is, whether it is sound and of our format, and how a new one is made.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend,
};

use super::batch::{Fault, Step, file_error};
use super::cursors::Cursors;
use super::disk::{Disk, Maker};
use super::overlay::Overlay;
use super::space::Space;
use super::tables::{Copy, FORMAT, copy_all, create_all, define};
use super::writer::{Shared, apply_now, panic_text};
use super::{Settings, backup, dead, load, secrets, usage};
use crate::message::SenderName;
use crate::regular_file;
use crate::seal::{KeyId, Ring};
use crate::store::shared::index::Index;

/// Why the store is not opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another gateway runs on this file: {}", path.display())]
    Locked { path: PathBuf },
    #[error("{} is damaged: {what}\n{advice}", path.display())]
    Damaged { path: PathBuf, what: String, advice: String },
    #[error("{} is of format {found}; this program reads formats up to {FORMAT}. Use the newer program.\n{advice}", path.display())]
    Newer { path: PathBuf, found: u32, advice: String },
    #[error("{} is of format {found}, of before the first release; this program reads format {FORMAT} alone. Use the program that wrote it, or begin anew with an empty data directory.\n{advice}", path.display())]
    Older { path: PathBuf, found: u32, advice: String },
    #[error("{}: the {field} of sender {sender} is sealed with key {key}, which is not here; here are: {}", path.display(), listed(here))]
    NoKey { path: PathBuf, sender: SenderName, field: &'static str, key: KeyId, here: Ring },
    #[error("{} cannot be opened", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Flaw {
    Locked,
    Damaged(String),
    Newer(u32),
    Older(u32),
    NoKey { sender: SenderName, field: &'static str, key: KeyId },
    Io(io::Error),
}

/// The ids of keys.
fn listed(keys: &Ring) -> String {
    let ids: Vec<&str> = keys.keys().map(|key| key.id().as_str()).collect();
    if ids.is_empty() { "none".into() } else { ids.join(", ") }
}

impl From<DatabaseError> for Flaw {
    fn from(error: DatabaseError) -> Self {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match error {
            DatabaseError::DatabaseAlreadyOpen => Flaw::Locked,
            DatabaseError::Storage(redb::StorageError::Io(error))
                if !matches!(error.kind(), InvalidData | UnexpectedEof) =>
            {
                Flaw::Io(error)
            }
            other => Flaw::Damaged(other.to_string()),
        }
    }
}

impl From<Fault> for Flaw {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Engine(error) => match file_error(error) {
                redb::Error::Io(error) => Flaw::Io(error),
                other => Flaw::Damaged(other.to_string()),
            },
            other => Flaw::Damaged(other.to_string()),
        }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flaw::Locked => f.write_str("another gateway runs on it"),
            Flaw::Damaged(what) => write!(f, "it is damaged: {what}"),
            Flaw::Newer(found) => write!(f, "it is of format {found}; this program reads up to {FORMAT}"),
            Flaw::Older(found) => write!(f, "it is of format {found}; this program reads {FORMAT} alone"),
            Flaw::NoKey { sender, key, .. } => {
                write!(f, "sender {sender} is sealed with key {key}, which is not here")
            }
            Flaw::Io(error) => error.fmt(f),
        }
    }
}

/// A path as it can be typed.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Names the way back, for the errors.
fn advice(settings: &Settings) -> String {
    match backup::newest_good_backup(&settings.backups) {
        Some(backup) => format!(
            "The newest good backup is {}. To go back to it: switchboard restore {}{}",
            backup.display(),
            shell_word(&backup),
            settings.called
        ),
        None => format!("There is no good backup in {}.", settings.backups.display()),
    }
}

pub fn explain(flaw: Flaw, settings: &Settings) -> OpenError {
    let path = settings.path.clone();
    match flaw {
        Flaw::Locked => OpenError::Locked { path },
        Flaw::Io(source) => OpenError::Io { path, source },
        Flaw::NoKey { sender, field, key } => {
            OpenError::NoKey { path, sender, field, key, here: settings.keys.clone() }
        }
        Flaw::Damaged(what) => OpenError::Damaged { path, what, advice: advice(settings) },
        Flaw::Newer(found) => OpenError::Newer { path, found, advice: advice(settings) },
        Flaw::Older(found) => OpenError::Older { path, found, advice: advice(settings) },
    }
}

/// The backend of a file.
pub fn file(path: &Path) -> io::Result<Box<dyn StorageBackend>> {
    regular_file::check(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
}

/// Does a process have the store of this file open?
pub fn is_held(path: &Path) -> bool {
    use std::ops::Bound::Unbounded;
    let Ok(backend) = file(path) else { return false };
    let held = matches!(backend.try_lock_range(Unbounded, Unbounded), Ok(false));
    // What was locked to find out is free again with the file in any case.
    let _ = backend.close();
    held
}

/// Makes sure that there is a file: a new one is finished under another name first, so that power
/// lost in between leaves none rather than half of one.
pub fn create(path: &Path) -> Result<(), Flaw> {
    if path.metadata().is_ok_and(|there| there.len() > 0) {
        return Ok(());
    }
    let make = || -> io::Result<()> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        let unfinished = path.with_extension("new");
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        drop(Database::create(&unfinished).map_err(io::Error::other)?);
        File::open(&unfinished)?.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        File::open(parent)?.sync_all()
    };
    make().map_err(Flaw::Io)
}

/// The format that the file says it is of; `None` for a file without any.
fn format_of(snapshot: &ReadTransaction) -> Step<Option<u32>> {
    let table = match snapshot.open_table(define::meta) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    let row = ReadableTable::get(&table, "format")?;
    Ok(row.and_then(|row| row.value().first_chunk().map(|bytes| u32::from_be_bytes(*bytes))))
}

fn check_format(database: &Database) -> Result<(), Flaw> {
    let snapshot = database.begin_read().map_err(|error| Flaw::Damaged(error.to_string()))?;
    match format_of(&snapshot)? {
        Some(found) if found > FORMAT => Err(Flaw::Newer(found)),
        Some(found) if found < FORMAT => Err(Flaw::Older(found)),
        _ => Ok(()),
    }
}

/// Checks every page and counts every row, without writing to what it checks.
pub fn verify(make: &Maker) -> Result<(), Flaw> {
    let check = || -> Result<(), Flaw> {
        let overlay = Overlay::new(make().map_err(Flaw::Io)?).map_err(Flaw::Io)?;
        if overlay.len().map_err(Flaw::Io)? == 0 {
            return Ok(());
        }
        let mut database = Builder::new().set_cache_size(32 << 20).create_with_backend(overlay)?;
        check_format(&database)?;
        if !database.check_integrity()? {
            return Err(Flaw::Damaged("its pages and its page allocation contradict each other".into()));
        }
        let snapshot = database.begin_read().map_err(|error| Flaw::Damaged(error.to_string()))?;
        if format_of(&snapshot)?.is_none() {
            return Ok(());
        }
        drop(snapshot);
        // A file from before a table existed gains it when it is opened; here only in the overlay.
        let transaction = database.begin_write().map_err(|error| Flaw::Damaged(error.to_string()))?;
        create_all(&transaction).map_err(|error| Flaw::Damaged(error.to_string()))?;
        transaction.commit().map_err(|error| Flaw::Damaged(error.to_string()))?;
        let snapshot = database.begin_read().map_err(|error| Flaw::Damaged(error.to_string()))?;
        count(&snapshot)
    };
    whatever_it_holds(check)
}

/// redb asserts its own invariants, and a damaged file may break them.
fn whatever_it_holds<T>(work: impl FnOnce() -> Result<T, Flaw>) -> Result<T, Flaw> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Flaw::Damaged(format!("reading it failed: {}", panic_text(&*panic)))))
}

/// Counts anew what is counted.
fn count(snapshot: &ReadTransaction) -> Result<(), Flaw> {
    let (kept, counted) = (load::counters(snapshot)?, load::recount(snapshot)?);
    if kept != counted {
        return Err(Flaw::Damaged(format!("it counts {kept:?}, and holds {counted:?}")));
    }
    match usage::miscounted_files(snapshot)? {
        Some(what) => Err(Flaw::Damaged(what)),
        None => Ok(()),
    }
}

/// Reads every row of a file that is in use; how many there are. Pages' checksums are checked by [`verify`]
/// alone, which has the file to itself.
pub fn read_all(snapshot: &ReadTransaction) -> Result<u64, Flaw> {
    whatever_it_holds(|| {
        count(snapshot)?;
        let mut reader = Reader(0);
        copy_all(snapshot, &mut reader).map_err(Fault::from)?;
        Ok(reader.0)
    })
}

/// Takes every row in and keeps none.
struct Reader(u64);

impl Copy for Reader {
    type Error = redb::Error;

    fn copy<K: redb::Key + 'static, V: redb::Value + 'static>(
        &mut self,
        from: &ReadTransaction,
        table: redb::TableDefinition<'static, K, V>,
    ) -> Result<(), redb::Error> {
        for row in from.open_table(table)?.iter()? {
            row?;
            self.0 += 1;
        }
        Ok(())
    }
}

/// Opens, checks, and reads what the mirrors hold.
pub fn open(settings: &Settings, make: Maker) -> Result<Arc<Shared>, Flaw> {
    if settings.verify {
        verify(&make)?;
    }
    whatever_it_holds(|| open_checked(settings, make))
}

fn open_checked(settings: &Settings, make: Maker) -> Result<Arc<Shared>, Flaw> {
    let disk = Disk::open(make, settings.cache_bytes)?;
    disk.with(check_format).transpose()?;
    let secret = prepare(&disk)?;
    disk.with(|database| dead::complete(database).and_then(|()| usage::complete(database))).transpose()?;
    let index = Arc::new(Index::new(settings.rules.clone(), settings.keys.clone(), secret));
    let snapshot = disk.snapshot().map_err(Fault::from)?;
    secrets::check(&snapshot, &settings.keys)?;
    index.replace(load::load(&index, &snapshot)?);
    let interrupted = load::interrupted(&snapshot)?;
    drop(snapshot);
    let shared = Arc::new(Shared {
        disk,
        space: Space::new(settings.reserve.clone()),
        index,
        cursors: Cursors::default(),
        path: settings.path.clone(),
    });
    if !interrupted.is_empty() {
        tracing::warn!(
            replies = interrupted.len(),
            "replies were being sent when the gateway stopped; whether they went out is unknown"
        );
        apply_now(&shared, move |batch| load::declare_unknown(batch, &interrupted)).map_err(Fault::from)?;
    }
    Ok(shared)
}

/// Gives a new file its tables, its format and its secret, and an older one the tables that came
/// after it; returns the secret.
fn prepare(disk: &Disk) -> Result<[u8; 32], Flaw> {
    let work = |database: &Database| -> Result<[u8; 32], redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        let meta = transaction.open_table(define::meta)?;
        let known = meta.get("secret")?.and_then(|row| row.value().first_chunk::<32>().copied());
        let formatted = meta.get("format")?.is_some();
        drop(meta);
        create_all(&transaction)?;
        if let Some(secret) = known.filter(|_| formatted) {
            transaction.commit()?;
            return Ok(secret);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| redb::Error::Io(io::Error::other(error.to_string())))?;
        let mut meta = transaction.open_table(define::meta)?;
        meta.insert("secret", secret.as_slice())?;
        meta.insert("format", FORMAT.to_be_bytes().as_slice())?;
        drop(meta);
        transaction.commit()?;
        Ok(secret)
    };
    match disk.with(work) {
        Some(secret) => secret.map_err(|error| Flaw::from(Fault::from(error))),
        None => Err(Flaw::Damaged("it was closed".into())),
    }
}
