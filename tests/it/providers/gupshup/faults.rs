//! What becomes of a reply when Gupshup fails: nothing is lost, and nothing goes out twice unless nothing
//! went out before.

use serde_json::json;
use switchboard_tests::peer::Fault;

use super::*;

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Out of the outbox.
    Sent,
    /// Given up, with its reason.
    Dead,
    /// Kept for an operator: it may have gone out.
    Unknown,
}

struct Row {
    fault: Fault,
    /// How often the reply was tried.
    requests: usize,
    /// How often it went out.
    went_out: usize,
    end: End,
}

fn rows() -> Vec<Row> {
    let row = |fault, requests, went_out, end| Row { fault, requests, went_out, end };
    let code = |status, code: i64| Fault::Say {
        status,
        body: json!({"status": "error", "code": code, "message": "no"}),
    };
    let now = || Some("0".to_owned());
    let told = json!({"message": {"message": "Authentication Failed"}, "status": "error"});
    vec![
        // Nothing went out, and everybody knows it.
        row(Fault::TooMany { retry_after: None }, 2, 1, End::Sent),
        row(Fault::TooMany { retry_after: now() }, 2, 1, End::Sent),
        row(Fault::Unavailable { retry_after: now() }, 2, 1, End::Sent),
        row(code(400, 4001), 2, 1, End::Sent),
        row(code(500, 130_429), 2, 1, End::Sent),
        row(code(400, 131_056), 2, 1, End::Sent),
        // The key is the operator's, who gives another one.
        row(Fault::Say { status: 401, body: told }, 2, 1, End::Sent),
        // The code says that it would fail again, whatever the status says.
        row(code(200, 1002), 1, 0, End::Dead),
        row(code(400, 1003), 1, 0, End::Dead),
        row(code(400, 131_049), 1, 0, End::Dead),
        row(code(400, 132_000), 1, 0, End::Dead),
        row(code(400, 131_047), 1, 0, End::Dead),
        row(code(400, 1008), 1, 0, End::Dead),
        row(code(400, 1012), 1, 0, End::Dead),
        row(
            Fault::Say { status: 400, body: json!({"status": "error", "message": "Invalid Destination"}) },
            1,
            0,
            End::Dead,
        ),
        // Nobody knows.
        row(code(400, 4002), 1, 0, End::Unknown),
        row(Fault::Unavailable { retry_after: None }, 1, 0, End::Unknown),
        row(Fault::Error, 1, 0, End::Unknown),
        row(Fault::ErrorAfterSending, 1, 1, End::Unknown),
        row(Fault::Hang, 1, 0, End::Unknown),
        row(Fault::HangAfterSending, 1, 1, End::Unknown),
        row(Fault::Reset, 1, 0, End::Unknown),
        row(Fault::ResetAfterSending, 1, 1, End::Unknown),
        // Slow, and well.
        row(Fault::Drip { pause: Duration::from_millis(2) }, 1, 1, End::Sent),
    ]
}

/// Each row has a contact of its own, so that what follows from one does not touch another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_has_its_fate() {
    let peer = peer().await;
    let gateway = setup(&peer).start().await;
    for (number, Row { fault, requests, went_out, end }) in rows().into_iter().enumerate() {
        let phone = format!("9182980{number:05}");
        let name = format!("row {number}: {fault:?}");
        say(&gateway, &phone, "start_realty_1").await;
        peer.wait_until(&name, SOON, |sent| !texts_to(sent, &phone).is_empty()).await;
        gateway.drained(SOON).await;
        let before = messages(&peer);
        peer.fail_next(fault);
        say(&gateway, &phone, "hi").await;
        until(&name, SOON, async || (messages(&peer) - before == requests).then_some(())).await;
        gateway.drained(SOON).await;
        assert_eq!(messages(&peer) - before, requests, "{name}: requests");
        let texts = texts_to(&peer.sent(), &phone);
        assert_eq!(texts[1..], vec![echo("hi", 1); went_out], "{name}: what went out");
        let kept: Vec<_> =
            outbox(&gateway).await.into_iter().filter(|entry| entry["to"] == phone.as_str()).collect();
        match (end, kept.as_slice()) {
            (End::Sent, []) => {}
            (End::Dead, [entry]) => assert_eq!(entry["state"], "dead", "{name}: {entry}"),
            (End::Unknown, [entry]) => assert_eq!(entry["state"], "unknown", "{name}: {entry}"),
            (end, kept) => panic!("{name}: {kept:?} is not {end:?}"),
        }
        for entry in kept {
            let error = entry["last_error"].as_str().expect("an error");
            assert!(!error.contains(&phone) && !error.contains("You said"), "{name}: {error}");
        }
    }
    assert_eq!(peer.refused(), []);
}

/// Requests that would send something.
fn messages(peer: &Peer<Gupshup>) -> usize {
    peer.calls().iter().filter(|call| call.path == "/wa/api/v1/msg").count()
}

/// Nobody overtakes a reply that waits, and an unknown one holds nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_behind_a_failure_leave_in_order() {
    let peer = peer().await;
    let gateway = setup(&peer).start().await;
    say(&gateway, PHONE, "start_realty_1").await;
    peer.wait_for(1, SOON).await;
    gateway.drained(SOON).await;
    peer.fail_next_times(2, Fault::TooMany { retry_after: Some("0".into()) });
    peer.fail_next(Fault::Error);
    for words in ["one", "two", "three"] {
        say(&gateway, PHONE, words).await;
    }
    peer.wait_until("the last one", SOON, |sent| texts_to(sent, PHONE).len() >= 3 || sent.len() >= 3).await;
    gateway.drained(SOON).await;
    let texts = texts_to(&peer.sent(), PHONE);
    let unknown = outbox(&gateway).await;
    // Whichever of them met the failure that leaves a doubt.
    assert_eq!((texts.len(), unknown.len()), (3, 1), "{texts:?} {unknown:?}");
    let numbers: Vec<&str> = texts[1..].iter().filter_map(|text| text.rsplit(' ').next()).collect();
    assert!(numbers.is_sorted(), "{texts:?}");
}
