//! Which tenant a contact belongs to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::message::{ContactKey, TenantId, Timestamp};
use crate::route::Lock;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ImportReport {
    pub imported: u64,
    /// Already so.
    pub unchanged: u64,
    /// `971501234567: locked to 1, the file says 2`.
    pub conflicts: Vec<String>,
}

/// Locks, and what operators do to them.
#[async_trait]
pub trait Locks: Send + Sync {
    /// The lock of a person, by any of its keys; `None`: it is free.
    async fn lock_of(&self, contact: &ContactKey) -> Result<Option<Lock>>;
    /// Frees the contact; its next deep link decides anew. Pending turns and timers of the old tenant still
    /// run; what they say reaches the contact only until it is another tenant's. Its history stays with it.
    async fn unlock(&self, contact: &ContactKey, actor: &str, now: Timestamp) -> Result<Lock>;
    /// Locks from another system. Conflicts are listed and left as they are.
    async fn import_locks(
        &self,
        locks: Vec<(ContactKey, TenantId)>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<ImportReport>;
    /// Locks in key order, after `after`.
    async fn locks(&self, after: Option<&ContactKey>, limit: usize) -> Result<Vec<(ContactKey, Lock)>>;
}
