//! WAHA's files. A received one lies at WAHA under `/api/files/` and is fetched with the sender's key.
//! WAHA writes its own idea of its address before that, often `localhost`: only the path is believed,
//! and the sender's `base_url` stands before it. Files of ours go into the request of the reply itself.

use url::Url;

use crate::channel::media::{Api, Fetch, Takes};
use crate::channel::waha::Waha;
use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

const FILES: &str = "/api/files/";

impl Api for Waha {
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        let refused = |why: &str| EncodeError(format!("the file is not fetched: {why}"));
        let url = Url::parse(handle).map_err(|_| refused("WAHA names no address for it"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("WAHA names no http address for it"));
        }
        let host = url.host_str().unwrap_or_default();
        if sender.media_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host)) {
            return Ok(Fetch::File(Request::get(url)));
        }
        // `Url` has taken every `..` out of the path.
        if !url.path().starts_with(FILES) {
            return Err(refused("it is neither WAHA's nor at one of the sender's media_hosts"));
        }
        let base = sender.base_url.as_deref().ok_or_else(|| refused("the sender has no base_url"))?;
        let request = Request::get(format!("{}{}", base.trim_end_matches('/'), url.path()));
        Ok(Fetch::File(request.header("X-Api-Key", sender.api_key.expose())))
    }

    fn takes(&self) -> Takes {
        Takes::Inline
    }
}
