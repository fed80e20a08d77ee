//! Quotas at the API: shown to their tenant, and what is over them is refused with what there is to know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchboard::store::embedded::space::Ask;

use super::*;

fn gauge<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let gauges = answer["quotas"].as_array().expect("a list");
    gauges.iter().find(|gauge| gauge["name"] == name).unwrap_or_else(|| panic!("{name}: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_its_quotas_and_is_refused_beyond_them() {
    let gateway = running().await;
    let (own, other) = (gateway.tenant_key(2).await, gateway.tenant_key(55).await);
    let raised = json!({
        "name": "Two", "organization": 1, "brain": "quiet",
        "quotas": {"collections": 1, "changes_per_hour": 3, "uploads_per_hour": 1},
    });
    gateway.operator(Method::PUT, "/api/tenants/2", raised).await;
    let put = async |tenant: u32, key: &str, name: &str| {
        let path = format!("/api/tenants/{tenant}/collections/{name}");
        gateway.ask(Method::PUT, &path, Some(key), json!([{"id": 1}])).await
    };
    assert_eq!(put(2, &own, "homes").await.0, StatusCode::OK);
    let (status, answer) = put(2, &own, "cars").await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")));
    let message = answer["error"]["message"].as_str().expect("a message");
    for part in ["the quota collections", "limit 1", "used 2", "quotas.collections"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(put(2, &own, "homes").await.0, StatusCode::OK, "the third change");
    let (status, answer) = put(2, &own, "homes").await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("quota")));
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("changes_per_hour") && message.contains("free again at"), "{message}");
    assert_eq!(put(55, &other, "homes").await.0, StatusCode::OK, "nobody else notices");
    gateway.operator(Method::PUT, "/api/tenants/2/collections/homes", json!([{"id": 2}])).await;

    let (status, shown) = gateway.ask(Method::GET, "/api/tenants/2/quotas", Some(&own), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "what is only read is not counted");
    let changes = gauge(&shown, "changes_per_hour");
    assert_eq!(
        (&changes["used"], &changes["limit"], &changes["level"]),
        (&json!(3), &json!(3), &json!("over"))
    );
    assert!(changes["own"] == true && changes["frees_at"].is_string(), "{changes}");
    let collections = gauge(&shown, "collections");
    assert_eq!((&collections["used"], &collections["frees_at"]), (&json!(1), &Value::Null));
    assert_eq!(shown["kept"]["collections"]["rows"], 1);
    let hidden = gateway.ask(Method::GET, "/api/tenants/2/quotas", Some(&other), Value::Null).await;
    assert_eq!(hidden.0, StatusCode::NOT_FOUND);
    let metrics = gateway.client.get(format!("{}/metrics", gateway.base)).bearer_auth(&gateway.operator);
    let metrics = metrics.send().await.expect("it answers").text().await.expect("a text");
    assert!(metrics.contains("switchboard_tenants_over_quota{quota=\"changes_per_hour\"} 1"), "{metrics}");
    assert!(metrics.contains("switchboard_kept_bytes{table=\"collections\"} "), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_outs_are_put_down_up_to_a_number() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    let raised = json!({"name": "Two", "organization": 1, "brain": "quiet", "quotas": {"opt_outs": 2}});
    gateway.operator(Method::PUT, "/api/tenants/2", raised).await;
    let put = async |phone: u64| {
        let path = format!("/api/tenants/2/opt-outs/{phone}");
        gateway.ask(Method::PUT, &path, Some(&own), json!({})).await
    };
    for phone in [971501234501, 971501234502, 971501234501] {
        assert_eq!(put(phone).await.0, StatusCode::OK);
    }
    let (status, answer) = put(971501234503).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")));
    assert!(answer["error"]["message"].as_str().is_some_and(|it| it.contains("quotas.opt_outs")), "{answer}");
    let (_, shown) = gateway.ask(Method::GET, "/api/tenants/2/quotas", Some(&own), Value::Null).await;
    let opt_outs = gauge(&shown, "opt_outs");
    assert_eq!((&opt_outs["used"], &opt_outs["level"]), (&json!(2), &json!("over")));
    for name in ["ended_replies_bytes", "dead_turns_bytes", "conversations", "timer_bytes"] {
        assert_eq!(gauge(&shown, name)["level"], "fine", "{name}");
    }
}

/// Below twice the reserve a tenant's key changes nothing but what removes something.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_changes_need_room_on_the_disk() {
    let free = Arc::new(AtomicU64::new(1 << 30));
    let told = free.clone();
    let ask = Ask::by(move || Some((told.load(Ordering::SeqCst), 10 << 30)));
    let gateway = running_on(|_| {}, Some(Reserve { ask, bytes: 64 << 20 })).await;
    let own = gateway.tenant_key(2).await;
    let change = async |method: Method, token: &str| {
        let path = "/api/tenants/2/opt-outs/971501234501";
        gateway.ask(method, path, Some(token), json!({})).await
    };
    assert_eq!(change(Method::PUT, &own).await.0, StatusCode::OK);
    free.store(127 << 20, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(30);
    while gateway.file.room().short.is_none() {
        assert!(Instant::now() < deadline, "{:?}", gateway.file.room());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, answer) = change(Method::PUT, &own).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer["error"]["message"].as_str().is_some_and(|it| it.contains("reserve_bytes")), "{answer}");
    assert_eq!(change(Method::GET, &own).await.0, StatusCode::OK);
    assert_eq!(change(Method::DELETE, &own).await.0, StatusCode::OK);
    assert_eq!(change(Method::PUT, &gateway.operator).await.0, StatusCode::OK, "the operator makes room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_out_of_range_is_refused_by_its_key() {
    let gateway = running().await;
    let wrong = json!({"name": "Two", "organization": 1, "brain": "quiet", "quotas": {"turns_per_day": 0}});
    let (status, answer) = gateway.ask(Method::PUT, "/api/tenants/2", Some(&gateway.operator), wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer["error"]["message"].as_str().is_some_and(|it| it.starts_with("quotas.turns_per_day: is 0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_gives_back_what_it_does_not_need() {
    let gateway = running().await;
    let large: Vec<Value> = (0..100).map(|id| json!({"id": id, "text": "x".repeat(60_000)})).collect();
    gateway.operator(Method::PUT, "/api/tenants/2/collections/homes", json!(large)).await;
    gateway.operator(Method::PUT, "/api/tenants/2/collections/homes", json!([{"id": 1}])).await;
    let before = gateway.operator(Method::GET, "/api/store", Value::Null).await;
    let done = gateway.operator(Method::POST, "/api/store/compact", Value::Null).await;
    assert!(done["bytes_after"].as_u64() < done["bytes_before"].as_u64(), "{before} {done}");
    let kept = gateway.operator(Method::GET, "/api/tenants/2/collections/homes", Value::Null).await;
    assert_eq!(kept["records"], json!([{"id": 1}]));
    let own = gateway.tenant_key(2).await;
    let (status, _) = gateway.ask(Method::POST, "/api/store/compact", Some(&own), Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let audit = gateway.operator(Method::GET, "/api/audit?limit=10", Value::Null).await;
    assert!(audit["audit"].as_array().expect("a list").iter().any(|it| it["action"] == "compact store"));
}
