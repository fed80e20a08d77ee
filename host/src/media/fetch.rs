//! One attempt at one received file: where it is, the bytes, and what came of it. Nothing is sent here
//! but requests for the file, so whatever goes wrong can be tried again.

use std::time::Duration;

use http::{HeaderValue, header};
use url::Url;

use super::disk::{Finished, Refused};
use super::{Attempted, Media, STORE_PAUSE, kind, name, origin};
use crate::channel::media::Fetch;
use crate::channel::{self, EncodeError, Outcome, Request};
use crate::clock;
use crate::egress::circuits::Hold;
use crate::egress::{Broken, Opened, Unsent};
use crate::message::{Fate, Provider, Timestamp};
use crate::retry::Backoff;
use crate::store;
use crate::store::media::{File, FileState};
use crate::tenant::Sender;
use crate::vitals;

/// A provider that does not have the file yet, or not any more, is asked so often.
const ASKED_IN_VAIN: u32 = 3;

/// So often a provider may say that the file lies elsewhere, one place after the other.
const HOPS: usize = 3;

/// What lies on the disk, its type, and what it is called where anybody says.
type Fetched = (Finished, String, Option<String>);

/// A download that did not come to its end well.
#[derive(Debug)]
enum Problem {
    Again {
        after_ms: Option<u64>,
        error: String,
    },
    /// Its tenant has no room for so many bytes more.
    NoRoom {
        bytes: u64,
        error: String,
    },
    /// The file was not asked for.
    Held {
        hold: Option<Hold>,
        wait: Duration,
        error: String,
    },
    Lost(String),
}

impl Problem {
    fn again(error: impl Into<String>) -> Self {
        Problem::Again { after_ms: None, error: error.into() }
    }
}

impl From<EncodeError> for Problem {
    fn from(error: EncodeError) -> Self {
        Problem::Lost(error.to_string())
    }
}

/// That a request may have arrived does no harm here.
impl From<Outcome> for Problem {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed { fate: Fate::Retry | Fate::KeyRefused | Fate::Unknown, after_ms, error } => {
                Problem::Again { after_ms, error }
            }
            Outcome::Failed { error, .. } => Problem::Lost(error),
            Outcome::Sent { .. } => Problem::again("the provider did not say where the file is"),
        }
    }
}

impl From<Unsent> for Problem {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Held { hold, wait, why: error } => Problem::Held { hold, wait, error },
            Unsent::Failed(outcome) => outcome.into(),
        }
    }
}

impl From<origin::Refused> for Problem {
    fn from(refused: origin::Refused) -> Self {
        let error = format!("nothing is fetched from where the file is said to be: {refused}");
        if refused.may_pass() { Problem::again(error) } else { Problem::Lost(error) }
    }
}

impl Media {
    /// Fetches a file and writes down what came of it.
    pub(super) async fn attempt(&self, file: &File) -> Attempted {
        let directory = self.store.directory();
        let sender = file.sender.as_ref().and_then(|name| directory.senders.get(name));
        let fetched = match sender {
            None => Err(Problem::Lost("there is no sender that could fetch it".into())),
            Some(_) if self.is_too_old(file) => Err(Problem::again("it waited for too long")),
            Some(sender) if !sender.active => Err(Problem::again("the sender is switched off")),
            Some(sender) => {
                let fetched = vitals::survived(self.fetch(sender, file)).await;
                fetched.unwrap_or_else(|| Err(Problem::again("the gateway panicked; see its log")))
            }
        };
        let provider = sender.map(|sender| sender.provider());
        let problem = match fetched {
            Err(problem) => Some(problem),
            Ok((Finished { size, sha256 }, mime_type, filename)) => {
                let state = FileState::Stored { size, sha256 };
                let mime_type = Some(mime_type);
                self.store(File { state, mime_type, filename, ..file.clone() }, provider).await
            }
        };
        let attempted = match &problem {
            Some(Problem::NoRoom { bytes, .. }) => Attempted::NoRoom { bytes: *bytes },
            Some(Problem::Held { hold, wait, .. }) if !self.is_too_old(file) => {
                Attempted::Held { hold: hold.clone(), wait: *wait }
            }
            _ => Attempted::Settled,
        };
        // That it waits for room is written down and said once; that nobody was asked, never.
        let is_news = match attempted {
            Attempted::NoRoom { .. } => !self.store.has_waited_for_room(file.tenant, &file.handle),
            Attempted::Held { .. } => false,
            Attempted::Settled => true,
        };
        if let Some(state) = problem.filter(|_| is_news).map(|problem| self.judge(file, problem)) {
            let written = self.store.settle_file(file.tenant, &file.handle, state.clone()).await;
            self.written(&File { state, ..file.clone() }, provider, written).await;
        }
        self.settled.notify_waiters();
        attempted
    }

    /// Writes down that the bytes are there; a tenant without room for them has a problem.
    async fn store(&self, file: File, provider: Option<Provider>) -> Option<Problem> {
        let written = self.store.store_file(file.clone()).await;
        if written.as_ref().is_err_and(super::is_refused) {
            self.discard(file.tenant, &file.handle).await;
        }
        if let Err(store::Error::Limit { message, .. }) = written {
            return Some(Problem::NoRoom { bytes: file.state.size(), error: message });
        }
        self.written(&file, provider, written).await;
        None
    }

    async fn written(&self, file: &File, provider: Option<Provider>, written: store::Result<()>) {
        match written {
            Ok(()) => {
                let label = report(file);
                if let Some(provider) = provider {
                    self.metrics.file(provider, label);
                }
            }
            // Its life ended meanwhile.
            Err(store::Error::NotFound(_) | store::Error::Conflict(_)) => {}
            Err(error) => {
                let (tenant, handle) = (file.tenant, &file.handle);
                tracing::error!(%tenant, handle, %error, "what came of a file could not be written down; it is fetched again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    async fn fetch(&self, sender: &Sender, file: &File) -> Result<Fetched, Problem> {
        let adapter = channel::adapter(sender.provider());
        let api = adapter.media().ok_or_else(|| {
            Problem::Lost(format!("the files of {} cannot be fetched by this gateway", sender.provider()))
        })?;
        self.room(file)?;
        let request = match api.fetch(sender, &file.source)? {
            Fetch::File(request) => request,
            Fetch::Locate(request) => {
                origin::check(sender, &request.url).await?;
                let answer = self.egress.send(sender, request).await?;
                api.located(sender, answer.status, &answer.body)?
            }
        };
        self.download(sender, file, request).await
    }

    /// A tenant whose room is used up waits for an operator, or for old files to go.
    fn room(&self, file: &File) -> Result<(), Problem> {
        self.store.room_for_files(file.tenant).map_err(|error| match error {
            store::Error::Limit { message, .. } => Problem::NoRoom { bytes: 1, error: message },
            error => Problem::again(error.to_string()),
        })
    }

    async fn download(&self, sender: &Sender, file: &File, request: Request) -> Result<Fetched, Problem> {
        let mut response = self.find(sender, request).await?;
        let headers = response.headers().clone();
        let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
        understand(response.status().as_u16(), said(header::RETRY_AFTER), attempts(file))?;
        let limit = self.settings.max_bytes;
        if let Some(size) = response.content_length().filter(|size| *size > limit) {
            return Err(Problem::Lost(format!("it has {size} bytes: limit {limit} (media.max_bytes)")));
        }
        let disk = |error: std::io::Error| Problem::again(format!("it cannot be written down: {error}"));
        let mut draft = self.disk.begin(limit).await.map_err(disk)?;
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => draft.write(&piece).await.map_err(|refused| match refused {
                    Refused::TooLarge { .. } => Problem::Lost(refused.to_string()),
                    Refused::Disk(error) => disk(error),
                })?,
                Ok(None) => break,
                Err(Broken::TimedOut) => {
                    let within_ms = self.settings.timeout_ms;
                    let error = format!("it did not come whole within {within_ms} ms (media.timeout_ms)");
                    return Err(Problem::again(error));
                }
                Err(Broken::BrokeOff) => return Err(Problem::again("it broke off before its end")),
            }
        }
        let finished = self.disk.finish(draft, file.tenant, &file.handle).await.map_err(disk)?;
        // Some providers say what a file is called in the message, others with the file.
        let called = || said(header::CONTENT_DISPOSITION).and_then(name::of_answer);
        let filename = file.filename.clone().filter(|name| !name.is_empty()).or_else(called);
        let answered = said(header::CONTENT_TYPE);
        let mime_type = kind::settle(file.mime_type.as_deref(), answered, filename.as_deref());
        Ok((finished, mime_type, filename))
    }

    /// The answer with the file, wherever the provider leads: its own store, or a network that delivers for
    /// it. Each place is looked at like the first, and none but the first is shown the sender's key.
    async fn find(&self, sender: &Sender, request: Request) -> Result<Opened, Problem> {
        let time = Duration::from_millis(self.settings.timeout_ms);
        let mut request = request;
        for _ in 0..=HOPS {
            origin::check(sender, &request.url).await?;
            let from = request.url.clone();
            let response = self.egress.open(sender, request, time).await?;
            let location = response.headers().get(header::LOCATION);
            match elsewhere(response.status().as_u16(), &from, location) {
                None => return Ok(response),
                Some(next) => request = Request::get(next),
            }
        }
        Err(Problem::Lost(format!("the provider led on more than {HOPS} times")))
    }

    fn give_up_ms(&self) -> i64 {
        i64::from(self.settings.give_up_after_minutes) * 60_000
    }

    /// Nobody waits for it any more. One that only had no room waits for as long as there is none.
    fn is_too_old(&self, file: &File) -> bool {
        waited_ms(file, clock::now()) >= self.give_up_ms()
            && !self.store.has_waited_for_room(file.tenant, &file.handle)
    }

    /// Where a file stands after an attempt that failed.
    fn judge(&self, file: &File, problem: Problem) -> FileState {
        let (after_ms, error) = match problem {
            Problem::Lost(reason) => return FileState::Failed { reason },
            Problem::NoRoom { error, .. } => {
                let (due_at, attempts) = (clock::now(), attempts(file));
                return FileState::Waiting { due_at, attempts, error: Some(error) };
            }
            Problem::Again { after_ms, error } => (after_ms, error),
            Problem::Held { error, .. } => (None, error),
        };
        let now = clock::now();
        let waited_ms = waited_ms(file, now);
        if waited_ms >= self.give_up_ms() {
            let minutes = waited_ms / 60_000;
            let reason = format!("{error}; given up after {minutes} minutes (media.give_up_after_minutes)");
            return FileState::Failed { reason };
        }
        let attempts = attempts(file) + 1;
        let backoff = Backoff { base_ms: self.settings.backoff_ms, max_ms: self.settings.backoff_max_ms };
        let delay = backoff.delay_ms(attempts, after_ms, rand::random());
        let due_at: Timestamp = now.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX));
        FileState::Waiting { due_at, attempts, error: Some(error) }
    }
}

fn waited_ms(file: &File, now: Timestamp) -> i64 {
    now.as_ms().saturating_sub(file.received_at.as_ms())
}

fn attempts(file: &File) -> u32 {
    match file.state {
        FileState::Waiting { attempts, .. } => attempts,
        _ => 0,
    }
}

/// Says once what came of an attempt; the word for it in the metrics.
fn report(file: &File) -> &'static str {
    let (tenant, handle) = (file.tenant, &file.handle);
    match &file.state {
        FileState::Stored { size, .. } => {
            tracing::debug!(%tenant, handle, size, "a file was fetched");
            "stored"
        }
        FileState::Waiting { attempts, error, .. } => {
            tracing::warn!(%tenant, handle, attempts, error, "a file waits for another attempt");
            "later"
        }
        FileState::Failed { reason } => {
            tracing::error!(%tenant, handle, reason, "a file was given up");
            "failed"
        }
        FileState::Gone => "gone",
    }
}

/// Where the answer says that the file lies, if it does.
fn elsewhere(status: u16, from: &str, location: Option<&HeaderValue>) -> Option<Url> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    Url::parse(from).ok()?.join(location?.to_str().ok()?).ok()
}

/// Is the file in the answer? `asked`: how often it was asked for before.
fn understand(status: u16, retry_after: Option<&str>, asked: u32) -> Result<(), Problem> {
    let error = format!("the provider answered {status}");
    match status {
        200 => Ok(()),
        404 | 410 if asked + 1 >= ASKED_IN_VAIN => {
            Err(Problem::Lost(format!("{error}: it does not have the file, or not any more")))
        }
        // A key can be put right, and an address that has expired is asked for anew.
        401 | 403 | 404 | 408 | 410 | 425 | 429 | 500..=599 => {
            let seconds = retry_after.and_then(|after| after.trim().parse::<u64>().ok());
            Err(Problem::Again { after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)), error })
        }
        300..=399 => Err(Problem::Lost(format!("{error} and no other place to look at"))),
        _ => Err(Problem::Lost(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_is_followed_to() {
        let from = "https://api.example.com/whatsapp/media/1";
        for (status, location, expected) in [
            (302, Some("https://cdn.example.net/a?s=1"), Some("https://cdn.example.net/a?s=1")),
            (307, Some("/cdn/a"), Some("https://api.example.com/cdn/a")),
            (308, Some("//cdn.example.net/a"), Some("https://cdn.example.net/a")),
            (301, Some("http://169.254.169.254/"), Some("http://169.254.169.254/")),
            (302, Some("https://["), None),
            (302, None, None),
            (304, Some("https://cdn.example.net/a"), None),
            (200, Some("https://cdn.example.net/a"), None),
        ] {
            let location = location.map(HeaderValue::from_static);
            let found = elsewhere(status, from, location.as_ref());
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{status} {location:?}");
        }
    }

    #[test]
    fn what_an_answer_means() {
        for (status, after, asked, expected) in [
            (200, None, 0, "ok"),
            (206, None, 0, "lost"),
            (204, None, 0, "lost"),
            (302, None, 0, "lost"),
            (400, None, 0, "lost"),
            (401, None, 9, "again"),
            (403, None, 0, "again"),
            (404, None, 0, "again"),
            (404, None, 2, "lost"),
            (410, None, 2, "lost"),
            (429, Some("7"), 9, "again after 7000"),
            (429, Some("soon"), 0, "again"),
            (500, None, 9, "again"),
            (503, Some("1"), 0, "again after 1000"),
        ] {
            let found = match understand(status, after, asked) {
                Ok(()) => "ok".to_owned(),
                Err(Problem::Lost(_)) => "lost".to_owned(),
                Err(Problem::NoRoom { .. } | Problem::Held { .. }) => "no place".to_owned(),
                Err(Problem::Again { after_ms: None, .. }) => "again".to_owned(),
                Err(Problem::Again { after_ms: Some(after), .. }) => format!("again after {after}"),
            };
            assert_eq!(found, expected, "{status} {after:?} {asked}");
        }
    }
}
