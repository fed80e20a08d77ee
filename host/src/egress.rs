//! The one way out to the providers: sends a [`Request`] and brings back its answer, never more than
//! it should be long. Follows no redirect, because a redirected request would carry its key elsewhere.

use std::time::Duration;

use http::HeaderMap;

use crate::channel::{Outcome, Request};
use crate::config;
use crate::message::Fate;

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

impl Answer {
    /// The rest of a response.
    pub async fn of(response: reqwest::Response) -> Self {
        Self::within(response, ANSWER_BYTES).await
    }

    async fn within(mut response: reqwest::Response, bytes: usize) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let cut = loop {
            match response.chunk().await {
                Ok(None) => break false,
                Ok(Some(chunk)) if body.len() + chunk.len() <= bytes => body.extend_from_slice(&chunk),
                Ok(Some(_)) | Err(_) => break true,
            }
        };
        Answer { status, headers, body, cut }
    }
}

impl Egress {
    /// Fails where the TLS set-up does.
    pub fn new(settings: &config::Delivery) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .timeout(Duration::from_millis(settings.timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(settings.per_sender)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Egress { client })
    }

    /// One request and its answer; else what the lack of one means.
    pub async fn send(&self, request: Request) -> Result<Answer, Outcome> {
        Ok(Answer::of(self.open(request).await?).await)
    }

    /// The same, with an answer that may be this long.
    pub async fn send_within(&self, request: Request, bytes: usize) -> Result<Answer, Outcome> {
        Ok(Answer::within(self.open(request).await?, bytes).await)
    }

    /// The answer with its body still to be read, which is over after the time of any request.
    pub async fn open(&self, request: Request) -> Result<reqwest::Response, Outcome> {
        self.open_within(request, None).await
    }

    /// The answer with its body still to be read, for files, which take longer than other answers:
    /// this long, its body included.
    pub async fn open_within(
        &self,
        request: Request,
        time: Option<Duration>,
    ) -> Result<reqwest::Response, Outcome> {
        let mut builder = self.client.request(request.method, &request.url).body(request.body);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(time) = time {
            builder = builder.timeout(time);
        }
        builder.send().await.map_err(|error| unanswered(&error))
    }

    /// For requests whose body comes from a file.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

/// A request that got no answer at all: did anything go out?
pub fn unanswered(error: &reqwest::Error) -> Outcome {
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
