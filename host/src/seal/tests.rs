//! What is sealed opens in its own place with its own key, and nowhere else.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> Key {
    Key::new(Zeroizing::new([byte; KEY_BYTES]))
}

fn place<'a>(tenant: Option<u32>, sender: &'a SenderName, field: &'a str) -> Place<'a> {
    Place { tenant: tenant.and_then(TenantId::new), sender, field }
}

#[test]
fn a_secret_opens_in_its_own_place_only() {
    let ring = Ring::new([key(1)]);
    let (main, other) = (SenderName::new("main"), SenderName::new("other"));
    let here = place(Some(2), &main, "api_key");
    let secret = Secret::new("hush");
    let sealed = ring.seal(here, &secret, [7; NONCE_BYTES]).unwrap();
    assert!(sealed.expose().starts_with(&format!("sealed:v1:{}:", key(1).id())));
    assert!(!sealed.expose().contains("hush"));
    assert_eq!(ring.open(here, &sealed), Ok(secret.clone()));
    for elsewhere in [
        place(None, &main, "api_key"),
        place(Some(3), &main, "api_key"),
        place(Some(2), &other, "api_key"),
        place(Some(2), &main, "hmac_key"),
    ] {
        assert_eq!(ring.open(elsewhere, &sealed), Err(Unopened::Changed), "{elsewhere:?}");
    }
    let again = ring.seal(here, &secret, [8; NONCE_BYTES]).unwrap();
    assert_ne!(again, sealed, "another nonce, another text");
}

#[test]
fn a_changed_text_does_not_open() {
    let ring = Ring::new([key(1)]);
    let main = SenderName::new("main");
    let here = place(None, &main, "api_key");
    let sealed = ring.seal(here, &Secret::new("hush"), [7; NONCE_BYTES]).unwrap();
    let text = sealed.expose();
    let body = text.rfind(':').unwrap() + 1;
    for at in body..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = Secret::new(String::from_utf8(bytes).unwrap());
        assert_eq!(ring.open(here, &changed), Err(Unopened::Changed), "byte {at}");
    }
    let cut = Secret::new(&text[..body + 8]);
    assert_eq!(ring.open(here, &cut), Err(Unopened::Changed));
    let nothing = Secret::new(format!("sealed:v1:{}:", key(1).id()));
    assert_eq!(ring.open(here, &nothing), Err(Unopened::Changed));
}

#[test]
fn old_keys_open_and_the_current_one_seals() {
    let main = SenderName::new("main");
    let here = place(None, &main, "api_key");
    let old = Ring::new([key(1)]);
    let sealed = old.seal(here, &Secret::new("hush"), [7; NONCE_BYTES]).unwrap();
    let both = Ring::new([key(1), key(2)]);
    assert_eq!(both.open(here, &sealed), Ok(Secret::new("hush")));
    let again = both.seal(here, &Secret::new("hush"), [7; NONCE_BYTES]).unwrap();
    assert_eq!(sealed_with(&again), Some(key(2).id().clone()));
    let new = both.without(key(1).id());
    assert_eq!(new.open(here, &sealed), Err(Unopened::NoKey(key(1).id().clone())));
    assert_eq!(Ring::default().seal(here, &Secret::new("x"), [0; NONCE_BYTES]), Err(NoCurrentKey));
    let twice = Ring::new([key(1), key(2), key(1)]);
    assert_eq!(twice.current().unwrap().id(), key(1).id());
    assert_eq!(twice.keys().count(), 2);
}

#[test]
fn what_was_kept_in_clear_is_taken_as_it_is() {
    let main = SenderName::new("main");
    let here = place(None, &main, "api_key");
    for text in ["", "hush", "sealed", "sealed:v2:x:y", "sealed:v1:"] {
        assert_eq!(Ring::default().open(here, &Secret::new(text)), Ok(Secret::new(text)), "{text}");
    }
}

#[test]
fn keys_are_read_as_they_are_written_and_not_shown() {
    let written = key(9).text();
    assert_eq!(Key::parse(&format!(" {}\n", *written)).unwrap().id(), key(9).id());
    for wrong in
        ["", "x", "AAAA", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33]), &hex::encode([1; 32])]
    {
        assert_eq!(Key::parse(wrong).err(), Some(NoKey), "{wrong}");
    }
    let shown = format!("{:?} {:?}", key(9), Ring::new([key(9)]));
    assert_eq!(shown, "(key) (1 keys)");
}

proptest! {
    #[test]
    fn anything_comes_back(text in ".*", nonce in any::<[u8; NONCE_BYTES]>(), tenant in any::<Option<u32>>(), name in ".*") {
        let ring = Ring::new([key(1), key(2)]);
        let name = SenderName::new(name);
        let here = place(tenant, &name, "api_key");
        let sealed = ring.seal(here, &Secret::new(text.as_str()), nonce).unwrap();
        let opened = ring.open(here, &sealed);
        prop_assert_eq!(opened.as_ref().map(Secret::expose), Ok(text.as_str()));
    }

    /// Whatever an attacker writes into a row, opening it is an answer and not a panic.
    #[test]
    fn nothing_that_is_written_panics(text in "(sealed:v1:[0-9a-f]{0,14}:)?.*") {
        let name = SenderName::new("main");
        let _ = Ring::new([key(1)]).open(place(None, &name, "api_key"), &Secret::new(text));
    }
}
