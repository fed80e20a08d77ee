//! What a provider's list makes of what is known here, a row a case.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::template::Category;

const BEGAN: Timestamp = Timestamp::from_ms(1_772_366_400_000);

fn known(status: Status, id: Option<&str>, minutes_ago: i64) -> Registered {
    let template = serde_json::from_value(serde_json::json!({
        "name": "hello", "language": "en", "category": "utility", "body": "Hello.",
    }));
    let changed = BEGAN.plus_ms(-minutes_ago * MINUTE_MS);
    let draft = Registered::draft(
        TenantId::new(2).expect("as it is made here"),
        SenderName::new("main"),
        template.expect("as it is made here"),
        changed,
    );
    Registered { status, provider_id: id.map(str::to_owned), ..draft }
}

fn listed(id: &str, name: &str, language: &str, status: Status) -> Listed {
    Listed {
        id: Some(id.into()),
        name: name.into(),
        language: language.into(),
        status,
        category: Some(Category::Marketing),
        reason: None,
    }
}

#[test]
fn a_list_is_compared_with_what_is_known() {
    use Status::{Approved, Deleted, Draft, Paused, Pending, Rejected};
    let here = || listed("17", "hello", "en", Approved);
    let rows = [
        (
            "by its id",
            known(Pending, Some("17"), 60),
            listed("17", "renamed", "en", Paused),
            true,
            Some(Paused),
        ),
        ("by its name", known(Pending, None, 60), here(), true, Some(Approved)),
        (
            "in no language",
            known(Pending, None, 60),
            listed("17", "hello", "", Approved),
            true,
            Some(Approved),
        ),
        (
            "in another language",
            known(Pending, None, 60),
            listed("17", "hello", "fa", Approved),
            true,
            Some(Deleted),
        ),
        ("gone", known(Approved, Some("17"), 60), listed("18", "other", "en", Approved), true, Some(Deleted)),
        (
            "gone, of a part",
            known(Approved, Some("17"), 60),
            listed("18", "other", "en", Approved),
            false,
            None,
        ),
        ("just submitted", known(Pending, None, 9), listed("18", "other", "en", Approved), true, None),
        (
            "rejected and gone",
            known(Rejected, None, 60),
            listed("18", "other", "en", Approved),
            true,
            Some(Deleted),
        ),
        ("a draft", known(Draft, None, 60), listed("18", "other", "en", Approved), true, None),
        (
            "deleted already",
            known(Deleted, Some("17"), 60),
            listed("18", "other", "en", Approved),
            true,
            None,
        ),
    ];
    for (case, known, listed, whole, status) in rows {
        let list = List { templates: vec![listed], whole };
        assert_eq!(list.news(&known, false, BEGAN).status, status, "{case}");
    }
    let list = List { templates: vec![here()], whole: true };
    let draft = known(Draft, None, 60);
    assert_eq!(list.news(&draft, false, BEGAN), News::default(), "a shared number's may be another's");
    let linked = list.news(&draft, true, BEGAN);
    assert_eq!((linked.status, linked.provider_id.as_deref()), (Some(Approved), Some("17")));
}

#[test]
fn senders_of_one_account_are_one() {
    let mut directory = Directory::default();
    for (name, provider, account, business, active) in [
        ("a", "meta", "1", Some("waba"), true),
        ("b", "meta", "2", Some("waba"), true),
        ("c", "meta", "3", Some("other"), true),
        ("d", "meta", "4", Some("other"), false),
        ("e", "waha", "default", None, true),
    ] {
        let mut sender = serde_json::json!({
            "name": name, "provider": provider, "account": account, "active": active,
        });
        if let Some(business) = business {
            sender["business_account"] = business.into();
        }
        directory.put_sender(serde_json::from_value(sender).unwrap());
    }
    let groups: Vec<Vec<String>> = accounts(&directory)
        .values()
        .map(|senders| senders.iter().map(|sender| sender.name.to_string()).collect())
        .collect();
    assert!(groups.iter().all(|names| !names.contains(&"e".to_owned())), "WAHA has no templates: {groups:?}");
    assert!(
        groups.is_empty() || groups == [vec!["c".to_owned()], vec!["a".into(), "b".into()]],
        "{groups:?}"
    );
}
