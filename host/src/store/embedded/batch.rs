//! What one group of operations works on, and what it leaves behind for the mirrors in memory. The
//! rule of every operation: look first, refuse without having written, then write.

use std::collections::{BTreeMap, HashSet};

use redb::{ReadableTable, WriteTransaction};

use super::codec::{Unreadable, pack};
use super::mirror::{Effect, Mirror, State};
use super::tables::Tables;
use super::tally::Tally;
use super::usage::Spending;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::quotas::Usage;
use crate::store::{AuditEntry, Error};

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// By the rules; nothing was written.
    #[error(transparent)]
    Refused(#[from] Error),
    /// What it needs cannot be read. The operation fails, the others of its group do not.
    #[error(transparent)]
    Row(#[from] Unreadable),
    /// The file failed under the whole group.
    #[error(transparent)]
    File(#[from] redb::Error),
}

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        Fault::File(error.into())
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        Fault::File(error.into())
    }
}

pub type Step<T> = Result<T, Fault>;

/// What an operation that is refused leaves as it was.
#[derive(PartialEq)]
pub struct Footprint {
    writes: u64,
    effects: usize,
    state: State,
    hashes: usize,
    met: usize,
    owners: usize,
}

/// One transaction's worth of work.
pub struct Batch<'t> {
    pub tables: Tables<'t>,
    pub mirror: &'t Mirror,
    /// Happens to the mirrors after the commit.
    pub effects: Vec<Effect>,
    /// The next arrival number and the counters, as they will be after the commit.
    pub state: State,
    /// Locks made and removed, by tenant.
    pub users: BTreeMap<u32, i64>,
    /// What tenants spent that leaves no rows.
    pub spent: Spending,
    /// New deduplication records, and the latest time among them.
    pub hashes: Vec<u8>,
    pub hashes_at: Timestamp,
    /// Conversations that began in this batch.
    pub met: HashSet<ConversationKey>,
    /// Senders that were written in this batch, and whose they are now.
    pub owners: BTreeMap<SenderName, Option<TenantId>>,
    pub timers_changed: bool,
    pub lookups_changed: bool,
    /// For rows being written.
    pub buffer: Vec<u8>,
}

impl<'t> Batch<'t> {
    pub fn new(transaction: &'t WriteTransaction, tally: &'t Tally, mirror: &'t Mirror) -> Self {
        Batch {
            tables: Tables::new(transaction, tally),
            mirror,
            effects: Vec::new(),
            state: mirror.state(),
            users: BTreeMap::new(),
            spent: Spending::new(),
            hashes: Vec::new(),
            hashes_at: Timestamp::ZERO,
            met: HashSet::new(),
            owners: BTreeMap::new(),
            timers_changed: false,
            lookups_changed: false,
            buffer: Vec::with_capacity(1024),
        }
    }

    pub fn footprint(&self) -> Footprint {
        Footprint {
            writes: self.tables.tally.writes(),
            effects: self.effects.len(),
            state: self.state,
            hashes: self.hashes.len(),
            met: self.met.len(),
            owners: self.owners.len(),
        }
    }

    /// The next arrival number; the first is 1.
    pub fn seq(&mut self) -> u64 {
        self.state.next_seq += 1;
        self.state.next_seq
    }

    /// Counts a lock made (1) or removed (-1).
    pub fn count_lock(&mut self, tenant: u32, by: i64) {
        *self.users.entry(tenant).or_default() += by;
        self.state.users = self.state.users.saturating_add_signed(by);
    }

    /// The only way into the audit log: what is kept there for years is bounded here, whoever wrote it.
    pub fn audit(&mut self, entry: &AuditEntry) -> Step<()> {
        let seq = self.seq();
        self.tables.audit.put()?.insert(seq, pack(&entry.bounded()).as_slice())?;
        Ok(())
    }

    /// The rows that are written once a commit, whatever the number of its operations. Tells what
    /// the mirrors need of the tables.
    pub fn seal(&mut self) -> Step<Sealed> {
        if !self.hashes.is_empty() {
            // Ignored messages take no number of their own, and two commits of one millisecond need
            // two keys.
            let seq = self.seq();
            let mut key = [0; 16];
            key[..8].copy_from_slice(&(self.hashes_at.as_ms().max(0) as u64).to_be_bytes());
            key[8..].copy_from_slice(&seq.to_be_bytes());
            self.tables.dedup_log.put()?.insert(&key, self.hashes.as_slice())?;
        }
        let mut users = Vec::with_capacity(self.users.len());
        for (tenant, by) in std::mem::take(&mut self.users) {
            let table = self.tables.users.put()?;
            let now = table.get(tenant)?.map_or(0, |row| row.value()).saturating_add_signed(by);
            if now == 0 {
                table.remove(tenant)?;
            } else {
                table.insert(tenant, now)?;
            }
            users.push((tenant, now));
        }
        let usage = self.seal_usage()?;
        if self.state != self.mirror.state() {
            self.state.write(&mut self.buffer);
            self.tables.meta.put()?.insert("state", self.buffer.as_slice())?;
        }
        let next_timer = if self.timers_changed { Some(super::timers::next_due(self)?) } else { None };
        let next_lookup = match self.lookups_changed {
            true => Some(super::lookups::first_due(self.tables.lookups_due.get()?)?),
            false => None,
        };
        Ok(Sealed { users, usage, next_timer, next_lookup })
    }
}

/// Read at the end of a transaction, for the mirrors.
pub struct Sealed {
    pub users: Vec<(u32, u64)>,
    pub usage: Vec<(TenantId, Usage)>,
    /// `None`: unchanged.
    pub next_timer: Option<Timestamp>,
    /// `None`: unchanged.
    pub next_lookup: Option<Timestamp>,
}
