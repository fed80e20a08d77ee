//! What the explained form does not show, and shapes that the contract allows but no sample has.

use serde_json::{Value, json};
use switchboard::event::{Event, Ignored, SamePerson};
use switchboard::message::{Choice, Content, DeliveryState, Fate, Location, MediaKind, Referral, Timestamp};

use super::{change, events, message, said, sample, with};

fn names(keys: &[switchboard::message::ContactKey]) -> Vec<&str> {
    keys.iter().map(|key| key.as_str()).collect()
}

#[test]
fn people_are_known_by_phone_and_by_the_business_scoped_ids_beside_it() {
    for (name, contact, aliases, display_name, from_raw) in [
        (
            "text.json",
            "972987654321",
            vec!["US.13491208655302741918", "US.ENT.11815799212886844830"],
            Some("Test Name"),
            "972987654321",
        ),
        ("bsuid_only_no_from.json", "US.1234", vec!["US.ENT.5678"], Some("Kerry Fisher"), "US.1234"),
        ("user_id_next_to_phone.json", "5678", vec!["US.1234"], Some("Kerry Fisher"), "5678"),
        ("text_display_number_formatted.json", "5678", vec![], Some("Kerry Fisher"), "5678"),
        ("dashboard_test_sample.json", "16315551181", vec![], Some("test user name"), "16315551181"),
    ] {
        let inbound = message(&sample(name));
        assert_eq!(inbound.contact.as_str(), contact, "{name}");
        assert_eq!(names(&inbound.aliases), aliases, "{name}");
        assert_eq!(inbound.display_name.as_deref(), display_name, "{name}");
        assert_eq!(inbound.from_raw, from_raw, "{name}");
    }
}

/// The profiles stand in any order, and may be of others.
#[test]
fn profiles_are_found_by_id_and_never_by_place() {
    let mut body = said(json!([with(json!({})), with(json!({ "from": "971501234568", "id": "wamid.B" }))]));
    let profile = |name: &str, id: &str| json!({ "profile": { "name": name }, "wa_id": id });
    body["entry"][0]["changes"][0]["value"]["contacts"] = json!([
        profile("Omid", "971501234568"),
        profile("Sara", "971501234567"),
        profile("Nobody", "971501234569")
    ]);
    let found: Vec<Option<String>> = events(&body)
        .into_iter()
        .map(|event| match event {
            Event::Message(inbound) => inbound.display_name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [Some("Sara".to_owned()), Some("Omid".to_owned())]);
}

#[test]
fn quotes_and_referrals() {
    for (name, quoted) in [
        ("reply_context.json", Some("wamid.xyzxyz==")),
        ("button_reply.json", Some("wamid.xyzxyz")),
        ("list_reply.json", Some("wamid.xyzxyz")),
        ("template_quick_reply_button.json", Some("wamid.xyzxyz==")),
        ("video_forwarded_caption.json", None),
        ("document.json", None),
        ("frequently_forwarded_text.json", None),
        ("location_named.json", None),
        ("text.json", None),
    ] {
        assert_eq!(message(&sample(name)).quoted.as_deref(), quoted, "{name}");
    }
    let owned = |text: &str| Some(text.to_owned());
    let referral = Referral {
        kind: "ad or post".into(),
        source_id: owned("ADID"),
        url: owned("AD_OR_POST_FB_URL"),
        headline: owned("AD_TITLE"),
        body: owned("AD_DESCRIPTION"),
        click_id: owned("CTWA_CLID"),
    };
    assert_eq!(message(&sample("referral_ctwa.json")).referral, Some(referral));
    assert_eq!(message(&sample("text.json")).referral, None);
}

#[test]
fn reports() {
    let receipt = |name: &str| match events(&sample(name)).remove(0) {
        Event::Receipt(receipt) => receipt,
        other => panic!("{name}: {other:?}"),
    };
    let traced = receipt("status_with_biz_opaque_callback_data.json");
    assert_eq!(traced.reference.as_deref(), Some("some data"));
    assert_eq!((traced.state, traced.fate), (DeliveryState::Sent, None));
    assert_eq!(traced.contact.as_ref().map(|key| key.as_str()), Some("972987654321"));
    assert_eq!(traced.other_ids, Vec::<String>::new());
    let failed = receipt("status_failed.json");
    assert_eq!((failed.state, failed.fate), (DeliveryState::Failed, Some(Fate::Permanent)));
    for (code, fate) in [
        (json!(131047), Fate::WindowClosed),
        (json!("131047"), Fate::WindowClosed),
        (json!(131050), Fate::OptedOut),
        (json!(130429), Fate::Retry),
        (json!(131026), Fate::Permanent),
        (json!(null), Fate::Permanent),
    ] {
        let status = json!({ "id": "wamid.A", "status": "failed", "errors": [{ "code": code }] });
        let body =
            change("messages", json!({ "metadata": { "phone_number_id": "42" }, "statuses": [status] }));
        let Event::Receipt(receipt) = events(&body).remove(0) else { panic!("a report") };
        assert_eq!(receipt.fate, Some(fate), "{code}");
    }
}

/// One body of everything that the contract names and no sample has.
#[test]
fn kinds_of_messages_beyond_the_samples() {
    let unknown = |kind: &str, data: &str| Content::Unknown { kind: kind.into(), data: data.into() };
    for (changes, expected) in [
        (
            json!({ "text": { "body": "café / \u{1F600}" } }),
            Content::Text { text: "café / \u{1F600}".into() },
        ),
        (
            json!({ "type": "interactive", "interactive": { "type": "list_reply", "list_reply": { "id": "r1", "title": "Row", "description": "d" } } }),
            Content::Choice(Choice { id: "r1".into(), title: "Row".into() }),
        ),
        (
            json!({ "type": "button", "button": { "text": "Yes" } }),
            Content::Choice(Choice { id: "Yes".into(), title: "Yes".into() }),
        ),
        (
            json!({ "type": "location", "location": { "latitude": "25.07", "longitude": "55.13" } }),
            Content::Location(Location { latitude: 25.07, longitude: 55.13, name: None, address: None }),
        ),
        (json!({ "type": "ephemeral" }), unknown("ephemeral", "{}")),
        (
            json!({ "type": "unsupported", "unsupported": { "type": "poll_creation" } }),
            unknown("unsupported", r#"{"type":"poll_creation"}"#),
        ),
    ] {
        let content = message(&said(json!([with(changes.clone())]))).content;
        assert_eq!(content, expected, "{changes}");
    }
    let media = |changes: Value| match message(&said(json!([with(changes)]))).content {
        Content::Media(media) => (media.kind, media.handle),
        other => panic!("{other:?}"),
    };
    let audio = json!({ "type": "audio", "audio": { "id": "7", "voice": false } });
    assert_eq!(media(audio), (MediaKind::Audio, "7".into()));
    let number = json!({ "type": "image", "image": { "id": 65_463_453, "caption": null } });
    assert_eq!(media(number), (MediaKind::Image, "65463453".into()));
    let address = json!({ "type": "image", "image": { "url": "https://lookaside.fbsbx.com/a" } });
    assert_eq!(media(address), (MediaKind::Image, "https://lookaside.fbsbx.com/a".into()));
    assert_eq!(media(json!({ "type": "video", "video": {} })), (MediaKind::Video, String::new()));
}

#[test]
fn what_is_no_word_of_the_contact_is_left_alone() {
    let metadata = json!({ "display_phone_number": "+1 555-078-3881", "phone_number_id": "42" });
    for (body, reason) in [
        (
            said(json!([with(json!({ "type": "revoke", "revoke": { "original_message_id": "wamid.0" } }))])),
            "revoke",
        ),
        (said(json!([with(json!({ "type": "request_welcome", "request_welcome": {} }))])), "chat opened"),
        (
            said(json!([with(
                json!({ "type": "system", "system": { "type": "customer_identity_changed", "body": "x" } })
            )])),
            "system notice",
        ),
        (said(json!([with(json!({ "group_id": "Y2FwaV9ncm91cDo" }))])), "group"),
        (said(json!([with(json!({ "from": "callbackSetPhone" }))])), "kept: unreadable sender address"),
        (said(json!([with(json!({ "from": null }))])), "kept: unreadable sender address"),
        (
            said(json!([with(json!({ "type": "hologram", "hologram": { "id": "1" } }))])),
            "kept: message of an unknown kind hologram",
        ),
        (said(json!([with(json!({ "type": null, "text": null }))])), "kept: message of an unknown kind none"),
        (
            said(json!([with(
                json!({ "type": "interactive", "interactive": { "type": "call_permission_reply" } })
            )])),
            "call",
        ),
        (
            said(json!([with(json!({ "type": "unsupported", "unsupported": { "type": "pin" } }))])),
            "system notice",
        ),
        (said(json!([])), "nothing in it"),
        (change("messages", json!({ "metadata": metadata })), "nothing in it"),
        (
            change(
                "calls",
                json!({ "metadata": metadata, "calls": [{ "id": "wacid.A", "from": "971501234567" }] }),
            ),
            "call",
        ),
        (change("history", json!({ "metadata": metadata, "history": [{ "threads": [] }] })), "history"),
        (change("smb_app_state_sync", json!({ "metadata": metadata, "state_sync": [] })), "contact list"),
        (change("account_alerts", json!({ "entity_type": "BUSINESS" })), "account alert"),
        (change("phone_number_quality_update", json!({ "event": "FLAGGED" })), "number quality: FLAGGED"),
        (
            change("message_template_quality_update", json!({ "new_quality_score": "RED" })),
            "template quality",
        ),
    ] {
        match events(&body).remove(0) {
            Event::Ignored(Ignored { reason: found, .. }) | Event::Alert(Ignored { reason: found, .. }) => {
                assert_eq!(found, reason, "{body}");
            }
            Event::Unread(unread) => assert_eq!(format!("kept: {}", unread.left.reason), reason, "{body}"),
            other => panic!("{other:?} from {body}"),
        }
    }
    // The operator hears of trouble with the account.
    for (field, value, alarming) in [
        ("account_update", json!({ "event": "DISABLED_UPDATE" }), true),
        ("account_alerts", json!({ "alert_type": "OBA_DENIED" }), true),
        ("phone_number_quality_update", json!({ "event": "FLAGGED" }), true),
        ("message_template_quality_update", json!({ "new_quality_score": "RED" }), true),
        ("message_template_quality_update", json!({ "new_quality_score": "GREEN" }), false),
        ("messages", json!({ "metadata": metadata, "errors": [{ "code": 0 }] }), true),
        ("phone_number_name_update", json!({ "decision": "APPROVED" }), false),
        ("some_future_field", json!({}), false),
    ] {
        let event = events(&change(field, value)).remove(0);
        assert_eq!(matches!(event, Event::Alert(_)), alarming, "{field}: {event:?}");
    }
    // What our own number says is ours, wherever it stands.
    let own = said(json!([with(json!({ "from": "15550783881" }))]));
    assert!(matches!(events(&own).remove(0), Event::Own(_)));
}

#[test]
fn what_the_owner_typed_on_the_phone_is_kept() {
    let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": "42" });
    let echo = json!({ "from": "15550783881", "to": "971501234567", "id": "wamid.E", "timestamp": "1739321024",
        "type": "image", "image": { "id": "77", "caption": "the view" } });
    let body = change("smb_message_echoes", json!({ "metadata": metadata, "message_echoes": [echo] }));
    let Event::Own(own) = events(&body).remove(0) else { panic!("an echo") };
    assert_eq!((own.account.as_str(), own.id.as_str()), ("42", "wamid.E"));
    assert_eq!(own.contact.as_ref().map(|key| key.as_str()), Some("971501234567"));
    assert_eq!(own.to_raw.as_deref(), Some("971501234567"));
    assert_eq!(own.content.as_ref().and_then(Content::text), Some("the view"));
    assert_eq!(own.sent_at, Timestamp::from_ms(1_739_321_024_000));
}

fn same(system: Value, changes: Value) -> Vec<(String, String, String)> {
    let mut fields = changes;
    fields["type"] = json!("system");
    fields["system"] = system;
    let pair = |event: Event| match event {
        Event::SamePerson(SamePerson { known, also, because, .. }) => {
            (known.as_str().to_owned(), also.as_str().to_owned(), because.name().to_owned())
        }
        other => panic!("{other:?}"),
    };
    events(&said(json!([with(fields)]))).into_iter().map(pair).collect()
}

#[test]
fn a_person_may_change_their_number_and_their_id() {
    let row = |known: &str, also: &str| (known.to_owned(), also.to_owned(), "number changed".to_owned());
    assert_eq!(
        same(json!({ "type": "user_changed_number", "wa_id": "971501234599", "body": "x" }), json!({})),
        [row("971501234567", "971501234599")]
    );
    assert_eq!(
        same(
            json!({ "type": "customer_changed_number", "new_wa_id": "971501234599", "wa_id": "971501234567" }),
            json!({})
        ),
        [row("971501234567", "971501234599")]
    );
    // A number that changes changes the business-scoped id as well.
    assert_eq!(
        same(
            json!({ "type": "user_changed_number", "wa_id": "971501234599", "user_id": "AE.2", "previous_user_id": "AE.1" }),
            json!({ "from_user_id": "AE.1" })
        ),
        [row("971501234567", "971501234599"), row("AE.1", "AE.2")]
    );
    assert_eq!(
        same(
            json!({ "type": "user_changed_user_id", "user_id": "AE.2", "previous_user_id": "AE.1",
                "parent_user_id": "AE.ENT.2", "previous_parent_user_id": "AE.ENT.1" }),
            json!({ "from": null, "from_user_id": "AE.2" })
        ),
        [row("AE.1", "AE.2"), row("AE.ENT.1", "AE.ENT.2")]
    );
}

#[test]
fn templates_and_wishes() {
    let template = |field: &str, value: Value| match events(&change(field, value)).remove(0) {
        Event::Template(change) => change,
        other => panic!("{other:?}"),
    };
    let named = json!({ "message_template_id": 1_689_556_908_129_832_i64, "message_template_name": "viewing",
        "message_template_language": "en-US" });
    let said = |more: Value| {
        let mut value = named.clone();
        for (name, field) in more.as_object().unwrap() {
            value[name] = field.clone();
        }
        value
    };
    let rejected = template(
        "message_template_status_update",
        said(json!({ "event": "REJECTED", "reason": "PROMOTIONAL" })),
    );
    assert_eq!(rejected.account.as_deref(), Some("102290129340398"));
    assert_eq!(rejected.template_id.as_deref(), Some("1689556908129832"));
    assert_eq!(
        (rejected.status.as_deref(), rejected.reason.as_deref()),
        (Some("REJECTED"), Some("PROMOTIONAL"))
    );
    assert_eq!(rejected.at, Timestamp::from_ms(1_739_321_024_000));
    let moved = template(
        "template_category_update",
        said(json!({ "previous_category": "UTILITY", "new_category": "MARKETING" })),
    );
    assert_eq!((moved.status, moved.category.as_deref()), (None, Some("MARKETING")));
    let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": "42" });
    let wish = |value: &str| {
        let wish = json!({ "wa_id": "971501234567", "category": "marketing_messages", "value": value, "timestamp": 1_739_321_024 });
        let value = json!({ "metadata": metadata, "user_preferences": [wish, 7] });
        let found = events(&change("user_preferences", value));
        assert_eq!(found.len(), 2);
        match &found[0] {
            Event::Consent(consent) => (consent.contact.as_str().to_owned(), consent.opted_in),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wish("stop"), ("971501234567".into(), false));
    assert_eq!(wish("resume"), ("971501234567".into(), true));
    assert_eq!(wish("signup"), ("971501234567".into(), true));
}

#[test]
fn a_body_of_several_accounts_keeps_each_apart() {
    let first = sample("text.json")["entry"][0].clone();
    let second = sample("text_display_number_formatted.json")["entry"][0].clone();
    let template = sample("template_status_update.json")["entry"][0].clone();
    let body = json!({ "object": "whatsapp_business_account", "entry": [first, 7, second, template] });
    let accounts: Vec<Option<String>> =
        events(&body).iter().map(|event| event.account().map(str::to_owned)).collect();
    let named = |account: &str| Some(account.to_owned());
    assert_eq!(accounts, [named("1122334455667"), None, named("1234567890"), named("102290129340398")]);
}

#[test]
fn times() {
    let at =
        |timestamp: Value| message(&said(json!([with(json!({ "timestamp": timestamp }))]))).sent_at.as_ms();
    assert_eq!(at(json!("1739321025")), 1_739_321_025_000);
    assert_eq!(at(json!(1_739_321_025)), 1_739_321_025_000);
    assert_eq!(at(json!("1739321025123")), 1_739_321_025_123);
    // The entry's own time is better than none.
    assert_eq!(at(json!("yesterday")), 1_739_321_024_000);
}
