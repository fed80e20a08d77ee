//! What is kept of files: those that contacts sent, and those that a tenant stored to send. The bytes
//! lie beside the store, not in it; here is what is known of each, and how much room each tenant uses.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::message::{SenderName, TenantId, Timestamp};

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// What brains know it by; hard to guess, the same for the same message.
    pub handle: String,
    pub tenant: TenantId,
    /// The sender that received it, whose credentials fetch it; `None`: the tenant stored it here.
    pub sender: Option<SenderName>,
    /// Where the provider keeps it, in the adapter's own words.
    pub source: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
    pub state: FileState,
    pub received_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum FileState {
    Waiting {
        due_at: Timestamp,
        attempts: u32,
        /// What came of the last attempt.
        error: Option<String>,
    },
    Stored {
        size: u64,
        /// Hex.
        sha256: String,
    },
    Failed {
        reason: String,
    },
    /// Past its life.
    Gone,
}

impl FileState {
    /// How many bytes lie on the disk.
    pub fn size(&self) -> u64 {
        match self {
            FileState::Stored { size, .. } => *size,
            FileState::Waiting { .. } | FileState::Failed { .. } | FileState::Gone => 0,
        }
    }
}

/// When files are past their life.
#[derive(Clone, Copy, Debug)]
pub struct FileAges {
    /// What was received before this is removed; that it was there is remembered.
    pub keep_from: Timestamp,
    /// What was received before this is forgotten.
    pub remember_from: Timestamp,
}

/// Files: what is known of each, and whose turn it is to be fetched.
#[async_trait]
pub trait MediaShelf: Send + Sync {
    /// What is known of one. `None`: the tenant has none of this handle.
    async fn file(&self, tenant: TenantId, handle: &str) -> Result<Option<File>>;
    /// A tenant's files, newest first.
    async fn files(&self, tenant: TenantId, limit: usize) -> Result<Vec<File>>;
    /// Up to `n` waiting files that are due, fair between senders and between a sender's tenants. Those of
    /// a tenant whose room is used up wait until there is some. A claim lives in memory, and ends with
    /// [`MediaShelf::release_file`], [`MediaShelf::postpone_file`] or [`MediaShelf::park_file`].
    async fn claim_files(&self, n: usize, now: Timestamp) -> Result<Vec<File>>;
    /// Ends a claim; a file that still waits is claimed again when it is due.
    fn release_file(&self, tenant: TenantId, handle: &str);
    /// Ends a claim; the file is not claimed again before `until`, as long as this process lives, unless it is
    /// called.
    fn postpone_file(&self, tenant: TenantId, handle: &str, until: Timestamp);
    /// What it was postponed for is over.
    fn call_file(&self, tenant: TenantId, handle: &str);
    /// Ends the claim of a file that turned out to have so many bytes, for which its tenant has no room. It
    /// is claimed again when there is room for them, or after a start.
    fn park_file(&self, file: &File, bytes: u64);
    /// Was it given back so before, in this process?
    fn has_waited_for_room(&self, tenant: TenantId, handle: &str) -> bool;
    /// When [`MediaShelf::claim_files`] will next find something, if nobody stores or releases anything.
    fn next_file_at(&self) -> Option<Timestamp>;
    /// How many bytes of a tenant's files lie on the disk.
    async fn stored_bytes(&self, tenant: TenantId) -> Result<u64>;
    /// The bytes of a waiting file are on the disk. Refused with [`super::Error::Limit`] where the
    /// tenant would have more of them, or they would take more bytes together, than its quotas allow.
    async fn store_file(&self, file: File) -> Result<()>;
    /// A waiting file waits on or has failed; a stored one is gone from the disk.
    async fn settle_file(&self, tenant: TenantId, handle: &str, state: FileState) -> Result<()>;
    /// A file of the tenant's own, whose bytes are on the disk; limited as [`MediaShelf::store_file`].
    async fn put_file(&self, file: File, actor: &str) -> Result<()>;
    /// Ends the life of at most `limit` files; those whose bytes are to be removed now.
    async fn expire_files(&self, ages: FileAges, limit: usize) -> Result<Vec<File>>;
    /// For signing the addresses under which files are handed out.
    fn media_key(&self) -> [u8; 32];
}
