//! What one group of operations works on: a write transaction of redb, seen as rows, and what it leaves behind for
//! what is kept in memory.

use redb::WriteTransaction;

use super::cursors::Cursors;
use super::rows::state;
use super::tables::Tables;
use super::tally::Tally;
use crate::message::TenantId;
use crate::store::quotas::Usage;
use crate::store::rows::Rows;
pub use crate::store::rows::{Fault, Step};
use crate::store::rules::{lookups, timers, users};
use crate::store::shared::changes::{self, Changes};
use crate::store::shared::index::{Index, Sealed};

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
    pub index: &'t Index,
    pub cursors: &'t Cursors,
    pub changes: Changes,
    /// For rows being written.
    pub buffer: Vec<u8>,
}

impl<'t> Batch<'t> {
    pub fn new(
        transaction: &'t WriteTransaction,
        tally: &'t Tally,
        (index, cursors): (&'t Index, &'t Cursors),
    ) -> Self {
        Batch {
            tables: Tables::new(transaction, tally),
            index,
            cursors,
            changes: Changes::since(index.state()),
            buffer: Vec::with_capacity(1024),
        }
    }

    pub fn footprint(&self) -> Footprint {
        Footprint { writes: self.tables.tally.writes(), changes: self.changes.footprint() }
    }

    /// The rows that are written once a commit, whatever the number of its operations. Tells what
    /// is kept in memory of the tables.
    pub fn seal(&mut self) -> Step<Sealed> {
        if !self.changes.hashes.is_empty() {
            // Ignored messages take no number of their own, and two commits of one millisecond need
            // two keys.
            let seq = self.seq();
            let mut key = [0; 16];
            key[..8].copy_from_slice(&(self.changes.hashes_at.as_ms().max(0) as u64).to_be_bytes());
            key[8..].copy_from_slice(&seq.to_be_bytes());
            self.tables.dedup_log.put()?.insert(&key, self.changes.hashes.as_slice())?;
        }
        let users = users::settle(self)?;
        let usage = self.seal_usage()?;
        if self.changes.state != self.index.state() {
            state::write(&self.changes.state, &mut self.buffer);
            self.tables.meta.put()?.insert("state", self.buffer.as_slice())?;
        }
        let next_timer = if self.changes.timers_changed { Some(timers::first_due(self)?) } else { None };
        let next_lookup = match self.changes.lookups_changed {
            true => Some(lookups::first_due(self)?),
            false => None,
        };
        Ok(Sealed { users, usage, next_timer, next_lookup })
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

    fn usage(&self, tenant: TenantId) -> Usage {
        self.usage_so_far(tenant)
    }
}
