//! Small rows are read as they were written.

use super::*;
use crate::store::AuditEntry;

/// As it comes back.
#[track_caller]
fn again<R: RowCode>(row: &R) -> R {
    let read = row.with(&mut Vec::new(), |kept| R::read("rows", kept));
    read.unwrap_or_else(|error| panic!("it is not read again: {error}"))
}

#[test]
fn wishes() {
    for wish in [Wish::Unsaid, Wish::Connected, Wish::LoggedOut] {
        assert_eq!(again(&wish), wish);
    }
}

#[test]
fn marks() {
    for matters in [false, true] {
        let mark = UnreadMark { bytes: u64::MAX, received_at: Timestamp::from_ms(-7), matters };
        assert_eq!(again(&mark), mark);
    }
}

#[test]
fn what_is_passed_on_undecoded() {
    let row = CollectionRow { json: b"[{\"id\": 1}]".to_vec() };
    assert_eq!(again(&row).json, row.json);
    let entry = AuditEntry {
        at: Timestamp::from_ms(5),
        actor: "operator".into(),
        action: "unlock".into(),
        subject: "x".repeat(10_000),
        detail: serde_json::json!({ "reason": "he asked\nfor it" }),
    };
    let kept = again(&Audited::new(&entry)).entry();
    let kept = kept.unwrap_or_else(|error| panic!("it is not read again: {error}"));
    assert_eq!(kept, entry.bounded());
    assert!(kept.subject.len() < 1_000, "a row is bounded, whoever makes it");
}
