//! The store in one file: redb.

use std::path::PathBuf;

/// How the file is opened and what the store decides with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    /// Where backups lie; a damaged file's error names the newest good one.
    pub backups: PathBuf,
    /// redb's page cache.
    pub cache_bytes: usize,
    /// Operations that may wait for the writer; one more is refused with `Busy`.
    pub queue: usize,
    /// Check every page's checksum before serving.
    pub verify: bool,
    /// Deep-link prefixes.
    pub prefixes: Vec<String>,
    /// What a contact that nobody has claimed is told on a shared sender; `None`: nothing.
    pub notice: Option<String>,
    /// The same contact is told again after this time at the earliest.
    pub notice_every_ms: i64,
    /// Where a tenant does not say; see `tenant::Limits::coalesce_ms`.
    pub coalesce_ms: u64,
    /// Turns of one tenant that may be claimed at the same time.
    pub turns_per_tenant: usize,
    /// Sends of one sender that may be claimed at the same time.
    pub sends_per_sender: usize,
}
