//! Who is who, and who wants no messages.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_are_merged_and_told_apart() {
    let gateway = running().await;
    let mapping = json!({"971501234567": 2, "971507654321": 55});
    gateway.operator(Method::POST, "/api/mapping/import", mapping).await;
    let merged = gateway
        .operator(
            Method::POST,
            "/api/contacts/245800000000182@lid/merge",
            json!({"into": "+971 50 123 4567"}),
        )
        .await;
    assert_eq!(merged["status"], "merged");
    for key in ["245800000000182@lid", "971501234567", "%2B971501234567"] {
        let person = gateway.operator(Method::GET, &format!("/api/contacts/{key}"), Value::Null).await;
        let expected = json!({
            "contact": "971501234567", "aliases": ["245800000000182@lid"], "tenant_id": 2, "tenant_name": "Two",
            "since": "[time]", "attribution": null, "sender": null,
        });
        assert_eq!(steady(person), expected, "{key}");
    }
    // What is kept of the person is found by either key.
    let path = "/api/gateway/user/245800000000182@lid/tenant";
    assert_eq!(gateway.operator(Method::GET, path, Value::Null).await["tenant_id"], 2);
    let said = json!({"id": "m1", "from": "971501234567", "text": "hello"});
    gateway.operator(Method::POST, "/api/gateway/simulator", said).await;
    for (path, list) in [
        ("/api/tenants/2/conversations/245800000000182@lid", None),
        ("/api/turns?tenant=2&contact=245800000000182@lid", Some("turns")),
    ] {
        let found = gateway.operator(Method::GET, path, Value::Null).await;
        let one = |list| found[list].as_array().is_some_and(|found| found.len() == 1);
        assert!(list.is_none_or(one), "{found}");
    }

    let path = "/api/contacts/971507654321/merge";
    gateway.operator(Method::POST, path, json!({"into": "971501234567"})).await;
    let left = gateway.operator(Method::POST, "/api/contacts/971507654321/unmerge", Value::Null).await;
    assert_eq!(
        (&left["status"], &left["tenant_id"], &left["was_alias_of"]),
        (&json!("unmerged"), &json!(55), &json!("971501234567"))
    );
    let stats = gateway.operator(Method::GET, "/api/gateway/stats", Value::Null).await;
    assert_eq!(stats["gateway_stats"]["users_per_tenant"], json!({"2": 1, "55": 1}));
    let audit = gateway.operator(Method::GET, "/api/audit?limit=3", Value::Null).await;
    let deeds: Vec<&Value> =
        audit["audit"].as_array().into_iter().flatten().map(|entry| &entry["action"]).collect();
    assert_eq!(deeds, ["unmerge", "merge", "merge"]);
    assert_eq!(audit["audit"][0]["actor"], "operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_keeps_its_own_opt_outs() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    for (n, phone) in ["971500000003", "%2B971500000001", "971500000002"].into_iter().enumerate() {
        let path = format!("/api/tenants/2/opt-outs/{phone}");
        let body = if n == 1 { json!({"reason": "asked on the phone"}) } else { Value::Null };
        let (status, answer) = gateway.ask(Method::PUT, &path, Some(&own), body).await;
        assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("opted_out")), "{answer}");
    }
    let list = async |path: &str| {
        let listed = gateway.operator(Method::GET, path, Value::Null).await;
        steady(listed["opt_outs"].clone())
    };
    let one = json!({"contact": "971500000001", "since": "[time]", "reason": "asked on the phone"});
    let other = |phone: &str| json!({"contact": phone, "since": "[time]", "reason": "tenant 2 (test)"});
    assert_eq!(list("/api/tenants/2/opt-outs?limit=2").await, json!([one, other("971500000002")]));
    assert_eq!(list("/api/tenants/2/opt-outs?after=971500000002").await, json!([other("971500000003")]));
    assert_eq!(list("/api/tenants/55/opt-outs").await, json!([]));
    let path = "/api/tenants/2/opt-outs/971500000001";
    assert_eq!(steady(gateway.operator(Method::GET, path, Value::Null).await), one);
    let (status, answer) = gateway.ask(Method::DELETE, path, Some(&own), Value::Null).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"status": "opted_in", "contact": "971500000001"})));
    assert_eq!(gateway.ask(Method::DELETE, path, Some(&own), Value::Null).await.0, StatusCode::NOT_FOUND);
    let long = json!({"reason": "x".repeat(257)});
    let (status, answer) = gateway.ask(Method::PUT, path, Some(&own), long).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!(
        (&audit["audit"][0]["actor"], &audit["audit"][0]["action"]),
        (&json!("tenant 2 (test)"), &json!("opt in"))
    );
}

/// Nor does it whose it is: an opt-out with the provider's words stays an operator's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_as_a_reason_decides_nothing() {
    let gateway = running().await;
    gateway.operator(Method::POST, "/api/mapping/import", json!({"971501234567": 2})).await;
    let path = "/api/tenants/2/opt-outs/971501234567";
    let reason = json!({"reason": "told by the provider"});
    for times in 1..=2 {
        let answer = gateway.operator(Method::PUT, path, reason.clone()).await;
        let kept = gateway.operator(Method::GET, path, Value::Null).await;
        assert_eq!(answer["since"], kept["since"], "what is answered is what is kept");
        let audit = gateway.operator(Method::GET, "/api/audit?limit=10", Value::Null).await;
        let deeds = audit["audit"].as_array().into_iter().flatten();
        assert_eq!(deeds.filter(|entry| entry["action"] == "opt out").count(), times, "{audit}");
    }
    let said = json!({"id": "m1", "from": "971501234567", "text": "is it still free?"});
    gateway.operator(Method::POST, "/api/gateway/simulator", said).await;
    let kept = gateway.operator(Method::GET, path, Value::Null).await;
    assert_eq!(kept["reason"], "told by the provider", "the contact's message does not lift it");
}
