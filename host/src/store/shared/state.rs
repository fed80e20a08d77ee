//! What a store counts, and the number of its next arrival.

use std::collections::BTreeMap;

use crate::message::Timestamp;
use crate::store::Counters;

/// The one row that nearly every commit writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub next_seq: u64,
    pub users: u64,
    pub inbox: u64,
    pub outbox_waiting: u64,
    pub outbox_dead: u64,
    pub outbox_unknown: u64,
    pub dead_turns: u64,
    pub conflicts: u64,
    pub accepted: u64,
    pub last_updated: Timestamp,
}

impl State {
    pub fn counters(&self, users_per_tenant: BTreeMap<u32, u64>) -> Counters {
        Counters {
            users: self.users,
            users_per_tenant,
            inbox: self.inbox,
            outbox_waiting: self.outbox_waiting,
            outbox_dead: self.outbox_dead,
            outbox_unknown: self.outbox_unknown,
            dead_turns: self.dead_turns,
            conflicts: self.conflicts,
            accepted: self.accepted,
            last_updated: self.last_updated,
        }
    }

    /// Something was counted at `now`.
    pub fn touch(&mut self, now: Timestamp) {
        self.last_updated = self.last_updated.max(now);
    }
}
