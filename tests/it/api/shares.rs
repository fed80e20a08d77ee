//! What one tenant's keys may hold of the gateway by asking: threads, requests under way, memory.

use std::time::Duration;

use switchboard_tests::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for news that do not come.
const WAITING: &str = "/api/tenants/2/conversations/971501234567/messages?wait_s=60";

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_requests_under_way_and_no_more() {
    let gateway = running().await;
    let (own, other) = (gateway.tenant_key(2).await, gateway.tenant_key(55).await);
    let status = async |path: &str, key: &str| gateway.ask(Method::GET, path, Some(key), Value::Null).await;
    let wait = |times: usize, key: &str| -> Vec<_> {
        let request = || gateway.client.get(format!("{}{WAITING}", gateway.base)).bearer_auth(key);
        let requests = std::iter::repeat_with(request).take(times);
        requests
            .map(|request| tokio::spawn(async { request.send().await.expect("it answers").status() }))
            .collect()
    };
    let mut waiting = wait(70, &own);
    until("six of them are refused", DEADLINE, async || {
        (waiting.iter().filter(|request| request.is_finished()).count() == 6).then_some(())
    })
    .await;
    for refused in waiting.extract_if(.., |request| request.is_finished()) {
        assert_eq!(refused.await.expect("done"), StatusCode::TOO_MANY_REQUESTS);
    }
    let (code, refused) = status("/api/tenants/2", &own).await;
    assert_eq!(code, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused["error"]["code"], "too_many_at_once");
    assert!(refused["error"]["message"].as_str().is_some_and(|it| it.contains("limit 64")), "{refused}");
    // What is refused takes none of the changes of the hour.
    let put = async || {
        let path = "/api/tenants/2/collections/homes";
        gateway.ask(Method::PUT, path, Some(&own), json!([])).await.0
    };
    assert_eq!(put().await, StatusCode::TOO_MANY_REQUESTS);
    let (_, quotas) = status("/api/tenants/2/quotas", &gateway.operator).await;
    let quotas = quotas["quotas"].as_array().expect("a list");
    let changes = quotas.iter().find(|gauge| gauge["name"] == "changes_per_hour").expect("it is counted");
    assert_eq!(changes["used"], 0);
    assert_eq!(status("/api/tenants/55", &other).await.0, StatusCode::OK);
    // The operator's are not counted.
    let more = wait(70, &gateway.operator);
    assert_eq!(status("/api/tenants/2", &gateway.operator).await.0, StatusCode::OK);
    for waits in waiting.iter().chain(&more) {
        assert!(!waits.is_finished(), "it waits for news");
        waits.abort();
    }
    until("who has gone takes nothing", DEADLINE, async || {
        (status("/api/tenants/2", &own).await.0 == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(put().await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_holds_its_room_until_the_connection_goes() {
    let gateway = running().await;
    let (own, other) = (gateway.tenant_key(2).await, gateway.tenant_key(55).await);
    let records: Vec<Value> = (0..139).map(|id| json!({"id": id, "text": "x".repeat(60_000)})).collect();
    for tenant in [2, 55] {
        let path = format!("/api/tenants/{tenant}/collections/homes");
        gateway.operator(Method::PUT, &path, json!(records)).await;
    }
    let address = gateway.base.strip_prefix("http://").expect("an address");
    // A quarter of the memory, in answers of a little more than 8 MB.
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!(
            "GET /api/tenants/2/collections/homes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {own}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("it begins to answer");
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 200");
        unread.push(stream);
    }
    let read = async |tenant: u32, key: &str| {
        let path = format!("/api/tenants/{tenant}/collections/homes");
        gateway.ask(Method::GET, &path, Some(key), Value::Null).await
    };
    let (status, answer) = read(2, &own).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert!(
        answer["error"]["message"].as_str().is_some_and(|it| it.contains("http.upload_memory_bytes")),
        "{answer}"
    );
    let (status, _) = gateway.ask(Method::GET, "/api/tenants/2", Some(&own), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "what is small needs no room");
    let (status, answer) = read(55, &other).await;
    assert_eq!((status, &answer["records"]), (StatusCode::OK, &json!(records)), "others have theirs");
    assert_eq!((&answer["tenant"], &answer["collection"]), (&json!(55), &json!("homes")));
    drop(unread);
    until("the room is given back", DEADLINE, async || {
        (read(2, &own).await.0 == StatusCode::OK).then_some(())
    })
    .await;
}

/// What the threads of the API have used of the processor, in ticks, and how they yield to others.
fn api_threads() -> (u64, Vec<i64>) {
    let (mut used, mut nice) = (0, Vec::new());
    for task in std::fs::read_dir("/proc/self/task").expect("Linux") {
        let stat = std::fs::read_to_string(task.expect("a thread").path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once(") ") else { continue };
        if name.contains("(api-") {
            let fields: Vec<i64> = rest.split(' ').map(|field| field.trim().parse().unwrap_or(0)).collect();
            used += (fields[11] + fields[12]) as u64;
            nice.push(fields[16]);
        }
    }
    (used, nice)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_carried_out_on_threads_that_yield_to_others() {
    let gateway = running().await;
    let (before, nice) = api_threads();
    let own = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
    let own: i64 =
        own.split_once(") ").and_then(|(_, rest)| rest.split(' ').nth(16)?.parse().ok()).expect("nice");
    assert!(
        nice.len() >= 2 && nice.iter().all(|nice| *nice == (own + 5).min(19)),
        "{nice:?}, and ours {own}"
    );
    let records: Vec<Value> = (0..100).map(|id| json!({"id": id, "text": "x".repeat(60_000)})).collect();
    gateway.operator(Method::PUT, "/api/tenants/2/collections/homes", json!(records)).await;
    until("the work is done there", DEADLINE, async || {
        gateway.operator(Method::GET, "/api/tenants/2/collections/homes", Value::Null).await;
        (api_threads().0 > before + 2).then_some(())
    })
    .await;
}
