//! How a provider's files come here and ours go there: the requests and what their answers mean.
//! Which bytes are kept, how many and how long is not decided here.
//!
//! A file is only ever fetched from hosts that the adapter knows to be the provider's; the sender's
//! credentials go to no other.

use http::HeaderMap;

use crate::channel::{EncodeError, Outcome, Request};
use crate::message::{Outbound, OutboundContent};
use crate::tenant::Sender;

/// What the handles of our own files begin with; 32 hexadecimal digits follow.
pub const HANDLE_PREFIX: &str = "file-";

/// Does this name a file of ours, as a handle does, and not an address?
pub fn is_handle(source: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    source.strip_prefix(HANDLE_PREFIX).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(digit))
}

/// The file of ours that a reply shows: as its media, or in a template's header.
pub fn handle_in(outbound: &Outbound) -> Option<&str> {
    match &outbound.content {
        OutboundContent::Media(media) => Some(media.source.as_str()).filter(|source| is_handle(source)),
        OutboundContent::Template(template) => {
            let mut values = template.parameters.iter().map(|parameter| parameter.value.as_str());
            values.find(|value| is_handle(value))
        }
        _ => None,
    }
}

pub trait Api: Sync {
    /// The first request towards a received file, whose handle is [`crate::message::Media::handle`] as
    /// the adapter decoded it. Refused for an address that is not the provider's.
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError>;

    /// The answer to a [`Fetch::Locate`]: the request for the file itself.
    fn located(&self, _sender: &Sender, _status: u16, _body: &[u8]) -> Result<Request, Outcome> {
        Err(Outcome::failed(crate::message::Fate::Permanent, "this provider's files need not be located"))
    }

    /// How a file of ours reaches the provider with a reply.
    fn takes(&self) -> Takes;

    /// Hands a file over before the reply that shows it, for [`Takes::Uploads`].
    fn upload(&self, _sender: &Sender, _mime_type: &str) -> Result<Upload, EncodeError> {
        Err(EncodeError("this provider takes no uploads".into()))
    }

    /// The answer to an upload: the id to send it by.
    fn uploaded(&self, _status: u16, _headers: &HeaderMap, _body: &[u8]) -> Result<String, Outcome> {
        Err(Outcome::failed(crate::message::Fate::Permanent, "this provider takes no uploads"))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fetch {
    /// Answers with the file.
    File(Request),
    /// Answers with where the file is, for [`Api::located`].
    Locate(Request),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// An address that the provider can reach: the gateway's own public one.
    Links,
    /// [`Api::upload`].
    Uploads,
    /// The bytes in the reply's own request.
    Inline,
}

/// A multipart/form-data POST; the file is its last part.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub fields: Vec<(String, String)>,
    /// The name of the part that is the file.
    pub file_field: &'static str,
}

/// Where the provider finds a file of ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Link(String),
    Uploaded(String),
    Inline { base64: String, mime_type: String, filename: Option<String> },
}
