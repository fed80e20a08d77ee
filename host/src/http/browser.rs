//! Browsers send a request to any address that a page names, with that page's words in it. Nothing here is
//! meant for other sites' pages: what one of them has a browser send, and would change something, is
//! refused before its body is read, whichever door it is for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use url::Url;

use crate::api;
use crate::metrics::Metrics;
use crate::repeats::Kind;

/// What a browser says of where a page stands to the address that it asks.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// `public`: how the world reaches this gateway, where it is known; a proxy may ask for another name.
pub async fn refuse_other_sites(
    State((public, metrics)): State<(Option<Url>, Arc<Metrics>)>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || is_ours(request.headers(), public.as_ref()) {
        return next.run(request).await;
    }
    if let Some(left_out) = metrics.repeats.say(Kind::AnotherSite, None) {
        tracing::warn!(method = %request.method(), left_out, "a page of another site had a browser send a request; it was refused");
    }
    api::error::Error::another_site().into_response()
}

/// Is it from no page at all, or from one of ours?
fn is_ours(headers: &HeaderMap, public: Option<&Url>) -> bool {
    let site = headers.get_all(SITE).iter().all(|site| site == "same-origin" || site == "none");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    site && match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| is_own_origin(origin, headers, public)),
        (Some(_), Some(_)) => false,
    }
}

fn is_own_origin(origin: &str, headers: &HeaderMap, public: Option<&Url>) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    public.is_some_and(|public| public.origin() == url.origin())
        || host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_from_programs_and_our_own() {
        let public = Url::parse("https://gateway.example.com/").expect("an address");
        for (origin, site, expected) in [
            (None, None, true),
            (None, Some("none"), true),
            (None, Some("same-origin"), true),
            (None, Some("same-site"), false),
            (None, Some("cross-site"), false),
            (Some("http://127.0.0.1:8000"), None, true),
            (Some("http://127.0.0.1:8000"), Some("same-origin"), true),
            (Some("http://127.0.0.1:8000"), Some("cross-site"), false),
            (Some("https://gateway.example.com"), Some("same-origin"), true),
            (Some("https://gateway.example.com:444"), None, false),
            (Some("http://gateway.example.com"), None, false),
            (Some("http://127.0.0.1:8001"), None, false),
            (Some("http://localhost:8000"), None, false),
            (Some("https://evil.example"), None, false),
            (Some("https://gateway.example.com.evil.example"), None, false),
            (Some("null"), None, false),
            (Some(""), None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8000".parse().expect("a value"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a value"));
            }
            if let Some(site) = site {
                headers.insert(SITE, site.parse().expect("a value"));
            }
            assert_eq!(is_ours(&headers, Some(&public)), expected, "{origin:?} {site:?}");
        }
    }
}
