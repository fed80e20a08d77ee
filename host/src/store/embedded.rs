//! The store in one file: redb. One thread writes, everybody reads snapshots, and what is asked on
//! the way of every message (who is next, how many, which sender) is answered from memory.
//!
//! ```text
//! accept, commit_turn, ... ─▶ queue ─▶ writer: batch ▶ commit ▶ index ─▶ answers
//!                                               (tables, rows, codec)
//! history, turns, ...      ─▶ snapshot ─▶ reads, listing
//! ```
//!
//! A row costs a page, and a page costs more than everything else, so keys are laid out to let
//! commits share pages: the inbox, outbox, history and journal lie in order of arrival, whoever they
//! belong to, and a conversation's lines are a chain. Only three tables are written at places all
//! over: the deduplication records, the conversations, and the ids that receipts name.

use std::path::PathBuf;
use std::sync::Arc;

use redb::StorageBackend;

use self::batch::{Batch, Step, file_error};
pub use self::open::{OpenError, is_held, shell_word};
use self::opened::Shared;
use self::readers::Readers;
use self::snapshot::Snapshot;
use self::space::Reserve;
use self::writer::Writer;
use super::{Error, Result};
use crate::clock;
use crate::message::Timestamp;
use crate::seal::Ring;
use crate::store::engine::{Engine, told};
use crate::store::shared::index::Index;
use crate::store::shared::settings::Settings as Rules;
use crate::store::upkeep::Mark;
use crate::vitals::Vitals;

pub mod backup;
mod batch;
mod disk;
mod families;
mod flaw;
mod open;
mod opened;
mod overlay;
mod readers;
mod snapshot;
pub mod space;
mod tables;
mod upkeep;
mod verify;
mod within;
mod writer;

/// How the file is opened and what the store decides with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    /// Where backups lie; a damaged file's error names the newest good one.
    pub backups: PathBuf,
    /// What a command says to mean this gateway: ` --config /etc/switchboard/switchboard.toml`.
    pub called: String,
    /// redb's page cache.
    pub cache_bytes: usize,
    /// Operations that may wait for the writer; one more is refused with `Busy`.
    pub queue: usize,
    /// Check every page's checksum before serving.
    pub verify: bool,
    /// What of the disk is kept in reserve.
    pub reserve: Reserve,
    /// What the rules go by.
    pub rules: Rules,
    /// Open what senders prove themselves by; the last one seals it.
    pub keys: Ring,
    /// Where the writer's thread is entered.
    pub vitals: Arc<Vitals>,
}

/// The store in one file. Dropping it finishes what is queued and closes the file.
pub struct Embedded {
    // First, so that the writer ends before the file is closed.
    writer: Writer,
    readers: Readers,
    shared: Arc<Shared>,
}

impl Embedded {
    /// Opens the file at `settings.path`; makes it if it is missing or empty.
    pub fn open(settings: Settings) -> std::result::Result<Self, OpenError> {
        let path = settings.path.clone();
        if let Err(flaw) = open::create(&path) {
            return Err(open::explain(flaw, &settings));
        }
        Self::open_on(settings, move || verify::file(&path))
    }

    /// Opens whatever `make` makes; it is called again for each verification and after an I/O error,
    /// each time once the backend before has been closed.
    pub fn open_on(
        settings: Settings,
        make: impl Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> std::result::Result<Self, OpenError> {
        let shared = open::open(&settings, Box::new(make)).map_err(|flaw| open::explain(flaw, &settings))?;
        let writer = Writer::start(shared.clone(), settings.queue, &settings.vitals)
            .map_err(|source| OpenError::Io { path: settings.path.clone(), source })?;
        let readers = Readers::start().map_err(|source| OpenError::Io { path: settings.path, source })?;
        Ok(Embedded { writer, readers, shared })
    }
}

impl Engine for Embedded {
    type Snapshot = Snapshot;
    type Transaction<'t> = Batch<'t>;

    fn index(&self) -> &Arc<Index> {
        &self.shared.index
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn submit<T, F>(&self, operation: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut Batch<'_>) -> Step<T> + Send + 'static,
    {
        self.writer.submit(operation)
    }

    fn read<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot) -> Step<T> + Send + 'static,
    {
        let shared = self.shared.clone();
        let reading = self.readers.read(move || read(&Snapshot::new(shared.disk.snapshot()?)));
        async move { reading.await?.map_err(told::<Embedded>) }
    }

    fn read_fresh<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot) -> Step<T> + Send + 'static,
    {
        let shared = self.shared.clone();
        // Its pages were just written and lie in memory: another thread would cost more than they do.
        async move {
            let rows = shared.disk.snapshot().map(Snapshot::new)?;
            read(&rows).map_err(told::<Embedded>)
        }
    }

    fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
        disk::failed(&file_error(error))
    }

    fn check(&self, mark: Mark) -> Result<()> {
        self.shared.space.check(mark)
    }

    fn is_paused(&self) -> bool {
        self.shared.disk.is_compacting()
    }
}
