//! Received files lie open at Gupshup's own addresses until they expire; the key is not sent along.
//! Files of ours are fetched by Gupshup from an address.

use url::{Host, Url};

use crate::channel::media::{Api, Fetch, Place, Source, Takes};
use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

/// Its file server, and whatever server it moves to below its own name.
const HOST: &str = "gupshup.io";

#[derive(Debug)]
pub struct Files;

impl Api for Files {
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        let refused = |why: &str| EncodeError(format!("the received file cannot be fetched: {why}"));
        let url = Url::parse(handle).map_err(|_| refused("Gupshup did not say where it is"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("its address carries a password"));
        }
        let base = sender.base_url.as_deref().and_then(|base| Url::parse(base).ok());
        let own = base.is_some_and(|base| base.origin() == url.origin());
        if !own && url.scheme() != "https" {
            return Err(refused("its address is not https"));
        }
        let host = match url.host() {
            Some(Host::Domain(host)) => host.trim_end_matches('.').to_ascii_lowercase(),
            Some(host) => host.to_string(),
            None => return Err(refused("its address names no host")),
        };
        let theirs = host == HOST || host.strip_suffix(HOST).is_some_and(|rest| rest.ends_with('.'));
        let allowed = sender.media_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host));
        if !(own || theirs || allowed) {
            return Err(refused(&format!(
                "{host} is not Gupshup's; if it is, add it to the sender's media_hosts"
            )));
        }
        Ok(Fetch::File(Request::get(url)))
    }

    fn takes(&self) -> Takes {
        Takes::Links
    }
}

/// Gupshup fetches files itself, from an address.
pub fn link(named: &str, source: Option<&Source>) -> Result<String, EncodeError> {
    match source {
        Some(Source { place: Place::Link(link), .. }) => Ok(link.clone()),
        Some(_) => Err(EncodeError("Gupshup takes files by their address alone".into())),
        None if named.starts_with("https://") || named.starts_with("http://") => Ok(named.to_owned()),
        None => Err(EncodeError("the media's source is neither an https address nor a received file".into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_come_from_gupshup_alone_and_without_the_key() {
        let sender: Sender = serde_json::from_value(json!({
            "name": "main", "provider": "gupshup", "account": "DemoApp", "api_key": "secret",
            "base_url": "http://127.0.0.1:4010", "media_hosts": ["files.example.com"],
        }))
        .expect("a sender");
        for (handle, fetched) in [
            ("https://filemanager.gupshup.io/wa/x?download=false", true),
            ("https://FILEMANAGER.gupshup.io./wa/x", true),
            ("https://files.example.com/x", true),
            ("http://127.0.0.1:4010/files/x", true),
            ("http://127.0.0.1:4011/files/x", false),
            ("http://filemanager.gupshup.io/wa/x", false),
            ("https://evilgupshup.io/x", false),
            ("https://gupshup.io.evil.com/x", false),
            ("https://key@filemanager.gupshup.io/x", false),
            ("https://169.254.169.254/latest", false),
            ("https://[::1]/x", false),
            ("file:///etc/passwd", false),
            ("1234567890", false),
            ("", false),
        ] {
            let answer = Files.fetch(&sender, handle);
            assert_eq!(answer.is_ok(), fetched, "{handle}: {answer:?}");
            if let Ok(Fetch::File(request)) = answer {
                assert!(request.headers.is_empty() && request.method == http::Method::GET, "{request:?}");
            }
        }
    }
}
