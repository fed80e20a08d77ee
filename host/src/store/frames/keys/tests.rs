//! A key is read as it was written, and what has a key in several parts lies together by the first of them.

use std::fmt::Debug;

use redb::Key as _;

use super::*;

/// As it lies in a table.
fn bytes<K: KeyCode>(key: &K) -> Vec<u8> {
    key.with(|kept| <K::In as Value>::as_bytes(&kept).as_ref().to_vec())
}

/// `keys`: in the order that the rules count on.
#[track_caller]
fn check<K: KeyCode + PartialEq + Debug>(keys: &[K]) {
    for key in keys {
        let Ok(read) = key.with(|kept| K::read("keys", kept)) else { panic!("{key:?} is not read again") };
        assert_eq!(read, *key);
    }
    for pair in keys.windows(2) {
        let order = K::In::compare(&bytes(&pair[0]), &bytes(&pair[1]));
        assert!(order.is_lt(), "{:?} lies before {:?}", pair[0], pair[1]);
    }
}

fn tenant(id: u32) -> TenantId {
    TenantId::from_stored(id)
}

fn contact(name: &str) -> ContactKey {
    ContactKey::from_stored(name)
}

fn of(id: u32, name: &str) -> ConversationKey {
    ConversationKey { tenant: tenant(id), contact: contact(name) }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

#[test]
fn numbers_and_names() {
    check(&[()]);
    check(&[0, 255, 256, u64::MAX]);
    check(&[String::new(), "a".into(), "aa".into(), "b".into()]);
    check(&[OrganizationId(0), OrganizationId(255), OrganizationId(256)]);
    check(&[tenant(0), tenant(255), tenant(256)]);
    check(&[SenderName::new(""), SenderName::new("main"), SenderName::new("main2")]);
    check(&[[0; 16], [255; 16]]);
    check(&[Place::new(0, tenant(9)), Place::new(255, tenant(1)), Place::new(256, tenant(0))]);
}

#[test]
fn contacts_and_conversations() {
    check(&[contact(""), contact("97150"), contact("971501")]);
    check(&[(contact("1"), contact("9")), (contact("2"), contact("")), (contact("10"), contact("1"))]);
    check(&[(contact("1"), tenant(0)), (contact("1"), tenant(7)), (contact("2"), tenant(0))]);
    check(&[(contact("1"), tenant(7), contact("a")), (contact("1"), tenant(7), contact("b"))]);
    check(&[of(0, ""), of(0, "9"), of(1, "1"), of(1, "12")]);
    check(&[(of(1, "1"), 0), (of(1, "1"), 256), (of(1, "2"), 1), (of(1, "12"), 1)]);
    check(&[(of(1, "1"), String::new()), (of(1, "1"), "call".into()), (of(1, "2"), "a".into())]);
    check(&[(OrganizationId(1), contact("9")), (OrganizationId(2), contact("1"))]);
}

#[test]
fn times_and_files() {
    check(&[(at(0), contact("9")), (at(1), contact("1"))]);
    check(&[(at(0), of(9, "1"), "b".into()), (at(1), of(1, "1"), "a".to_owned())]);
    check(&[(tenant(1), 0), (tenant(1), 256), (tenant(2), 1)]);
    check(&[(tenant(1), "homes".into()), (tenant(2), "cars".to_owned())]);
    check(&[(at(1), tenant(2), "b".into()), (at(2), tenant(1), "a".to_owned())]);
    check(&[(false, at(9), tenant(2), "b".into()), (true, at(1), tenant(1), "a".to_owned())]);
}

#[test]
fn templates_and_webhooks() {
    let key = |name: &str, language: &str, sender: &str| template::Key {
        tenant: tenant(2),
        name: name.into(),
        language: language.into(),
        sender: SenderName::new(sender),
    };
    check(&[key("offer", "ar", "main"), key("offer", "en", "main"), key("offer_2", "ar", "main")]);
    let named = |name: &str, number| (name.to_owned(), number);
    check(&[named("meta", 0), named("meta", 255), named("meta", 256), named("metal", 1), named("waha", 0)]);
}
