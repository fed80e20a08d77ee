//! What a transaction has done so far that is no row: it happens to what is kept in memory after the commit.

use std::collections::{BTreeMap, HashSet};

use super::effect::Effect;
use super::state::State;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::policy::quota::day_of;
use crate::store::quotas::Usage;

/// What leaves no rows of its own, of one tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    day: u32,
    turns: u64,
    fuel: u64,
    silenced: i64,
    file_bytes: i64,
}

#[derive(Debug, Default)]
pub struct Changes {
    pub effects: Vec<Effect>,
    /// The next arrival number and the counters, as they will be after the commit.
    pub state: State,
    /// Locks made and removed, by tenant.
    pub users: BTreeMap<u32, i64>,
    /// What tenants spent that leaves no rows.
    pub spent: BTreeMap<u32, Spent>,
    /// New deduplication records, and the latest time among them.
    pub hashes: Vec<[u8; 16]>,
    pub hashes_at: Timestamp,
    /// Conversations that began in this transaction.
    pub met: HashSet<ConversationKey>,
    /// Senders that were written in this transaction, and whose they are now.
    pub owners: BTreeMap<SenderName, Option<TenantId>>,
    pub timers_changed: bool,
    pub lookups_changed: bool,
}

/// What an operation that is refused leaves as it was.
#[derive(Debug, PartialEq)]
pub struct Footprint {
    effects: usize,
    state: State,
    hashes: usize,
    met: usize,
    owners: usize,
}

impl Changes {
    pub fn since(state: State) -> Self {
        Changes { state, ..Changes::default() }
    }

    pub fn footprint(&self) -> Footprint {
        Footprint {
            effects: self.effects.len(),
            state: self.state,
            hashes: self.hashes.len(),
            met: self.met.len(),
            owners: self.owners.len(),
        }
    }

    pub fn seq(&mut self) -> u64 {
        self.state.next_seq += 1;
        self.state.next_seq
    }

    /// Counts a lock made (1) or removed (-1).
    pub fn count_lock(&mut self, tenant: TenantId, by: i64) {
        *self.users.entry(tenant.get()).or_default() += by;
        self.state.users = self.state.users.saturating_add_signed(by);
    }

    /// A turn has ended, whatever came of it.
    pub fn count_turn(&mut self, tenant: TenantId, fuel: u64, now: Timestamp) {
        let day = day_of(now);
        let spent = self.spent.entry(tenant.get()).or_default();
        if spent.turns > 0 && spent.day != day {
            (spent.turns, spent.fuel) = (0, 0);
        }
        spent.day = day;
        spent.turns += 1;
        spent.fuel = spent.fuel.saturating_add(fuel);
    }

    /// A conversation's timers wait for its contact (1), or do so no more (-1).
    pub fn count_silenced(&mut self, tenant: TenantId, by: i64) {
        self.spent.entry(tenant.get()).or_default().silenced += by;
    }

    pub fn count_file_bytes(&mut self, tenant: TenantId, more: u64, less: u64) {
        if more != less {
            let by = i64::try_from(more).unwrap_or(i64::MAX) - i64::try_from(less).unwrap_or(i64::MAX);
            self.spent.entry(tenant.get()).or_default().file_bytes += by;
        }
    }

    /// Adds to `usage` what the tenant has spent in this transaction.
    pub fn spend(&self, tenant: TenantId, usage: &mut Usage) {
        let Some(spent) = self.spent.get(&tenant.get()) else { return };
        usage.silenced = usage.silenced.saturating_add_signed(spent.silenced);
        usage.file_bytes = usage.file_bytes.saturating_add_signed(spent.file_bytes);
        if spent.turns > 0 {
            let (turns, fuel) = usage.on(spent.day);
            usage.day = spent.day;
            usage.turns = turns + spent.turns;
            usage.fuel = fuel.saturating_add(spent.fuel);
        }
    }
}
