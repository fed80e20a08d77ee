//! `switchboard chat` by the operator and by a tenant with a key of its own, on a gateway where no number is
//! simulated.

use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::{Hook, text};

async fn gateway() -> Gateway {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .sender("name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = 'http://127.0.0.1:9'\nauth = 'none'")
        .start()
        .await
}

async fn key_of(gateway: &Gateway, tenant: u32) -> String {
    let made = gateway.cli(&["key", "add", "--tenant", &tenant.to_string(), "--name", "ci", "--json"]).await;
    let made: Value = serde_json::from_str(made.ok()).unwrap();
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_talks_to_its_own_bot_with_its_own_key() {
    let gateway = gateway().await;
    let key = key_of(&gateway, 2).await;
    let url = gateway.url("");
    let chat = async |tenant: &str, more: &[&str]| {
        let place = ["chat", "--tenant", tenant, "--url", &url, "--token", &key];
        gateway.cli_with_input(&[&place, more].concat(), "hello\n").await
    };
    for _ in 0..2 {
        let told = chat("2", &[]).await;
        assert!(told.ok().contains("Second: You said: hello"), "{told:?}");
    }
    let told = chat("2", &["--as", "15550107777", "--no-link"]).await;
    assert!(told.ok().contains("Second: You said: hello"), "{told:?}");
    // Another tenant is not there for it, and nor is anybody's number.
    let told = chat("1", &[]).await;
    assert!(!told.status.success() && told.stderr.contains("there is no tenant 1"), "{told:?}");
    let told = chat("2", &["--as", "971501234567"]).await;
    assert!(!told.status.success() && told.stderr.contains("15550100000 to 15550109999"), "{told:?}");
    let senders = gateway.get("/api/senders").await.ok();
    let made =
        senders["senders"].as_array().unwrap().iter().find(|sender| sender["name"] == "chat-2").unwrap();
    assert_eq!((&made["provider"], &made["tenant"]), (&json!("simulator"), &json!(2)));
    assert_eq!(gateway.get("/api/gateway/user/15550100002/tenant").await.status, 404, "it locks nobody");
    // The operator needs no more.
    let told = gateway.cli_with_input(&["chat", "--tenant", "1"], "hello\n").await;
    assert!(told.ok().contains("First: You said: hello"), "{told:?}");
}

/// Whoever belongs to whom on the shared number: a tenant's chat neither meets nor moves it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_reaches_nobody_else() {
    let gateway = gateway().await;
    let key = key_of(&gateway, 2).await;
    let phone = "15550100009";
    Hook::to(&gateway).say(&text(phone, "A1", "start_realty_1")).await;
    let say = async |path: &str, key: &str, body: Value| {
        let request = gateway.client().post(gateway.url(path)).bearer_auth(key).json(&body);
        Answer::of(request).await.unwrap()
    };
    let body = json!({"id": "1", "from": phone, "text": "start_realty_1", "account": "default"});
    let said = say("/api/tenants/2/chat", &key, body.clone()).await.ok();
    assert_eq!((&said["tenant_id"], &said["sender"]), (&json!(2), &json!("chat-2")));
    assert_eq!(gateway.get(&format!("/api/gateway/user/{phone}/tenant")).await.ok()["tenant_id"], 1);
    assert_eq!(say("/api/tenants/1/chat", &key, body.clone()).await.status, 404);
    assert_eq!(say("/api/gateway/simulator", &key, body.clone()).await.status, 403);
    assert_eq!(say("/api/tenants/2/chat", "nobody", body).await.status, 401);
    for wrong in [json!({"id": "2", "text": "x"}), json!({"id": "", "from": phone, "text": "x"}), json!({})] {
        let told = say("/api/tenants/2/chat", &key, wrong.clone()).await;
        assert_eq!(told.status, 400, "{wrong}: {}", told.text);
    }
}
