//! What others see of the files: brains and the API read them, and a tenant keeps files of its own to
//! send. A file is only ever asked for by its tenant and its handle together.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::disk::{self, Draft, Finished, Refused};
use super::{Error, Info, Media, kind, link};
use crate::channel::media::HANDLE_PREFIX;
use crate::clock;
use crate::message::TenantId;
use crate::store;
use crate::store::media::{File, FileState};

/// What whoever brings a file says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called<'a> {
    pub mime_type: Option<&'a str>,
    pub filename: Option<&'a str>,
}

impl Media {
    /// What is known of a tenant's file; one that is still being fetched is waited for.
    pub async fn describe(&self, tenant: TenantId, handle: &str, wait: Duration) -> Result<Info, Error> {
        let file = self.stored(tenant, handle, wait).await?;
        let mime_type = file.mime_type.unwrap_or_else(|| kind::UNKNOWN.to_owned());
        Ok(Info { mime_type, size: file.state.size() })
    }

    /// Bytes of a tenant's file; one that is still being fetched is waited for.
    pub async fn read(
        &self,
        tenant: TenantId,
        handle: &str,
        (offset, length): (u64, usize),
        wait: Duration,
    ) -> Result<Vec<u8>, Error> {
        self.stored(tenant, handle, wait).await?;
        match self.disk.read(tenant, handle, offset, length).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.unreadable(tenant, handle, error).await),
        }
    }

    /// A tenant's file with its bytes to be read.
    pub async fn open_file(
        &self,
        tenant: TenantId,
        handle: &str,
    ) -> Result<(File, impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static), Error> {
        let file = self.stored(tenant, handle, Duration::ZERO).await?;
        match self.disk.open_file(tenant, handle).await {
            Ok(open) => Ok((file, pieces(open))),
            Err(error) => Err(self.unreadable(tenant, handle, error).await),
        }
    }

    /// The file that an address of ours hands out.
    pub fn linked(&self, token: &str) -> Option<(TenantId, String)> {
        self.public_url.as_ref()?;
        link::read(&self.key, token, clock::now())
    }

    /// Someone took the bytes away from under the row: then they are gone, and the count says so.
    pub(super) async fn unreadable(&self, tenant: TenantId, handle: &str, error: io::Error) -> Error {
        if error.kind() != io::ErrorKind::NotFound {
            return error.into();
        }
        tracing::error!(%tenant, handle, "a file is not on the disk any more");
        match self.store.settle_file(tenant, handle, FileState::Gone).await {
            Ok(()) | Err(store::Error::Conflict(_)) => Error::Gone,
            Err(error) => error.into(),
        }
    }

    /// The row of a file whose bytes are there.
    pub(super) async fn stored(&self, tenant: TenantId, handle: &str, wait: Duration) -> Result<File, Error> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Listen first, then look, so that nothing falls between.
            settled.as_mut().enable();
            let file = self.store.file(tenant, handle).await?.ok_or(Error::Unknown)?;
            match &file.state {
                FileState::Stored { .. } => return Ok(file),
                FileState::Failed { reason } => return Err(Error::Failed(reason.clone())),
                FileState::Gone => return Err(Error::Gone),
                FileState::Waiting { .. } => {}
            }
            if tokio::time::timeout_at(deadline, settled).await.is_err() {
                return Err(Error::NotReady);
            }
        }
    }

    /// How long a brain that may take `turn` is kept waiting for a file.
    pub fn patience(&self, turn: Duration) -> Duration {
        Duration::from_millis(self.settings.wait_ms).min(turn / 2)
    }

    /// May a tenant keep one more file of this size? To be asked before anything of it is read or written;
    /// the store has the last word.
    pub fn room_for(&self, tenant: TenantId, bytes: u64) -> Result<(), Error> {
        let limit = self.settings.max_bytes;
        if bytes > limit {
            return Err(Error::TooLarge(Refused::TooLarge { limit }.to_string()));
        }
        Ok(self.store.room_for_file(tenant, bytes)?)
    }

    /// Keeps a file of the tenant's own, to be sent by its handle.
    pub async fn keep(
        &self,
        tenant: TenantId,
        bytes: &[u8],
        called: Called<'_>,
        actor: &str,
    ) -> Result<File, Error> {
        self.room_for(tenant, bytes.len() as u64)?;
        let handle = format!("{HANDLE_PREFIX}{:032x}", rand::random::<u128>());
        let mut draft = self.disk.begin(self.settings.max_bytes).await?;
        write(&mut draft, bytes).await?;
        let Finished { size, sha256 } = self.disk.finish(draft, tenant, &handle).await?;
        let file = File {
            handle: handle.clone(),
            tenant,
            sender: None,
            source: String::new(),
            mime_type: Some(kind::settle(None, called.mime_type, called.filename)),
            filename: called.filename.map(str::to_owned),
            state: FileState::Stored { size, sha256 },
            received_at: clock::now(),
        };
        match self.store.put_file(file.clone(), actor).await {
            Ok(()) => Ok(file),
            Err(error) => {
                if super::is_refused(&error) {
                    self.discard(tenant, &handle).await;
                }
                Err(error.into())
            }
        }
    }
}

async fn write(draft: &mut Draft, bytes: &[u8]) -> Result<(), Error> {
    draft.write(bytes).await.map_err(|refused| match refused {
        Refused::TooLarge { .. } => Error::TooLarge(refused.to_string()),
        Refused::Disk(error) => Error::Disk(error),
    })
}

/// The bytes of an open file, piece by piece.
pub(super) fn pieces(
    file: tokio::fs::File,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::unfold(file, |mut file| async move {
        match disk::piece(&mut file).await {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => Some((Ok(Bytes::from(piece)), file)),
            Err(error) => Some((Err(error), file)),
        }
    })
}
