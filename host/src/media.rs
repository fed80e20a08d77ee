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

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::disk::Disk;
use crate::clock;
use crate::config::{self, Config};
use crate::egress::circuits::{Call, Hold, Lane};
use crate::egress::{Egress, LOOK};
use crate::message::TenantId;
use crate::metrics::Metrics;
use crate::store;
use crate::store::media::{File, FileAges, FileState, MediaShelf};
use crate::store::quotas::Accounts;
use crate::store::registry::Registry;
use crate::store::wakes::Waking;

mod disk;
mod fetch;
pub mod kept;
mod kind;
mod link;
mod name;
mod origin;
mod source;

/// The loop looks anew at least this often, whatever signals it missed.
const TICK: Duration = Duration::from_secs(1);

/// After the store refused something it is asked again after this.
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// A file over which the gateway panicked would only have it do so again at once.
const PANIC_PAUSE_MS: i64 = 60_000;

/// Between two looks for files past their life.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Files whose life is ended in one commit.
const EXPIRED_AT_ONCE: usize = 200;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// That a file was there is remembered for this long after it is gone.
const REMEMBERED_DAYS: i64 = 30;

/// What keeping files asks of the store.
pub trait MediaStore: Accounts + MediaShelf + Registry + Waking {}

impl<T: Accounts + MediaShelf + Registry + Waking> MediaStore for T {}

/// Every file there is.
pub struct Media {
    store: Arc<dyn MediaStore>,
    egress: Egress,
    /// What hands files of ours over.
    uploading: Egress,
    metrics: Arc<Metrics>,
    settings: config::Media,
    public_url: Option<String>,
    disk: Disk,
    /// Signs the addresses under which files are handed out.
    key: [u8; 32],
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
        store: Arc<dyn MediaStore>,
        egress: Egress,
        metrics: Arc<Metrics>,
    ) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Media {
            key: store.media_key(),
            store,
            uploading: egress.lane(Lane::Uploads),
            egress: egress.lane(Lane::Files),
            metrics,
            settings: config.media.clone(),
            public_url: config.http.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            disk: Disk::open(config.media_dir())?,
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
        while !stop.is_cancelled() {
            let claims = self.claim().await;
            if claims.is_empty() {
                self.rest(&stop).await;
                continue;
            }
            for (file, claim) in claims {
                let (this, stop) = (self.clone(), stop.clone());
                running.spawn(async move {
                    tokio::select! {
                        attempted = this.attempt(&file) => match attempted {
                            Attempted::Settled => drop(claim),
                            Attempted::NoRoom { bytes } => claim.park(&file, bytes),
                            Attempted::Held { hold, wait } => claim.hold(hold, wait),
                        },
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        running.close();
        running.wait().await;
    }

    /// Files that are due, so many that no limit is passed.
    async fn claim(self: &Arc<Self>) -> Vec<(File, Claim)> {
        let due = match self.store.claim_files(self.settings.concurrent, clock::now()).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "files to be fetched cannot be looked up; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        };
        due.into_iter()
            .map(|file| {
                let (tenant, handle) = (file.tenant, file.handle.clone());
                (file, Claim { media: self.clone(), tenant, handle, ended: false })
            })
            .collect()
    }

    async fn rest(&self, stop: &CancellationToken) {
        let nap = clock::nap(self.store.next_file_at(), TICK);
        tokio::select! {
            () = self.store.wakes().files.notified() => {}
            () = self.freed.notified() => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Removes what lies on the disk without being known as stored.
    async fn sweep(self: &Arc<Self>) {
        let (this, runtime) = (self.clone(), Handle::current());
        let known = move || {
            this.disk.sweep(|tenant, handle| match runtime.block_on(this.store.file(tenant, handle)) {
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

    /// Removes files past their time until `stop`.
    pub async fn keep_house(self: Arc<Self>, stop: CancellationToken) {
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

/// What became of an attempt.
enum Attempted {
    Settled,
    /// Nobody was asked: who would be does not answer, or has no room.
    Held {
        hold: Option<Hold>,
        wait: Duration,
    },
    /// So many bytes more than there is room for.
    NoRoom {
        bytes: u64,
    },
}

/// A file is being fetched for as long as this lives.
struct Claim {
    media: Arc<Media>,
    tenant: TenantId,
    handle: String,
    /// It has ended, and whoever claims the file next has another one.
    ended: bool,
}

impl Claim {
    /// The file waits until its tenant has room for it.
    fn park(mut self, file: &File, bytes: u64) {
        self.media.store.park_file(file, bytes);
        self.ended = true;
    }
}

impl Claim {
    /// The file waits until it is called. Where that is lost it looks again by itself, and not together
    /// with all the others.
    fn hold(mut self, hold: Option<Hold>, wait: Duration) {
        let wait = LOOK.max(wait).mul_f64(rand::random_range(1.0..2.0));
        let until = clock::now().plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        let (media, tenant, handle) = (self.media.clone(), self.tenant, self.handle.clone());
        media.store.postpone_file(tenant, &handle, until);
        self.ended = true;
        drop(self);
        if let Some(hold) = hold {
            let store = media.store.clone();
            media.egress.when_free(&hold, Call::new(move || store.call_file(tenant, &handle)));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (store, tenant, handle) = (&self.media.store, self.tenant, &self.handle);
        match self.ended {
            true => {}
            false if std::thread::panicking() => {
                tracing::error!(%tenant, handle, "the gateway panicked over a file; it is fetched again later");
                store.postpone_file(tenant, handle, clock::now().plus_ms(PANIC_PAUSE_MS));
            }
            false => store.release_file(tenant, handle),
        }
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
            (store::Error::Limit { of: store::Limit::Quota, message: word("full") }, true),
            (store::Error::NotFound(word("no such file")), true),
            (store::Error::Conflict(word("it is stored already")), false),
            (store::Error::Busy(word("the disk is full")), false),
            (store::Error::Failed(word("the commit may be durable")), false),
        ] {
            assert_eq!(is_refused(&error), expected, "{error}");
        }
    }
}
