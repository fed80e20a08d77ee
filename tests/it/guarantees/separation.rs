//! Guarantee 5. The same person with two tenants, and two tenants with keys: nothing of one is seen
//! by the other.

use reqwest::Method;
use switchboard_tests::gateway::Answer;

use super::*;

const PHONE: &str = "971502000007";

async fn start(waha: &FakeWaha) -> Gateway {
    Setup::new()
        .package("hostile")
        .organization("id = 2\nname = 'Another Group'")
        .tenant(&tenant(1, 1, "hostile"))
        .tenant(&tenant(2, 2, "hostile"))
        .sender(&sender(waha))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_tenant_heard_the_next_never_sees() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, PHONE);
    contact.says("start_realty_1").await;
    contact.says("remember the blue key").await;
    assert_eq!(contact.says("recall").await, "the blue key");
    let unlocked = gateway.api(Method::DELETE, &format!("/api/gateway/user/{PHONE}/mapping")).await.ok();
    assert_eq!(unlocked, json!({"status": "deleted", "phone_number": PHONE, "previous_tenant_id": 1}));
    assert_eq!(contact.posts("anyone?").await["status"], "ignored");
    // The notice to use a link.
    contact.reads().await;

    assert_eq!(contact.says("start_realty_2").await, "hostile is ready");
    assert_eq!(contact.says("recall").await, "nothing");
    let second = gateway.get(&format!("/api/tenants/2/conversations/{PHONE}/messages")).await.ok();
    assert!(!second.to_string().contains("blue key"), "{second}");
    let journal = gateway.get(&format!("/api/tenants/2/conversations/{PHONE}/journal")).await.ok();
    assert!(!journal.to_string().contains("blue key"), "{journal}");
    // The old tenant keeps what it heard.
    let first = gateway.get(&format!("/api/tenants/1/conversations/{PHONE}/messages")).await.ok();
    assert!(first.to_string().contains("blue key"), "{first}");
    let audit = gateway.get("/api/audit").await.ok();
    assert!(audit["audit"].as_array().is_some_and(|log| log.iter().any(|entry| entry["action"] == "unlock")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_is_used_once_and_sees_nothing_of_the_machine() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut first = Contact::new(&gateway, &waha, "971502000001");
    let mut second = Contact::new(&gateway, &waha, "971502000002");
    first.says("start_realty_1").await;
    second.says("start_realty_2").await;
    for _ in 0..3 {
        assert_eq!(first.says("static").await, "1");
        assert_eq!(second.says("static").await, "1");
    }
    assert_eq!(first.says("peek").await, "nothing");
    assert!(!std::path::Path::new("/tmp/hostile").exists());
}

async fn key(gateway: &Gateway, tenant: u32) -> String {
    let request = gateway
        .client()
        .post(gateway.url("/api/keys"))
        .bearer_auth(gateway.token())
        .json(&json!({"tenant": tenant, "name": "test"}));
    let made = Answer::of(request).await.expect("it answers");
    assert!(made.status < 300, "{}", made.text);
    made.json()["key"].as_str().expect("the key, this once").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_things_do_not_exist() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, PHONE);
    contact.says("start_realty_1").await;
    contact.says("fault").await;
    let dead = dead_turns(&gateway).await;
    let turn = dead[0]["id"].as_str().expect("an id");
    let (own, other) = (key(&gateway, 1).await, key(&gateway, 2).await);
    let paths = [
        (Method::GET, "/api/tenants/1".to_owned()),
        (Method::GET, format!("/api/tenants/1/conversations/{PHONE}")),
        (Method::GET, format!("/api/tenants/1/conversations/{PHONE}/messages")),
        (Method::GET, format!("/api/tenants/1/conversations/{PHONE}/journal")),
        (Method::GET, "/api/tenants/1/brain".to_owned()),
        (Method::GET, format!("/api/turns/{turn}")),
    ];
    for (method, path) in paths {
        let seen = gateway.api_as(&own, method.clone(), &path).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text);
        let hidden = gateway.api_as(&other, method.clone(), &path).await;
        assert_eq!(hidden.status, 404, "{path}: {}", hidden.text);
        assert!(!hidden.text.contains("Tenant 1"), "{path}: {}", hidden.text);
        let stranger = gateway.api_as("sbt_nobody", method, &path).await;
        assert_eq!(stranger.status, 401, "{path}: {}", stranger.text);
    }
    for (method, path) in [
        (Method::PUT, "/api/tenants/1/brain".to_owned()),
        (Method::PUT, "/api/tenants/1/personality".to_owned()),
        (Method::POST, format!("/api/turns/{turn}/retry")),
    ] {
        let refused = gateway.api_as(&other, method, &path).await;
        assert_eq!(refused.status, 404, "{path}: {}", refused.text);
    }
    // The same words for a tenant that is there and for one that is not.
    let there = gateway.api_as(&other, Method::GET, "/api/tenants/1").await.text;
    let not_there = gateway.api_as(&other, Method::GET, "/api/tenants/7").await.text;
    assert_eq!(there.replace('1', "7"), not_there);
    let listed = gateway.api_as(&other, Method::GET, "/api/turns").await.ok();
    assert_eq!(listed["turns"], json!([]));
    let refused = gateway.api_as(&other, Method::GET, "/api/gateway/stats").await;
    assert!(refused.status == 403 || refused.status == 404, "{}", refused.text);
}
