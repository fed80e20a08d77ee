//! A secret that goes in is never seen again, not even by sending it somewhere.

use super::*;

const PATH: &str = "/api/senders/main";

/// What the operator's token reads of the sender, with a change.
async fn changed(gateway: &Running, change: Value) -> (StatusCode, Value) {
    let mut body = gateway.operator(Method::GET, PATH, Value::Null).await;
    for (key, value) in change.as_object().expect("an object") {
        body[key] = value.clone();
    }
    gateway.ask(Method::PUT, PATH, Some(&gateway.operator), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_asks_for_the_secrets_again() {
    let gateway = running().await;
    // Where the operator would like to read the key.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let elsewhere = format!("http://{}", listener.local_addr().expect("it listens"));
    let given = json!({"base_url": elsewhere, "api_key": "a new key"});
    for change in [
        json!({"base_url": elsewhere}),
        json!({"base_url": elsewhere, "api_key": null}),
        json!({"base_url": elsewhere, "api_key": "(set)", "hmac_key": "(set)"}),
        json!({"base_url": "http://127.0.0.1:1@evil.example"}),
        json!({"base_url": "https://127.0.0.1:1"}),
        json!({
            "provider": "infobip", "account": "41793026731", "base_url": elsewhere, "hmac_header": "x-signature",
        }),
        json!({"provider": "meta", "account": "1122334455667", "base_url": null}),
        // Connecting tells the session how its webhooks prove themselves.
        given.clone(),
    ] {
        let (status, answer) = changed(&gateway, change.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{change}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains("would be sent"), "{change}: {message}");
    }
    let kept = gateway.operator(Method::GET, PATH, Value::Null).await;
    assert_eq!(kept["base_url"], "http://127.0.0.1:1");
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    let entry = &audit["audit"][0];
    assert_eq!((&entry["action"], &entry["detail"]["state"]), (&json!("move sender"), &json!("refused")));
    // The doctor asks where the sender is, and nobody else.
    gateway.operator(Method::GET, "/api/doctor", Value::Null).await;
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "nothing was sent there");

    // What does not move anything asks for nothing.
    let (status, answer) =
        changed(&gateway, json!({"base_url": "http://127.0.0.1:1/", "groups": true})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    // Given anew, or taken away.
    for change in [
        json!({"base_url": elsewhere, "api_key": "a new key", "hmac_key": "another"}),
        json!({"base_url": "http://127.0.0.1:2", "api_key": "", "hmac_key": "third"}),
    ] {
        let (status, answer) = changed(&gateway, change.clone()).await;
        assert_eq!(status, StatusCode::OK, "{change}: {answer}");
        let audit = gateway.operator(Method::GET, "/api/audit?limit=2", Value::Null).await;
        assert!(audit.to_string().contains("\"moved\""), "{audit}");
    }
}

/// A body that a page of another site could have sent is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_json_body_says_that_it_is_one() {
    let gateway = running().await;
    let send = async |kind: Option<&str>, origin: Option<&str>| {
        let mut request =
            gateway.client.post(format!("{}/api/keys", gateway.base)).bearer_auth(&gateway.operator);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.body(r#"{"name":"laptop"}"#).send().await.expect("an answer");
        answer.status().as_u16()
    };
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
    {
        assert_eq!(send(kind, None).await, 415, "{kind:?}");
    }
    assert_eq!(send(Some("application/json"), Some("https://evil.example")).await, 403);
    assert_eq!(send(Some("application/json"), Some(&gateway.base)).await, 200, "a page of our own");
    assert_eq!(send(Some("application/json; charset=utf-8"), None).await, 200);
}
