//! Files: fetches what contacts sent, keeps it for a while, shows it to brains, and hands files of
//! ours to the providers that send them on.
//!
//! ```text
//! store.accept ─ a row, waiting ─▶ loop: claim due ▶ origin ▶ provider ▶ disk ▶ store.store_file
//!                                                                    stored | later | failed
//! brain, api ──▶ describe, read, keep        delivery ──▶ source ──▶ link | upload | bytes
//! ```
//!
//! The row in the store has the last word on what there is: a file is stored when its row says so, and
//! what lies on the disk without such a row is removed at the next start. The provider's own address
//! of a file stays in the row; a handle of ours is all that anybody else sees.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::disk::Disk;
use crate::clock;
use crate::config::{self, Config};
use crate::egress::Egress;
use crate::message::TenantId;
use crate::metrics::Metrics;
use crate::store::media::{File, FileAges, FileState};
use crate::store::{self, Store};

mod disk;
mod fetch;
mod kept;
mod kind;
mod link;
mod origin;
mod source;

/// The loop looks anew at least this often, whatever signals it missed.
const TICK: Duration = Duration::from_secs(1);

/// After the store refused something it is asked again after this.
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// Between two looks for files past their life.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Files whose life is ended in one commit.
const EXPIRED_AT_ONCE: usize = 200;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// That a file was there is remembered for this long after it is gone.
const REMEMBERED_DAYS: i64 = 30;

/// Every file there is.
pub struct Media {
    store: Arc<dyn Store>,
    egress: Egress,
    metrics: Arc<Metrics>,
    settings: config::Media,
    public_url: Option<String>,
    disk: Disk,
    /// Signs the addresses under which files are handed out.
    key: [u8; 32],
    /// Handles that are being fetched, with their senders.
    busy: Mutex<HashMap<String, String>>,
    freed: Notify,
    /// Some file came to its end.
    settled: Notify,
    uploads: source::Uploads,
}

/// What is known of a file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
}

/// Why a file is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such file")]
    Unknown,
    #[error("the file is still being fetched from the provider")]
    NotReady,
    #[error("the file could not be fetched: {0}")]
    Failed(String),
    #[error("the file is past its life and was removed (media.keep_days)")]
    Gone,
    #[error("the file cannot be read or written now: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the file is too large: {0}")]
    TooLarge(String),
}

impl Media {
    /// Opens the directory; nothing is fetched yet.
    pub fn open(
        config: &Config,
        store: Arc<dyn Store>,
        egress: Egress,
        metrics: Arc<Metrics>,
    ) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Media {
            key: store.media_key(),
            store,
            egress,
            metrics,
            settings: config.media.clone(),
            public_url: config.http.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            disk: Disk::open(config.media_dir())?,
            busy: Mutex::default(),
            freed: Notify::new(),
            settled: Notify::new(),
            uploads: source::Uploads::default(),
        }))
    }

    /// Fetches and removes until `stop`. A download that is cut off then begins anew after the next
    /// start.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.sweep().await;
        let running = TaskTracker::new();
        running.spawn(self.clone().keep_house(stop.clone()));
        while !stop.is_cancelled() {
            let claims = self.claim();
            if claims.is_empty() {
                self.rest(&stop).await;
                continue;
            }
            for (file, claim) in claims {
                let (this, stop) = (self.clone(), stop.clone());
                running.spawn(async move {
                    let _claim = claim;
                    tokio::select! {
                        () = this.attempt(file) => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        running.close();
        running.wait().await;
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files that are due, so many that no limit is passed.
    fn claim(self: &Arc<Self>) -> Vec<(File, Claim)> {
        let taken = self.busy().clone();
        let free = self.settings.concurrent.saturating_sub(taken.len());
        if free == 0 {
            return Vec::new();
        }
        let mut of_sender: HashMap<String, usize> = HashMap::new();
        for sender in taken.values() {
            *of_sender.entry(sender.clone()).or_default() += 1;
        }
        let of_sender = Mutex::new(of_sender);
        let busy = |sender: &str, handle: &str| {
            let mut of_sender = of_sender.lock().unwrap_or_else(PoisonError::into_inner);
            let count = of_sender.entry(sender.to_owned()).or_default();
            let busy = taken.contains_key(handle) || *count >= self.settings.per_sender;
            *count += usize::from(!busy);
            busy
        };
        let due = self.store.due_files(clock::now(), free, &busy).unwrap_or_else(|error| {
            tracing::error!(%error, "files to be fetched cannot be looked up; trying again");
            Vec::new()
        });
        let mut taken = self.busy();
        due.into_iter()
            .map(|file| {
                let sender = file.sender.as_ref().map(ToString::to_string).unwrap_or_default();
                taken.insert(file.handle.clone(), sender);
                let claim = Claim { media: self.clone(), handle: file.handle.clone() };
                (file, claim)
            })
            .collect()
    }

    async fn rest(&self, stop: &CancellationToken) {
        let taken = self.busy().clone();
        let busy = |_: &str, handle: &str| taken.contains_key(handle);
        let next = self.store.due_files(clock::now().plus_ms(DAY_MS), 1, &busy).unwrap_or_default();
        let due = next.first().and_then(|file| match file.state {
            // Due and not claimed: its sender has enough to do, and frees a place when it is done.
            FileState::Waiting { due_at, .. } => Some(due_at).filter(|due_at| *due_at > clock::now()),
            _ => None,
        });
        let nap = clock::nap(due, TICK);
        tokio::select! {
            () = self.store.wakes().files.notified() => {}
            () = self.freed.notified() => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Removes what lies on the disk without being known as stored.
    async fn sweep(self: &Arc<Self>) {
        let this = self.clone();
        let known = move || {
            this.disk.sweep(|tenant, handle| match this.store.file(tenant, handle) {
                Ok(file) => Ok(file.is_some_and(|file| matches!(file.state, FileState::Stored { .. }))),
                Err(error) => Err(io::Error::other(error.to_string())),
            })
        };
        match tokio::task::spawn_blocking(known).await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "files that nothing refers to were removed"),
            Err(error) => tracing::warn!(%error, "files that nothing refers to could not be looked for"),
        }
    }

    async fn keep_house(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let full = self.expire().await;
            let pause = if full { Duration::from_millis(100) } else { HOUSEKEEPING };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Ends the life of a slice of files; is there more?
    async fn expire(&self) -> bool {
        let keep_from = clock::now().plus_ms(-i64::from(self.settings.keep_days) * DAY_MS);
        let ages = FileAges { keep_from, remember_from: keep_from.plus_ms(-REMEMBERED_DAYS * DAY_MS) };
        match self.store.expire_files(ages, EXPIRED_AT_ONCE).await {
            Ok(ended) => {
                for file in &ended {
                    self.discard(file.tenant, &file.handle).await;
                }
                ended.len() >= EXPIRED_AT_ONCE
            }
            Err(error) => {
                tracing::warn!(%error, "files past their life could not be removed; trying again");
                false
            }
        }
    }

    /// What cannot be removed now is swept away at the next start.
    async fn discard(&self, tenant: TenantId, handle: &str) {
        if let Err(error) = self.disk.remove(tenant, handle).await {
            tracing::warn!(%tenant, handle, %error, "a file could not be removed from the disk");
        }
    }
}

/// Did the store say no? Then there is no row for the bytes. After any other error there may be one that
/// counts on them: a commit that failed may be durable all the same. If there is none, they are swept
/// away at the next start.
fn is_refused(error: &store::Error) -> bool {
    matches!(error, store::Error::Limit { .. } | store::Error::NotFound(_))
}

/// A file is being fetched for as long as this lives.
struct Claim {
    media: Arc<Media>,
    handle: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.media.busy().remove(&self.handle);
        self.media.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_only_where_no_row_can_count_on_them() {
        let word = String::from;
        for (error, expected) in [
            (store::Error::Limit { code: "too_many_bytes", message: word("full") }, true),
            (store::Error::NotFound(word("no such file")), true),
            (store::Error::Conflict(word("it is stored already")), false),
            (store::Error::Busy(word("the disk is full")), false),
            (store::Error::Failed(word("the commit may be durable")), false),
        ] {
            assert_eq!(is_refused(&error), expected, "{error}");
        }
    }
}
