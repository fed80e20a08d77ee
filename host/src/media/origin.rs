//! Where a file may be fetched from. The adapter has chosen the address already; this looks at it once
//! more with nothing but the sender's settings in hand, because part of it came out of a webhook:
//! the sender's own provider, a host that the operator named, or a public host over TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

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

/// Is this an address of the public network, and of no special purpose?
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        // Carriers' own networks, protocol assignments, benchmarks, reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    let [.., a, b, c, d] = address.octets();
    match (first, second) {
        // NAT64 carries an IPv4 address at its end, 6to4 after its prefix.
        (0x64, 0xff9b) => is_public_v4(Ipv4Addr::new(a, b, c, d)),
        (0x2002, _) => {
            let [_, _, a, b, c, d, ..] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        (0x2001, 0x0db8 | 0) => false,
        // Only this eighth is handed out to the public network.
        _ => first & 0xe000 == 0x2000,
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

    #[test]
    fn public_addresses() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("157.240.1.60", true),
            ("100.63.255.255", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.0.0.8", false),
            ("192.168.1.1", false),
            ("198.19.0.1", false),
            ("203.0.113.7", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700:4700::1111", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::101:101", true),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            let parsed: IpAddr = address.parse().expect("an address");
            assert_eq!(is_public(parsed), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused() {
        let refused = check(&sender(), "https://localhost/a").await;
        assert_eq!(refused, Err(Refused::Private("localhost".into())));
    }
}
