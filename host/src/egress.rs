//! The one way out to the providers: sends a [`Request`] and brings back its answer, never more than
//! it should be long. Follows no redirect, because a redirected request would carry its key elsewhere.
//! Nothing leaves that its [`circuits`] do not admit: whoever does not answer is not asked by everybody.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStream;
use http::{HeaderMap, StatusCode};
use reqwest::multipart::{Form, Part};

use self::circuits::{Call, Circuits, Flight, Hold, Lane, Of};
use crate::channel::media::Upload;
use crate::channel::{Outcome, Request};
use crate::clock;
use crate::config;
use crate::message::Fate;
use crate::policy::circuit::{Came, Held};
use crate::refused_keys::RefusedKeys;
use crate::tenant::Sender;

pub mod circuits;

/// A provider's answer is read up to here; more is not an answer.
const ANSWER_BYTES: usize = 1 << 20;
/// A connection that nothing went over for so long is not used again. The other side closes it at a time
/// of its own, and what is written into one that is being closed may have arrived or not: this is less than
/// what servers keep them open for (Node's default, and so WAHA's, is 5 seconds).
const IDLE: Duration = Duration::from_secs(4);
/// Lists that come in one piece, however long they are, are read up to here.
pub const LIST_BYTES: usize = 16 << 20;

/// Keeps the connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Egress {
    client: reqwest::Client,
    circuits: Arc<Circuits>,
    refused_keys: Arc<RefusedKeys>,
    lane: Lane,
}

/// What a provider said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Cut where it is too long or the connection broke: the status is there, and what it says holds.
    pub body: Vec<u8>,
    /// Is the body not all that was said?
    pub cut: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unsent {
    /// Nothing went out. `hold`: who does not answer or has no room; else the sender's key is refused.
    Held { hold: Option<Hold>, wait: Duration, why: String },
    /// It was tried.
    Failed(Outcome),
}

impl From<Outcome> for Unsent {
    fn from(outcome: Outcome) -> Self {
        Unsent::Failed(outcome)
    }
}

impl From<Unsent> for Outcome {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Failed(outcome) => outcome,
            Unsent::Held { wait, why, .. } => {
                Outcome::retry(Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)), why)
            }
        }
    }
}

/// An answer whose body is still to be read. Its place is free when it is dropped.
#[derive(Debug)]
pub struct Opened {
    response: reqwest::Response,
    flight: Flight,
}

/// Why a body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    TimedOut,
    BrokeOff,
}

/// A file of ours on its way out.
pub struct Outward<S> {
    pub pieces: S,
    pub size: u64,
    pub filename: String,
    pub mime_type: String,
}

impl Opened {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub fn content_length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next piece of it.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        self.response.chunk().await.map_err(|error| {
            self.flight.told(Came::Nothing);
            if error.is_timeout() { Broken::TimedOut } else { Broken::BrokeOff }
        })
    }
}

impl Egress {
    /// For replies; what has another purpose says so. Fails where the TLS set-up does.
    pub fn new(
        settings: &config::Delivery,
        circuits: Arc<Circuits>,
        refused_keys: Arc<RefusedKeys>,
    ) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .timeout(Duration::from_millis(settings.timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(settings.per_sender)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Egress { client, circuits, refused_keys, lane: Lane::Replies })
    }

    /// The same connections for another purpose.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Egress { lane, ..self.clone() }
    }

    /// For what somebody waits for: whether it can be had is what they want to know.
    #[must_use]
    pub fn for_people(&self) -> Self {
        self.lane(Lane::People)
    }

    pub fn circuits(&self) -> &Arc<Circuits> {
        &self.circuits
    }

    pub fn refused_keys(&self) -> &Arc<RefusedKeys> {
        &self.refused_keys
    }

    /// One request and its answer; else what the lack of one means.
    pub async fn send(&self, sender: &Sender, request: Request) -> Result<Answer, Unsent> {
        self.send_within(sender, request, ANSWER_BYTES).await
    }

    /// The same, with an answer that may be this long.
    pub async fn send_within(
        &self,
        sender: &Sender,
        request: Request,
        bytes: usize,
    ) -> Result<Answer, Unsent> {
        let mut flight = self.admit(sender, &request.url).await?;
        let asked = self.asked(request, None);
        Ok(answer(asked, bytes, &mut flight).await?)
    }

    /// The same, given up after this time.
    pub async fn send_in(&self, sender: &Sender, request: Request, time: Duration) -> Result<Answer, Unsent> {
        let mut flight = self.admit(sender, &request.url).await?;
        let asked = self.asked(request, Some(time));
        Ok(answer(asked, ANSWER_BYTES, &mut flight).await?)
    }

    /// One request that was admitted before.
    pub async fn send_on(&self, flight: &mut Flight, request: Request) -> Result<Answer, Outcome> {
        answer(self.asked(request, None), ANSWER_BYTES, flight).await
    }

    /// The answer with its body still to be read, for files, which take longer than other answers:
    /// this long, its body included.
    pub async fn open(&self, sender: &Sender, request: Request, time: Duration) -> Result<Opened, Unsent> {
        let mut flight = self.admit(sender, &request.url).await?;
        let response = opened(self.asked(request, Some(time)), &mut flight).await?;
        Ok(Opened { response, flight })
    }

    /// Hands a file over.
    pub async fn upload<S>(
        &self,
        sender: &Sender,
        upload: Upload,
        file: Outward<S>,
        time: Duration,
    ) -> Result<Answer, Unsent>
    where
        S: TryStream<Ok = Bytes, Error = std::io::Error> + Send + 'static,
    {
        let mut flight = self.admit(sender, &upload.url).await?;
        let part = Part::stream_with_length(reqwest::Body::wrap_stream(file.pieces), file.size)
            .file_name(file.filename)
            .mime_str(&file.mime_type)
            .map_err(|error| {
                let error = format!("the file's type cannot be written: {error}");
                Unsent::Failed(Outcome::failed(Fate::Permanent, error))
            })?;
        let mut form = Form::new();
        for (name, value) in upload.fields {
            form = form.text(name, value);
        }
        let mut request = self.client.post(&upload.url).multipart(form.part(upload.file_field, part));
        for (name, value) in &upload.headers {
            request = request.header(name, value);
        }
        Ok(answer(request.timeout(time), ANSWER_BYTES, &mut flight).await?)
    }

    /// What is held up is called when there is room.
    pub fn when_free(&self, hold: &Hold, call: Call) {
        self.circuits.when_free(hold, call);
    }

    /// A place among what is under way to whom it is for.
    async fn admit(&self, sender: &Sender, url: &str) -> Result<Flight, Unsent> {
        let of = Of::new(&sender.name, host_in(url).unwrap_or_else(|| sender.provider().name().to_owned()));
        if self.lane == Lane::People {
            return self.circuits.for_people(&of).await.map_err(|hold| held_up(&of, hold));
        }
        // An upload is part of a reply, which has asked already and may be the one that tries the key.
        let held = self.refused_keys.holds(sender, clock::now()).filter(|_| self.lane != Lane::Uploads);
        if let Some(wait) = held {
            let why = format!("the sender's key is refused; it is tried again {}", soon(wait));
            return Err(Unsent::Held { hold: None, wait, why });
        }
        let place = match self.lane {
            // Who has a place elsewhere while it waits here, or could do something else, does not wait.
            Lane::Files | Lane::Signs => self.circuits.try_begin(self.lane, &of),
            _ => self.circuits.place(self.lane, &of).await,
        };
        place.map_err(|hold| held_up(&of, hold))
    }

    fn asked(&self, request: Request, time: Option<Duration>) -> reqwest::RequestBuilder {
        let mut builder = self.client.request(request.method, &request.url).body(request.body);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        match time {
            Some(time) => builder.timeout(time),
            None => builder,
        }
    }
}

/// Who waits for room looks again after this time, whatever call it missed.
pub const LOOK: Duration = Duration::from_secs(1);

fn held_up(of: &Of, hold: Hold) -> Unsent {
    let host = of.host();
    let (wait, why) = match hold.held {
        Held::Full => (LOOK, format!("as much as may be is under way to {host}")),
        Held::Asking => (LOOK, format!("{host} does not answer; it is being asked again")),
        Held::For(wait) => (wait, format!("{host} does not answer; it is asked again {}", soon(wait))),
    };
    Unsent::Held { hold: Some(hold), wait, why }
}

fn soon(wait: Duration) -> String {
    format!("in {} s", wait.as_secs() + 1)
}

/// `host:port` of an address.
pub fn host_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// A sender without an address of its own is at its provider's.
pub fn host_of(sender: &Sender) -> String {
    sender.base_url.as_deref().and_then(host_in).unwrap_or_else(|| sender.provider().name().to_owned())
}

/// Sends it, and tells its flight what came.
async fn opened(request: reqwest::RequestBuilder, flight: &mut Flight) -> Result<reqwest::Response, Outcome> {
    match request.send().await {
        Ok(response) => {
            let trouble = response.status().as_u16() >= 500;
            flight.told(if trouble { Came::Trouble } else { Came::Answer });
            Ok(response)
        }
        Err(error) => {
            let outcome = unanswered(&error);
            // What cannot be made says nothing of whom it was for.
            if !matches!(outcome, Outcome::Failed { fate: Fate::Permanent, .. }) {
                flight.told(Came::Nothing);
            }
            Err(outcome)
        }
    }
}

/// The same with its body.
async fn answer(
    request: reqwest::RequestBuilder,
    bytes: usize,
    flight: &mut Flight,
) -> Result<Answer, Outcome> {
    let mut response = opened(request, flight).await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let cut = loop {
        match response.chunk().await {
            Ok(None) => break false,
            Ok(Some(chunk)) if body.len() + chunk.len() <= bytes => body.extend_from_slice(&chunk),
            Ok(Some(_)) => break true,
            Err(_) => {
                flight.told(Came::Nothing);
                break true;
            }
        }
    };
    Ok(Answer { status, headers, body, cut })
}

/// A request that got no answer at all: did anything go out?
fn unanswered(error: &reqwest::Error) -> Outcome {
    // reqwest names the URL in its message; the reason alone is what helps.
    let reason = reason(error);
    if error.is_builder() || error.is_request() && error.url().is_none() {
        return Outcome::failed(Fate::Permanent, format!("the request cannot be made: {reason}"));
    }
    if error.is_connect() {
        return Outcome::retry(None, format!("cannot connect: {reason}"));
    }
    if error.is_timeout() {
        return Outcome::failed(Fate::Unknown, "no answer in time; the message may have gone out");
    }
    Outcome::failed(Fate::Unknown, format!("the connection broke; the message may have gone out: {reason}"))
}

/// The innermost cause, which is the one that says something.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Backoff;

    #[tokio::test]
    async fn a_refused_key_holds_all_but_what_tries_it_and_what_people_ask() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let settings = config::Delivery::default();
        let circuits = Circuits::new(&settings, &config::Media::default());
        let keys = Arc::new(RefusedKeys::new(Backoff { base_ms: 60_000, max_ms: 60_000 }));
        let egress = Egress::new(&settings, circuits, keys.clone()).expect("a client");
        let sender: Sender = serde_json::from_value(serde_json::json!({
            "name": "main", "provider": "meta", "account": "1", "api_key": "k",
        }))
        .expect("a sender");
        keys.refuse(&sender, "401", clock::now(), 0);
        let url = "https://graph.example.com/1";
        for (egress, goes) in [
            (egress.lane(Lane::Files), false),
            (egress.lane(Lane::Signs), false),
            (egress.lane(Lane::Questions), false),
            (egress.lane(Lane::Uploads), true),
            (egress.for_people(), true),
        ] {
            match egress.admit(&sender, url).await {
                Ok(_) => assert!(goes, "{egress:?}"),
                Err(Unsent::Held { hold: None, .. }) => assert!(!goes, "{egress:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}
