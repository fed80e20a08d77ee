//! What is pushed through the API: held against the tenant's brain, told with the digest that is live,
//! and in the audit log before and after.

use super::*;

fn component(name: &str) -> Vec<u8> {
    let path = format!("../target/wasm32-wasip2/brain/{name}.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}: run `cargo xtask brains` first"))
}

/// Tenant 7 has the echo, which has a schema.
/// With the brain `echo`, which runs.
pub(super) async fn with_echo() -> Running {
    let gateway = running_with(|root| {
        let echo = root.join("plugins/echo");
        write(&echo.join("plugin.toml"), include_str!("../../../plugins/echo/plugin.toml"));
        write(&echo.join("personality.toml"), "[echo]\nen = \"{said}?\"\n");
        let schema = r#"{"properties": {"echo": {"additionalProperties": {"type": "string"}}}}"#;
        write(&echo.join("personality.schema.json"), schema);
        std::fs::write(echo.join("brain.wasm"), component("echo")).expect("a file");
    });
    let gateway = gateway.await;
    let seven = json!({"name": "Seven", "organization": 1, "brain": "echo"});
    gateway.operator(Method::PUT, "/api/tenants/7", seven).await;
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while std::time::Instant::now() < give_up {
        let listed = gateway.operator(Method::GET, "/api/brains", Value::Null).await;
        let mut all = listed["brains"].as_array().into_iter().flatten();
        if all.any(|one| one["package"] == "echo" && one["digest"].is_string()) {
            return gateway;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("echo is not compiled");
}

async fn push(gateway: &Running, path: &str, token: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let request = gateway.client.put(format!("{}{path}", gateway.base)).bearer_auth(token).body(body);
    let response = request.send().await.expect("it answers");
    (response.status(), response.json().await.expect("JSON"))
}

/// The newest entries: actor, action, subject, state.
async fn audit(gateway: &Running, count: usize) -> Vec<[String; 4]> {
    let answer = gateway.operator(Method::GET, &format!("/api/audit?limit={count}"), Value::Null).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |entry: &Value| {
        [&entry["actor"], &entry["action"], &entry["subject"], &entry["detail"]["state"]].map(text)
    };
    answer["audit"].as_array().into_iter().flatten().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personality_is_held_against_the_brain_of_its_tenant() {
    let gateway = with_echo().await;
    let own = gateway.tenant_key(7).await;
    let path = "/api/tenants/7/personality";
    let (status, answer) = push(&gateway, path, &own, b"[echo]\nen = 5\n".to_vec()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let expected = "tenant-7/personality.toml:2: `echo.en`: 5 is not of type \"string\"";
    assert_eq!(answer["error"]["message"], expected);

    let (status, answer) = push(&gateway, path, &own, b"[echo]\nen = \"So: {said}\"\n".to_vec()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let package = gateway.operator(Method::GET, "/api/tenants/7/brain", Value::Null).await;
    let listed = gateway.operator(Method::GET, "/api/brains", Value::Null).await;
    let echo = listed["brains"].as_array().into_iter().flatten().find(|one| one["package"] == "echo");
    let live = &echo.expect("it is listed")["digest"];
    assert_eq!(live.as_str().map(str::len), Some(64), "{listed}");
    assert_eq!(answer, json!({"package": "tenant-7", "digest": live, "checked": ["toml", "schema"]}));
    assert_eq!(package["package"], "tenant-7", "{package}");

    let entries = audit(&gateway, 4).await;
    let of = |state: &str| ["tenant 7 (test)", "push personality", "tenant 7", state].map(str::to_owned);
    assert_eq!(entries, [of("live"), of("begun"), of("refused"), of("begun")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_key_pushes_components_of_a_bounded_size() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    let path = "/api/tenants/2/brain";
    let large = vec![0; (8 << 20) + 1];
    let (status, answer) = push(&gateway, path, &own, large.clone()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    assert_eq!(answer["error"]["message"], "the component: limit 8388608 bytes, used 8388609");
    // The operator's is looked at.
    let (status, answer) = push(&gateway, path, &gateway.operator, large).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let entries = audit(&gateway, 2).await;
    let of = |state: &str| ["operator", "push brain", "tenant 2", state].map(str::to_owned);
    assert_eq!(entries, [of("refused"), of("begun")]);
}

/// Whatever an upload calls its parts, what is told and kept of it is short and one line.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_bounded_and_shown() {
    let gateway = with_echo().await;
    let own = gateway.tenant_key(7).await;
    let name = format!("\\nERROR \\u202E{}", "k".repeat(200_000));
    let text = format!("[echo]\n{}", (0..2).map(|n| format!("\"{n}{name}\" = 5\n")).collect::<String>());
    let (status, answer) = push(&gateway, "/api/tenants/7/personality", &own, text.into()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.len() < 1_500, "{} bytes", message.len());
    assert!(message.contains("\\u{a}ERROR \\u{202e}kkk"), "{message}");
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!(audit["audit"][0]["detail"]["reason"], message);
}
