//! The fault table: what each failure of Infobip costs. For every row, how many requests there were,
//! what Infobip sent, and what became of the reply. Nothing is lost, and nothing goes out twice.

use serde_json::json;
use switchboard_tests::peer::Fault;

use super::*;

/// What became of one reply, by the time that nothing moves any more.
#[derive(Debug, PartialEq)]
struct Fate {
    requests: usize,
    sent: usize,
    /// Its place in the outbox, if it is still there.
    state: Option<String>,
}

fn fate(requests: usize, sent: usize, state: Option<&str>) -> Fate {
    Fate { requests, sent, state: state.map(str::to_owned) }
}

fn refusal(status: u16, code: &str) -> Fault {
    let exception = json!({"messageId": code, "text": "Refused"});
    Fault::Say { status, body: json!({"requestError": {"serviceException": exception}}) }
}

/// A 200 that refuses.
fn rejected(group: &str, status: &str, error: &str) -> Fault {
    let body = json!({
        "to": FRANK, "messageCount": 1, "messageId": "sb-x",
        "status": {"groupName": group, "name": status, "description": "d"},
        "error": {"name": error, "description": "e", "permanent": true},
    });
    Fault::Say { status: 200, body }
}

/// Requests that send a message; marks of reading and typing come and go beside them.
fn attempts(infobip: &Peer<Infobip>) -> usize {
    infobip.calls().iter().filter(|call| call.path.starts_with("/whatsapp/1/message/")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_has_its_fate() {
    let infobip = account().await;
    let gateway = setup(&infobip).config("[delivery]\ntimeout_ms = 500\n").start().await;
    let soon = || Some("0".to_owned());
    for (number, (fault, expected)) in [
        // Nothing went out, and Infobip says so: again, and then it is out once.
        (Fault::TooMany { retry_after: None }, fate(2, 1, None)),
        (Fault::TooMany { retry_after: soon() }, fate(2, 1, None)),
        (Fault::Unavailable { retry_after: soon() }, fate(2, 1, None)),
        (refusal(429, "TOO_MANY_REQUESTS"), fate(2, 1, None)),
        (rejected("REJECTED", "REJECTED_FLOODING_FILTER", "NO_ERROR"), fate(2, 1, None)),
        (rejected("REJECTED", "REJECTED_NOT_ENOUGH_CREDITS", "NO_ERROR"), fate(2, 1, None)),
        (rejected("REJECTED", "REJECTED_BY", "EC_TOO_MANY_REQUESTS"), fate(2, 1, None)),
        // It may have gone out: never again by itself.
        (Fault::Unavailable { retry_after: None }, fate(1, 0, Some("unknown"))),
        (Fault::Error, fate(1, 0, Some("unknown"))),
        (Fault::ErrorAfterSending, fate(1, 1, Some("unknown"))),
        (Fault::Hang, fate(1, 0, Some("unknown"))),
        (Fault::HangAfterSending, fate(1, 1, Some("unknown"))),
        (Fault::Reset, fate(1, 0, Some("unknown"))),
        (Fault::ResetAfterSending, fate(1, 1, Some("unknown"))),
        (rejected("EXPIRED", "EXPIRED_DLR_UNKNOWN", "NO_ERROR"), fate(1, 0, Some("unknown"))),
        // Never, and why.
        (refusal(400, "BAD_REQUEST"), fate(1, 0, Some("dead"))),
        (refusal(401, "UNAUTHORIZED"), fate(2, 1, None)),
        (refusal(403, "FORBIDDEN"), fate(2, 1, None)),
        (refusal(404, "NOT_FOUND"), fate(1, 0, Some("dead"))),
        (rejected("REJECTED", "REJECTED_DESTINATION", "NO_ERROR"), fate(1, 0, Some("dead"))),
        (
            rejected("UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED", "EC_UNKNOWN_USER"),
            fate(1, 0, Some("dead")),
        ),
        (rejected("REJECTED", "REJECTED_BY", "EC_BLOCKED_USER"), fate(1, 0, Some("dead"))),
        (rejected("REJECTED", "REJECTED_BY", "EC_NO_SESSION"), fate(1, 0, Some("dead"))),
        // Slow is not failed; an answer that stops in the middle still had its status.
        (Fault::Drip { pause: Duration::from_millis(1) }, fate(1, 1, None)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{fault:?}");
        // A contact of its own for each row, so that none waits for another.
        let contact = format!("38591000{number:04}");
        let (requests, sent) = (attempts(&infobip), infobip.sent().len());
        infobip.fail_next(fault);
        say(&gateway, [text(&contact, FIRST, "hi")]).await;
        gateway.drained(SOON).await;
        let entries = outbox(&gateway).await;
        let entry = entries.iter().find(|entry| entry["to"] == *contact);
        let found = Fate {
            requests: attempts(&infobip) - requests,
            sent: infobip.sent().len() - sent,
            state: entry.map(|entry| entry["state"].as_str().unwrap().to_owned()),
        };
        assert_eq!(found, expected, "{name}: {entry:?}");
        if let Some(entry) = entry {
            let error = entry["last_error"].as_str().unwrap();
            assert!(
                !error.is_empty() && !error.contains(&contact) && !error.contains("hi ("),
                "{name}: {error}"
            );
        }
    }
    let mut seen = std::collections::HashSet::new();
    assert!(infobip.sent().into_iter().all(|sent| seen.insert(sent.to)), "nobody got it twice");
}

/// An operator who sends an unknown reply again sends it under the same id: Infobip knows whether it
/// has it already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_again_by_hand_goes_out_once() {
    let infobip = account().await;
    let gateway = setup(&infobip).config("[delivery]\ntimeout_ms = 500\n").start().await;
    for (contact, fault) in [(FRANK, Fault::ErrorAfterSending), (ANN, Fault::Error)] {
        infobip.fail_next(fault);
        say(&gateway, [text(contact, FIRST, "hi")]).await;
        gateway.drained(SOON).await;
    }
    let unknown = outbox(&gateway).await;
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    for entry in &unknown {
        gateway.cli(&["outbox", "retry", entry["id"].as_str().unwrap()]).await.ok();
    }
    until("both are settled", SOON, async || outbox(&gateway).await.is_empty().then_some(())).await;
    let sent = infobip.sent();
    for contact in [FRANK, ANN] {
        assert_eq!(texts_to(&sent, contact), [echo("hi", 1)]);
    }
}

/// An id that was refused is one that Infobip has seen: the next attempt must not be taken for a repeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_goes_out_under_another_id() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    infobip.with(|it| it.rejects_next = Some(("REJECTED", "REJECTED_FLOODING_FILTER", "NO_ERROR")));
    say(&gateway, [text(FRANK, FIRST, "hi")]).await;
    let sent = infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    assert_eq!(texts_to(&sent, FRANK), [echo("hi", 1)]);
    assert!(sent[0].id.ends_with("-2"), "{}", sent[0].id);
    // Reports find it under that id.
    say(&gateway, [report(&sent[0].id, FRANK, "DELIVERED", "DELIVERED_TO_HANDSET")]).await;
    assert!(outbox(&gateway).await.is_empty());
}

/// A template that takes the place of what was refused has an id of its own. A report of its failure
/// puts it among the dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fallback_is_not_taken_for_what_it_replaces() {
    const CLOSED: Option<(&str, &str, &str)> = Some(("REJECTED", "REJECTED_BY", "EC_NO_SESSION"));
    let infobip = account().await;
    let gateway = Setup::new()
        .package("echo")
        .tenant(
            "id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'\n\
             [tenant.policy.fallback_template]\nname = 'news'\nlanguage = 'en'\nparameter = 'words'",
        )
        .sender(&sender("first", FIRST, 1, "secret", infobip.url()))
        .config("[delivery]\ntimeout_ms = 500\n")
        .start()
        .await;
    let template = json!({"name": "news", "language": "en", "category": "utility",
        "body": "News for you: {{words}} Write back to us.", "parameters": [{"name": "words", "example": "open"}]});
    let at = "/api/tenants/1/templates";
    for (path, body) in [
        (at.to_owned(), template),
        (format!("{at}/news/en/submit"), json!({})),
        (format!("{at}/sync"), json!({})),
    ] {
        if path.ends_with("sync") {
            infobip.with(|it| it.templates.get_mut("news").unwrap()["status"] = json!("APPROVED"));
        }
        let request = gateway.client().post(gateway.url(&path)).bearer_auth(gateway.token());
        Answer::of(request.json(&body)).await.unwrap().ok();
    }
    infobip.with(|it| it.rejects_next = CLOSED);
    say(&gateway, [text(FRANK, FIRST, "hi")]).await;
    let sent = infobip.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    assert!(sent[0].path.ends_with("/template") && sent[0].id.ends_with("-t"), "{sent:?}");
    // The refusal is reported too, after the template went out: it is not the template's.
    let refused = sent[0].id.strip_suffix("-t").unwrap();
    say(&gateway, [failure(refused, FRANK, "EC_NO_SESSION")]).await;
    assert!(outbox(&gateway).await.is_empty());
    say(&gateway, [failure(&sent[0].id, FRANK, "EC_UNKNOWN_USER")]).await;
    let dead = outbox(&gateway).await;
    assert_eq!(
        (dead.len(), &dead[0]["state"], &dead[0]["to"]),
        (1, &json!("dead"), &json!(FRANK)),
        "{dead:?}"
    );
    let listed = gateway.cli(&["outbox", "list", "--dead"]).await;
    assert!(listed.ok().contains("reported that it failed"), "{}", listed.stdout);
    let metrics = gateway.get("/metrics").await.text;
    let counted = r#"sends_total{provider="infobip",outcome="returned"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    gateway.cli(&["outbox", "drop", dead[0]["id"].as_str().unwrap()]).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_stay_in_order_behind_one_that_waits() {
    let infobip = account().await;
    let gateway = setup(&infobip).start().await;
    infobip.fail_next(Fault::TooMany { retry_after: Some("1".into()) });
    say(&gateway, [text(FRANK, FIRST, "one")]).await;
    say(&gateway, [text(FRANK, FIRST, "two")]).await;
    say(&gateway, [text(ANN, FIRST, "other")]).await;
    infobip.wait_for(3, SOON).await;
    let sent = infobip.sent();
    assert_eq!(texts_to(&sent, FRANK), [echo("one", 1), echo("two", 2)]);
    assert_eq!(sent[0].to, ANN, "another contact's reply does not wait");
}
