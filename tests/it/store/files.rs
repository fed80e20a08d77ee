//! Files: known from the commit of the message that brought them, ended once, counted truly.

use switchboard::conversation::{Line, Trigger};
use switchboard::event::Own;
use switchboard::message::{Content, Media, MediaKind, Provider, SenderName, TenantId};
use switchboard::store::media::{File, FileAges, FileState};
use switchboard::store::{Arrival, Error, Store};

use super::lab::{Factory, Lab, arrival, at, contact, key, tenant, tenant_id};

const ADDRESS: &str = "http://localhost:3000/api/files/default/secret-name.jpg";

/// A picture to sender `main`.
fn picture(who: &str, id: &str, source: &str, ms: i64) -> Arrival {
    let mut arrival = arrival(who, id, "", at(ms));
    arrival.inbound.content = Content::Media(Media {
        kind: MediaKind::Image,
        handle: source.into(),
        mime_type: Some("image/jpeg".into()),
        filename: Some("villa.jpg".into()),
        caption: Some("look".into()),
        size: None,
    });
    arrival
}

/// The handle that the brain of the next turn is shown.
async fn shown(lab: &Lab<'_>, ms: i64) -> String {
    let claim = lab.claim_one(ms).await;
    let Trigger::Messages { messages } = &claim.trigger else { panic!("{:?}", claim.trigger) };
    let Content::Media(media) = &messages[0].content else { panic!("{messages:?}") };
    lab.commit(&claim, super::lab::says(&[]), ms).await;
    media.handle.clone()
}

async fn due(store: &dyn Store, ms: i64) -> Vec<File> {
    let files = store.claim_files(100, at(ms)).await.expect("claimed");
    files.iter().for_each(|file| store.release_file(file.tenant, &file.handle));
    files
}

fn stored(file: &File, size: u64) -> File {
    File { state: FileState::Stored { size, sha256: "00".repeat(32) }, ..file.clone() }
}

/// A file that the tenant put here itself.
fn own(tenant: TenantId, number: u32, size: u64, ms: i64) -> File {
    File {
        handle: format!("file-{number:032x}"),
        tenant,
        sender: None,
        source: String::new(),
        mime_type: Some("application/pdf".into()),
        filename: None,
        state: FileState::Stored { size, sha256: "11".repeat(32) },
        received_at: at(ms),
    }
}

pub async fn a_file_waits_from_the_commit_of_its_message(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.accept(picture("971501", "one", ADDRESS, 10)).await;
    lab.accept(picture("971501", "one", ADDRESS, 11)).await;
    lab.restart();
    let files = due(lab.store().as_ref(), 20).await;
    assert_eq!(files.len(), 1, "a duplicate brings no second file");
    let file = &files[0];
    assert_eq!((file.source.as_str(), file.tenant), (ADDRESS, tenant_id(1)));
    assert_eq!(file.sender, Some(SenderName::new("main")));
    assert_eq!(file.state, FileState::Waiting { due_at: at(10), attempts: 0, error: None });
    assert_eq!(shown(&lab, 20).await, file.handle, "the brain is shown our handle");
    assert!(file.handle.starts_with("file-") && file.handle.len() == 37, "{}", file.handle);
    assert!(
        lab.store().file(tenant_id(2), &file.handle).await.expect("looked up").is_none(),
        "another tenant's"
    );
    // Two messages with one address are two files: each has a life of its own.
    lab.accept(picture("971501", "two", ADDRESS, 30)).await;
    assert_ne!(shown(&lab, 40).await, file.handle);
    // What is ignored leaves nothing, and a file that the provider did not hand over is none.
    lab.accept(picture("971599", "three", ADDRESS, 50)).await;
    lab.accept(picture("971501", "four", "", 60)).await;
    assert_eq!(shown(&lab, 70).await, "");
    assert_eq!(due(lab.store().as_ref(), 80).await.len(), 2);
}

/// A picture that the agent took with the phone itself is a file like a contact's.
pub async fn a_humans_own_picture_is_a_file_too(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    let own = Own {
        provider: Provider::Waha,
        account: "default".into(),
        id: "true_971501@c.us_A1".into(),
        contact: Some(contact("971501")),
        from_raw: None,
        to_raw: Some("971501@c.us".into()),
        sent_at: at(0),
        content: Some(picture("971501", "one", ADDRESS, 10).inbound.content),
        quoted: None,
        origin: None,
    };
    lab.store().record_own(own, SenderName::new("main"), None, at(10)).await.expect("recorded");
    let file = due(lab.store().as_ref(), 20).await.remove(0);
    assert_eq!(file.source, ADDRESS);
    let (_, line) = lab.store().history(&key(1, "971501"), None, 1).await.expect("read").remove(0);
    let Line::Heard(heard) = line.line else { panic!("{line:?}") };
    assert!(matches!(heard.content, Content::Media(media) if media.handle == file.handle));
}

/// In the simulator a chat may show a file that the tenant has stored.
pub async fn the_simulator_shows_stored_files(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    let file = own(tenant_id(1), 7, 10, 1);
    let (mut real, mut simulated) =
        (picture("971501", "one", &file.handle, 10), picture("971501", "two", &file.handle, 20));
    real.inbound.provider = Provider::Waha;
    simulated.inbound.provider = Provider::Simulator;
    lab.accept(real).await;
    assert_ne!(shown(&lab, 11).await, file.handle, "a contact's word is no handle");
    lab.accept(simulated).await;
    assert_eq!(shown(&lab, 21).await, file.handle);
}

pub async fn a_file_ends_once(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    for (id, ms) in [("one", 10), ("two", 20), ("three", 30)] {
        lab.accept(picture("971501", id, ADDRESS, ms)).await;
    }
    let store = lab.store();
    let files = due(store.as_ref(), 25).await;
    assert_eq!(files.len(), 2, "the third is not due yet");
    let (one, two) = (&files[0], &files[1]);
    let later = FileState::Waiting { due_at: at(1000), attempts: 1, error: Some("503".into()) };
    store.settle_file(one.tenant, &one.handle, later.clone()).await.expect("waits on");
    assert_eq!(store.file(one.tenant, &one.handle).await.expect("read").expect("there").state, later);
    let left: Vec<String> = due(store.as_ref(), 999).await.into_iter().map(|file| file.handle).collect();
    assert_eq!((left.len(), &left[0]), (2, &two.handle), "the longest due comes first");
    let busy = store.claim_files(1, at(999)).await.expect("claimed");
    assert_eq!(busy[0].handle, two.handle);
    assert_eq!(due(store.as_ref(), 2000).await.len(), 2, "what is busy is left out");
    store.release_file(two.tenant, &two.handle);
    store.store_file(stored(two, 40)).await.expect("stored");
    let failed = FileState::Failed { reason: "404".into() };
    store.settle_file(one.tenant, &one.handle, failed.clone()).await.expect("failed");
    assert_eq!(store.stored_bytes(one.tenant).await.expect("counted"), 40);
    for (case, result) in [
        ("stored twice", store.store_file(stored(two, 40)).await),
        ("stored after it failed", store.store_file(stored(one, 40)).await),
        ("failed after it was stored", store.settle_file(two.tenant, &two.handle, failed).await),
    ] {
        assert!(matches!(result, Err(Error::Conflict(_))), "{case}: {result:?}");
    }
    let nowhere = store.settle_file(tenant_id(2), &two.handle, FileState::Gone).await;
    assert!(matches!(nowhere, Err(Error::NotFound(_))), "{nowhere:?}");
    store.settle_file(two.tenant, &two.handle, FileState::Gone).await.expect("gone");
    assert_eq!(store.stored_bytes(two.tenant).await.expect("counted"), 0);
}

pub async fn a_tenant_has_so_much_room(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.accept(picture("971501", "one", ADDRESS, 10)).await;
    let file = due(lab.store().as_ref(), 20).await.remove(0);
    let store = lab.store().clone();
    store.put_file(own(tenant_id(1), 1, 60, 20), "test").await.expect("there is room");
    store.put_file(own(tenant_id(2), 2, 100, 20), "test").await.expect("another tenant's room");
    let refused = store.put_file(own(tenant_id(1), 3, 41, 20), "test").await;
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    let refused = store.store_file(stored(&file, 41)).await;
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    assert_eq!(due(store.as_ref(), 20).await.len(), 1, "it waits on");
    store.store_file(stored(&file, 40)).await.expect("to the last byte");
    drop(store);
    // Opening counts it all again.
    lab.restart();
    assert_eq!(lab.store().stored_bytes(tenant_id(1)).await.expect("counted"), 100);
    let listed = lab.store().files(tenant_id(1), 10).await.expect("listed");
    let sizes: Vec<u64> = listed.iter().map(|file| file.state.size()).collect();
    assert_eq!(sizes, [60, 40], "newest first");
    let audited = lab.store().audit_log(10).await.expect("read");
    assert!(audited.iter().any(|entry| entry.action == "put file"), "{audited:?}");
}

pub async fn files_grow_old(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.accept(picture("971501", "waits", ADDRESS, 10)).await;
    for (number, ms) in [(1, 20), (2, 30), (3, 40)] {
        lab.store().put_file(own(tenant_id(1), number, 10, ms), "test").await.expect("put");
    }
    let ages = |keep: i64, remember: i64| FileAges { keep_from: at(keep), remember_from: at(remember) };
    let expire = async |lab: &Lab<'_>, ages| {
        let ended = lab.store().expire_files(ages, 100).await.expect("expired");
        ended.into_iter().map(|file| file.received_at).collect::<Vec<_>>()
    };
    let first = format!("file-{:032x}", 1);
    assert_eq!(expire(&lab, ages(35, 0)).await, [at(20), at(30)], "those with bytes to remove");
    assert_eq!(
        due(lab.store().as_ref(), 1000).await.len(),
        0,
        "what waited too long is not fetched any more"
    );
    assert_eq!(lab.store().stored_bytes(tenant_id(1)).await.expect("counted"), 10);
    let gone = lab.store().file(tenant_id(1), &first).await.expect("read").expect("remembered");
    assert_eq!(gone.state, FileState::Gone);
    assert_eq!(expire(&lab, ages(35, 25)).await, []);
    assert!(lab.store().file(tenant_id(1), &first).await.expect("read").is_none(), "forgotten");
    lab.restart();
    assert_eq!(lab.store().files(tenant_id(1), 10).await.expect("listed").len(), 2);
}

/// Tenants of one number take turns, whoever sends how much.
pub async fn one_tenants_files_keep_nobody_waiting(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.meets("971502", 2, 0).await;
    let many = (0..1000).map(|n| lab.accept(picture("971501", &format!("many {n}"), ADDRESS, 10)));
    futures::future::join_all(many).await;
    lab.restart();
    let store = lab.store();
    let mut busy = store.claim_files(16, at(20)).await.expect("claimed");
    assert_eq!(busy.len(), 3, "the number's last place is for another tenant");
    lab.accept(picture("971502", "single", ADDRESS, 30)).await;
    let single = store.claim_files(16, at(30)).await.expect("claimed");
    assert_eq!(single.iter().map(|file| file.tenant).collect::<Vec<_>>(), [tenant_id(2)]);
    store.store_file(stored(&single[0], 10)).await.expect("stored");
    store.release_file(single[0].tenant, &single[0].handle);
    // Those of the first go on one after the other, each of them once.
    let mut fetched = std::collections::HashSet::new();
    while let Some(file) = busy.pop() {
        assert!(fetched.insert(file.handle.clone()), "{}", file.handle);
        store.store_file(stored(&file, 10)).await.expect("stored");
        store.release_file(file.tenant, &file.handle);
        busy.extend(store.claim_files(16, at(40)).await.expect("claimed"));
    }
    assert_eq!((fetched.len(), store.next_file_at()), (1000, None));
}

/// What there is no room for is not handed out until there is.
pub async fn files_wait_for_room(factory: &dyn Factory) {
    let lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    for n in 0..4 {
        lab.accept(picture("971501", &format!("picture {n}"), ADDRESS, 10 + n)).await;
    }
    let store = lab.store();
    let claim = async |ms: i64| store.claim_files(16, at(ms)).await.expect("claimed");
    let mut files = claim(20).await;
    let (third, fourth) = (files.remove(2), files.remove(2));
    for file in &files {
        store.store_file(stored(file, 45)).await.expect("there is room");
        store.release_file(file.tenant, &file.handle);
    }
    for file in [&third, &fourth] {
        assert!(!store.has_waited_for_room(file.tenant, &file.handle));
        let refused = store.store_file(stored(file, 40)).await;
        assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
        store.park_file(file, 40);
    }
    for ms in [30, 1_000_000, 1_000_000_000] {
        assert_eq!(claim(ms).await, [], "nothing is tried");
    }
    // Whatever else the tenant does makes no room.
    lab.hears("971501", "hello", 40).await;
    assert_eq!(claim(1_000_000_000).await, []);
    store.settle_file(files[0].tenant, &files[0].handle, FileState::Gone).await.expect("gone");
    let next = claim(1_000_000_000).await;
    assert_eq!(next.len(), 1, "there is room for one of the two");
    assert!(store.has_waited_for_room(next[0].tenant, &next[0].handle));
    store.store_file(stored(&next[0], 40)).await.expect("there is room");
    store.release_file(next[0].tenant, &next[0].handle);
    assert_eq!(claim(1_000_000_000).await, []);
    // So does a larger quota.
    let mut larger = tenant(1, 1);
    larger.quotas = serde_json::from_value(serde_json::json!({ "file_bytes": 125 })).expect("quotas");
    store.put_tenant(larger, "test").await.expect("put");
    assert_eq!(claim(1_000_000_000).await.len(), 1);
    lab.assert_counters_true().await;
}

/// With all of it used up nothing is handed out, be it tried before or not.
pub async fn no_room_no_files(factory: &dyn Factory) {
    let mut lab = Lab::new(factory).await;
    lab.meets("971501", 1, 0).await;
    lab.accept(picture("971501", "waits", ADDRESS, 10)).await;
    lab.store().put_file(own(tenant_id(1), 1, 100, 20), "test").await.expect("put");
    lab.accept(picture("971501", "waits too", ADDRESS, 30)).await;
    assert_eq!(due(lab.store().as_ref(), 1000).await, []);
    lab.restart();
    assert_eq!(due(lab.store().as_ref(), 1000).await, []);
    let gone = format!("file-{:032x}", 1);
    lab.store().settle_file(tenant_id(1), &gone, FileState::Gone).await.expect("gone");
    assert_eq!(due(lab.store().as_ref(), 1000).await.len(), 2);
}
