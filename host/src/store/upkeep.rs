//! What keeps the store's file and its disk in order: room, trimming, compaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::Result;
use crate::message::{SenderName, TenantId, Timestamp};

/// What has to stop when the disk fills up, the first to stop first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// What tenants store: uploads, collections, files.
    Stored,
    /// Messages and turns too.
    Messages,
}

/// What is left of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Room {
    /// `None`: nobody knows.
    pub free: Option<u64>,
    pub reserve: u64,
    /// What is refused.
    pub short: Option<Mark>,
}

/// Since when what waits longest has waited, of each sender's replies and of each tenant's turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oldest {
    pub replies: BTreeMap<SenderName, Timestamp>,
    pub turns: BTreeMap<TenantId, Timestamp>,
}

/// What a compaction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compacted {
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub took_ms: u64,
}

/// What reading everything came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub rows: u64,
    pub took_ms: u64,
    /// What is wrong, if something is.
    pub flaw: Option<String>,
}

/// What keeps the store small and tells how it does.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Is there room for what tenants store? Refused with [`super::Error::Full`].
    fn room_on_disk(&self) -> Result<()>;
    /// Removes the oldest of what tenants keep beyond their quotas, looking at no more than `limit` rows;
    /// how many it looked at, and `limit` whenever there is more to do.
    async fn trim(&self, limit: usize) -> Result<usize>;
    /// Has nothing been written for this long, and does nothing wait to be done at once?
    fn is_idle(&self, quiet: Duration) -> bool;
    /// Operations since the start that were refused only after they had written, at the cost of all others
    /// of their group. Each is a bug.
    fn late_refusals(&self) -> u64;
    /// Commits since the start.
    fn commits(&self) -> u64;
    /// Since when what waits longest has waited: of those that wait longest `rows` are looked at, of each kind. What
    /// waits for its hour only is left out.
    async fn oldest(&self, rows: usize) -> Result<Oldest>;
}

/// The file that a store lies in. One that lies elsewhere has none.
#[async_trait]
pub trait StoreFile: Send + Sync {
    /// What is left of the disk.
    fn room(&self) -> Room;
    /// How large the file is, and how much of that it could give back, about.
    async fn file_bytes(&self) -> Result<FileBytes>;
    /// Gives back to the disk what the file does not need. Meanwhile nothing is read, and what is written
    /// waits in the queue; how long depends on how much there is to move.
    async fn compact(&self) -> Result<Compacted>;
    /// Reads every row and counts anew what is counted, on a thread that gives way to all others.
    async fn verify(&self) -> Result<Verified>;
    /// Writes a consistent copy into `file` from the byte `from` on, while the gateway runs, and verifies it.
    /// How many bytes it has; nothing is to lie behind them in the file yet.
    async fn backup(&self, file: File, from: u64) -> Result<u64>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileBytes {
    pub bytes: u64,
    pub spare: u64,
}
