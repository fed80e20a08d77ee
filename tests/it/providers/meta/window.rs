//! Outside the 24-hour window: what a brain says becomes the tenant's fallback template, once it is
//! approved, and is refused with the reason until then.

use switchboard_tests::peer::Fault;

use super::*;

const CLOSED: i64 = 131_047;

fn with_fallback(meta: &FakeMeta) -> Setup {
    let fallback = "[tenant.policy.fallback_template]\nname = 'news'\nlanguage = 'en'\nparameter = 'words'";
    Setup::new()
        .package("echo")
        .tenant(&format!("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'\n{fallback}"))
        .sender(&number("first", NUMBER, 1, SECRET, meta.url()))
        .config("[delivery]\nbackoff_ms = 20\n")
}

async fn api(gateway: &Gateway, method: Method, path: &str, body: Value) -> Answer {
    let request = gateway.client().request(method, gateway.url(path)).bearer_auth(gateway.token());
    Answer::of(request.json(&body)).await.unwrap()
}

/// A draft that Meta has been asked to approve.
async fn submitted(gateway: &Gateway) -> Value {
    let template = json!({
        "name": "news", "language": "en", "category": "utility", "body": "We wrote you: {{words}} Answer to go on.",
        "parameters": [{"name": "words", "example": "Your viewing is tomorrow."}],
    });
    api(gateway, Method::POST, "/api/tenants/1/templates", template).await.ok();
    api(gateway, Method::POST, "/api/tenants/1/templates/news/en/submit", json!({})).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_become_the_approved_template_and_the_log_keeps_it() {
    let meta = meta::start().await;
    let gateway = with_fallback(&meta).start().await;
    let template = submitted(&gateway).await;
    assert_eq!(template["status"], "pending", "{template}");

    // Not approved yet: the reply is refused with the reason, and nothing else goes out.
    meta.fail_next(Fault::Say { status: 400, body: meta::error(CLOSED, "Re-engagement message") });
    say(&gateway, &Webhook::text(NUMBER, SARA, "too early")).await;
    gateway.drained(SOON).await;
    let dead = gateway.get("/api/outbox?ended=true").await.ok();
    let why = dead["outbox"][0]["last_error"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("news") && why.contains("pending"), "{dead}");
    assert!(meta.sent().is_empty());

    // Approved, as Meta tells by webhook: the same words go out as the template.
    meta.with(|meta| meta.judge("news", "APPROVED"));
    let id = template["provider_id"].as_str().unwrap().parse::<u64>().unwrap();
    let approved = json!({ "event": "APPROVED", "message_template_id": id, "message_template_name": "news",
        "message_template_language": "en", "reason": "NONE" });
    say(&gateway, &Webhook::change("message_template_status_update", approved)).await;
    meta.fail_next(Fault::Say { status: 400, body: meta::error(CLOSED, "Re-engagement message") });
    say(&gateway, &Webhook::text(NUMBER, OMID, "after a day")).await;
    let sent = meta.wait_for(1, SOON).await;
    assert_eq!(sent[0].body["type"], "template", "{sent:?}");
    assert_eq!(sent[0].body["template"]["name"], "news");
    assert!(sent[0].body["template"].to_string().contains(&echo("after a day")), "{sent:?}");
    gateway.drained(SOON).await;

    // Who was sent which template is written down, and what became of it.
    say(&gateway, &Webhook::status(NUMBER, &sent[0].id, OMID, "delivered")).await;
    let log = gateway.get("/api/tenants/1/templates/log").await.ok();
    let used = &log["sent"][0];
    assert_eq!(
        (&used["name"], &used["contact"], &used["state"]),
        (&json!("news"), &json!(OMID), &json!("delivered")),
        "{log}"
    );
    assert_eq!(used["parameters"], json!(["words"]), "names only: {log}");
    assert!(!log.to_string().contains("after a day"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_who_blocked_us_is_written_to_no_more() {
    const WANTS_NONE: i64 = 131_050;
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    meta.fail_next(Fault::Say { status: 400, body: meta::error(WANTS_NONE, "User opted out") });
    say(&gateway, &Webhook::text(NUMBER, SARA, "one")).await;
    gateway.drained(SOON).await;
    let wishes = gateway.get("/api/tenants/1/opt-outs").await.ok();
    assert_eq!(wishes["opt_outs"][0]["contact"], SARA, "{wishes}");
    let before = meta.calls().len();
    // Had she written it after that, she would want an answer.
    say(&gateway, &Webhook::text(NUMBER, SARA, "two").written_before(60)).await;
    gateway.drained(SOON).await;
    let asked = meta.calls().into_iter().skip(before).filter(|call| call.json()["type"] == "text").count();
    assert_eq!(asked, 0, "nothing was said to who wants nothing");
}
