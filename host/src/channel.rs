//! The seam to the providers. An adapter is a codec: it verifies a webhook, decodes it into events,
//! encodes a reply into one or more HTTP requests, and reads the outcome of a request from the
//! answer. No adapter does I/O, knows the store or reads a clock.

use http::HeaderMap;

use crate::message::{Event, Outbound, Provider};
use crate::tenant::{Sender, WebhookAuth};

mod json;
pub mod signature;
pub mod simulator;
mod time;
mod vcard;
pub mod waha;

/// Verify, decode, encode, outcome.
pub trait Adapter: Sync {
    /// The account that an unverified body says it is for. Only for choosing whose key to check.
    fn claimed_account(&self, body: &[u8]) -> std::result::Result<Option<String>, DecodeError>;
    /// Does the webhook prove that it comes from the provider, by this sender's keys?
    fn verify(
        &self,
        sender: &Sender,
        headers: &HeaderMap,
        body: &[u8],
    ) -> std::result::Result<(), Unverified>;
    /// Everything the body says. Unknown kinds and fields become [`Event::Ignored`], never an error.
    /// `groups`: are group messages wanted?
    fn decode(&self, body: &[u8], groups: bool) -> std::result::Result<Vec<Event>, DecodeError>;
    /// The request that sends this reply to `to`; `None` where there is nothing to call, because the
    /// contact reads the history itself (the simulator).
    fn encode(
        &self,
        sender: &Sender,
        to: &str,
        outbound: &Outbound,
    ) -> std::result::Result<Option<Request>, EncodeError>;
    /// What the provider's answer means.
    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome;
}

/// The adapter of a provider; `None` for those not spoken yet.
pub fn adapter(provider: Provider) -> Option<&'static dyn Adapter> {
    match provider {
        Provider::Waha => Some(&waha::Waha),
        Provider::Simulator => Some(&simulator::Simulator),
        Provider::Infobip | Provider::Gupshup | Provider::Meta => None,
    }
}

/// The bodies that a file holds: one, or a JSON list of them. For tools; a webhook has one body.
pub fn bodies(file: &[u8]) -> std::result::Result<Vec<Vec<u8>>, DecodeError> {
    if file.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
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
    #[error("the X-Webhook-Hmac header is missing")]
    MissingSignature,
    #[error("the signature does not match the body")]
    WrongSignature,
    #[error("the X-Api-Key header is missing")]
    MissingKey,
    #[error("the X-Api-Key header does not match")]
    WrongKey,
    #[error("the sender has neither an HMAC key nor a webhook key, and does not say auth = \"none\"")]
    NoKeyConfigured,
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

/// A reply that this provider has no way to send. Permanent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// The fate of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Sent {
        provider_id: Option<String>,
    },
    /// Nothing went out; again after the hint, if there is one.
    Retry {
        after_ms: Option<u64>,
        error: String,
    },
    /// Never again.
    Permanent {
        error: String,
    },
    /// The contact does not want messages.
    OptedOut {
        error: String,
    },
    /// It may have gone out.
    Unknown {
        error: String,
    },
}

/// Does the sender's policy let an unproven webhook in?
pub fn unproven_allowed(sender: &Sender, loopback: bool) -> bool {
    sender.auth == WebhookAuth::None && loopback
}
