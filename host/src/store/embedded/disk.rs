//! The file under the store: opened, read by snapshot, and opened again after an I/O error, because
//! redb refuses to go on with a file whose write has failed.

use std::io;
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend};

use crate::store::Error;

/// Opens the bytes anew each time: at start, for a verification, after an I/O error.
pub type Maker = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

pub struct Disk {
    make: Maker,
    cache_bytes: usize,
    /// `None` while the writer opens it again.
    database: RwLock<Option<Database>>,
}

impl Disk {
    pub fn open(make: Maker, cache_bytes: usize) -> Result<Self, DatabaseError> {
        let database = open(&make, cache_bytes)?;
        Ok(Disk { make, cache_bytes, database: RwLock::new(Some(database)) })
    }

    /// What was committed last. Holds nobody up and is held up by nobody: while the file is being
    /// opened again, the answer is `Busy` at once.
    pub fn snapshot(&self) -> Result<ReadTransaction, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(Error::Busy("its file is being opened again after an error".into()));
        };
        database.begin_read().map_err(|error| failed(&error.into()))
    }

    /// For the writer.
    pub fn with<T>(&self, work: impl FnOnce(&Database) -> T) -> Option<T> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map(work)
    }

    /// Closes the file and opens it again, which repairs what a failed commit left.
    pub fn reopen(&self) -> Result<(), DatabaseError> {
        let replace = |new| {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *database, new)
        };
        // The old one first: it holds the lock on the file. Repairing may take long, and nobody
        // waits for it: the place stays empty and its lock free.
        drop(replace(None));
        replace(Some(open(&self.make, self.cache_bytes)?));
        Ok(())
    }
}

fn open(make: &Maker, cache_bytes: usize) -> Result<Database, DatabaseError> {
    Builder::new().set_cache_size(cache_bytes).create_with_backend(Backend(make()?))
}

/// What the store answers to an error of its file.
pub fn failed(error: &redb::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error {
        redb::Error::Io(io) if matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge) => {
            Error::Busy(format!(
                "its disk is full ({io}); nothing was kept. Make room on the disk that holds it"
            ))
        }
        other => Error::Failed(other.to_string()),
    }
}

/// redb takes a backend by type; ours is chosen when the program runs.
#[derive(Debug)]
pub struct Backend(pub Box<dyn StorageBackend>);

type Bound = std::ops::Bound<u64>;
type Locked<T> = Result<T, redb::BackendError>;

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
    fn try_lock_range(&self, start: Bound, end: Bound) -> Locked<bool> {
        self.0.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound, end: Bound) -> Locked<bool> {
        self.0.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound, end: Bound) -> Locked<()> {
        self.0.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound, end: Bound) -> Locked<()> {
        self.0.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound, end: Bound) -> Locked<()> {
        self.0.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound, end: Bound) -> Locked<bool> {
        self.0.query_lock_range(start, end)
    }
}
