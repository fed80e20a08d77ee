//! A template's life, end to end: written by its tenant, submitted to Meta, told of by webhook and by
//! list, deleted.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::infobip::{self, Infobip};
use switchboard_tests::meta::webhook::Webhook;
use switchboard_tests::meta::{self, FakeMeta};
use switchboard_tests::peer::{Fault, Peer};
use switchboard_tests::wait::until;

const DEADLINE: Duration = Duration::from_secs(30);

const FILE: &str = r#"
name = "viewing_reminder"
language = "en"
category = "utility"
body = "Hello {{customer}}, your viewing is at {{time}} today."
footer = "Marina Homes"

[[buttons]]
type = "quick_reply"
text = "I will be there"

[[parameters]]
name = "customer"
example = "Sara"

[[parameters]]
name = "time"
example = "17:30"
"#;

const PATH: &str = "/api/tenants/2/templates/viewing_reminder/en";

fn setup(meta: &FakeMeta) -> Setup {
    let tenant = |id: u32| format!("id = {id}\nname = \"Tenant {id}\"\norganization = 1\nbrain = \"echo\"");
    Setup::new().package("echo").tenant(&tenant(2)).tenant(&tenant(3)).tenant(&tenant(4)).sender(&format!(
        "name = \"shop\"\nprovider = \"meta\"\naccount = \"{}\"\ntenant = 2\nbusiness_account = \"{}\"\n\
         base_url = \"{}\"\napi_version = \"{}\"\napi_key = \"{}\"\nhmac_key = \"{}\"\nverify_token = \"v\"",
        meta::NUMBER,
        meta::BUSINESS,
        meta.url(),
        meta::VERSION,
        meta::TOKEN,
        meta::SECRET,
    ))
}

async fn send(gateway: &Gateway, method: Method, path: &str, body: &Value) -> Answer {
    let request = gateway.client().request(method, gateway.url(path)).bearer_auth(gateway.token());
    Answer::of(request.json(body)).await.expect("an answer")
}

async fn put(gateway: &Gateway) {
    let file = gateway.dir().join("viewing_reminder.toml");
    std::fs::write(&file, FILE).expect("a file");
    let told = gateway.cli(&["template", "put", "--tenant", "2", file.to_str().expect("UTF-8")]).await;
    assert!(told.stdout.contains("Put: viewing_reminder (en), draft."), "{told:?}");
}

async fn status(gateway: &Gateway) -> String {
    gateway.get(PATH).await.ok()["status"].as_str().expect("a status").to_owned()
}

fn told(status: &str) -> Webhook {
    Webhook::change(
        "message_template_status_update",
        json!({"event": status, "message_template_name": "viewing_reminder",
            "message_template_language": "en", "reason": "NONE"}),
    )
}

#[tokio::test]
async fn a_template_lives_from_draft_to_deletion() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    put(&gateway).await;
    let submitted = gateway.cli(&["template", "submit", "--tenant", "2", "viewing_reminder", "en"]).await;
    assert!(submitted.stdout.contains("pending"), "{submitted:?}");
    assert_eq!(meta.refused(), [], "the request keeps to Meta's contract");
    let again = send(&gateway, Method::POST, &format!("{PATH}/submit"), &json!({})).await;
    assert_eq!((again.status, again.json()["error"]["code"].clone()), (409, json!("conflict")));

    // The webhook tells the category too.
    let mut approved = told("APPROVED");
    approved.body["entry"][0]["changes"][0]["value"]["message_template_category"] = "MARKETING".into();
    let answer = approved.post(gateway.client(), &gateway.url("/api/gateway/meta"), meta::SECRET).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    let shown = gateway.get(PATH).await.ok();
    assert_eq!((&shown["status"], &shown["category"]), (&json!("approved"), &json!("marketing")));
    assert_eq!(shown["template"]["category"], "utility", "what the tenant wrote stays");
    let changes: Vec<&str> =
        shown["changes"].as_array().expect("changes").iter().filter_map(|it| it["what"].as_str()).collect();
    assert_eq!(
        changes,
        [
            "status: draft, then pending",
            "status: pending, then approved",
            "category: UTILITY, then MARKETING"
        ]
    );

    meta.with(|meta| meta.judge("viewing_reminder", "PAUSED"));
    let synced = send(&gateway, Method::POST, "/api/tenants/2/templates/sync", &json!({})).await.ok();
    assert_eq!((&synced["templates"], &synced["changed"][0]["status"]), (&json!(1), &json!("paused")));
    let soon = send(&gateway, Method::POST, "/api/tenants/2/templates/sync", &json!({})).await;
    assert_eq!(soon.status, 409, "{}", soon.text);

    // Another content for what is there waits for approval again.
    let mut other = gateway.get(PATH).await.ok()["template"].clone();
    other["body"] = "Dear {{customer}}, your viewing is at {{time}} today.".into();
    let replaced = send(&gateway, Method::PUT, PATH, &other).await.ok();
    assert_eq!((&replaced["status"], &replaced["template"]["body"]), (&json!("pending"), &other["body"]));

    let deleted = gateway.cli(&["template", "delete", "--tenant", "2", "viewing_reminder", "en"]).await;
    assert!(deleted.status.success(), "{deleted:?}");
    assert_eq!(gateway.get(PATH).await.status, 404);
    assert_eq!(meta.refused(), []);
    let audit = gateway.get("/api/audit?limit=100").await.text;
    for action in
        ["put template", "submit template", "template submitted", "template changed", "remove template"]
    {
        assert!(audit.contains(action), "{action} is not in the audit log");
    }
    let log = gateway.get("/api/tenants/2/templates/log").await.ok();
    assert_eq!(log, json!({"sent": [], "next": null}));
}

#[tokio::test]
async fn what_webhooks_missed_is_found_after_a_start() {
    let meta = meta::start().await;
    let mut gateway = setup(&meta).start().await;
    put(&gateway).await;
    send(&gateway, Method::POST, &format!("{PATH}/submit"), &json!({})).await.ok();
    gateway.stop().await;
    meta.with(|meta| meta.judge("viewing_reminder", "APPROVED"));
    gateway.start().await;
    until("the list was looked at", DEADLINE, async || (status(&gateway).await == "approved").then_some(()))
        .await;
    let lists = || {
        meta.calls().iter().filter(|call| call.method == "GET" && call.path.ends_with("templates")).count()
    };
    let before = lists();
    // It was looked at just now: a start is no reason to ask again.
    gateway.restart().await;
    put_another(&gateway).await;
    assert_eq!(lists(), before);
}

async fn put_another(gateway: &Gateway) {
    let body = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thank you."});
    let created = send(gateway, Method::POST, "/api/tenants/2/templates", &body).await;
    assert_eq!(created.status, 200, "{}", created.text);
    let twice = send(gateway, Method::POST, "/api/tenants/2/templates", &body).await;
    assert_eq!(twice.status, 409, "{}", twice.text);
}

#[tokio::test]
async fn refusals_say_what_to_do_and_leave_a_draft() {
    let meta = meta::start().await;
    // One whose provider is not there, and one without templates.
    let gateway = setup(&meta)
        .sender(
            "name = \"away\"\nprovider = \"meta\"\naccount = \"7\"\ntenant = 3\nbusiness_account = \"8\"\n\
             base_url = \"http://127.0.0.1:1\"\napi_key = \"x\"\nhmac_key = \"other-secret\"\nverify_token = \"v\"",
        )
        .sender(
            "name = \"phone\"\nprovider = \"waha\"\naccount = \"default\"\ntenant = 4\n\
             base_url = \"http://127.0.0.1:1\"\nauth = \"none\"",
        )
        .start()
        .await;
    let body = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thank you."});
    let rows = [
        (
            4,
            "/api/tenants/4/templates",
            body.clone(),
            422,
            "tenant 4 has no sender whose provider has templates",
        ),
        (4, "/api/tenants/4/templates?sender=phone", body.clone(), 422, "waha has no templates"),
        (2, "/api/tenants/2/templates?sender=away", body.clone(), 404, "tenant 2 has no sender \"away\""),
        (
            2,
            "/api/tenants/2/templates",
            json!({"name": "X", "language": "en", "category": "utility", "body": "{{1}}"}),
            422,
            "name: \"X\" is not a name; body: begins or ends with a placeholder; body: {{1}} is not declared",
        ),
        (
            2,
            "/api/tenants/2/templates",
            json!({"name": "x"}),
            400,
            "the body cannot be read: missing field `language`",
        ),
    ];
    for (tenant, path, body, code, said) in rows {
        let answer = send(&gateway, Method::POST, path, &body).await;
        assert_eq!(answer.status, code, "tenant {tenant}: {}", answer.text);
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.starts_with(said), "{message}");
    }
    send(&gateway, Method::POST, "/api/tenants/3/templates", &body).await.ok();
    let away = send(&gateway, Method::POST, "/api/tenants/3/templates/thanks/en/submit", &json!({})).await;
    assert_eq!(
        (away.status, away.json()["error"]["code"].clone()),
        (502, json!("provider_refused")),
        "{}",
        away.text
    );
    let left = gateway.get("/api/tenants/3/templates/thanks/en").await.ok();
    assert_eq!(left["status"], "draft");
    assert!(left["reason"].as_str().is_some_and(|reason| reason.starts_with("cannot connect")), "{left}");

    // Another tenant's templates do not exist for a tenant.
    let made = gateway.cli(&["key", "add", "--tenant", "3", "--name", "test"]).await;
    let key = made.stdout.trim().to_owned();
    put(&gateway).await;
    for (method, path) in [
        (Method::GET, "/api/tenants/2/templates"),
        (Method::GET, PATH),
        (Method::DELETE, PATH),
        (Method::POST, "/api/tenants/2/templates/sync"),
        (Method::GET, "/api/tenants/2/templates/log"),
    ] {
        assert_eq!(gateway.api_as(&key, method, path).await.status, 404, "{path}");
    }

    // Whoever has one app's secret does not speak of another app's templates.
    send(&gateway, Method::POST, &format!("{PATH}/submit"), &json!({})).await.ok();
    let hooks = gateway.url("/api/gateway/meta");
    let forged = told("APPROVED").post(gateway.client(), &hooks, "other-secret").await.expect("an answer");
    assert_eq!(forged.status(), 401);
    assert_eq!(status(&gateway).await, "pending");
    let unsigned = told("APPROVED").post(gateway.client(), &hooks, "nobody's").await.expect("an answer");
    assert_eq!(unsigned.status(), 401);
    assert_eq!(status(&gateway).await, "pending");
}

/// Meta's answers come a byte at a time from here on.
fn answers_slowly(meta: &FakeMeta) {
    meta.with(|meta| meta.fails_templates = true);
    meta.fail_next(Fault::Drip { pause: Duration::from_millis(30) });
}

async fn approve(gateway: &Gateway, meta: &FakeMeta, status: &str) {
    meta.with(|meta| meta.judge("viewing_reminder", status));
    let answer = told(status).post(gateway.client(), &gateway.url("/api/gateway/meta"), meta::SECRET).await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_webhook_before_the_answer_counts() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    put(&gateway).await;
    answers_slowly(&meta);
    let early = async {
        let taken = async || meta.calls().iter().any(|call| call.method == "POST").then_some(());
        until("Meta has taken it", DEADLINE, taken).await;
        assert_eq!(status(&gateway).await, "pending", "written down before it went");
        approve(&gateway, &meta, "APPROVED").await;
    };
    let path = format!("{PATH}/submit");
    let body = json!({});
    let (submitted, ()) = tokio::join!(send(&gateway, Method::POST, &path, &body), early);
    let submitted = submitted.ok();
    assert_eq!(submitted["status"], "approved", "the answer said pending: {submitted}");
    assert!(submitted["provider_id"].is_string(), "{submitted}");
    assert_eq!(status(&gateway).await, "approved");
}

#[tokio::test]
async fn a_replacement_goes_on_without_its_caller() {
    let meta = meta::start().await;
    let gateway = setup(&meta).start().await;
    put(&gateway).await;
    send(&gateway, Method::POST, &format!("{PATH}/submit"), &json!({})).await.ok();
    approve(&gateway, &meta, "APPROVED").await;
    let mut other = gateway.get(PATH).await.ok()["template"].clone();
    other["body"] = "Dear {{customer}}, your viewing is at {{time}} today.".into();
    // Refused, it is as it was before.
    meta.with(|meta| meta.fails_templates = true);
    meta.fail_next(Fault::Say { status: 400, body: meta::error(100, "Too often") });
    let refused = send(&gateway, Method::PUT, PATH, &other).await;
    assert_eq!(refused.status, 502, "{}", refused.text);
    let shown = gateway.get(PATH).await.ok();
    assert_eq!((&shown["status"], &shown["template"]["footer"]), (&json!("approved"), &other["footer"]));
    assert_ne!(shown["template"]["body"], other["body"]);

    answers_slowly(&meta);
    {
        let replace = send(&gateway, Method::PUT, PATH, &other);
        let begun =
            until("it is on its way", DEADLINE, async || (status(&gateway).await == "pending").then_some(()));
        tokio::select! {
            answer = replace => panic!("it was to be slow: {}", answer.text),
            () = begun => {}
        }
    }
    assert_eq!(gateway.get(PATH).await.ok()["template"]["body"], other["body"]);
    until("the answer was written down", DEADLINE, async || {
        gateway.get("/api/audit?limit=100").await.text.contains("template replaced").then_some(())
    })
    .await;
    let shown = gateway.get(PATH).await.ok();
    assert_eq!((&shown["status"], &shown["template"]["body"]), (&json!("pending"), &other["body"]));
    assert_eq!(meta.refused(), []);
}

/// Nothing listens at the address of the first; asking it in vain is asking too.
#[tokio::test]
async fn a_list_is_not_asked_for_again_too_soon() {
    let meta = meta::start().await;
    let gateway = setup(&meta)
        .sender(
            "name = \"app\"\nprovider = \"gupshup\"\naccount = \"DemoApp\"\napp_id = \"1\"\ntenant = 2\n\
             number = \"918400000048\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"x\"\n\
             webhook_path = \"s3cret-0123456789\"",
        )
        .config("[templates]\nsync_minutes = 0\n")
        .start()
        .await;
    let body = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thank you."});
    for sender in ["app", "shop"] {
        let path = format!("/api/tenants/2/templates?sender={sender}");
        send(&gateway, Method::POST, &path, &body).await.ok();
    }
    let sync = async |more: &str| {
        let path = format!("/api/tenants/2/templates/sync{more}");
        send(&gateway, Method::POST, &path, &json!({})).await
    };
    assert_eq!(sync("?sender=app").await.status, 502, "nobody is there");
    let soon = sync("?sender=app").await;
    assert_eq!(soon.status, 409, "{}", soon.text);
    assert!(soon.text.contains("it may be again at 2"), "{}", soon.text);
    let others = sync("").await.ok();
    assert_eq!((&others["templates"], &others["later"][0]["sender"]), (&json!(2), &json!("app")));
    assert_eq!(others["later"].as_array().map(Vec::len), Some(1));
    assert!(meta.calls().iter().any(|call| call.path.ends_with("message_templates")));
    assert_eq!(sync("").await.status, 409, "now neither may be asked");
}

#[tokio::test]
async fn infobip_takes_nobody_elses_language_away() {
    const NUMBER: &str = "9613451652";
    let infobip = Peer::start(Infobip::with(&[NUMBER])).await;
    let tenant = |id: u32| format!("id = {id}\nname = \"Tenant {id}\"\norganization = 1\nbrain = \"echo\"");
    let gateway = Setup::new()
        .package("echo")
        .tenant(&tenant(2))
        .tenant(&tenant(3))
        .sender(&format!(
            "name = \"shared\"\nprovider = \"infobip\"\naccount = \"{NUMBER}\"\nbase_url = \"{}\"\n\
             api_key = \"{}\"\nwebhook_key = \"a-key-of-the-webhook\"",
            infobip.url(),
            infobip::KEY
        ))
        .start()
        .await;
    let put = async |tenant: u32, language: &str| {
        let path = format!("/api/tenants/{tenant}/templates");
        let body =
            json!({"name": "thanks", "language": language, "category": "utility", "body": "Thank you."});
        send(&gateway, Method::POST, &path, &body).await.ok();
        format!("{path}/thanks/{language}")
    };
    let (own, other) = (put(2, "en").await, put(3, "fa").await);
    for path in [&own, &other] {
        send(&gateway, Method::POST, &format!("{path}/submit"), &json!({})).await.ok();
    }
    for more in ["", "?all_languages=true"] {
        let refused = gateway.api(Method::DELETE, &format!("{own}{more}")).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert!(refused.text.contains("another tenant of this account has one"), "{}", refused.text);
    }
    assert_eq!(infobip.with(|infobip| infobip.templates.len()), 1, "nothing was deleted there");
    for path in [&own, &other] {
        assert_eq!(gateway.get(path).await.ok()["status"], "pending");
    }
}

#[tokio::test]
async fn infobip_deletes_all_languages_together() {
    const NUMBER: &str = "9613451652";
    let infobip = Peer::start(Infobip::with(&[NUMBER])).await;
    let gateway = Setup::new()
        .package("echo")
        .tenant("id = 2\nname = \"Tenant 2\"\norganization = 1\nbrain = \"echo\"")
        .sender(&format!(
            "name = \"shop\"\nprovider = \"infobip\"\naccount = \"{NUMBER}\"\ntenant = 2\nbase_url = \"{}\"\n\
             api_key = \"{}\"\nwebhook_key = \"a-key-of-the-webhook\"",
            infobip.url(),
            infobip::KEY
        ))
        .start()
        .await;
    for language in ["en", "fa"] {
        let body =
            json!({"name": "thanks", "language": language, "category": "utility", "body": "Thank you."});
        send(&gateway, Method::POST, "/api/tenants/2/templates", &body).await.ok();
        let path = format!("/api/tenants/2/templates/thanks/{language}/submit");
        assert_eq!(send(&gateway, Method::POST, &path, &json!({})).await.ok()["status"], "pending");
    }
    assert_eq!(infobip.refused(), [], "the request keeps to Infobip's contract");
    let path = "/api/tenants/2/templates/thanks/fa";
    let refused = gateway.api(Method::DELETE, path).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("infobip deletes all languages of a name together"), "{}", refused.text);
    assert_eq!(infobip.with(|infobip| infobip.templates.len()), 1);
    gateway.api(Method::DELETE, &format!("{path}?all_languages=true")).await.ok();
    assert_eq!(infobip.with(|infobip| infobip.templates.len()), 0);
    assert_eq!(gateway.get(path).await.status, 404);
    let other = gateway.get("/api/tenants/2/templates/thanks/en").await.ok();
    assert_eq!((&other["status"], &other["reason"]), (&json!("deleted"), &json!("deleted together with fa")));
}

#[tokio::test]
async fn a_template_that_went_out_is_listed_with_what_became_of_it() {
    let meta = meta::start().await;
    let gateway = setup(&meta)
        .tenant(
            "id = 5\nname = \"Tenant 5\"\norganization = 1\nbrain = \"echo\"\n\
             [tenant.policy.fallback_template]\nname = \"news\"\nlanguage = \"en\"\nparameter = \"words\"",
        )
        .sender(&format!(
            "name = \"fifth\"\nprovider = \"meta\"\naccount = \"{}\"\ntenant = 5\nbusiness_account = \"{}\"\n\
             base_url = \"{}\"\napi_version = \"{}\"\napi_key = \"{}\"\nhmac_key = \"{}\"\nverify_token = \"v\"",
            meta::OTHER_NUMBER,
            meta::BUSINESS,
            meta.url(),
            meta::VERSION,
            meta::TOKEN,
            meta::SECRET,
        ))
        .start()
        .await;
    let body = json!({"name": "news", "language": "en", "category": "utility",
        "body": "News for you: {{words}} Write back to us.", "parameters": [{"name": "words", "example": "open"}]});
    send(&gateway, Method::POST, "/api/tenants/5/templates", &body).await.ok();
    let path = "/api/tenants/5/templates/news/en";
    send(&gateway, Method::POST, &format!("{path}/submit"), &json!({})).await.ok();
    meta.with(|meta| meta.judge("news", "APPROVED"));
    send(&gateway, Method::POST, "/api/tenants/5/templates/sync", &json!({})).await.ok();
    // Another tenant at the same business account cannot take the name.
    let taken = send(&gateway, Method::POST, "/api/tenants/2/templates", &body).await;
    assert_eq!(taken.status, 409, "{}", taken.text);

    meta.fail_next(Fault::Say { status: 400, body: meta::error(131_047, "Re-engagement message") });
    let hooks = gateway.url("/api/gateway/meta");
    let hello = Webhook::text(meta::OTHER_NUMBER, "971501234567", "open today");
    hello.post(gateway.client(), &hooks, meta::SECRET).await.expect("an answer");
    let sent = meta.wait_for(1, DEADLINE).await;
    assert_eq!(sent[0].body["template"]["name"], "news", "{:?}", sent[0].body);
    let log = async || gateway.get("/api/tenants/5/templates/log").await.ok()["sent"][0].clone();
    until("it is written down", DEADLINE, async || (!log().await.is_null()).then_some(())).await;
    let read = Webhook::status(meta::OTHER_NUMBER, &sent[0].id, "971501234567", "read");
    read.post(gateway.client(), &hooks, meta::SECRET).await.expect("an answer");
    let line = log().await;
    assert_eq!(
        (&line["name"], &line["contact"], &line["state"], &line["category"], &line["parameters"]),
        (&json!("news"), &json!("971501234567"), &json!("read"), &json!("utility"), &json!(["words"]))
    );
    assert!(!line.to_string().contains("open today"), "values are not kept: {line}");
}

/// However many accounts there are whose provider hangs, a healthy one's list is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_hang_hold_up_no_other() {
    let mut setup = Setup::new()
        .package("echo")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'")
        .config("[delivery]\ntimeout_ms = 60_000\n");
    let mut peers = Vec::new();
    for n in 0..6 {
        let number = format!("4179302673{n}");
        let peer = Peer::start(Infobip::with(&[&number])).await;
        setup = setup.sender(&format!(
            "name = 'n{n}'\nprovider = 'infobip'\naccount = '{number}'\ntenant = 2\nbase_url = '{}'\n\
             api_key = '{}'\nwebhook_key = 'k'",
            peer.url(),
            infobip::KEY,
        ));
        peers.push(peer);
    }
    let (well, hanging) = peers.split_last().expect("some");
    let mut gateway = setup.start().await;
    let body = json!({"name": "thanks", "language": "en", "category": "utility", "body": "Thank you."});
    for n in 0..peers.len() {
        let path = format!("/api/tenants/2/templates?sender=n{n}");
        send(&gateway, Method::POST, &path, &body).await.ok();
    }
    // They are looked at soon after a start.
    gateway.stop().await;
    hanging.iter().for_each(|peer| peer.hang_at("/templates"));
    let before = well.asked("/templates");
    gateway.start().await;
    until("all are asked", DEADLINE, async || {
        let hang = hanging.iter().all(|peer| peer.asked("/templates") > 0);
        (hang && well.asked("/templates") > before).then_some(())
    })
    .await;
}
