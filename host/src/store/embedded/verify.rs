//! Is a file sound? Nothing is written to what is checked.

use std::fs::OpenOptions;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend};

use super::batch::{Fault, Step};
use super::disk::Maker;
use super::flaw::Flaw;
use super::overlay::Overlay;
use super::tables::{Copy, FORMAT, copy_all, create_all, define};
use super::writer::panic_text;
use crate::regular_file;
use crate::store::rules::{load, usage};

/// The backend of a file.
pub fn file(path: &Path) -> io::Result<Box<dyn StorageBackend>> {
    regular_file::check(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
}

/// The format that the file says it is of; `None` for a file without any.
pub fn format_of(snapshot: &ReadTransaction) -> Step<Option<u32>> {
    let table = match snapshot.open_table(define::meta) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    let row = ReadableTable::get(&table, "format")?;
    Ok(row.and_then(|row| row.value().first_chunk().map(|bytes| u32::from_be_bytes(*bytes))))
}

pub fn check_format(database: &Database) -> Result<(), Flaw> {
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
pub fn whatever_it_holds<T>(work: impl FnOnce() -> Result<T, Flaw>) -> Result<T, Flaw> {
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
