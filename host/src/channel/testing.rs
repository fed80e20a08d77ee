//! What the adapters' tests have in common.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's or an answer's headers. A name may stand twice.
pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}
