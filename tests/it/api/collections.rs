//! How large a tenant's collection may be, and what is said of one that is larger.

use super::*;

async fn refused(gateway: &Running, token: &str, body: String) -> (StatusCode, String) {
    let path = format!("{}/api/tenants/2/collections/homes", gateway.base);
    let response = gateway.client.put(path).bearer_auth(token).body(body).send().await.expect("it answers");
    let status = response.status();
    let answer: Value = response.json().await.expect("JSON");
    (status, answer["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_told_with_limit_and_size() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    let record = |id: usize, bytes: usize| json!({"id": id, "text": "x".repeat(bytes)}).to_string();
    let list = |records: Vec<String>| format!("[{}]", records.join(","));

    let body = list(vec![record(1, 10), record(2, 65_536)]);
    let (status, message) = refused(&gateway, &own, body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(message, "record 1: is too large: limit 65536 bytes, used 65554");

    let body = list((0..140).map(|id| record(id, 60_000)).collect());
    let (status, message) = refused(&gateway, &own, body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        message.starts_with("record 139: makes the collection too large: limit 8388608 bytes, used 840"),
        "{message}"
    );

    let body = list((0..1_000).map(|id| format!("{{\"id\":{id},\"n\":[{}1]}}", "1,".repeat(600))).collect());
    let (_, message) = refused(&gateway, &own, body).await;
    assert!(message.contains("makes the collection too large: limit 500000 values, used "), "{message}");

    let (status, message) = refused(&gateway, &own, " ".repeat((16 << 20) + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(message, "the collection's file: limit 16777216 bytes, used 16777217");

    // Just within, whoever comes: the bounds are the collection's, not the key's.
    let body = list((0..139).map(|id| record(id, 60_000)).collect());
    let (status, message) = refused(&gateway, &own, body).await;
    assert_eq!((status, message.as_str()), (StatusCode::OK, ""));
    let path = "/api/tenants/2/collections/homes";
    let kept = gateway.operator(Method::GET, path, Value::Null).await;
    assert_eq!(kept["records"].as_array().map(Vec::len), Some(139));
}
