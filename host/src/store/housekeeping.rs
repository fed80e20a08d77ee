//! What is counted, and what is kept for how long.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AuditEntry, Result};
use crate::message::Timestamp;

/// Kept, never recounted per request; [`Housekeeping::recount`] proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Locks there are.
    pub users: u64,
    pub users_per_tenant: BTreeMap<u32, u64>,
    pub inbox: u64,
    pub outbox_waiting: u64,
    pub outbox_dead: u64,
    pub outbox_unknown: u64,
    pub dead_turns: u64,
    /// Locked contacts who came with another tenant's link.
    pub conflicts: u64,
    /// Messages accepted, over all time.
    pub accepted: u64,
    pub last_updated: Timestamp,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub dedup_ms: i64,
    pub history_ms: i64,
    /// Dead turns, and replies that are dead or of unknown outcome.
    pub ended_ms: i64,
    pub journal_ms: i64,
    pub audit_ms: i64,
    /// Which templates were sent to whom.
    pub template_log_ms: i64,
}

/// Counters, the audit log, and what is past its time.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// As of the last commit.
    fn counters(&self) -> Counters;
    /// One more entry of the audit log, for what changes nothing here and is to be found there all the same.
    async fn audit(&self, entry: AuditEntry) -> Result<()>;
    /// Removes what is past its time, at most `limit` things; how many it removed.
    async fn prune(&self, retention: Retention, now: Timestamp, limit: usize) -> Result<usize>;
    /// Counts everything anew. Equals [`Housekeeping::counters`] while nothing is being written.
    async fn recount(&self) -> Result<Counters>;
    /// Is the store able to commit? An empty commit proves it.
    async fn probe(&self) -> Result<()>;
}
