//! Files, for whoever fetches and serves them.

use async_trait::async_trait;
use hmac::Mac as _;

use super::Embedded;
use crate::clock;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::media::{File, FileAges, FileState, MediaShelf};
use crate::store::rows::Rows as _;
use crate::store::rules::files::{self, key_of};
use crate::store::shared::fetches::FileKey;
use crate::store::upkeep::Mark;

/// A listing looks at no more rows than this.
const LISTED_ROWS: usize = 100_000;

#[async_trait]
impl MediaShelf for Embedded {
    async fn file(&self, tenant: TenantId, handle: &str) -> Result<Option<File>> {
        self.read(|snapshot| files::find(snapshot, tenant, handle))
    }

    async fn files(&self, tenant: TenantId, limit: usize) -> Result<Vec<File>> {
        self.read(|snapshot| files::newest(snapshot, tenant, limit, LISTED_ROWS))
    }

    async fn claim_files(&self, n: usize, now: Timestamp) -> Result<Vec<File>> {
        if !self.may_fetch() {
            return Ok(Vec::new());
        }
        let claimed = self.index().files().claim(n, now);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.read(|snapshot| {
            Ok(claimed.iter().map(|key| files::find(snapshot, key.tenant, &key.handle)).collect::<Vec<_>>())
        });
        let found =
            found.inspect_err(|_| claimed.iter().for_each(|key| self.index().files().release(key)))?;
        let mut files = Vec::with_capacity(found.len());
        for (key, found) in claimed.into_iter().zip(found) {
            match found {
                Ok(Some(file)) if matches!(file.state, FileState::Waiting { .. }) => files.push(file),
                // Asked again it would fail again.
                Err(error) => {
                    let (tenant, handle) = (key.tenant, &key.handle);
                    tracing::error!(%tenant, handle, %error, "a file cannot be looked up and waits for the next start");
                }
                Ok(_) => {
                    let mut fetches = self.index().files();
                    fetches.settle(&key, None);
                    fetches.release(&key);
                }
            }
        }
        Ok(files)
    }

    fn release_file(&self, tenant: TenantId, handle: &str) {
        self.index().files().release(&FileKey { tenant, handle: handle.to_owned() });
    }

    fn postpone_file(&self, tenant: TenantId, handle: &str, until: Timestamp) {
        self.index().files().postpone(&FileKey { tenant, handle: handle.to_owned() }, until);
    }

    fn call_file(&self, tenant: TenantId, handle: &str) {
        self.index().files().call(&FileKey { tenant, handle: handle.to_owned() }, clock::now());
        self.index().wakes.files.notify_one();
    }

    fn park_file(&self, file: &File, bytes: u64) {
        let sender = file.sender.clone().unwrap_or_else(|| SenderName::new(""));
        let index = self.index();
        let mut fetches = index.files();
        fetches.park(&key_of(file), sender, bytes);
        // There may be room for it by now.
        if index.hold_files(&mut fetches, [file.tenant]) {
            index.wakes.files.notify_one();
        }
    }

    fn has_waited_for_room(&self, tenant: TenantId, handle: &str) -> bool {
        self.index().files().has_waited_for_room(tenant, handle)
    }

    fn next_file_at(&self) -> Option<Timestamp> {
        if self.may_fetch() { self.index().files().next_at() } else { None }
    }

    async fn stored_bytes(&self, tenant: TenantId) -> Result<u64> {
        Ok(self.index().usage(tenant).file_bytes)
    }

    async fn store_file(&self, file: File) -> Result<()> {
        self.write(move |batch| files::store(batch, &file)).await
    }

    async fn settle_file(&self, tenant: TenantId, handle: &str, state: FileState) -> Result<()> {
        let handle = handle.to_owned();
        self.write(move |batch| files::settle(batch, tenant, &handle, &state)).await
    }

    async fn put_file(&self, file: File, actor: &str) -> Result<()> {
        let subject = format!("{}/{}", file.tenant, file.handle);
        let detail = serde_json::json!({ "bytes": file.state.size(), "mime_type": file.mime_type });
        let by = entry(actor, "put file", subject, detail, clock::now());
        self.write(move |batch| {
            files::check_quota(batch, &file, 1)?;
            files::insert(batch, &file)?;
            batch.audit(&by)
        })
        .await
    }

    async fn expire_files(&self, ages: FileAges, limit: usize) -> Result<Vec<File>> {
        self.write(move |batch| files::expire(batch, ages, limit)).await
    }

    fn media_key(&self) -> [u8; 32] {
        files::keyed(&self.index().secret, b"media links").finalize().into_bytes().into()
    }
}

impl Embedded {
    /// What there is no room for on the disk, or nothing to look it up in, waits until that is over.
    fn may_fetch(&self) -> bool {
        !self.shared.disk.is_compacting() && self.shared.space.check(Mark::Stored).is_ok()
    }
}
