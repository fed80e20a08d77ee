//! The demo's two numbers: the destination decides, however it is written, and an unknown one goes to
//! nobody.

use std::path::Path;

use serde_json::{Value, json};
use switchboard_tests::client::client;

use super::Place;

/// A gateway's directory with the demo's data, packages and senders.
fn demo() -> Place {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().unwrap();
    place.write(
        "switchboard.toml",
        &format!(
            "data = 'run'\nplugins = '{0}/plugins'\ndeclared = ['{0}/data/demo']\n",
            root.to_str().unwrap()
        ),
    );
    place
}

async fn post(url: &str, body: &Value) -> Value {
    let sent = client().post(url).json(body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    sent.json().await.unwrap()
}

#[tokio::test]
async fn each_number_is_its_tenants_own() {
    let place = demo();
    let gateway = place.serve();
    let url = format!("{}/api/gateway/infobip", gateway.url);
    let body: Value = serde_json::from_str(include_str!("../../../data/demo/two_numbers.json")).unwrap();
    let answer = post(&url, &body).await;
    let routed = |tenant: u32, contact: &str| {
        json!({
            "status": "routed", "tenant_id": tenant, "phone_number": contact, "is_new_session": true,
            "user_id": format!("demo-user-{tenant}"), "chatbot_id": format!("demo-bot-{tenant}"),
        })
    };
    assert_eq!(
        answer,
        json!({"status": "received", "results": [
            routed(2, "971501234567"),
            routed(55, "971501234568"),
            {"status": "ignored", "reason": "no sender has this account", "action": "check_the_sender_configuration"},
        ]})
    );
    // With a plus or without, the same tenant; the same message again, the same answer.
    for (number, written) in [("96179374241", "+96179374241"), ("9613451652", "+961 3 451 652")] {
        let tenant = |to: &str| place.json(&["sender", "test", to])["senders"][0]["tenant_id"].clone();
        assert_eq!(tenant(number), tenant(written), "{number}");
    }
    assert_eq!(post(&url, &body).await, answer);
    let metrics =
        client().get(format!("{}/metrics", gateway.url)).send().await.unwrap().text().await.unwrap();
    let unknown = metrics.lines().find(|line| line.contains("outcome=\"unknown_account\"")).unwrap();
    assert!(unknown.contains("provider=\"infobip\"") && unknown.ends_with(" 2"), "{unknown}");
    gateway.stop();
}
