//! The seam to the providers. An adapter is a codec: it verifies a webhook, decodes it into events,
//! encodes a reply into an HTTP request, and reads the outcome of a request from the answer. No
//! adapter does I/O, knows the store or reads a clock.
//!
//! Each adapter is a folder of the same parts: `decode` (a webhook's events), `encode` (a reply's
//! request), `outcome` (an answer's fate, from a table). What only some providers have stands in
//! traits of its own: [`templates::Api`], [`media::Api`].

use std::borrow::Cow;

use http::HeaderMap;

use crate::channel::claim::{Claims, Look};
use crate::channel::probe::Unwell;
use crate::channel::signature::Signature;
use crate::event::Event;
use crate::glyph::Shown;
use crate::message::provider::listed;
use crate::message::{Fate, Outbound, OutboundContent, Provider, Timestamp};
use crate::template::Template;
use crate::tenant::{Sender, WebhookAuth};

mod answer;
mod card;
pub mod claim;
pub mod cloud;
pub mod dialog360;
pub mod fallback;
pub mod gupshup;
pub mod infobip;
mod json;
mod length;
pub mod local;
pub mod media;
pub mod meta;
pub mod mime;
pub mod probe;
mod proof;
mod said;
pub mod signature;
pub mod simulator;
pub mod templates;
#[cfg(test)]
mod testing;
mod time;
mod vcard;
pub mod waha;

/// Verify, decode, encode, outcome.
pub trait Adapter: Sync {
    /// Where a body says whose it is.
    fn claims(&self) -> &'static Look;
    /// What a webhook's head proves by this sender's keys: all that is needed, or all but a signature
    /// that the body is still to be hashed for.
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified>;
    /// Everything the body says. Events that are not known become [`Event::Ignored`]; what is known but
    /// cannot be read becomes [`Event::Unread`], never an error and never nothing, and costs the others
    /// nothing. An error is only for what is no webhook of the provider's.
    /// `groups`: are group messages wanted?
    fn decode(&self, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError>;
    /// The request that sends this reply; `None` where there is nothing to call, because the contact
    /// reads the history itself (the simulator).
    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError>;
    /// What the provider's answer means. `to`: whom the request was for.
    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome;

    /// Whose an unverified body says it is. Only for choosing whose keys to check.
    fn claimed(&self, body: &[u8]) -> Result<Claims, DecodeError> {
        claim::read(self.claims(), body)
    }

    /// Does the webhook prove that it comes from the provider, by this sender's keys?
    fn verify(&self, sender: &Sender, hook: &Hook<'_>) -> Result<(), Unverified> {
        match self.knock(sender, &hook.head())? {
            Some(signature) if !signature.holds(hook.body) => Err(Unverified::WrongSignature),
            _ => Ok(()),
        }
    }

    /// A message's id without what the provider says of its chat in it.
    fn bare_id<'a>(&self, id: &'a str) -> &'a str {
        id
    }

    /// The one name of a message that came in, where its id may be written in several ways.
    fn heard_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        id.into()
    }

    /// The body that a webhook's answer must have.
    fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement::Json
    }

    /// The answer to a handshake by GET, if this sender's token is the one in the query.
    fn challenge(&self, _sender: &Sender, _query: &[(String, String)]) -> Option<String> {
        None
    }

    /// Does the provider show this as it is, or will it go out as text with numbered options?
    fn shows(&self, _content: &OutboundContent) -> bool {
        true
    }

    /// The request that marks a received message as read, or shows that an answer is being written.
    fn signal(&self, _sender: &Sender, _to: &str, _message_id: &str, _signal: Signal) -> Option<Request> {
        None
    }

    /// By what the provider can be asked what became of replies.
    fn recalls(&self) -> Recalls {
        Recalls::Nothing
    }

    /// The request that asks, where there is one.
    fn recall(&self, _sender: &Sender, _recall: &Recall<'_>) -> Option<Request> {
        None
    }

    /// The answer to [`Adapter::recall`]: what was said, as [`Event::Own`], or what became of it, as
    /// [`Event::Receipt`]. `None`: it is none.
    fn recalled(&self, _sender: &Sender, _body: &[u8]) -> Option<Vec<Event>> {
        None
    }

    /// A request that changes nothing and shows whether the provider knows this sender and takes its
    /// key.
    fn probe(&self, _sender: &Sender) -> Option<Request> {
        None
    }

    /// Why there is no such request, where there is none for any sender.
    fn unasked(&self) -> Option<&'static str> {
        None
    }

    /// The answer to [`Adapter::probe`]: what is well, in words, or what is not.
    fn probed(&self, sender: &Sender, status: u16, _body: &[u8]) -> Result<String, Unwell> {
        let provider = sender.provider();
        match status {
            200..=299 => Ok(format!("{provider} knows it and takes its key")),
            401 | 403 => Err(Unwell::key_refused(format!("{provider} refuses its key ({status})"))),
            404 => Err(Unwell::not_known(format!("{provider} does not know it (404)"))),
            status => Err(Unwell::other(format!("{provider} answers {status}"))),
        }
    }

    /// Its template management, where it has one.
    fn templates(&self) -> Option<&dyn templates::Api> {
        None
    }

    /// How its files are fetched and stored.
    fn media(&self) -> Option<&dyn media::Api> {
        None
    }
}

/// The adapter of a provider.
pub fn adapter(provider: Provider) -> &'static dyn Adapter {
    match provider {
        Provider::Waha => &waha::Waha,
        Provider::Infobip => &infobip::Infobip,
        Provider::Gupshup => &gupshup::Gupshup,
        Provider::Meta => &meta::Meta,
        Provider::Dialog360 => &dialog360::Dialog360,
        Provider::Simulator => &simulator::Simulator,
    }
}

/// The providers that have templates, in words: `Infobip, Gupshup or Meta`.
pub fn with_templates(before_last: &str) -> String {
    let with = Provider::ALL.into_iter().filter(|provider| adapter(*provider).templates().is_some());
    listed(with.map(Provider::title), before_last)
}

/// A webhook before its body is read.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub headers: &'a HeaderMap,
    /// The last segment of `/api/gateway/{provider}/{key}`, where there is one.
    pub path_key: Option<&'a str>,
}

/// A webhook as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    pub headers: &'a HeaderMap,
    /// The last segment of `/api/gateway/{provider}/{key}`, where there is one.
    pub path_key: Option<&'a str>,
    /// Raw: signatures are made of exactly these bytes.
    pub body: &'a [u8],
}

impl<'a> Hook<'a> {
    pub fn head(&self) -> Head<'a> {
        Head { headers: self.headers, path_key: self.path_key }
    }
}

/// Everything a webhook's body says, what it tells in words as lines that can be shown.
pub fn decode(provider: Provider, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
    let events = adapter(provider).decode(body, groups)?;
    Ok(events.into_iter().map(Event::in_lines).collect())
}

/// The bodies that a file holds: one, or a JSON list of them. For tools; a webhook has one body.
pub fn bodies(file: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    if json::unmarked(file).iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return Ok(vec![file.to_vec()]);
    }
    Ok(json::parse_list(file)?.iter().map(|body| body.to_string().into_bytes()).collect())
}

/// A body that is not what the provider sends. Nothing of it was used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {place}")]
pub struct DecodeError {
    /// `expected an object`.
    pub what: String,
    /// `payload.id`, or `line 1 column 17`.
    pub place: String,
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("the signature header is missing")]
    MissingSignature,
    #[error("the signature does not match the body")]
    WrongSignature,
    #[error("the header with the webhook key is missing")]
    MissingKey,
    #[error("the webhook key does not match")]
    WrongKey,
    #[error("the secret end of the webhook's address is missing or wrong")]
    WrongPath,
    #[error(
        "auth = \"none\" believes programs on this machine that send JSON, and this came by way of a proxy, a browser or another name, or is no JSON"
    )]
    NotLocal,
    #[error("the sender has no key that a webhook could prove itself by, and does not say auth = \"none\"")]
    NoKeyConfigured,
}

/// How a webhook's answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// What became of each message.
    Json,
    /// Nothing: the provider takes any other body for a refusal.
    Empty,
}

/// A reply, with all that an adapter needs to make a request of it.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub sender: &'a Sender,
    /// The address as it was received.
    pub to: &'a str,
    pub outbound: &'a Outbound,
    /// Our name for this reply: never used for another one, hard to guess, 16 to 64 of `A-Za-z0-9-_`.
    pub reference: &'a str,
    /// Of an [`OutboundContent::Template`]: the template as it was approved.
    pub template: Option<&'a Template>,
    /// The provider's own id of that template, where it has told one.
    pub template_id: Option<&'a str>,
    /// Of an [`OutboundContent::Media`] whose source is a received file, or of a template with such a
    /// header: where the provider finds it. Without it the source is an address.
    pub media: Option<&'a media::Source>,
}

/// By what a provider can be asked what became of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalls {
    Nothing,
    /// It shows all that was said to a contact.
    Chats,
    /// It knows messages by the names that we gave them, so many of ours in one question; what it does not
    /// know may have gone out all the same.
    Names {
        at_once: usize,
    },
}

/// One such question.
#[derive(Clone, Copy, Debug)]
pub enum Recall<'a> {
    /// What our number said there since then.
    Chat {
        to: &'a str,
        since: Timestamp,
    },
    Names(&'a [String]),
}

/// What the contact sees of us before the answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Read,
    Typing,
}

/// An HTTP request, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: http::Method,
    /// Absolute.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Without a body.
    pub fn get(url: impl Into<String>) -> Self {
        Request { method: http::Method::GET, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn json(method: http::Method, url: impl Into<String>, body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Request { method, url: url.into(), headers, body: body.to_string().into_bytes() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A reply that this provider has no way to send. Permanent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// The fate of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Sent {
        provider_id: Option<String>,
        /// The address under which the network knows the contact, where the answer tells another one
        /// than we had written.
        known_as: Option<String>,
    },
    Failed {
        fate: Fate,
        /// The provider's own hint, with [`Fate::Retry`]: again after this.
        after_ms: Option<u64>,
        /// For the operator: never the request's own words.
        error: String,
    },
}

impl Outcome {
    pub fn sent(provider_id: Option<String>) -> Self {
        Outcome::Sent { provider_id, known_as: None }
    }

    pub fn failed(fate: Fate, error: impl Into<String>) -> Self {
        Outcome::Failed { fate, after_ms: None, error: Shown::from(error.into()).into() }
    }

    pub fn retry(after_ms: Option<u64>, error: impl Into<String>) -> Self {
        Outcome::Failed { fate: Fate::Retry, after_ms, error: Shown::from(error.into()).into() }
    }
}

/// Does the sender's policy let this webhook in unproven? `private`: only this machine can reach the
/// gateway, as far as its settings tell; the webhook itself must not tell otherwise.
pub fn unproven_allowed(sender: &Sender, headers: &HeaderMap, private: bool) -> bool {
    sender.auth == WebhookAuth::None
        && private
        && local::is_from_this_machine(headers)
        && local::is_json(headers)
}
