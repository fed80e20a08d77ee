//! The common form, beyond the samples.

use serde_json::json;

use super::*;
use crate::channel::claim;

const META: Dialect<'_> = Dialect {
    provider: Provider::Meta,
    account: None,
    groups: false,
    own_ids: &["id"],
    file: &["id", "url"],
    fate: |_| None,
};
const GUPSHUP: Dialect<'_> = Dialect {
    provider: Provider::Gupshup,
    account: Some("app-1"),
    own_ids: &["gs_id", "id", "meta_msg_id"],
    file: &["url", "id"],
    ..META
};

/// A body of one value.
fn body(field: &str, value: Value) -> Object {
    let body = json!({"object": OBJECT, "entry": [{"id": "7", "time": 1_700_000_000, "changes": [
        {"field": field, "value": value},
    ]}]});
    body.as_object().cloned().expect("an object")
}

fn read(dialect: &Dialect<'_>, field: &str, value: Value) -> Vec<Event> {
    events(&body(field, value), dialect).expect("a body")
}

fn messages(dialect: &Dialect<'_>, messages: Value) -> Vec<Event> {
    let metadata = json!({"phone_number_id": "42", "display_phone_number": "+1 555 000 1111"});
    read(dialect, "messages", json!({"metadata": metadata, "messages": messages}))
}

/// Each event in a line.
fn lines(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Message(inbound) => format!("message {} {}", inbound.id, inbound.contact),
        Event::Own(own) => format!("own {}", own.id),
        Event::Receipt(receipt) => format!("receipt {} {:?}", receipt.message_id, receipt.state),
        Event::Session(_) => "session".into(),
        Event::Template(change) => format!("template {:?} {:?}", change.status, change.category),
        Event::SamePerson(same) => format!("{} is {}", same.known, same.also),
        Event::Consent(consent) => format!("{} wants {}", consent.contact, consent.opted_in),
        Event::Alert(left) | Event::Ignored(left) => left.reason.clone(),
        Event::Unread(unread) => format!("kept: {}", unread.left.reason),
    };
    events.iter().map(line).collect()
}

#[test]
fn a_bad_item_costs_no_other() {
    let text = |id: &str| json!({"from": "971501234567", "id": id, "type": "text", "text": {"body": "hi"}});
    let events = messages(
        &META,
        json!([text("a"), 7, {"from": "971501234567", "type": "text"}, {"from": "x", "id": "c"},
            {"from": "971501234567", "id": "d", "type": "text", "text": {"body": 7}}, text("a"), text("b")]),
    );
    assert_eq!(
        lines(&events),
        [
            "message a 971501234567",
            "kept: unreadable item: expected an object, found a number at entry[0].changes[0].value.messages[1]",
            "kept: unreadable item: expected text, found nothing at entry[0].changes[0].value.messages[2].id",
            "kept: unreadable sender address",
            "kept: unreadable item: expected text, found a number at entry[0].changes[0].value.messages[4].text.body",
            "repeated in the same webhook",
            "message b 971501234567",
        ]
    );
    let mut broken =
        body("messages", json!({"metadata": {"phone_number_id": "42"}, "messages": [text("a")]}));
    let entries = broken["entry"].as_array_mut().expect("entries");
    entries.insert(0, json!({"id": "1", "changes": {"field": "messages"}}));
    entries.insert(1, json!([]));
    entries.insert(2, json!({"changes": [{"field": "messages"}, null, {"field": 3, "value": {}}]}));
    let found = lines(&super::events(&broken, &META).expect("a body"));
    assert_eq!(found.len(), 6, "{found:?}");
    assert_eq!(found[5], "message a 971501234567");
}

#[test]
fn only_a_body_of_another_form_is_an_error() {
    for (body, place) in
        [(json!({}), "entry"), (json!({"entry": {}}), "entry"), (json!({"entry": null}), "entry")]
    {
        let error = events(body.as_object().expect("an object"), &META).expect_err("no entries");
        assert_eq!(error.place, place);
    }
    let page = json!({"object": "page", "entry": []});
    let events = events(page.as_object().expect("an object"), &META).expect("a body");
    assert_eq!(lines(&events), ["unknown object page"]);
}

#[test]
fn a_person_is_found_by_any_id_and_never_by_place() {
    let value = json!({
        "metadata": {"phone_number_id": 42},
        "contacts": [
            {"wa_id": "971500000001", "profile": {"name": "Other"}},
            {"wa_id": "971501234567", "user_id": "AE.9", "parent_user_id": "AE.ENT.9", "profile": {"name": "Sara"}},
            {"user_id": "US.1234", "profile": {"username": "kfisher"}},
        ],
        "messages": [
            {"from": "971501234567", "id": "a", "type": "text", "text": {"body": "hi"}},
            {"from_user_id": "AE.9", "id": "b", "type": "text", "text": {"body": "hi"}},
            {"from_user_id": "US.1234", "id": "c", "type": "text", "text": {"body": "hi"}},
            {"from": "US.77", "id": "d", "type": "text", "text": {"body": "hi"}},
        ],
    });
    let people: Vec<_> = read(&META, "messages", value)
        .into_iter()
        .map(|event| match event {
            Event::Message(inbound) => {
                let aliases: Vec<_> = inbound.aliases.iter().map(|alias| alias.as_str().to_owned()).collect();
                assert_eq!(inbound.account, "42");
                (inbound.from_raw, aliases.join(" "), inbound.display_name.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("971501234567", "AE.9 AE.ENT.9", "Sara"),
        ("971501234567", "AE.9 AE.ENT.9", "Sara"),
        ("US.1234", "", "kfisher"),
        ("US.77", "", ""),
    ];
    assert_eq!(people, expected.map(|(from, aliases, name)| (from.into(), aliases.into(), name.into())));
}

#[test]
fn every_field_has_its_event() {
    for (field, value, expected) in [
        (
            "message_template_status_update",
            json!({"event": "REJECTED", "message_template_id": 5}),
            r#"template Some("REJECTED") None"#,
        ),
        (
            "template_category_update",
            json!({"new_category": "MARKETING"}),
            r#"template None Some("MARKETING")"#,
        ),
        (
            "user_preferences",
            json!({"user_preferences": [{"wa_id": "971501234567", "value": "stop"}]}),
            "971501234567 wants false",
        ),
        (
            "user_preferences",
            json!({"user_preferences": [{"wa_id": "971501234567", "value": "resume"}]}),
            "971501234567 wants true",
        ),
        (
            "user_preferences",
            json!({"user_preferences": [{"wa_id": "971501234567", "value": "?"}]}),
            "kept: unknown wish",
        ),
        ("account_update", json!({"event": "ACCOUNT_DELETED"}), "account change: ACCOUNT_DELETED"),
        ("calls", json!({"calls": [{"id": "c", "from": "971501234567"}]}), "call"),
        ("history", json!({"history": []}), "history"),
        ("new_thing", json!({}), "unknown event new_thing"),
        ("messages", json!({}), "nothing in it"),
        (
            "messages",
            json!({"messages": {}}),
            "kept: unreadable item: expected a list, found an object at entry[0].changes[0].value.messages",
        ),
        ("messages", json!({"errors": [{"code": 0, "title": "no access"}]}), "provider error: 0 no access"),
        (
            "smb_message_echoes",
            json!({"metadata": {"phone_number_id": "42"}, "message_echoes": [{"id": "e", "from": "1", "to": "971501234567", "type": "text", "text": {"body": "mine"}}]}),
            "own e",
        ),
    ] {
        assert_eq!(lines(&read(&META, field, value)), [expected], "{field}");
    }
}

#[test]
fn our_own_number_is_nobodys_contact() {
    let own = json!([{"from": "15550001111", "id": "a", "type": "text", "text": {"body": "hi"}}]);
    assert_eq!(lines(&messages(&META, own)), ["own a"]);
    let group = json!([{"from": "971501234567", "group_id": "g1", "id": "a", "type": "text", "text": {"body": "hi"}}]);
    assert_eq!(lines(&messages(&META, group.clone())), ["group"]);
    assert_eq!(lines(&messages(&Dialect { groups: true, ..META }, group)), ["message a g1@g.us"]);
    let moved = json!([{"from": "971501234567", "id": "a", "type": "system", "system": {"type": "user_changed_number", "wa_id": "971507654321"}}]);
    assert_eq!(lines(&messages(&META, moved)), ["971501234567 is 971507654321"]);
    let identity = json!([{"from": "971501234567", "id": "a", "type": "system", "system": {"type": "customer_identity_changed", "wa_id": "971501234567"}}]);
    assert_eq!(lines(&messages(&META, identity)), ["system notice"]);
}

#[test]
fn a_status_has_every_id_it_is_known_by() {
    let status = json!({"statuses": [{"id": "w", "gs_id": "g", "meta_msg_id": "w", "status": "sent", "timestamp": 1_700_000_000_123_u64, "recipient_id": "971501234567"}]});
    let [Event::Receipt(receipt)] = &read(&GUPSHUP, "messages", status)[..] else { panic!("a receipt") };
    assert_eq!((receipt.message_id.as_str(), receipt.other_ids.as_slice()), ("g", &["w".to_owned()][..]));
    assert_eq!((receipt.account.as_deref(), receipt.at.as_ms()), (Some("app-1"), 1_700_000_000_123));
    for (status, expected) in [
        (json!({"id": "a", "status": "played"}), "receipt a Read"),
        (json!({"id": "a", "status": "enqueued"}), "receipt a Queued"),
        (json!({"id": "a", "status": "deleted"}), "revoke"),
        (json!({"id": "a", "status": "pondering"}), "kept: receipt of an unknown state"),
        (json!({"id": "a", "status": "read", "recipient_type": "group"}), "group receipt"),
        (json!({"type": "set-callback"}), "handshake"),
        (
            json!({"id": "a"}),
            "kept: unreadable item: expected text, found nothing at entry[0].changes[0].value.statuses[0].status",
        ),
        (
            json!({"status": "sent"}),
            "kept: unreadable item: expected text, found nothing at entry[0].changes[0].value.statuses[0].gs_id",
        ),
    ] {
        assert_eq!(lines(&read(&GUPSHUP, "messages", json!({"statuses": [status]}))), [expected]);
    }
}

#[test]
fn a_failure_says_why() {
    for (status, reason) in [
        (
            json!({"errors": [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "24 hours"}}]}),
            "131047 Re-engagement message: 24 hours",
        ),
        (json!({"errors": [{"code": "131026", "message": "to 971501234567"}]}), "131026 to *****"),
        (json!({"code": 1002, "reason": "Number Does Not Exist"}), "1002 Number Does Not Exist"),
        (json!({"errors": []}), "no reason given"),
    ] {
        let mut status = status;
        status["id"] = json!("a");
        status["status"] = json!("failed");
        let [Event::Receipt(receipt)] = &read(&META, "messages", json!({"statuses": [status]}))[..] else {
            panic!("a receipt")
        };
        assert_eq!((receipt.reason.as_deref(), receipt.fate), (Some(reason), Some(Fate::Permanent)));
    }
}

#[test]
fn accounts_are_named_once() {
    let body = json!({"entry": [
        {"id": "7", "changes": [{"value": {"metadata": {"phone_number_id": "42"}}}, {"value": {"metadata": {"phone_number_id": 42}}}]},
        {"id": 7, "changes": [null, {"value": 7}]}, "x",
    ]});
    let claims = claim::read(&CLAIMS, body.to_string().as_bytes()).expect("it is read");
    assert_eq!(claims.accounts, ["7", "42"]);
}
