//! What one group of operations works on: a write transaction of redb, seen as rows, and what it leaves behind for
//! what is kept in memory.

use redb::WriteTransaction;

use super::tables::Tables;
use crate::store::rows::Rows;
pub use crate::store::rows::{Fault, Step};
use crate::store::shared::changes::{self, Changes};
use crate::store::shared::index::Index;
use crate::store::shared::tally::Tally;

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        Fault::Engine(Box::new(error))
    }
}

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        redb::Error::from(error).into()
    }
}

/// Of this engine: nothing else fails under a group.
pub fn file_error(error: Box<dyn std::error::Error + Send + Sync>) -> redb::Error {
    match error.downcast::<redb::Error>() {
        Ok(error) => *error,
        Err(other) => redb::Error::Corrupted(other.to_string()),
    }
}

/// What an operation that is refused leaves as it was.
#[derive(PartialEq)]
pub struct Footprint {
    writes: u64,
    changes: changes::Footprint,
}

/// One transaction's worth of work.
pub struct Batch<'t> {
    pub tables: Tables<'t>,
    pub tally: Tally,
    index: &'t Index,
    pub changes: Changes,
    /// For rows being written.
    pub buffer: Vec<u8>,
}

impl<'t> Batch<'t> {
    pub fn new(transaction: &'t WriteTransaction, index: &'t Index) -> Self {
        Batch {
            tables: Tables::new(transaction),
            tally: Tally::default(),
            index,
            changes: Changes::since(index.state()),
            buffer: Vec::with_capacity(1024),
        }
    }

    pub fn footprint(&self) -> Footprint {
        Footprint { writes: self.tally.writes(), changes: self.changes.footprint() }
    }
}

impl Rows for Batch<'_> {
    fn index(&self) -> &Index {
        self.index
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn changes_mut(&mut self) -> &mut Changes {
        &mut self.changes
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
