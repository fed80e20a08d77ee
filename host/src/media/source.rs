//! How a file of ours gets to the provider that is to send it: as an address, as an upload, or in the
//! reply's own request. Nothing has gone out to the contact yet, so what fails here may be tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex as Turnstile;

use super::kept::pieces;
use super::{Error, Media, kind, link};
use crate::channel::media::{Api, Place, Source, Takes};
use crate::channel::{self, Outcome};
use crate::clock;
use crate::egress::Outward;
use crate::message::{Fate, SenderName, TenantId, Timestamp};
use crate::store::media::File;
use crate::tenant::Sender;

/// Providers keep an upload for 30 days; a reply that waits must still find it.
const UPLOAD_KEPT_MS: i64 = 20 * 24 * 60 * 60 * 1000;

/// So many uploads are remembered; the next one forgets those that are over, or else all.
const UPLOADS_REMEMBERED: usize = 10_000;

/// A reply whose file is still being fetched is tried again after this.
const NOT_READY_MS: u64 = 2_000;

/// The ids under which providers keep files of ours.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<HashMap<Slip, Slot>>);

/// Sender, its account, handle: what one account keeps, another one does not know.
type Slip = (SenderName, String, String);

fn slip(sender: &Sender, handle: &str) -> Slip {
    (sender.name.clone(), sender.account.clone(), handle.to_owned())
}

/// Held while its file is uploaded, so that it is uploaded once.
type Slot = Arc<Turnstile<Option<Uploaded>>>;

#[derive(Clone, Debug)]
struct Uploaded {
    id: String,
    until: Timestamp,
}

impl Uploads {
    fn all(&self) -> MutexGuard<'_, HashMap<Slip, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, sender: &Sender, handle: &str) -> Slot {
        let mut uploads = self.all();
        if uploads.len() >= UPLOADS_REMEMBERED {
            let now = clock::now();
            uploads.retain(|_, upload| match upload.try_lock() {
                Ok(upload) => upload.as_ref().is_some_and(|upload| upload.until > now),
                Err(_) => true,
            });
            if uploads.len() >= UPLOADS_REMEMBERED {
                uploads.clear();
            }
        }
        uploads.entry(slip(sender, handle)).or_default().clone()
    }
}

impl Media {
    /// Where the sender's provider finds this file of the tenant's; else what becomes of the reply.
    pub async fn source(&self, sender: &Sender, tenant: TenantId, handle: &str) -> Result<Source, Outcome> {
        let file = self.stored(tenant, handle, Duration::ZERO).await.map_err(refused)?;
        let adapter = channel::adapter(sender.provider());
        let api = adapter.media().ok_or_else(|| {
            let error =
                format!("files cannot be sent by {}: send an https address instead", sender.provider());
            Outcome::failed(Fate::Permanent, error)
        })?;
        let place = match api.takes() {
            Takes::Links => self.link(sender, &file).map(Place::Link),
            Takes::Uploads => self.uploaded(api, sender, &file).await.map(Place::Uploaded),
            Takes::Inline => self.inline(&file).await,
        }?;
        Ok(Source { place, mime_type: mime_type(&file), filename: file.filename })
    }

    /// A reply with this file was refused: the provider may not keep it any more, so it is handed over
    /// anew the next time.
    pub fn refused(&self, sender: &Sender, handle: &str) {
        self.uploads.all().remove(&slip(sender, handle));
    }

    fn link(&self, sender: &Sender, file: &File) -> Result<String, Outcome> {
        let Some(public) = &self.public_url else {
            let error = format!(
                "{} takes files by their address only: write in [http] public_url how the world reaches \
                 this gateway",
                sender.provider()
            );
            return Err(Outcome::failed(Fate::Permanent, error));
        };
        let until = clock::now().plus_ms(i64::from(self.settings.link_minutes) * 60_000);
        let token = link::token(&self.key, file.tenant, &file.handle, until)
            .ok_or_else(|| refused(Error::Unknown))?;
        Ok(format!("{public}/media/{token}"))
    }

    async fn inline(&self, file: &File) -> Result<Place, Outcome> {
        let (size, limit) = (file.state.size(), self.settings.inline_bytes);
        if size > limit {
            let error = format!("the file has {size} bytes: limit {limit} (media.inline_bytes)");
            return Err(Outcome::failed(Fate::Permanent, error));
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes =
            self.read(file.tenant, &file.handle, (0, length), Duration::ZERO).await.map_err(refused)?;
        Ok(Place::Inline { base64: STANDARD.encode(bytes) })
    }

    /// The id that the provider gave the file; one that it still keeps is used again.
    async fn uploaded(&self, api: &dyn Api, sender: &Sender, file: &File) -> Result<String, Outcome> {
        let turnstile = self.uploads.of(sender, &file.handle);
        let mut known = turnstile.lock().await;
        let now = clock::now();
        if let Some(upload) = known.as_ref().filter(|upload| upload.until > now) {
            return Ok(upload.id.clone());
        }
        let id = self.upload(api, sender, file).await?;
        *known = Some(Uploaded { id: id.clone(), until: now.plus_ms(UPLOAD_KEPT_MS) });
        Ok(id)
    }

    async fn upload(&self, api: &dyn Api, sender: &Sender, file: &File) -> Result<String, Outcome> {
        let impossible = |error: String| Outcome::failed(Fate::Permanent, error);
        let upload = api.upload(sender, &mime_type(file)).map_err(|error| impossible(error.to_string()))?;
        let open = self.disk.open_file(file.tenant, &file.handle).await;
        let open = match open {
            Ok(open) => open,
            Err(error) => return Err(refused(self.unreadable(file.tenant, &file.handle, error).await)),
        };
        let file = Outward {
            pieces: pieces(open),
            size: file.state.size(),
            filename: file.filename.clone().unwrap_or_else(|| file.handle.clone()),
            mime_type: mime_type(file),
        };
        let time = Duration::from_millis(self.settings.timeout_ms);
        let answer = self.uploading.upload(sender, upload, file, time).await;
        let answer = answer.map_err(|unsent| again(unsent.into()))?;
        api.uploaded(answer.status, &answer.headers, &answer.body).map_err(again)
    }
}

/// Rows from before may say nothing where the name does.
fn mime_type(file: &File) -> String {
    kind::settle(file.mime_type.as_deref(), None, file.filename.as_deref())
}

/// An upload is no reply: that it may have arrived does no harm.
fn again(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { fate: Fate::Unknown, after_ms, error } => {
            Outcome::retry(after_ms, format!("the file could not be handed to the provider: {error}"))
        }
        other => other,
    }
}

/// What becomes of a reply whose file is not to be had.
fn refused(error: Error) -> Outcome {
    match error {
        Error::NotReady => Outcome::retry(Some(NOT_READY_MS), error.to_string()),
        Error::Disk(_) | Error::Store(_) => Outcome::retry(None, error.to_string()),
        Error::Unknown | Error::Failed(_) | Error::Gone | Error::TooLarge(_) => {
            Outcome::failed(Fate::Permanent, error.to_string())
        }
    }
}
