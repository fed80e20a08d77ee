//! How a provider's files come here and ours go there: the requests and what their answers mean.
//! Which bytes are kept, how many and how long is not decided here.
//!
//! A file is only ever fetched from hosts that the adapter knows to be the provider's; the sender's
//! credentials go to no other.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::channel::{EncodeError, Outcome, Request, mime};
use crate::message::{Outbound, OutboundContent};
use crate::tenant::Sender;

/// WhatsApp takes no longer name of a file.
pub const FILENAME_CHARS: usize = 240;

/// What a file is called that has no name.
const NAMELESS: &str = "file";

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

/// A file of ours, as the provider of a reply finds it. What it is and what it is called go wherever it
/// goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub place: Place,
    pub mime_type: String,
    pub filename: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Link(String),
    /// By the id that the provider gave it.
    Uploaded(String),
    Inline {
        base64: String,
    },
}

/// What a file is called for the contact, who reads "Untitled" where nobody says: as the reply calls it,
/// else as our file is called, else as its address ends, else after its type. What a reply says is never
/// cut here; the rest keeps to what WhatsApp takes.
pub fn file_name(said: Option<&str>, address: &str, source: Option<&Source>) -> String {
    let named = |name: Option<&str>| name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(said) = named(said) {
        return said;
    }
    let own = match source {
        Some(source) => named(source.filename.as_deref()),
        None => last_part(address),
    };
    let kind = match source {
        Some(source) => mime::end_of(&source.mime_type),
        None => mime::of_address(address).and_then(mime::end_of),
    };
    let nameless = || kind.map_or_else(|| NAMELESS.to_owned(), |end| format!("{NAMELESS}.{end}"));
    shortened(&own.unwrap_or_else(nameless))
}

/// The end of an address's path, as people read it.
fn last_part(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.split(['?', '#']).next()?;
    let (_, last) = path.rsplit_once('/')?;
    let last = percent_decode_str(last).decode_utf8().ok()?;
    let plain: String = last.chars().filter(|c| !c.is_control() && !matches!(c, '/' | '\\')).collect();
    Some(plain.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The start of a name that is too long, with its end.
fn shortened(name: &str) -> String {
    let long = name.chars().count();
    if long <= FILENAME_CHARS {
        return name.to_owned();
    }
    let end = name.rsplit_once('.').map(|(_, end)| end).filter(|end| end.chars().count() <= 10);
    let end = end.map(|end| format!(".{end}")).unwrap_or_default();
    let start = name.chars().take(FILENAME_CHARS - end.chars().count());
    start.chain(end.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_name() {
        let ours = |filename: Option<&str>, mime_type: &str| Source {
            place: Place::Link("https://gateway.example.com/media/AAAA".into()),
            mime_type: mime_type.into(),
            filename: filename.map(str::to_owned),
        };
        let pdf = "application/pdf";
        let long = format!("{}.pdf", "ل".repeat(300));
        for (said, address, source, expected) in [
            (Some("Plan.pdf"), "file-1", Some(ours(Some("scan.pdf"), pdf)), "Plan.pdf"),
            (Some(" "), "file-1", Some(ours(Some("scan.pdf"), pdf)), "scan.pdf"),
            (None, "file-1", Some(ours(None, pdf)), "file.pdf"),
            (None, "file-1", Some(ours(None, "application/x-strange")), "file"),
            (None, "https://example.com/a/Plan%20A.pdf?x=1", None, "Plan A.pdf"),
            (None, "https://example.com/a%2Fb%0A.pdf", None, "ab.pdf"),
            (None, "https://example.com/plans/", None, "file"),
            (None, "https://example.com", None, "file"),
        ] {
            assert_eq!(file_name(said, address, source.as_ref()), expected, "{said:?} {address}");
        }
        let cut = file_name(None, "file-1", Some(&ours(Some(&long), pdf)));
        assert_eq!((cut.chars().count(), cut.ends_with("ل.pdf")), (FILENAME_CHARS, true));
        assert_eq!(file_name(Some(&long), "file-1", None), long, "the brain's own word is not cut");
    }
}
