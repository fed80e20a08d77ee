//! A body that proves itself and is no event that the provider is known to send: refused it would come again for
//! days. And one that does not say whom it is for, at the address that is one sender's own.

use serde_json::Value;
use switchboard_tests::gateway::Answer;

use super::*;

const PHONE: &str = "971501234567";
const INFOBIP: &str = "41793026731";
const META: &str = "106540352242922";

/// A number at each, all with the same key in a header; the secret ends of their addresses are their own.
fn numbers() -> Setup {
    let sender = |provider: &str, account: &str, more: &str| {
        format!(
            "name = '{provider}'\nprovider = '{provider}'\naccount = '{account}'\nbase_url = '{NOBODY}'\n\
             api_key = 'k'\nwebhook_key = 'secret'\ntenant = 1\n{more}"
        )
    };
    two_tenants()
        .sender(&sender("waha", "default", ""))
        .sender(&sender("infobip", INFOBIP, "webhook_path = 'of-infobip-0123456789'"))
        .sender(&sender("meta", META, "webhook_path = 'of-meta-0123456789'\nverify_token = 'v'"))
}

async fn post(gateway: &Gateway, path: &str, key: &str, body: &Value) -> Answer {
    let request = gateway.client().post(gateway.url(&format!("/api/gateway/{path}")));
    Answer::of(request.header("x-api-key", key).json(body)).await.expect("it answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_known_event_is_kept_and_not_asked_for_again() {
    let gateway = numbers().start().await;
    let (infobip, meta) = ("infobip/of-infobip-0123456789", "meta/of-meta-0123456789");
    let cases = [
        ("waha", json!({})),
        ("waha", json!({"session": "default", "event": 7})),
        ("waha", json!({"event": "message", "payload": {}})),
        ("waha", json!({"session": {}, "event": "message"})),
        (infobip, json!({"results": "none"})),
        (infobip, json!({"results": {"0": {}}})),
        (meta, json!({"object": "whatsapp_business_account"})),
        (meta, json!({"entry": {}})),
    ];
    for (path, body) in &cases {
        let answer = post(&gateway, path, "wrong", body).await;
        assert_eq!(answer.status, 401, "{path}: {body}: {}", answer.text);
        let answer = post(&gateway, path, "secret", body).await;
        assert_eq!(answer.status, 200, "{path}: {body}: {}", answer.text);
        assert_eq!(answer.json()["status"], "ignored", "{path}: {body}: {}", answer.text);
    }
    let unread = gateway.get("/api/webhook/unread").await.ok();
    assert_eq!(unread["kept"], json!({"infobip": 2, "meta": 2, "waha": 4}), "{unread}");
    let told = gateway.cli(&["webhook", "unread"]).await;
    assert!(
        told.ok().contains("no event of infobip's: expected a list, found text at results"),
        "{}",
        told.stdout
    );
    assert_eq!(gateway.cli(&["webhook", "replay"]).await.ok().trim(), "0 taken in; 8 still cannot be read.");
    assert_eq!(accepted(&gateway).await, 0.0);
}

fn of_infobip(to: &Value, id: &str) -> Value {
    let mut item = json!({
        "from": PHONE, "integrationType": "WHATSAPP", "receivedAt": "2026-08-01T16:00:00.000+0000",
        "messageId": id, "message": {"type": "TEXT", "text": "hello"},
    });
    if !to.is_null() {
        item["to"] = to.clone();
    }
    item
}

fn of_meta(metadata: Value, id: &str) -> Value {
    let message = json!({"from": PHONE, "id": id, "timestamp": "1785600000", "type": "text", "text": {"body": "hello"}});
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata, "messages": [message]});
    json!({"object": "whatsapp_business_account", "entry": [
        {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]},
    ]})
}

/// Whoever's own address it came to it is for; a body that names another of ours as well may be either's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_names_nobody_is_for_the_address_that_it_came_to() {
    let second = "name = 'second'\nprovider = 'infobip'\naccount = '447860064956'\nbase_url = 'http://127.0.0.1:9'\n\
                  api_key = 'k'\nwebhook_key = 'secret'\ntenant = 2";
    let gateway = numbers().sender(second).start().await;
    let (infobip, meta) = ("infobip/of-infobip-0123456789", "meta/of-meta-0123456789");
    let results = |items: &[Value]| json!({ "results": items });
    let routed = [
        (infobip, results(&[of_infobip(&json!(null), "I1")])),
        (infobip, results(&[of_infobip(&json!(""), "I2"), of_infobip(&json!(INFOBIP), "I3")])),
        (infobip, of_infobip(&json!(null), "I4")),
        (meta, of_meta(json!({"display_phone_number": "15550783881"}), "wamid.1")),
        (meta, of_meta(json!(null), "wamid.2")),
    ];
    for (path, body) in &routed {
        let answer = post(&gateway, path, "secret", body).await.ok();
        let all = answer["results"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        let tenants: Vec<&Value> = all.iter().map(|answer| &answer["tenant_id"]).collect();
        assert!(tenants.iter().all(|tenant| **tenant == json!(1)), "{path}: {body}: {answer}");
    }
    assert_eq!(accepted(&gateway).await, 6.0);
    for body in [results(&[of_infobip(&json!(null), "J1"), of_infobip(&json!("447860064956"), "J2")])] {
        let answer = post(&gateway, infobip, "secret", &body).await.ok();
        assert_eq!(answer["results"][0]["status"], "ignored", "{answer}");
        assert_eq!(answer["results"][1]["tenant_id"], 2, "{answer}");
    }
    let unread = gateway.get("/api/webhook/unread").await.ok();
    assert_eq!(unread["kept"], json!({"infobip": 1}), "{unread}");
}
