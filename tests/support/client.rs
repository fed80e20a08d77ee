//! An HTTP client as a provider would be one.

use std::time::Duration;

/// Gives up after ten seconds, so that a test fails instead of hanging. Redirects are not followed.
pub fn client() -> reqwest::Client {
    // The first caller installs it; for the others it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client with a TLS provider can be built")
}
