//! After an outage: what ended or waits is found by what it has in common, counted, and settled together.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;

async fn post(gateway: &Gateway, path: &str, body: Value) -> (StatusCode, Value) {
    let request = gateway.client().request(Method::POST, gateway.url(path)).bearer_auth(gateway.token());
    let answer = request.json(&body).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// Six replies to six contacts that were refused, and one that waits for nobody.
async fn after_an_outage(waha: &FakeWaha) -> Gateway {
    let gateway = setup(waha).start().await;
    waha.fail_next_times(6, Fault::Error);
    let hook = Hook::to(&gateway);
    for n in 0..6 {
        hook.say(&text(&format!("97150700000{n}"), &format!("M{n}"), "start_realty_1")).await;
    }
    until("they ended", SOON, async || {
        (outbox(&gateway).await.iter().filter(|reply| reply["state"] == "unknown").count() == 6).then_some(())
    })
    .await;
    gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_together_is_settled_together() {
    let waha = FakeWaha::start().await;
    let gateway = after_an_outage(&waha).await;
    let which = |more: Value| {
        let mut which = json!({"state": "unknown", "error": "500", "sender": "main"});
        which.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        which
    };
    let counted = post(&gateway, "/api/outbox/retry", which(json!({}))).await;
    assert_eq!(counted, (StatusCode::OK, json!({"matching": 6, "more": false, "done": 0})));
    assert_eq!(waha.requests(), 6, "counting does nothing");
    let (status, _) = post(&gateway, "/api/outbox/retry", which(json!({"count": 5}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "it is not what was counted");
    for nothing in [
        json!({"state": "dead"}),
        json!({"sender": "other"}),
        json!({"error": "404"}),
        json!({"older_than_minutes": 1}),
    ] {
        let (_, counted) = post(&gateway, "/api/outbox/drop", which(nothing.clone())).await;
        assert_eq!(counted["matching"], 0, "{nothing}");
    }
    let one = json!({"contact": "971507000003", "count": 1});
    assert_eq!(post(&gateway, "/api/outbox/drop", which(one)).await.1["done"], 1);
    let told = gateway.cli(&["outbox", "retry", "--state", "unknown"]).await;
    assert_eq!(told.ok(), "5 match. With --yes: retry them.\n");
    let told = gateway.cli(&["outbox", "retry", "--state", "unknown", "--yes"]).await;
    assert_eq!(told.ok(), "retry: 5 of 5\n");
    waha.wait_for(5, SOON).await;
    settled(&gateway).await;
    assert_eq!(outbox(&gateway).await, [] as [Value; 0]);
    assert_eq!(waha.requests(), 11);
}

/// Page by page nothing is left out and nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_is_read_page_by_page() {
    let waha = FakeWaha::start().await;
    let gateway = after_an_outage(&waha).await;
    waha.fail_next_times(1_000, Fault::TooMany { retry_after: Some("600".into()) });
    let hook = Hook::to(&gateway);
    for n in 0..6 {
        hook.say(&text(&format!("97150700000{n}"), &format!("W{n}"), "more")).await;
    }
    until("they wait", SOON, async || (outbox(&gateway).await.len() == 12).then_some(())).await;
    for (wrong, status) in [("state=nonsense", 400), ("after=somewhere", 404)] {
        let answer = gateway.get(&format!("/api/outbox?{wrong}")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let (mut ids, mut after) = (Vec::new(), String::new());
    for _ in 0..10 {
        let page = gateway.get(&format!("/api/outbox?limit=5{after}")).await.ok();
        ids.extend(page["outbox"].as_array().expect("a list").iter().map(|reply| reply["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => {
                assert_eq!(page["more"], false);
                break;
            }
        }
    }
    let read = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((read, ids.len()), (12, 12));
}
