//! Where a file may be fetched from. The adapter has chosen the address already; this looks at it once
//! more with nothing but the sender's settings in hand, because part of it came out of a webhook:
//! the sender's own provider, a host that the operator named, or a public host over TLS.

use url::{Host, Url};

use crate::internet::is_public;
use crate::tenant::Sender;

/// Why nothing is fetched from there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("its address cannot be read")]
    Unreadable,
    #[error("its address is neither http nor https")]
    Scheme,
    #[error("its address carries a name or a password")]
    Userinfo,
    #[error("{0} is not the sender's own provider, and not reached over https")]
    Unencrypted(String),
    #[error("{0} is a bare address and neither the sender's own provider nor in its media_hosts")]
    Bare(String),
    #[error("{0} is no public host, and not in the sender's media_hosts")]
    Private(String),
    #[error("the name {0} leads nowhere")]
    Unresolved(String),
}

impl Refused {
    /// Names come and go; everything else stays as it is.
    pub fn may_pass(&self) -> bool {
        matches!(self, Refused::Unresolved(_))
    }
}

/// May a request of this sender go to this address?
pub async fn check(sender: &Sender, address: &str) -> Result<(), Refused> {
    let Some((host, port)) = stranger(sender, address)? else { return Ok(()) };
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        return Err(Refused::Unresolved(host));
    }
    // TLS keeps a name honest that leads elsewhere a moment later: another host has no certificate
    // for it.
    if found.iter().all(|address| is_public(address.ip())) { Ok(()) } else { Err(Refused::Private(host)) }
}

/// The host to be looked up, where the sender's settings do not vouch for it.
fn stranger(sender: &Sender, address: &str) -> Result<Option<(String, u16)>, Refused> {
    let url = Url::parse(address).map_err(|_| Refused::Unreadable)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Userinfo);
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(Refused::Unreadable);
    };
    let own = sender.base_url.as_deref().and_then(|base| Url::parse(base).ok());
    let name = host.to_string();
    let with_port = format!("{name}:{port}");
    let named =
        |trusted: &String| trusted.eq_ignore_ascii_case(&name) || trusted.eq_ignore_ascii_case(&with_port);
    if own.is_some_and(|own| own.origin() == url.origin()) || sender.media_hosts.iter().any(named) {
        return Ok(None);
    }
    if url.scheme() != "https" {
        return Err(Refused::Unencrypted(name));
    }
    match host {
        Host::Domain(_) => Ok(Some((name, port))),
        Host::Ipv4(_) | Host::Ipv6(_) => Err(Refused::Bare(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": "main", "provider": "waha", "account": "default",
            "base_url": "http://127.0.0.1:3000", "media_hosts": ["files.example.com", "10.0.0.9", "minio:9000"],
        }))
        .expect("a sender")
    }

    #[test]
    fn only_the_provider_and_named_hosts_are_trusted() {
        for (address, expected) in [
            ("http://127.0.0.1:3000/api/files/a.jpg", Ok(None)),
            ("HTTP://127.0.0.1:3000/a", Ok(None)),
            ("https://files.example.com/a", Ok(None)),
            ("http://FILES.example.com:8080/a", Ok(None)),
            ("http://10.0.0.9/a", Ok(None)),
            ("http://minio:9000/a", Ok(None)),
            ("http://minio:9001/a", Err(Refused::Unencrypted("minio".into()))),
            ("https://lookaside.example.net/a", Ok(Some(("lookaside.example.net".into(), 443)))),
            ("https://lookaside.example.net:8443/a", Ok(Some(("lookaside.example.net".into(), 8443)))),
            ("https://xfiles.example.com/a", Ok(Some(("xfiles.example.com".into(), 443)))),
            ("https://files.example.com.evil.net/", Ok(Some(("files.example.com.evil.net".into(), 443)))),
            ("https://127.0.0.1:3000/a", Err(Refused::Bare("127.0.0.1".into()))),
            ("http://127.0.0.1:3001/a", Err(Refused::Unencrypted("127.0.0.1".into()))),
            ("http://localhost:3000/a", Err(Refused::Unencrypted("localhost".into()))),
            ("http://169.254.169.254/latest", Err(Refused::Unencrypted("169.254.169.254".into()))),
            ("https://169.254.169.254/latest", Err(Refused::Bare("169.254.169.254".into()))),
            ("https://2852039166/latest", Err(Refused::Bare("169.254.169.254".into()))),
            ("https://0x7f.1/", Err(Refused::Bare("127.0.0.1".into()))),
            ("https://[::1]/", Err(Refused::Bare("[::1]".into()))),
            ("https://files.example.com@evil.net/", Err(Refused::Userinfo)),
            ("http://127.0.0.1:3000@evil.net/", Err(Refused::Userinfo)),
            ("http://user:word@127.0.0.1:3000/", Err(Refused::Userinfo)),
            ("file:///etc/passwd", Err(Refused::Scheme)),
            ("gopher://127.0.0.1:3000/", Err(Refused::Scheme)),
            ("data:text/plain,hi", Err(Refused::Scheme)),
            ("//evil.net/a", Err(Refused::Unreadable)),
            ("", Err(Refused::Unreadable)),
        ] {
            assert_eq!(stranger(&sender(), address), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused() {
        let refused = check(&sender(), "https://localhost/a").await;
        assert_eq!(refused, Err(Refused::Private("localhost".into())));
    }
}
