//! WAHA's files. A received one lies at WAHA under `/api/files/{session}/` and is fetched with the
//! sender's key; WAHA writes its own idea of its address before that, often `localhost`, so that only
//! the path is believed and the sender's `base_url` stands before it. One that WAHA put into S3 has an
//! address that proves itself, and is fetched without the key, from the hosts that the sender lists.
//!
//! Files of ours go into the request of the reply itself.

use http::Method;
use url::Url;

use crate::channel::media::{Api, Fetch, Takes};
use crate::channel::waha::{Waha, api};
use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

const FILES: &str = "/api/files/";

impl Api for Waha {
    fn fetch(&self, sender: &Sender, handle: &str) -> Result<Fetch, EncodeError> {
        let refused = |why: String| Err(EncodeError(format!("the file is not fetched: {why}")));
        let url = match Url::parse(handle) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            _ => return refused("WAHA names no http address for it".into()),
        };
        let host = url.host_str().unwrap_or_default();
        // A host that is listed is another store than WAHA's own, whatever its paths look like.
        if sender.media_hosts.iter().any(|listed| is_host(listed, &url)) && !is_base(sender, &url) {
            return Ok(Fetch::File(Request::get(url)));
        }
        // `Url` has taken every `..` out of the path.
        let Some((_, file)) = url.path().split_once(FILES) else {
            return refused(format!("{host} is none of the sender's media_hosts"));
        };
        match file.split_once('/') {
            Some((session, _)) if !is_session(session, &sender.account) => {
                refused("it is another session's".into())
            }
            _ if file.is_empty() => refused("its address names no file".into()),
            _ => {
                let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
                let path = format!("{FILES}{file}{query}");
                api::request(sender, Method::GET, &path, None).map(Fetch::File)
            }
        }
    }

    fn takes(&self) -> Takes {
        Takes::Inline
    }
}

fn is_host(listed: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let with_port = url.port().map(|port| format!("{host}:{port}"));
    listed.eq_ignore_ascii_case(host) || with_port.is_some_and(|host| listed.eq_ignore_ascii_case(&host))
}

fn is_base(sender: &Sender, url: &Url) -> bool {
    let base = sender.base_url.as_deref().and_then(|base| Url::parse(base).ok());
    base.is_some_and(|base| base.origin() == url.origin())
}

fn is_session(part: &str, account: &str) -> bool {
    percent_encoding::percent_decode_str(part).decode_utf8().is_ok_and(|session| session == account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Provider;

    fn sender() -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": "main", "provider": Provider::Waha, "account": "default", "api_key": "key",
            "base_url": "http://waha.internal:3000/", "media_hosts": ["bucket.s3.example.com", "minio:9000"],
        }))
        .expect("a sender")
    }

    /// Each handle, what is fetched for it, and whether the key goes along; `None`: nothing.
    #[test]
    fn where_files_are_fetched() {
        let own = "http://waha.internal:3000/api/files/default/false_1@c.us_A.jpg";
        for (handle, expected) in [
            ("http://localhost:3000/api/files/default/false_1@c.us_A.jpg", Some((own, true))),
            ("https://waha.example.com/waha/api/files/default/false_1@c.us_A.jpg", Some((own, true))),
            (own, Some((own, true))),
            (
                "http://localhost:3000/api/files/A.jpg?x=1",
                Some(("http://waha.internal:3000/api/files/A.jpg?x=1", true)),
            ),
            (
                "https://bucket.s3.example.com/a/api/files/b.jpg?X-Amz-Signature=1",
                Some(("https://bucket.s3.example.com/a/api/files/b.jpg?X-Amz-Signature=1", false)),
            ),
            ("http://minio:9000/b.jpg", Some(("http://minio:9000/b.jpg", false))),
            ("http://minio:9001/b.jpg", None),
            ("http://localhost:3000/api/files/other/A.jpg", None),
            ("http://localhost:3000/api/files/", None),
            ("http://localhost:3000/api/files/default/../../sessions", None),
            ("http://localhost:3000/api/files/default/%2e%2e/%2e%2e/sessions", None),
            ("http://waha.internal:3000/api/sessions", None),
            ("http://169.254.169.254/latest/meta-data", None),
            ("https://evil.example/?/api/files/default/a", None),
            ("https://bucket.s3.example.com.evil.example/a", None),
            ("file:///api/files/default/a", None),
            ("/api/files/default/a", None),
            ("", None),
        ] {
            let fetched = Waha.fetch(&sender(), handle).ok().map(|fetch| match fetch {
                Fetch::File(request) => {
                    assert_eq!(request.method, Method::GET);
                    (request.url, request.headers == [("X-Api-Key".to_owned(), "key".to_owned())])
                }
                Fetch::Locate(_) => panic!("WAHA's files are where it says"),
            });
            let expected = expected.map(|(url, keyed)| (url.to_owned(), keyed));
            assert_eq!(fetched, expected, "{handle}");
        }
    }
}
