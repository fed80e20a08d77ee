//! Rows from before there were keys, and keys that are missing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;
use crate::message::SenderName;
use crate::schedule::Limits;
use crate::seal::{KEY_BYTES, Key};
use crate::store::Error;
use crate::store::embedded::batch::{Batch, Step};
use crate::store::embedded::{Embedded, OpenError, Settings};
use crate::store::engine::Engine as _;
use crate::store::prelude::*;
use crate::store::rows::kept_sender::KeptSender;
use crate::store::rows::{ReadRows as _, Rows as _, Senders};
use crate::tenant::Sender;

fn key(byte: u8) -> Key {
    Key::new([byte; KEY_BYTES].into())
}

fn settings(directory: &Path, keys: &[u8]) -> Settings {
    Settings {
        path: directory.join("switchboard.redb"),
        backups: directory.join("backups"),
        called: String::new(),
        cache_bytes: 1 << 20,
        queue: 16,
        verify: true,
        reserve: crate::store::embedded::space::Reserve::none(),
        rules: crate::store::shared::settings::Settings {
            prefixes: Vec::new(),
            notice: None,
            notice_every_ms: 0,
            coalesce_ms: 0,
            quotas: crate::tenant::quotas::Quotas::default(),
            timer_floor_ms: 0,
            turns_per_tenant: 1,
            sends: Limits { in_all: 1, per_group: 1, per_tenant: 1 },
            fetches: Limits { in_all: 1, per_group: 1, per_tenant: 1 },
        },
        keys: Ring::new(keys.iter().map(|byte| key(*byte))),
        vitals: Default::default(),
    }
}

fn sender(n: usize) -> Sender {
    serde_json::from_value(serde_json::json!({
        "name": format!("sender-{n}"), "provider": "waha", "account": format!("session-{n}"),
        "api_key": format!("api-{n}"), "hmac_key": format!("hmac-{n}"),
    }))
    .expect("a sender")
}

/// What each key seals, by the keys' bytes; 0: in clear.
async fn counted(store: &Embedded) -> Vec<(u8, usize)> {
    let name = |id: &KeyId| (1..=9).find(|byte| key(*byte).id() == id).expect("as it was made");
    let sealed = store.sealed().await.expect("as it was made");
    let mut counted: Vec<_> =
        sealed.iter().map(|(id, secrets)| (id.as_ref().map_or(0, name), *secrets)).collect();
    counted.sort_unstable();
    counted
}

#[tokio::test]
async fn rows_in_clear_are_taken_and_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(settings(directory.path(), &[])).unwrap();
    // As a version without keys wrote them.
    let old = |batch: &mut Batch<'_>| -> Step<()> {
        for n in 0..5 {
            let sender = sender(n);
            batch.put::<Senders>(&sender.name.clone(), &KeptSender::from_kept(sender))?;
        }
        Ok(())
    };
    store.submit(old).await.unwrap();
    drop(store);
    let store = Embedded::open(settings(directory.path(), &[1])).unwrap();
    assert_eq!(counted(&store).await, [(0, 10)]);
    assert_eq!(store.directory().senders.len(), 5);
    let mut done = Vec::new();
    while let sealed @ 1.. = store.reseal(2).await.unwrap() {
        done.push(sealed);
    }
    assert_eq!(done, [2, 2, 1], "in slices");
    assert_eq!(counted(&store).await, [(1, 10)]);
    drop(store);
    let store = Embedded::open(settings(directory.path(), &[1])).unwrap();
    for n in 0..5 {
        let expected = sender(n);
        assert_eq!(**store.directory().senders.get(&expected.name).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_missing_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(settings(directory.path(), &[1])).unwrap();
    store.put_sender(sender(1), "test").await.unwrap();
    drop(store);
    for (keys, here) in [(vec![], "none".to_owned()), (vec![2], key(2).id().to_string())] {
        let error = Embedded::open(settings(directory.path(), &keys)).err().unwrap();
        assert!(matches!(error, OpenError::NoKey { .. }), "{error}");
        let expected = format!(
            "the api_key of sender sender-1 is sealed with key {}, which is not here; here are: {here}",
            key(1).id()
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    let store = Embedded::open(settings(directory.path(), &[1, 2])).unwrap();
    assert_eq!(counted(&store).await, [(1, 2)]);
}

#[tokio::test]
async fn a_row_moved_to_another_sender_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(settings(directory.path(), &[1])).unwrap();
    store.put_sender(sender(1), "test").await.unwrap();
    let moved = |batch: &mut Batch<'_>| -> Step<()> {
        let kept = batch.get::<Senders>(&SenderName::new("sender-1"))?.unwrap();
        let thief = Sender { name: SenderName::new("thief"), ..kept.as_kept().clone() };
        batch.put::<Senders>(&thief.name.clone(), &KeptSender::from_kept(thief))?;
        Ok(())
    };
    store.submit(moved).await.unwrap();
    drop(store);
    let error = Embedded::open(settings(directory.path(), &[1])).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("the api_key of sender thief: it was changed"), "{error}");
}

#[tokio::test]
async fn a_key_in_use_is_not_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(settings(directory.path(), &[1])).unwrap();
    for n in 0..3 {
        store.put_sender(sender(n), "test").await.unwrap();
    }
    let refused = store.use_keys(Ring::new([key(2)])).await.err().unwrap();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    store.use_keys(Ring::new([key(1), key(2)])).await.unwrap();
    assert_eq!(store.reseal(1).await.unwrap(), 1);
    assert_eq!(counted(&store).await, [(1, 4), (2, 2)]);
    assert!(store.use_keys(Ring::new([key(2)])).await.is_err());
    // What is put in the middle of a rotation is sealed with the new key.
    store.put_sender(sender(7), "test").await.unwrap();
    assert_eq!(counted(&store).await, [(1, 4), (2, 4)]);
    assert_eq!(store.reseal(10).await.unwrap(), 2);
    store.use_keys(Ring::new([key(2)])).await.unwrap();
    assert_eq!(counted(&store).await, [(2, 8)]);
    assert_eq!(store.reseal(10).await.unwrap(), 0);
}
