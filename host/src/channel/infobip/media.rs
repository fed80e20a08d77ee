//! Received files lie at Infobip for a week, at the address in the webhook, and are given to the
//! account's own key only.

use url::Url;

use crate::channel::infobip::encode::{authorized, base};
use crate::channel::media::{Api, Fetch, Takes};
use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

/// Every account's own host ends so.
const HOST: &str = ".infobip.com";

#[derive(Debug)]
pub struct Media;

impl Api for Media {
    /// The key goes to the account's own address and to Infobip's hosts. The operator's `media_hosts` are
    /// asked without it.
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        let refused = |why: &str| Err(EncodeError(format!("this file cannot be fetched: {why}")));
        let Ok(url) = Url::parse(handle) else {
            return refused("Infobip gave no address for it, or it is gone");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("its address holds a user");
        }
        let account = base(sender).ok().and_then(|base| Url::parse(&base).ok());
        let own = account.is_some_and(|account| account.origin() == url.origin() && account.has_host());
        if own || (url.scheme() == "https" && url.port().is_none() && is_infobip(&url)) {
            return Ok(Fetch::File(authorized(Request::get(url), sender)?));
        }
        let listed = |host: &str| sender.media_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
        if url.scheme() == "https" && url.host_str().is_some_and(listed) {
            return Ok(Fetch::File(Request::get(url)));
        }
        refused("its host is not Infobip's; if it should be trusted, name it in the sender's media_hosts")
    }

    fn takes(&self) -> Takes {
        Takes::Links
    }
}

fn is_infobip(url: &Url) -> bool {
    url.domain().is_some_and(|host| host.len() > HOST.len() && host.ends_with(HOST))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_key_goes_to_infobip_only() {
        let sender: Sender = serde_json::from_value(json!({
            "name": "main", "provider": "infobip", "account": "41793026731", "api_key": "secret",
            "base_url": "http://127.0.0.1:4010", "media_hosts": ["files.example.com"],
        }))
        .expect("a sender");
        let media = "/whatsapp/1/senders/41793026731/media/2b5";
        for (handle, expected) in [
            (format!("http://127.0.0.1:4010{media}"), Some(true)),
            (format!("https://xxxxx.api.infobip.com{media}"), Some(true)),
            (format!("https://API.INFOBIP.COM{media}"), Some(true)),
            (format!("https://files.example.com{media}"), Some(false)),
            (format!("http://files.example.com{media}"), None),
            (format!("http://xxxxx.api.infobip.com{media}"), None),
            (format!("https://xxxxx.api.infobip.com:8443{media}"), None),
            (format!("http://127.0.0.1:4011{media}"), None),
            (format!("https://127.0.0.1:4010{media}"), None),
            (format!("http://127.0.0.1:4010@evil.example{media}"), None),
            (format!("https://user@xxxxx.api.infobip.com{media}"), None),
            (format!("https://xxxxx.api.infobip.com.evil.example{media}"), None),
            (format!("https://evilinfobip.com{media}"), None),
            (format!("https://.infobip.com{media}"), None),
            (format!("https://{{base_url}}{media}"), None),
            ("http://169.254.169.254/latest/meta-data".into(), None),
            ("file:///etc/passwd".into(), None),
            (String::new(), None),
            ("2b5".into(), None),
        ] {
            let found = match Media.fetch(&sender, &handle) {
                Ok(Fetch::File(request)) => Some(
                    request
                        .headers
                        .iter()
                        .any(|(name, value)| name == "Authorization" && value == "App secret"),
                ),
                Ok(Fetch::Locate(request)) => panic!("{request:?}"),
                Err(_) => None,
            };
            assert_eq!(found, expected, "{handle}");
        }
    }
}
