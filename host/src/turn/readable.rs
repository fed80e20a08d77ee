//! What a conversation's brain may read: its own history, its own tenant's collections and files, and
//! nothing of anybody else.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::brain::{FileInfo, FileRefused, Sources};
use crate::clock;
use crate::conversation::HistoryEntry;
use crate::media::{self, Media};
use crate::message::{ConversationKey, TenantId};
use crate::store::collections::Collections;
use crate::store::media::MediaShelf;
use crate::store::pages::Pages;
use crate::store::quotas::Accounts;
use crate::tenant::quotas::Kind;

/// What is asked of the store for a brain that reads.
pub trait ReadableStore: Accounts + Collections + MediaShelf + Pages {}

impl<T: Accounts + Collections + MediaShelf + Pages> ReadableStore for T {}

/// One conversation's sources, for one turn.
pub struct Readable {
    store: Arc<dyn ReadableStore>,
    media: Arc<Media>,
    key: ConversationKey,
    /// Files that are still being fetched are waited for this long in all,
    patience: Duration,
    /// from the first time that the brain asks for one.
    waits_until: OnceLock<Instant>,
}

impl Readable {
    pub fn new(
        store: Arc<dyn ReadableStore>,
        media: Arc<Media>,
        key: ConversationKey,
        patience: Duration,
    ) -> Self {
        Readable { store, media, key, patience, waits_until: OnceLock::new() }
    }

    fn patience(&self) -> Duration {
        let until = self.waits_until.get_or_init(|| Instant::now() + self.patience);
        until.saturating_duration_since(Instant::now())
    }
}

#[async_trait]
impl Sources for Readable {
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, String> {
        let lines = self.store.history(&self.key, None, limit).await.map_err(|error| error.to_string())?;
        Ok(lines.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn collection(&self, name: &str) -> Result<Option<Arc<Vec<serde_json::Value>>>, String> {
        let tenant: TenantId = self.key.tenant;
        self.store.collection(tenant, name).await.map_err(|error| error.to_string())
    }

    fn parsed_collection(&self, name: &str) -> Option<Arc<Vec<serde_json::Value>>> {
        self.store.parsed_collection(self.key.tenant, name)
    }

    fn may_log(&self, bytes: u64) -> bool {
        self.store.spend(self.key.tenant, Kind::LogBytesPerMinute, bytes, clock::now()).is_ok()
    }

    async fn has_file(&self, handle: &str) -> bool {
        self.store.file(self.key.tenant, handle).await.is_ok_and(|file| file.is_some())
    }

    async fn describe_file(&self, handle: &str) -> Result<FileInfo, FileRefused> {
        let info = self.media.describe(self.key.tenant, handle, self.patience()).await;
        let info = info.map_err(|error| unread(handle, &error))?;
        Ok(FileInfo { mime_type: info.mime_type, size: info.size })
    }

    async fn read_file(&self, handle: &str, offset: u64, length: u32) -> Result<Vec<u8>, FileRefused> {
        let part = (offset, length as usize);
        let bytes = self.media.read(self.key.tenant, handle, part, self.patience()).await;
        bytes.map_err(|error| unread(handle, &error))
    }
}

fn unread(handle: &str, error: &media::Error) -> FileRefused {
    let (code, retryable) = match error {
        media::Error::Unknown => return FileRefused::unknown(handle),
        media::Error::NotReady => ("not-ready", true),
        media::Error::Failed(_) | media::Error::TooLarge(_) => ("failed", false),
        media::Error::Gone => ("gone", false),
        media::Error::Disk(_) | media::Error::Store(_) => ("unavailable", true),
    };
    FileRefused { code, message: error.to_string(), retryable }
}
