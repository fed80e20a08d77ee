//! The file under the store: opened, read by snapshot, and opened again after an I/O error, because
//! redb refuses to go on with a file whose write has failed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{
    Builder, CompactionError, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend,
};

use crate::store::Error;

/// Opens the bytes anew each time: at start, for a verification, after an I/O error.
pub type Maker = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

pub struct Disk {
    make: Maker,
    cache_bytes: usize,
    /// `None` while the writer opens it again or compacts it.
    database: RwLock<Option<Database>>,
    compacting: AtomicBool,
}

/// A compaction waits so long for those who read.
const READERS: Duration = Duration::from_secs(5);

/// And looks so often.
const LOOK: Duration = Duration::from_millis(5);

impl Disk {
    pub fn open(make: Maker, cache_bytes: usize) -> Result<Self, DatabaseError> {
        let database = open(&make, cache_bytes)?;
        Ok(Disk {
            make,
            cache_bytes,
            database: RwLock::new(Some(database)),
            compacting: AtomicBool::new(false),
        })
    }

    /// What was committed last. Holds nobody up and is held up by nobody: while the file is being
    /// opened again, the answer is `Busy` at once.
    pub fn snapshot(&self) -> Result<ReadTransaction, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            if self.is_compacting() {
                return Err(Error::Busy("its file is being compacted".into()));
            }
            return Err(Error::Busy("its file is being opened again after an error".into()));
        };
        database.begin_read().map_err(|error| failed(&error.into()))
    }

    /// For the writer.
    pub fn with<T>(&self, work: impl FnOnce(&Database) -> T) -> Option<T> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map(work)
    }

    pub fn is_compacting(&self) -> bool {
        self.compacting.load(Ordering::Acquire)
    }

    /// Gives back what the file does not need. `Ok(false)`: somebody reads, and goes on reading.
    /// After an error of the file it is closed, and to be opened again.
    pub fn compact(&self) -> Result<bool, redb::Error> {
        let Some(mut database) = self.replace(None, true) else { return Err(redb::Error::DatabaseClosed) };
        let began = Instant::now();
        let done = loop {
            match database.compact() {
                Err(CompactionError::TransactionInProgress) if began.elapsed() < READERS => {
                    std::thread::sleep(LOOK);
                }
                Err(CompactionError::TransactionInProgress) => break Ok(false),
                Err(error) => break Err(error.into()),
                Ok(_) => break Ok(true),
            }
        };
        self.replace(done.is_ok().then_some(database), false);
        done
    }

    fn replace(&self, new: Option<Database>, compacting: bool) -> Option<Database> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.compacting.store(compacting, Ordering::Release);
        std::mem::replace(&mut *database, new)
    }

    /// Closes the file and opens it again, which repairs what a failed commit left.
    pub fn reopen(&self) -> Result<(), DatabaseError> {
        // The old one first: it holds the lock on the file. Repairing may take long, and nobody
        // waits for it: the place stays empty and its lock free.
        drop(self.replace(None, false));
        let database = open(&self.make, self.cache_bytes)?;
        self.replace(Some(database), false);
        Ok(())
    }
}

fn open(make: &Maker, cache_bytes: usize) -> Result<Database, DatabaseError> {
    Builder::new().set_cache_size(cache_bytes).create_with_backend(Backend(make()?))
}

/// Is there no room for what was to be written?
pub fn is_full(error: &redb::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error, redb::Error::Io(io) if matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge))
}

/// What the store answers to an error of its file.
pub fn failed(error: &redb::Error) -> Error {
    match error {
        redb::Error::Io(io) if is_full(error) => Error::Busy(format!(
            "its disk is full ({io}); nothing was kept. Make room on the disk that holds it"
        )),
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
