//! Files at 360dialog. A received file is an id: 360dialog says where Meta keeps it, and passes it on under
//! the same path at its own address, which the number's key opens. A file of ours is handed over first and
//! sent by its id.

use http::{HeaderMap, Method};
use url::Url;

use crate::channel::dialog360::{ANSWERING, api};
use crate::channel::json;
use crate::channel::media::{Api, Fetch, Takes, Upload};
use crate::channel::meta::{graph, outcome};
use crate::channel::{EncodeError, Outcome, Request};
use crate::message::Fate;
use crate::tenant::Sender;

/// Where Meta keeps what 360dialog passes on.
const KEEPER: &str = "lookaside.fbsbx.com";

#[derive(Debug)]
pub struct Files;

impl Api for Files {
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        match graph::id(handle) {
            Some(id) => Ok(Fetch::Locate(api::get(sender, id)?)),
            None => Ok(Fetch::File(file(sender, handle)?)),
        }
    }

    fn located(&self, sender: &Sender, status: u16, body: &[u8]) -> Result<Request, Outcome> {
        let answer = outcome::success(&ANSWERING, status, &HeaderMap::new(), body)?;
        let Some(address) = json::text(&answer, "url") else {
            let what = "360dialog's answer does not say where the file is";
            return Err(Outcome::failed(Fate::Permanent, what));
        };
        file(sender, address).map_err(|refused| Outcome::failed(Fate::Permanent, refused.to_string()))
    }

    fn takes(&self) -> Takes {
        Takes::Uploads
    }

    fn upload(&self, sender: &Sender, mime_type: &str) -> Result<Upload, EncodeError> {
        Ok(Upload {
            url: api::url(sender, "media")?,
            headers: vec![api::key(sender)],
            fields: vec![
                ("messaging_product".into(), "whatsapp".into()),
                ("type".into(), mime_type.to_owned()),
            ],
            file_field: "file",
        })
    }

    fn uploaded(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<String, Outcome> {
        let answer = outcome::success(&ANSWERING, status, headers, body)?;
        let id = json::text(&answer, "id").map(str::to_owned);
        id.ok_or_else(|| {
            Outcome::failed(Fate::Unknown, "360dialog took the file and answered without its id")
        })
    }
}

/// The key goes nowhere but to 360dialog. The operator's `media_hosts` are asked without it.
fn file(sender: &Sender, address: &str) -> Result<Request, EncodeError> {
    let elsewhere = || {
        EncodeError(
            "the file is not at 360dialog; name its host in the sender's media_hosts if it may be fetched there"
                .into(),
        )
    };
    let mut url = Url::parse(address).map_err(|_| elsewhere())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(elsewhere());
    }
    let plain =
        |url: &Url| Request { method: Method::GET, url: url.to_string(), headers: vec![], body: vec![] };
    let base = Url::parse(api::base_url(sender)).map_err(|_| elsewhere())?;
    if base.origin() == url.origin() && url.origin().is_tuple() {
        return Ok(api::authorized(sender, plain(&url)));
    }
    let (Some(host), "https", None) = (url.host_str(), url.scheme(), url.port()) else {
        return Err(elsewhere());
    };
    if host == KEEPER {
        let path = format!("{}{}", base.path().trim_end_matches('/'), url.path());
        let query = url.query().map(str::to_owned);
        url = base;
        url.set_path(&path);
        url.set_query(query.as_deref());
        return Ok(api::authorized(sender, plain(&url)));
    }
    match sender.media_hosts.iter().any(|named| named.eq_ignore_ascii_case(host)) {
        true => Ok(plain(&url)),
        false => Err(elsewhere()),
    }
}
