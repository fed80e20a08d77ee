//! Files, for whoever fetches and serves them.

use async_trait::async_trait;
use hmac::Mac as _;

use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::media::{File, FileAges, FileState, MediaShelf};
use crate::store::rules::files::{self, key_of};
use crate::store::shared::fetches::FileKey;
use crate::store::upkeep::Mark;

/// A listing looks at no more rows than this.
const LISTED_ROWS: usize = 100_000;

#[async_trait]
impl<E: Engine> MediaShelf for E {
    async fn file(&self, tenant: TenantId, handle: &str) -> Result<Option<File>> {
        let handle = handle.to_owned();
        self.read(move |rows| files::find(rows, tenant, &handle)).await
    }

    async fn files(&self, tenant: TenantId, limit: usize) -> Result<Vec<File>> {
        self.read(move |rows| files::newest(rows, tenant, limit, LISTED_ROWS)).await
    }

    async fn claim_files(&self, n: usize, now: Timestamp) -> Result<Vec<File>> {
        if !may_fetch(self) {
            return Ok(Vec::new());
        }
        let claimed = self.index().files().claim(n, now);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let asked = claimed.clone();
        let found = self.read(move |rows| {
            Ok(asked.iter().map(|key| files::find(rows, key.tenant, &key.handle)).collect::<Vec<_>>())
        });
        let found =
            found.await.inspect_err(|_| claimed.iter().for_each(|key| self.index().files().release(key)))?;
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
        self.index().files().call(&FileKey { tenant, handle: handle.to_owned() }, self.now());
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
        if may_fetch(self) { self.index().files().next_at() } else { None }
    }

    async fn stored_bytes(&self, tenant: TenantId) -> Result<u64> {
        Ok(self.index().usage(tenant).file_bytes)
    }

    async fn store_file(&self, file: File) -> Result<()> {
        self.submit(move |rows| files::store(rows, &file)).await
    }

    async fn settle_file(&self, tenant: TenantId, handle: &str, state: FileState) -> Result<()> {
        let handle = handle.to_owned();
        self.submit(move |rows| files::settle(rows, tenant, &handle, &state)).await
    }

    async fn put_file(&self, file: File, actor: &str) -> Result<()> {
        let subject = format!("{}/{}", file.tenant, file.handle);
        let detail = serde_json::json!({ "bytes": file.state.size(), "mime_type": file.mime_type });
        let by = entry(actor, "put file", subject, detail, self.now());
        self.submit(move |rows| files::put(rows, &file, &by)).await
    }

    async fn expire_files(&self, ages: FileAges, limit: usize) -> Result<Vec<File>> {
        self.submit(move |rows| files::expire(rows, ages, limit)).await
    }

    fn media_key(&self) -> [u8; 32] {
        files::keyed(&self.index().secret, b"media links").finalize().into_bytes().into()
    }
}

/// What there is no room for on the disk, or nothing to look it up in, waits until that is over.
fn may_fetch(engine: &impl Engine) -> bool {
    !engine.is_paused() && engine.check(Mark::Stored).is_ok()
}
