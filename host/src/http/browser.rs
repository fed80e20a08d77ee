//! Browsers send a request to any address that a page names, with that page's words in it. What a page of
//! another site has a browser send, and would change something, is refused before its body is read,
//! whichever door it is for. Pages of the origins in `http.cors_origins` may use the API and may read what
//! it answers; webhooks are no page's business. Keys come in a header of their own, never in a cookie, so
//! that a page that may ask still has to know one.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use crate::api;
use crate::metrics::Metrics;
use crate::repeats::Kind;

/// What a browser says of where a page stands to the address that it asks.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Browsers ask again after this; some hold less.
const PREFLIGHT_HOLDS: Duration = Duration::from_secs(600);

/// Whose pages may send what changes something.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// How the world reaches this gateway, where it is known; a proxy may ask for another name.
    pub public: Option<Url>,
    /// Of other sites, as browsers write them.
    pub origins: Arc<[String]>,
    pub metrics: Arc<Metrics>,
}

impl Pages {
    fn may_send(&self, headers: &HeaderMap) -> bool {
        is_ours(headers, self.public.as_ref()) || self.is_let_in(headers)
    }

    fn is_let_in(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(header::ORIGIN).iter();
        match (said.next(), said.next()) {
            (Some(origin), None) => self.origins.iter().any(|known| origin == known.as_str()),
            _ => false,
        }
    }
}

/// Tells browsers that pages of these origins may ask and read; none where there are none.
pub fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER, header::CONTENT_DISPOSITION])
        .max_age(PREFLIGHT_HOLDS);
    Some(layer)
}

pub async fn refuse_other_sites(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || pages.may_send(request.headers()) {
        return next.run(request).await;
    }
    if let Some(left_out) = pages.metrics.repeats.say(Kind::AnotherSite, None) {
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

    #[test]
    fn pages_of_named_origins_are_let_in_and_no_others() {
        let origins = Arc::new(["https://crm.example.com".to_owned()]);
        let pages = Pages { public: None, origins, metrics: Arc::new(Metrics::new()) };
        for (origins, site, expected) in [
            (&["https://crm.example.com"][..], "cross-site", true),
            (&["https://crm.example.com"], "same-site", true),
            (&["https://crm.example.com", "https://crm.example.com"], "cross-site", false),
            (&["http://crm.example.com"], "cross-site", false),
            (&["https://crm.example.com:444"], "cross-site", false),
            (&["https://crm.example.com.evil.example"], "cross-site", false),
            (&["null"], "cross-site", false),
            (&[], "cross-site", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SITE, site.parse().expect("a value"));
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().expect("a value"));
            }
            assert_eq!(pages.may_send(&headers), expected, "{origins:?} {site}");
        }
    }
}
