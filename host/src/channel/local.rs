//! Did a request come from a program on this machine, by way of nothing and nobody else? Who listens on
//! loopback only is reached by the whole world as soon as a proxy or a tunnel stands in front of it, or a
//! browser on this machine opens somebody's page; both show in a request's headers.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, FORWARDED, HOST, ORIGIN, VIA};

use crate::internet;

/// What proxies, tunnels and content networks add, and browsers; programs that speak for themselves do not.
const TRACES: [&str; 14] = [
    "x-forwarded-",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-",
    "x-envoy-",
    "x-amzn-",
    "x-azure-",
    "x-arr-",
    "true-client-ip",
    "cf-",
    "fly-",
    "ngrok-",
    "sec-fetch-",
];

/// Nothing in the headers tells of anybody between, and the name that was asked for is this machine's: a
/// foreign name that leads here is how a page in a browser reaches what listens on loopback.
pub fn is_from_this_machine(headers: &HeaderMap) -> bool {
    let traced = headers.keys().any(|name| {
        [FORWARDED, VIA, ORIGIN].contains(name) || TRACES.iter().any(|trace| name.as_str().starts_with(trace))
    });
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    !traced && host.to_str().is_ok_and(|host| internet::is_this_machine(name_of(host)))
}

/// `localhost:8000` without the port.
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// Does the request say that its body is JSON? A form or a page of somebody's cannot, without being asked
/// for leave first.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    let Ok(kind) = kind.to_str() else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::testing::headers;

    #[test]
    fn only_this_machines_own_names_are_asked_for() {
        for host in [
            "localhost",
            "localhost:8000",
            "LOCALHOST:1",
            "127.0.0.1:8000",
            "127.9.9.9",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(is_from_this_machine(&headers(&[("host", host)])), "{host}");
        }
        for host in [
            "evil.example",
            "gateway.example.com:8000",
            "localhost.evil.example",
            "127.0.0.1.nip.io:8000",
            "0.0.0.0:8000",
            "10.0.0.1",
            "[::2]:80",
            "::1",
            "",
            ":8000",
            "localhost:8000@evil.example",
            "evil.example:80:localhost",
        ] {
            assert!(!is_from_this_machine(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_from_this_machine(&headers(&[])));
        assert!(!is_from_this_machine(&headers(&[("host", "localhost"), ("host", "evil.example")])));
    }

    #[test]
    fn whoever_stands_between_leaves_a_trace() {
        for (name, value) in [
            ("Forwarded", "for=192.0.2.1"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Real-IP", "192.0.2.1"),
            ("Via", "1.1 proxy"),
            ("CF-Connecting-IP", "192.0.2.1"),
            ("True-Client-IP", "192.0.2.1"),
            ("Origin", "http://localhost:8000"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "same-origin"),
        ] {
            assert!(!is_from_this_machine(&headers(&[("host", "localhost"), (name, value)])), "{name}");
        }
        let waha = headers(&[
            ("host", "127.0.0.1:8000"),
            ("content-type", "application/json"),
            ("user-agent", "WAHA/2026.4.1"),
            ("x-webhook-request-id", "1"),
        ]);
        assert!(is_from_this_machine(&waha) && is_json(&waha));
    }

    #[test]
    fn what_a_form_can_send_is_no_json() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert!(is_json(&headers(&[("content-type", kind)])), "{kind}");
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "",
            "text/json",
        ] {
            assert!(!is_json(&headers(&[("content-type", kind)])), "{kind}");
        }
        assert!(!is_json(&headers(&[])));
        assert!(!is_json(&headers(&[("content-type", "application/json"), ("content-type", "text/plain")])));
    }
}
