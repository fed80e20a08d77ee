//! Files at Meta. A received file is an id: the Graph API says where it lies, for five minutes, and the
//! file is fetched there with the sender's token. A file of ours is handed over first and sent by its id.

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;

use crate::channel::json;
use crate::channel::media::{Api, Fetch, Place, Source, Takes, Upload};
use crate::channel::meta::{META, graph, outcome};
use crate::channel::{EncodeError, Outcome, Request};
use crate::message::Fate;
use crate::tenant::Sender;

/// Where Meta keeps files; names below these belong to it as well.
const HOSTS: &[&str] = &["fbsbx.com", "fbcdn.net", "graph.facebook.com", "whatsapp.net"];

#[derive(Debug)]
pub struct Files;

impl Api for Files {
    /// By its id; older and forwarded files sometimes come with an address alone.
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        match graph::id(handle) {
            Some(id) => {
                let path = format!("{id}?phone_number_id={}", graph::account(sender)?);
                Ok(Fetch::Locate(graph::get(sender, &path)?))
            }
            None => Ok(Fetch::File(file(sender, handle)?)),
        }
    }

    fn located(&self, sender: &Sender, status: u16, body: &[u8]) -> Result<Request, Outcome> {
        let answer = outcome::success(&META, status, &HeaderMap::new(), body)?;
        let Some(address) = json::text(&answer, "url") else {
            return Err(Outcome::failed(Fate::Permanent, "Meta's answer does not say where the file is"));
        };
        file(sender, address).map_err(|refused| Outcome::failed(Fate::Permanent, refused.to_string()))
    }

    fn takes(&self) -> Takes {
        Takes::Uploads
    }

    fn upload(&self, sender: &Sender, mime_type: &str) -> Result<Upload, EncodeError> {
        Ok(Upload {
            url: graph::url(sender, &format!("{}/media", graph::account(sender)?))?,
            headers: vec![graph::bearer(sender)],
            fields: vec![
                ("messaging_product".into(), "whatsapp".into()),
                ("type".into(), mime_type.to_owned()),
            ],
            file_field: "file",
        })
    }

    fn uploaded(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<String, Outcome> {
        let answer = outcome::success(&META, status, headers, body)?;
        json::text(&answer, "id")
            .map(str::to_owned)
            .ok_or_else(|| Outcome::failed(Fate::Unknown, "Meta took the file and answered without its id"))
    }
}

/// A file as a part of a message: by the id that it was uploaded under, or by its address.
pub fn reference(address: &str, source: Option<&Source>) -> Result<Value, EncodeError> {
    match source.map(|source| &source.place) {
        Some(Place::Uploaded(id)) => Ok(json!({ "id": id })),
        Some(Place::Link(link)) => Ok(json!({ "link": link })),
        Some(Place::Inline { .. }) => {
            Err(EncodeError("Meta takes no file inside a message: it must be uploaded or linked".into()))
        }
        None if address.starts_with("https://") || address.starts_with("http://") => {
            Ok(json!({ "link": address }))
        }
        None => Err(EncodeError("the media's source is neither an https address nor a received file".into())),
    }
}

/// The token goes nowhere but to Meta. The operator's `media_hosts` are asked without it.
fn file(sender: &Sender, address: &str) -> Result<Request, EncodeError> {
    let request = Request { method: Method::GET, url: address.to_owned(), headers: vec![], body: vec![] };
    match keeper(sender, address) {
        Some(Keeper::Meta) => Ok(graph::authorized(sender, request)),
        Some(Keeper::Listed) => Ok(request),
        None => Err(EncodeError(
            "the file is not at Meta; name its host in the sender's media_hosts if it may be fetched there"
                .into(),
        )),
    }
}

/// Whose host a file lies at.
enum Keeper {
    Meta,
    Listed,
}

fn keeper(sender: &Sender, address: &str) -> Option<Keeper> {
    let url = Url::parse(address).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    // Wherever the Graph API is: a test's own server, or a proxy.
    if Url::parse(graph::base_url(sender)).is_ok_and(|base| base.origin() == url.origin()) {
        return url.origin().is_tuple().then_some(Keeper::Meta);
    }
    let (Some(host), "https", None) = (url.host_str(), url.scheme(), url.port()) else { return None };
    let below =
        |parent: &str| host.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if HOSTS.iter().any(|parent| below(parent)) {
        return Some(Keeper::Meta);
    }
    let listed = sender.media_hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
    listed.then_some(Keeper::Listed)
}

#[cfg(test)]
mod tests;
