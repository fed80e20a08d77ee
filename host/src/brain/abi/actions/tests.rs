//! Outcomes that must not pass, each with the exact sentence its developer reads, and one that does.

use super::*;

fn send(content: wit::OutgoingContent) -> wit::Action {
    wit::Action::Send(wit::Outgoing { content, reply_to: None })
}

fn text(text: &str) -> wit::Action {
    send(wit::OutgoingContent::Text(text.into()))
}

fn buttons(titles: &[(&str, &str)]) -> wit::Action {
    send(wit::OutgoingContent::Buttons(wit::Buttons {
        body: "Which?".into(),
        footer: None,
        buttons: titles
            .iter()
            .map(|(id, title)| wit::Choice { id: (*id).into(), title: (*title).into() })
            .collect(),
    }))
}

fn rows(count: usize) -> wit::Action {
    let rows = (0..count)
        .map(|n| wit::ListRow { id: n.to_string(), title: format!("Row {n}"), description: None })
        .collect();
    send(wit::OutgoingContent::List(wit::ListMenu {
        body: "Choose".into(),
        footer: None,
        button: "Open".into(),
        sections: vec![wit::ListSection { title: None, rows }],
    }))
}

fn card(name: &str, phones: &[&str]) -> wit::ContactCard {
    wit::ContactCard {
        name: name.into(),
        phones: phones.iter().map(|phone| (*phone).into()).collect(),
        emails: vec!["jane@example.com".into()],
        organization: Some(String::new()),
    }
}

fn cards(cards: Vec<wit::ContactCard>) -> wit::Action {
    send(wit::OutgoingContent::Contacts(cards))
}

fn media(source: &str) -> wit::Action {
    send(wit::OutgoingContent::Media(wit::OutgoingMedia {
        kind: wit::MediaKind::Image,
        source: source.into(),
        caption: None,
        filename: None,
    }))
}

fn schedule(key: &str, payload: &str) -> wit::Action {
    wit::Action::Schedule(wit::Schedule { key: key.into(), at: 1, payload: payload.into() })
}

fn lead(fields: &str) -> wit::Action {
    wit::Action::UpdateLead(wit::LeadUpdate { stage: None, fields: fields.into() })
}

fn run(actions: Vec<wit::Action>, memory: Option<&str>) -> Result<Wanted, Rejected> {
    let limits = ResolvedLimits { actions: 4, text_bytes: 40, state_bytes: 20, ..ResolvedLimits::default() };
    let outcome = wit::Outcome { actions, memory: memory.map(str::to_owned) };
    check(outcome, &limits, &|handle| handle == "waha/abc", Timestamp::from_ms(1_000_000))
}

fn refused(action: wit::Action) -> String {
    let rejected = run(vec![text("fine"), action], None).expect_err("must not pass");
    format!("{}: {}", rejected.code, rejected.message)
}

#[test]
fn each_wrong_action_is_named_with_its_number_and_field() {
    let long = "x".repeat(41);
    let cases = [
        (text(" \n"), "actions: action 2 (send text): text: empty"),
        (
            text(&long),
            "text: action 2 (send text): text is too long: limit 40 bytes, used 41; raise `[limits] text_bytes` \
             in switchboard.toml or the tenant's `limits.text_bytes`",
        ),
        (buttons(&[]), "actions: action 2 (send buttons): buttons: there are none; at least 1"),
        (
            buttons(&[("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]),
            "actions: action 2 (send buttons): buttons: 4; WhatsApp takes at most 3",
        ),
        (
            buttons(&[("a", "Twenty-one characters")]),
            "actions: action 2 (send buttons): button title: 21 characters; WhatsApp takes at most 20",
        ),
        (
            buttons(&[("a", "A"), ("a", "B")]),
            "actions: action 2 (send buttons): button id: `a` is there twice; the choice could not be told apart",
        ),
        (buttons(&[("", "A")]), "actions: action 2 (send buttons): button id: empty"),
        (rows(11), "actions: action 2 (send list): rows: 11; WhatsApp takes at most 10"),
        (rows(0), "actions: action 2 (send list): rows: there are none; at least 1"),
        (
            media("http://169.254.169.254/latest"),
            "actions: action 2 (send media): source: neither an `https://` address nor the handle of a file \
             that this tenant has",
        ),
        (media("https:///x"), "actions: action 2 (send media): source: the address names no host"),
        (schedule("", "{}"), "actions: action 2 (schedule): key: empty"),
        (
            schedule("later", "{"),
            "actions: action 2 (schedule): payload: not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            lead("[1]"),
            "actions: action 2 (update-lead): fields: not a JSON object: invalid type: sequence, expected a map \
             at line 1 column 0",
        ),
        (
            send(wit::OutgoingContent::Location(wit::Location {
                latitude: f64::NAN,
                longitude: 0.0,
                name: None,
                address: None,
            })),
            "actions: action 2 (send location): latitude: NaN is not between -90 and 90",
        ),
        (cards(vec![]), "actions: action 2 (send contacts): contacts: there are none; at least 1"),
        (
            cards(vec![card("Jane", &[]); 6]),
            "actions: action 2 (send contacts): contacts: 6; WhatsApp takes at most 5",
        ),
        (cards(vec![card(" ", &["1"])]), "actions: action 2 (send contacts): contact name: empty"),
        (cards(vec![card("Jane", &[""])]), "actions: action 2 (send contacts): phone: empty"),
        (cards(vec![card("Jane", &["1"; 21])]), "actions: action 2 (send contacts): phones: 21; at most 20"),
    ];
    for (action, expected) in cases {
        assert_eq!(refused(action), expected);
    }
}

#[test]
fn counts_sums_and_memory_are_bounded() {
    let full = || text(&"x".repeat(40));
    let flood = run(vec![text("a"); 5], None).expect_err("five actions");
    assert_eq!(flood.code, "actions");
    assert!(flood.message.contains("limit 4 actions, used 5"), "{}", flood.message);

    let sum = run(vec![full(), full(), full(), full()], None);
    assert!(sum.is_ok(), "the sum may be four times what one text may be: {sum:?}");
    let sum =
        run(vec![full(), full(), full(), quoting(&"x".repeat(40), "q")], None).expect_err("one more byte");
    assert!(sum.message.contains("limit 160 bytes, used 161"), "{}", sum.message);

    let large = run(vec![], Some(&format!("\"{}\"", "x".repeat(19)))).expect_err("21 bytes");
    assert_eq!(large.code, "state");
    assert!(large.message.contains("limit 20 bytes, used 21"), "{}", large.message);
    let broken = run(vec![], Some("{\"a\":")).expect_err("not JSON");
    assert_eq!(broken.code, "state");
}

fn quoting(text: &str, message: &str) -> wit::Action {
    let content = wit::OutgoingContent::Text(text.into());
    wit::Action::Send(wit::Outgoing { content, reply_to: Some(message.into()) })
}

#[test]
fn what_passes_keeps_its_order_and_is_written_for_the_journal() {
    let wanted = run(
        vec![
            text("hello"),
            media("waha/abc"),
            wit::Action::HandOff("asked for one".into()),
            wit::Action::EndConversation,
        ],
        Some("{\"n\":1}"),
    )
    .expect("passes");
    assert_eq!(wanted.sends.len(), 2);
    assert_eq!(wanted.mode, Some(Mode::Human), "a human was asked for");
    assert_eq!(wanted.memory.as_deref(), Some("{\"n\":1}"));
    assert_eq!(
        wanted.outcome,
        json!([
            { "kind": "send", "content": { "type": "text", "text": "hello" }, "reply_to": null },
            { "kind": "send", "content": { "type": "media", "kind": "image", "source": "waha/abc",
                                           "caption": null, "filename": null }, "reply_to": null },
            { "kind": "hand-off", "reason": "asked for one" },
            { "kind": "end-conversation" }
        ])
    );
}

#[test]
fn a_timer_is_never_due_at_once() {
    for (asked, due) in [(0, 1_001_000), (1_000_000, 1_001_000), (1_001_001, 1_001_001)] {
        let schedule = wit::Schedule { key: "again".into(), at: asked, payload: "{}".into() };
        let wanted = run(vec![wit::Action::Schedule(schedule)], None).expect("passes");
        let expected =
            TimerChange::Set { key: "again".into(), at: Timestamp::from_ms(due), payload: "{}".into() };
        assert_eq!(wanted.timers, [expected], "asked for {asked}");
        assert_eq!(wanted.outcome[0]["at"], due, "the journal tells what was set");
    }
}

/// What WhatsApp limits is compared where its limits stand; this is the gateway's own.
#[test]
fn brains_are_held_to_the_same_by_the_sdk() {
    use switchboard_sdk::limits as sdk;
    assert_eq!((CARD_LINES, CARD_TEXT, TIMER_KEY), (sdk::CARD_LINES, sdk::CARD_TEXT, sdk::TIMER_KEY));
}
