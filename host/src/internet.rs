//! Which addresses lie in the public network. Looks at the words alone and asks nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// May this address be that of a public host? A bare number must be public, and a name must have a
/// dot, which the names of a machine's own network often have not. Where a name leads is not known.
pub fn may_be_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.contains('.') && !name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Is this a name or an address of the machine itself? IPv6 in brackets, as in an address.
pub fn is_this_machine(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Is this an address of the public network, and of no special purpose?
pub fn is_public(address: IpAddr) -> bool {
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

    #[test]
    fn hosts_that_may_be_public() {
        for (address, expected) in [
            ("https://files.example.com/a", true),
            ("https://1.1.1.1/a", true),
            ("https://[2606:4700:4700::1111]/a", true),
            ("https://localhost/a", false),
            ("https://LOCALHOST:8443/a", false),
            ("https://localhost./a", false),
            ("https://admin.localhost/a", false),
            ("https://minio/a", false),
            ("https://minio./a", false),
            ("https://127.0.0.1/a", false),
            ("https://0x7f.1/a", false),
            ("https://2852039166/latest", false),
            ("https://169.254.169.254/latest", false),
            ("https://[::1]/a", false),
            ("https://[::ffff:10.0.0.1]/a", false),
            ("https://files.example.com@10.0.0.1/a", false),
        ] {
            let url = Url::parse(address).expect("an address");
            assert_eq!(may_be_public(&url), expected, "{address}");
        }
    }
}
