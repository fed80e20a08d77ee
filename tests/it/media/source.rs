//! Files of ours on their way out: what each provider is given, and what becomes of a reply whose file
//! is not to be had.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use switchboard::channel::Outcome;
use switchboard::channel::media::{Place, Source};
use switchboard::config::Config;
use switchboard::egress::Egress;
use switchboard::egress::circuits::Circuits;
use switchboard::media::Media;
use switchboard::media::kept::Called;
use switchboard::message::{Fate, TenantId};
use switchboard::metrics::Metrics;
use switchboard::refused_keys::RefusedKeys;
use switchboard::retry::Backoff;
use switchboard::store::Store;
use switchboard::store::embedded::Embedded;
use switchboard::tenant::{Secret, Sender};
use switchboard_tests::meta::{NUMBER, TOKEN};
use tempfile::TempDir;

use super::*;

/// Files without a gateway around them.
struct Stock {
    media: Arc<Media>,
    store: Arc<dyn Store>,
    _root: TempDir,
}

impl Stock {
    fn new(public_url: Option<&str>) -> Self {
        // Fails only if one is there already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let root = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config { data: root.path().to_owned(), ..Config::default() };
        config.http.public_url = public_url.map(str::to_owned);
        config.media.inline_bytes = 1024;
        let settings = switchboard::gateway::store_settings(&config, crate::store::lab::test_keys());
        let store = Arc::new(Embedded::open(settings).expect("the store opens"));
        let circuits = Circuits::new(&config.delivery, &config.media);
        let refused_keys = Arc::new(RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 1_000 }));
        let egress = Egress::new(&config.delivery, circuits, refused_keys).expect("an HTTP client");
        let media = Media::open(&config, store.clone(), egress, Arc::new(Metrics::new())).expect("opens");
        Stock { media, store, _root: root }
    }

    async fn keep(&self, tenant: u32, bytes: &[u8]) -> String {
        let called = Called { mime_type: Some("application/pdf"), filename: Some("brochure.pdf") };
        let tenant = TenantId::from_stored(tenant);
        self.media.keep(tenant, bytes, called, "test").await.expect("kept").handle
    }

    async fn source(&self, sender: &Sender, tenant: u32, handle: &str) -> Result<Source, Outcome> {
        self.media.source(sender, TenantId::from_stored(tenant), handle).await
    }
}

fn sender(provider: &str, base_url: &str) -> Sender {
    serde_json::from_value(json!({
        "name": provider, "provider": provider, "account": "1000", "base_url": base_url, "api_key": "token",
    }))
    .expect("a sender")
}

#[track_caller]
fn refused(outcome: Result<Source, Outcome>, expected: Fate) -> String {
    match outcome {
        Err(Outcome::Failed { fate, error, .. }) => {
            assert_eq!(fate, expected, "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn waha_is_given_the_bytes() {
    let stock = Stock::new(None);
    let waha = sender("waha", "http://127.0.0.1:9");
    let handle = stock.keep(1, b"a brochure").await;
    let source = stock.source(&waha, 1, &handle).await.expect("a source");
    let Source { place: Place::Inline { base64 }, mime_type, filename } = source else {
        panic!("{source:?}")
    };
    assert_eq!(STANDARD.decode(base64).expect("base64"), b"a brochure");
    assert_eq!((mime_type.as_str(), filename.as_deref()), ("application/pdf", Some("brochure.pdf")));
    let large = stock.keep(1, &[0; 1025]).await;
    let error = refused(stock.source(&waha, 1, &large).await, Fate::Permanent);
    assert_eq!(error, "the file has 1025 bytes: limit 1024 (media.inline_bytes)");
}

#[tokio::test]
async fn every_provider_is_told_what_the_file_is_and_is_called() {
    let stock = Stock::new(Some("https://gateway.example.com"));
    let handle = stock.keep(1, b"a brochure").await;
    let meta = switchboard_tests::meta::start().await;
    let with_account =
        Sender { account: NUMBER.into(), api_key: Secret::new(TOKEN), ..sender("meta", meta.url()) };
    for sender in [sender("infobip", ""), sender("gupshup", ""), with_account] {
        let source = stock.source(&sender, 1, &handle).await.expect("a source");
        assert_eq!(
            (source.mime_type.as_str(), source.filename.as_deref()),
            ("application/pdf", Some("brochure.pdf")),
            "{source:?}"
        );
    }
    // Nobody said what it is, but its name does.
    let called = Called { filename: Some("tour.webm"), ..Called::default() };
    let unsaid = stock.media.keep(TenantId::from_stored(1), b"a film", called, "test").await;
    assert_eq!(unsaid.expect("kept").mime_type.as_deref(), Some("video/webm"));
}

#[tokio::test]
async fn a_file_that_is_not_to_be_had() {
    let stock = Stock::new(None);
    let waha = sender("waha", "http://127.0.0.1:9");
    let handle = stock.keep(1, b"a brochure").await;
    assert_eq!(refused(stock.source(&waha, 2, &handle).await, Fate::Permanent), "there is no such file");
    let nobodys = "file-0123456789abcdef0123456789abcdef";
    assert_eq!(refused(stock.source(&waha, 1, nobodys).await, Fate::Permanent), "there is no such file");
    refused(stock.source(&waha, 1, "../../etc/passwd").await, Fate::Permanent);
    let simulator = sender("simulator", "");
    refused(stock.source(&simulator, 1, &handle).await, Fate::Permanent);
    let ages = switchboard::store::media::FileAges {
        keep_from: switchboard::clock::now().plus_ms(1000),
        remember_from: switchboard::message::Timestamp::ZERO,
    };
    stock.store.expire_files(ages, 10).await.expect("expired");
    let error = refused(stock.source(&waha, 1, &handle).await, Fate::Permanent);
    assert!(error.contains("media.keep_days"), "{error}");
}
