//! The fault table: each way that Meta can fail, and what becomes of the reply. Nothing is lost, and
//! nothing goes out twice.

use switchboard_tests::peer::Fault;

use super::*;

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It went out after all, once.
    Sent,
    /// It did not go out and never will; listed.
    Dead,
    /// It may have gone out; listed, and not sent again.
    Unknown,
}

struct Row {
    fault: Fault,
    requests: usize,
    /// How many messages Meta took.
    taken: usize,
    end: End,
    /// In the words of the list.
    words: &'static str,
}

fn row(fault: Fault, requests: usize, taken: usize, end: End, words: &'static str) -> Row {
    Row { fault, requests, taken, end, words }
}

/// An error of Meta's under this status.
fn says(status: u16, code: i64) -> Fault {
    Fault::Say { status, body: meta::error(code, "Meta's words") }
}

fn table() -> Vec<Row> {
    let after = |seconds: &str| Some(seconds.to_owned());
    vec![
        // Nothing went out, and the same goes well later.
        row(Fault::TooMany { retry_after: None }, 2, 1, End::Sent, ""),
        row(Fault::TooMany { retry_after: after("0") }, 2, 1, End::Sent, ""),
        row(Fault::Unavailable { retry_after: None }, 2, 1, End::Sent, ""),
        row(says(403, 130_429), 2, 1, End::Sent, ""),
        row(says(403, 131_056), 2, 1, End::Sent, ""),
        row(says(429, 613), 2, 1, End::Sent, ""),
        row(says(400, 80_007), 2, 1, End::Sent, ""),
        row(says(500, 131_000), 2, 1, End::Sent, ""),
        row(says(200, 131_016), 2, 1, End::Sent, ""),
        row(Fault::Drip { pause: Duration::from_millis(1) }, 1, 1, End::Sent, ""),
        // The token is the operator's, who gives another one.
        row(says(401, 190), 2, 1, End::Sent, ""),
        row(says(403, 10), 2, 1, End::Sent, ""),
        row(Fault::Say { status: 403, body: json!({}) }, 2, 1, End::Sent, ""),
        // It may have gone out.
        row(Fault::Error, 1, 0, End::Unknown, "code 1"),
        row(Fault::ErrorAfterSending, 1, 1, End::Unknown, "code 1"),
        row(Fault::Hang, 1, 0, End::Unknown, "no answer in time"),
        row(Fault::HangAfterSending, 1, 1, End::Unknown, "no answer in time"),
        row(Fault::Reset, 1, 0, End::Unknown, "the connection broke"),
        row(Fault::ResetAfterSending, 1, 1, End::Unknown, "the connection broke"),
        row(Fault::Say { status: 200, body: json!({}) }, 1, 0, End::Unknown, "without a message id"),
        row(Fault::Say { status: 502, body: json!("a proxy") }, 1, 0, End::Unknown, "502"),
        // It did not go out, and the same again would fail again.
        row(says(403, 368), 1, 0, End::Dead, "see the account's status"),
        row(says(400, 131_026), 1, 0, End::Dead, "not on WhatsApp"),
        row(says(200, 131_026), 1, 0, End::Dead, "not on WhatsApp"),
        row(says(400, 100), 1, 0, End::Dead, "Meta's words"),
        row(says(400, 131_050), 1, 0, End::Dead, "wants no marketing messages"),
        row(says(400, 131_047), 1, 0, End::Dead, "only an approved template"),
        row(Fault::Say { status: 404, body: json!({}) }, 1, 0, End::Dead, "check the sender's base_url"),
    ]
}

/// Requests for messages; read marks are none.
fn requests(meta: &FakeMeta) -> usize {
    let is_message = |call: &switchboard_tests::peer::Call| {
        call.path.ends_with("/messages") && call.json().get("status").is_none()
    };
    meta.calls().iter().filter(|call| is_message(call)).count()
}

/// What is kept of replies that are not sent.
async fn outbox(gateway: &Gateway) -> Vec<Value> {
    gateway.get("/api/outbox").await.ok()["outbox"].as_array().expect("a list of replies").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_table() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    let mut listed = 0;
    for (number, Row { fault, requests: expected, taken, end, words }) in table().into_iter().enumerate() {
        let name = format!("row {number}: {fault:?}");
        // A contact of its own, so that no row's fate bears on another's.
        let contact = format!("9715012{number:05}");
        let (asked, sent) = (requests(&meta), meta.sent().len());
        meta.fail_next(fault);
        say(&gateway, &Webhook::text(NUMBER, &contact, "hi")).await;
        gateway.drained(SOON).await;
        assert_eq!(requests(&meta) - asked, expected, "{name}");
        let went: Vec<_> = meta.sent().split_off(sent).into_iter().map(|sent| sent.to).collect();
        assert_eq!(went, vec![contact.clone(); taken], "{name}");
        let outbox = outbox(&gateway).await;
        let kept = outbox
            .iter()
            .find(|entry| entry["contact"] == contact.as_str() || entry["to"] == contact.as_str());
        let state = kept.map(|entry| entry["state"].as_str().unwrap_or_default().to_owned());
        let wanted = match end {
            End::Sent => None,
            End::Dead => Some("dead"),
            End::Unknown => Some("unknown"),
        };
        assert_eq!(state.as_deref(), wanted, "{name}: {kept:?}");
        let error = kept.and_then(|entry| entry["last_error"].as_str()).unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
        listed += usize::from(end != End::Sent);
        assert_eq!(outbox.len(), listed, "{name}: nothing is lost");
    }
    assert_eq!(meta.refused(), []);
    let log = gateway.log();
    assert!(!log.contains("9715012000") && !log.contains(TOKEN), "the log names nobody and tells no secret");
}

/// What was at fault is put right: the operator sends what had died.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_died_can_be_sent_again_by_the_operator() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    meta.fail_next(says(403, 368));
    say(&gateway, &Webhook::text(NUMBER, SARA, "hi")).await;
    gateway.drained(SOON).await;
    let dead = outbox(&gateway).await;
    let id = dead[0]["id"].as_str().expect("an id");
    gateway.cli(&["outbox", "retry", id]).await.ok();
    let sent = meta.wait_for(1, SOON).await;
    assert_eq!(sent[0].text(), Some(echo("hi").as_str()));
    gateway.drained(SOON).await;
    assert_eq!((meta.sent().len(), outbox(&gateway).await.len()), (1, 0));
}
