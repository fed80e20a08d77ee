//! The HTTP API over real sockets and a real store: who may do what, and exactly what is answered.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use switchboard::api::auth;
use switchboard::clock;
use switchboard::config::Config;
use switchboard::gateway::{self, Gateway};
use switchboard::message::{ContactKey, TenantId};
use switchboard::reload::Reload;
use switchboard::seal::{KEY_BYTES, Key, Ring};
use switchboard::store::Store;
use switchboard::store::embedded::space::Reserve;
use switchboard::store::embedded::{Embedded, Settings};
use switchboard::store::upkeep::StoreFile;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

mod brains;
mod collections;
mod contacts;
mod others;
mod pages;
mod quotas;
mod senders;
mod shares;

/// A gateway with two tenants, no brain that runs, and an operator's token.
struct Running {
    base: String,
    operator: String,
    client: reqwest::Client,
    store: Arc<dyn Store>,
    file: Arc<dyn StoreFile>,
    directory: tempfile::TempDir,
    _task: JoinHandle<()>,
}

const SENDERS: &str = r#"
[[sender]]
name = "main"
provider = "waha"
account = "default"
base_url = "http://127.0.0.1:1"
api_key = "waha-secret"
hmac_key = "hmac-secret"

[[sender]]
name = "simulator"
provider = "simulator"
account = "simulator"
"#;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

async fn running() -> Running {
    running_with(|_| {}).await
}

/// More than a test sends that is about something else.
const FAILED_KEYS: u32 = 2_000;

/// `prepare` adds to the gateway's directory before it opens.
async fn running_with(prepare: impl FnOnce(&Path)) -> Running {
    running_on(prepare, None).await
}

/// `disk`: what a store of its own is told of its disk.
async fn running_on(prepare: impl FnOnce(&Path), disk: Option<Reserve>) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    prepare(root);
    write(&root.join("plugins/quiet/plugin.toml"), "name = \"quiet\"\n");
    write(&root.join("organizations.toml"), "[[organization]]\nid = 1\nname = \"Demo\"\n");
    let tenant = |id: u32, name: &str| {
        format!("[[tenant]]\nid = {id}\nname = \"{name}\"\norganization = 1\nbrain = \"quiet\"\n")
    };
    write(&root.join("tenants.toml"), &format!("{}{}", tenant(2, "Two"), tenant(55, "Fifty-five")));
    write(&root.join("senders.toml"), SENDERS);
    let program = switchboard_tests::gateway::binary().expect("the gateway is built");
    let config = Config {
        brains: switchboard::config::brains::Brains { program: Some(program), ..Default::default() },
        listen: ([127, 0, 0, 1], 0).into(),
        data: root.join("run"),
        plugins: root.join("plugins"),
        declared: vec![root.to_owned()],
        drain_timeout_ms: 100,
        http: switchboard::config::Http { failed_keys_per_minute: FAILED_KEYS, ..Default::default() },
        ..Config::default()
    };
    let keys = Ring::new([Key::new([7; KEY_BYTES].into())]);
    let settings = gateway::store_settings(&config, keys);
    let mut gateway = Gateway::open(config).await.expect("it opens");
    if let Some(reserve) = disk {
        let path = root.join("measured.redb");
        let store = Embedded::open(Settings { path, reserve, ..settings }).expect("it opens");
        let opened = Arc::new(store);
        (gateway.store, gateway.file) = (opened.clone(), opened);
        let Gateway { config, store, brains, .. } = &gateway;
        gateway.reload = Arc::new(Reload::new(config.clone(), store.clone(), brains.clone()));
    }
    gateway.reload.declare(&|_| None).await.expect("the declared data is good");
    let token = auth::first_operator_token(&*gateway.store).await.expect("the store works");
    let operator = token.expect("it is the first start").expose().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (store, file) = (gateway.store.clone(), gateway.file.clone());
    let task = tokio::spawn(async move {
        gateway.serve(listener, Default::default()).await.expect("it runs");
    });
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    Running { base, operator, client, store, file, directory, _task: task }
}

impl Running {
    async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("it answers");
        let status = response.status();
        let bytes = response.bytes().await.expect("the whole answer");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn operator(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method.clone(), path, Some(&self.operator), body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    async fn tenant_key(&self, tenant: u32) -> String {
        let body = json!({"tenant": tenant, "name": "test"});
        let answer = self.operator(Method::POST, "/api/keys", body).await;
        answer["key"].as_str().expect("the key is shown").to_owned()
    }
}

/// Takes out what is another thing each time.
fn steady(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => {
            let bytes = text.as_bytes();
            if matches!(bytes.len(), 20 | 24) && bytes[10] == b'T' && bytes.ends_with(b"Z") {
                *text = "[time]".into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item.take())),
        Value::Object(object) => object.values_mut().for_each(|item| *item = steady(item.take())),
        _ => {}
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_are_counted_found_and_freed() {
    let gateway = running().await;
    let mapping =
        json!({"971501234567": 2, "+971 50 765 4321": 2, "971500000003": 55, "x": 2, "971500000004": 9});
    let report = gateway.operator(Method::POST, "/api/mapping/import", mapping).await;
    insta::assert_json_snapshot!("import", report);
    let stats = gateway.operator(Method::GET, "/api/gateway/stats", Value::Null).await;
    assert_ne!(stats["gateway_stats"]["last_updated"], "1970-01-01T00:00:00.000Z");
    insta::assert_json_snapshot!("stats", steady(stats));
    // However the number is written, it is the same contact.
    for phone in ["971501234567", "%2B971501234567", "00971501234567", "971501234567@c.us"] {
        let path = format!("/api/gateway/user/{phone}/tenant");
        let found = gateway.operator(Method::GET, &path, Value::Null).await;
        assert_eq!((&found["phone_number"], &found["tenant_id"]), (&json!("971501234567"), &json!(2)));
    }
    let path = "/api/gateway/user/+971501234567/mapping";
    let freed = gateway.operator(Method::DELETE, path, Value::Null).await;
    assert_eq!(freed, json!({"status": "deleted", "phone_number": "971501234567", "previous_tenant_id": 2}));
    let (status, answer) = gateway.ask(Method::DELETE, path, Some(&gateway.operator), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    insta::assert_json_snapshot!("not_locked", answer);
    let stats = gateway.operator(Method::GET, "/api/gateway/stats", Value::Null).await;
    assert_eq!(stats["gateway_stats"]["users_per_tenant"], json!({"2": 1, "55": 1}));
    assert_eq!(gateway.store.recount().await.expect("it counts").users, 2);
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!(audit["audit"][0]["actor"], "operator");
    assert!(audit["audit"][0].to_string().contains("unlock"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_leave_conflicts_alone_and_dry_runs_change_nothing() {
    let gateway = running().await;
    let dry =
        gateway.operator(Method::POST, "/api/mapping/import?dry_run=true", json!({"971501234567": 2})).await;
    assert_eq!((&dry["imported"], &dry["dry_run"]), (&json!(1), &json!(true)));
    assert_eq!(gateway.store.counters().users, 0);
    gateway.operator(Method::POST, "/api/mapping/import", json!({"971501234567": 2})).await;
    let again = gateway
        .operator(Method::POST, "/api/mapping/import", json!({"971501234567": 55, "971500000003": 55}))
        .await;
    assert_eq!(again["imported"], 1);
    assert_eq!(again["conflicts"].as_array().map(Vec::len), Some(1), "{again}");
    let contact = ContactKey::from_stored("971501234567");
    let lock = gateway.store.lock_of(&contact).await.expect("it reads").expect("it is locked");
    assert_eq!(lock.tenant.get(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_what_was_imported_however_long() {
    let gateway = running().await;
    let count = 12_345_u64;
    let locks = (0..count)
        .map(|n| {
            let tenant = TenantId::new(if n.is_multiple_of(3) { 55 } else { 2 }).expect("it is not 0");
            (ContactKey::from_stored(format!("{}", 971_500_000_000 + n)), tenant)
        })
        .collect();
    gateway.store.import_locks(locks, false, "test", clock::now()).await.expect("it imports");
    let exported = gateway.operator(Method::GET, "/api/mapping/export", Value::Null).await;
    let exported = exported.as_object().expect("an object");
    assert_eq!(exported.len() as u64, count);
    assert_eq!(exported["971500000000"], 55);
    assert_eq!(exported["971500012344"], 2);
    let empty = running().await.operator(Method::GET, "/api/mapping/export", Value::Null).await;
    assert_eq!(empty, json!({}));
}

/// Method, path and body; then what the operator gets, what tenant 2's key, and what tenant 55's.
type Case = (&'static str, &'static str, Value, [u16; 3]);

/// Tenants and what is theirs: another tenant does not exist.
fn of_tenants() -> Vec<Case> {
    vec![
        ("GET", "/api/tenants", json!(null), [200, 200, 200]),
        ("GET", "/api/tenants/2", json!(null), [200, 200, 404]),
        ("GET", "/api/tenants/99", json!(null), [404, 404, 404]),
        ("PUT", "/api/tenants/2", json!({}), [400, 403, 403]),
        ("PUT", "/api/tenants/2/collections/homes", json!([{"id": 1}]), [200, 200, 404]),
        ("GET", "/api/tenants/2/collections/homes", json!(null), [200, 200, 404]),
        ("PUT", "/api/tenants/2/brain", json!("no component"), [422, 422, 404]),
        ("POST", "/api/tenants/2/brain/rollback", json!({}), [404, 404, 404]),
        ("POST", "/api/tenants/2/brain/forget", json!(null), [409, 403, 403]),
        ("GET", "/api/tenants/2/brain", json!(null), [200, 200, 404]),
        ("GET", "/api/tenants/2/conversations/971501234567", json!(null), [404, 404, 404]),
        ("GET", "/api/tenants/2/conversations/971501234567/messages", json!(null), [200, 200, 404]),
        ("POST", "/api/tenants/2/conversations/971501234567/handoff", json!(null), [404, 404, 404]),
        ("POST", "/api/tenants/2/conversations/971501234567/handback", json!(null), [404, 404, 404]),
        ("GET", "/api/tenants/2/opt-outs", json!(null), [200, 200, 404]),
        ("GET", "/api/tenants/2/opt-outs/971501234567", json!(null), [404, 404, 404]),
        ("PUT", "/api/tenants/2/opt-outs/971501234568", json!({"reason": "asked"}), [200, 200, 404]),
        ("PUT", "/api/tenants/2/opt-outs/971501234568", json!({"reasons": "asked"}), [400, 400, 404]),
        ("DELETE", "/api/tenants/2/opt-outs/971501234567", json!(null), [404, 404, 404]),
        (
            "POST",
            "/api/tenants/2/chat",
            json!({"id": "1", "from": "15550100002", "text": "x"}),
            [200, 200, 404],
        ),
        (
            "POST",
            "/api/tenants/2/chat",
            json!({"id": "2", "from": "971501234568", "text": "start_realty_2"}),
            [200, 422, 404],
        ),
        ("GET", "/api/brains", json!(null), [200, 403, 403]),
        ("POST", "/api/brains/quiet/rollback", json!({}), [422, 403, 403]),
        ("GET", "/api/senders", json!(null), [200, 403, 403]),
        ("GET", "/api/senders/main", json!(null), [200, 403, 403]),
        ("PUT", "/api/senders/main", json!({}), [400, 403, 403]),
    ]
}

/// What is the operator's, and queues, where each sees its own.
fn of_operators() -> Vec<Case> {
    vec![
        ("GET", "/api/gateway/stats", json!(null), [200, 403, 403]),
        ("GET", "/api/gateway/user/971501234567/tenant", json!(null), [404, 403, 403]),
        ("DELETE", "/api/gateway/user/971501234567/mapping", json!(null), [404, 403, 403]),
        ("GET", "/api/contacts/971501234567", json!(null), [200, 403, 403]),
        ("POST", "/api/contacts/971501234567/merge", json!({"into": "971501234567"}), [409, 403, 403]),
        ("POST", "/api/contacts/971501234567/merge", json!({"into": "nobody"}), [400, 403, 403]),
        ("POST", "/api/contacts/971501234567/unmerge", json!(null), [409, 403, 403]),
        ("GET", "/api/mapping/export", json!(null), [200, 403, 403]),
        ("POST", "/api/mapping/import", json!({}), [200, 403, 403]),
        ("GET", "/api/organizations", json!(null), [200, 403, 403]),
        ("POST", "/api/reload", json!(null), [409, 403, 403]),
        ("PUT", "/api/organizations/3", json!({"name": "Three"}), [200, 403, 403]),
        ("GET", "/api/turns", json!(null), [200, 200, 200]),
        ("GET", "/api/turns?tenant=2", json!(null), [200, 200, 404]),
        ("GET", "/api/turns/2-971501234567-1", json!(null), [404, 404, 404]),
        ("POST", "/api/turns/2-971501234567-1/retry", json!(null), [404, 404, 404]),
        ("GET", "/api/outbox", json!(null), [200, 200, 200]),
        ("GET", "/api/outbox?tenant=2", json!(null), [200, 200, 404]),
        ("POST", "/api/outbox/2-971501234567-1/drop", json!(null), [404, 404, 404]),
        ("GET", "/api/keys", json!(null), [200, 403, 403]),
        ("POST", "/api/keys", json!({"name": "x"}), [200, 403, 403]),
        ("GET", "/api/audit", json!(null), [200, 403, 403]),
        ("POST", "/api/backup", json!(null), [200, 403, 403]),
        ("POST", "/api/backup", json!({"to": "/tmp/anywhere.tar"}), [403, 403, 403]),
        ("POST", "/api/store/verify", json!(null), [200, 403, 403]),
        (
            "POST",
            "/api/webhook/explain?provider=simulator",
            json!({"id": "1", "from": "971501234567", "text": "x"}),
            [200, 403, 403],
        ),
        (
            "POST",
            "/api/gateway/simulator",
            json!({"id": "1", "from": "971501234567", "text": "x"}),
            [200, 403, 403],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    let other = gateway.tenant_key(55).await;
    assert!(own.starts_with("sbt_") && gateway.operator.starts_with("sbo_"));
    let cases = of_tenants().into_iter().chain(of_operators());
    for (method, path, body, [operator, second, fifty_fifth]) in cases {
        let method: Method = method.parse().expect("a method");
        let wrong = format!("sbo_{}", "0".repeat(64));
        for (token, expected) in [
            (None, 401),
            (Some(""), 401),
            (Some(wrong.as_str()), 401),
            (Some(other.as_str()), fifty_fifth),
            (Some(own.as_str()), second),
            (Some(gateway.operator.as_str()), operator),
        ] {
            let (status, answer) = gateway.ask(method.clone(), path, token, body.clone()).await;
            assert_eq!(status.as_u16(), expected, "{method} {path} with {token:?}: {answer}");
            if !status.is_success() {
                let error = &answer["error"];
                let told = ["code", "message", "action"]
                    .map(|key| error[key].as_str().is_some_and(|text| !text.is_empty()));
                assert_eq!(told, [true; 3], "{method} {path}: {answer}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_keys_is_slowed_and_counted_and_a_right_key_is_not() {
    let gateway = running().await;
    let wrong = format!("sbo_{}", "0".repeat(64));
    for _ in 0..FAILED_KEYS {
        let (status, _) = gateway.ask(Method::GET, "/api/turns", Some(&wrong), Value::Null).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    for path in ["/api/turns", "/api/tenants/2", "/api/outbox"] {
        let began = std::time::Instant::now();
        let (status, answer) = gateway.ask(Method::GET, path, Some(&wrong), Value::Null).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_keys"))
        );
        assert!(began.elapsed() >= switchboard::api::failed_keys::DELAY, "{path}: it is kept waiting");
    }
    // Who has a right key and may not is told of too, and so is another site's page.
    let own = gateway.tenant_key(2).await;
    let (status, _) = gateway.ask(Method::GET, "/api/audit", Some(&own), Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let page =
        gateway.client.post(format!("{}/api/keys", gateway.base)).header("sec-fetch-site", "cross-site");
    assert_eq!(page.send().await.expect("it answers").status(), StatusCode::FORBIDDEN);
    let link = gateway.client.get(format!("{}/media/nobody-signed-it", gateway.base));
    assert_eq!(link.send().await.expect("it answers").status(), StatusCode::NOT_FOUND);
    // Neither the right key nor a page that was not told one yet.
    gateway.operator(Method::GET, "/api/turns", Value::Null).await;
    let (status, _) = gateway.ask(Method::GET, "/api/turns", None, Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let metrics = gateway.client.get(format!("{}/metrics", gateway.base)).bearer_auth(&gateway.operator);
    let metrics = metrics.send().await.expect("it answers").text().await.expect("text");
    let wrong = format!("switchboard_refused_callers_total{{reason=\"key_wrong\"}} {}", FAILED_KEYS + 3);
    assert!(metrics.contains(&wrong), "{metrics}");
    for reason in ["key_missing", "not_allowed", "another_site", "link_wrong"] {
        let counted = format!("switchboard_refused_callers_total{{reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&counted), "{reason}: {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_key_opens_nothing() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    assert_eq!(gateway.ask(Method::GET, "/api/tenants/2", Some(&own), Value::Null).await.0, StatusCode::OK);
    let keys = gateway.operator(Method::GET, "/api/keys", Value::Null).await;
    let key = keys["keys"].as_array().into_iter().flatten().find(|key| key["tenant"] == 2).expect("its key");
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    assert_eq!(gateway.ask(Method::DELETE, &path, Some(&own), Value::Null).await.0, StatusCode::FORBIDDEN);
    gateway.operator(Method::DELETE, &path, Value::Null).await;
    let (status, _) = gateway.ask(Method::GET, "/api/tenants/2", Some(&own), Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!(
        (&audit["audit"][0]["action"], &audit["audit"][0]["subject"]),
        (&json!("remove api key"), &json!("tenant 2"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_itself_only() {
    let gateway = running().await;
    let own = gateway.tenant_key(2).await;
    let (_, answer) = gateway.ask(Method::GET, "/api/tenants", Some(&own), Value::Null).await;
    let ids: Vec<&Value> = answer["tenants"].as_array().into_iter().flatten().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(2)]);
    insta::assert_json_snapshot!("tenant", answer["tenants"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_checked_before_they_are_kept() {
    let gateway = running().await;
    let bad =
        json!({"name": "", "organization": 9, "brain": "nowhere", "time_zone": "Dubai", "language": "x"});
    let (status, answer) = gateway.ask(Method::PUT, "/api/tenants/7", Some(&gateway.operator), bad).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_json_snapshot!("bad_tenant", answer);
    assert!(gateway.store.directory().tenant(TenantId::new(7).expect("not 0")).is_none());
    let (status, answer) = gateway
        .ask(Method::PUT, "/api/tenants/7", Some(&gateway.operator), json!({"id": 8, "name": "x"}))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let good = json!({"name": "Seven", "organization": 1, "brain": "quiet"});
    let made = gateway.operator(Method::PUT, "/api/tenants/7", good).await;
    assert_eq!(made["deep_link"], "start_realty_7");
    // What was shown can be sent back.
    let again = gateway.operator(Method::PUT, "/api/tenants/7", made.clone()).await;
    assert_eq!(again, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_in_and_never_come_out() {
    let gateway = running().await;
    let shown = gateway.operator(Method::GET, "/api/senders", Value::Null).await;
    insta::assert_json_snapshot!("senders", shown);
    // Sent back as it was shown, the secrets stay; an empty one goes.
    let mut sender = shown["senders"][0].clone();
    sender["number"] = json!("971500000001");
    sender["api_key"] = json!("");
    let changed = gateway.operator(Method::PUT, "/api/senders/main", sender).await;
    assert_eq!((&changed["api_key"], &changed["hmac_key"]), (&Value::Null, &json!("(set)")));
    let directory = gateway.store.directory();
    let kept = directory.senders.values().find(|sender| sender.name.as_str() == "main").expect("it is there");
    assert_eq!((kept.hmac_key.expose(), kept.api_key.expose()), ("hmac-secret", ""));
    for path in ["/api/senders", "/api/senders/main", "/api/audit", "/api/keys"] {
        let answer = gateway.operator(Method::GET, path, Value::Null).await.to_string();
        for secret in ["waha-secret", "hmac-secret", gateway.operator.as_str()] {
            assert!(!answer.contains(secret), "{path} tells {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_open_and_readiness_says_why_not() {
    let gateway = running().await;
    let (status, answer) = gateway.ask(Method::GET, "/health", None, Value::Null).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("ok")));
    // The one package has no component.
    let (status, answer) = gateway.ask(Method::GET, "/ready", None, Value::Null).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["reasons"], json!(["no brain is loaded; `switchboard brain list` says why"]));
    let response = gateway.client.get(format!("{}/metrics", gateway.base)).send().await.expect("it answers");
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.expect("text");
    assert!(text.contains("\nswitchboard_users 0\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_explained_and_nothing_is_kept() {
    let gateway = running().await;
    let body = json!({"id": "1", "from": "971501234567", "text": "start_realty_55"});
    let explained = gateway.operator(Method::POST, "/api/webhook/explain?provider=simulator", body).await;
    assert_eq!((&explained["decision"], &explained["tenant_id"]), (&json!("routed"), &json!(55)));
    assert_eq!(gateway.store.counters().accepted, 0);
    let response = gateway
        .client
        .post(format!("{}/api/webhook/explain?provider=waha", gateway.base))
        .bearer_auth(&gateway.operator)
        .header("x-webhook-header", "X-Webhook-Hmac: 00")
        .body(std::fs::read("../data/demo/start_realty_2.json").expect("the demo's payload"))
        .send()
        .await
        .expect("it answers");
    let line: Value = response.json().await.expect("one line");
    assert_eq!(line["verified"], "the signature does not match the body");
    assert_eq!((&line["kind"], &line["tenant_id"]), (&json!("message"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_ends_with_news_or_with_time() {
    let gateway = brains::with_echo().await;
    let two = json!({"name": "Second", "organization": 1, "brain": "echo"});
    gateway.operator(Method::PUT, "/api/tenants/2", two).await;
    let path = "/api/tenants/2/conversations/971501234567/messages";
    let began = std::time::Instant::now();
    let empty = gateway.operator(Method::GET, &format!("{path}?wait_s=1"), Value::Null).await;
    assert_eq!(empty, json!({"messages": [], "settled": true, "more": false, "next": null}));
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    let waiting = gateway.operator(Method::GET, path, Value::Null);
    assert_eq!(waiting.await["settled"], true);
    let long = format!("{path}?wait_s=30");
    let (news, answer) = tokio::join!(gateway.operator(Method::GET, &long, Value::Null), async {
        let body = json!({"id": "1", "from": "971501234567", "text": "start_realty_2"});
        gateway.operator(Method::POST, "/api/gateway/simulator", body).await
    });
    assert_eq!(
        answer,
        json!({"status": "routed", "tenant_id": 2, "phone_number": "971501234567", "is_new_session": true})
    );
    assert_eq!(news["messages"][0]["line"]["heard"]["content"]["text"], "start_realty_2", "{news}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_takes_over_and_gives_back() {
    let gateway = running().await;
    let says = async |id: &str, text: &str| {
        let body = json!({"id": id, "from": "971501234567", "text": text});
        gateway.operator(Method::POST, "/api/gateway/simulator", body).await
    };
    says("1", "start_realty_2").await;
    let (own, other) = (gateway.tenant_key(2).await, gateway.tenant_key(55).await);
    let path = "/api/tenants/2/conversations/971501234567";
    let turn = async |verb: &str, key: &str| {
        gateway.ask(Method::POST, &format!("{path}/{verb}"), Some(key), Value::Null).await
    };
    assert_eq!(turn("handoff", &other).await.0, StatusCode::NOT_FOUND);
    let (status, answer) = turn("handoff", &own).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer, json!({"tenant_id": 2, "phone_number": "971501234567", "mode": "human"}));
    assert_eq!(gateway.operator(Method::GET, path, Value::Null).await["mode"], "human");
    assert_eq!(turn("handoff", &gateway.operator).await.0, StatusCode::CONFLICT);
    says("2", "to the human").await;
    assert_eq!(turn("handback", &other).await.0, StatusCode::NOT_FOUND);
    assert_eq!(turn("handback", &gateway.operator).await.1["mode"], "bot");
    assert_eq!(gateway.operator(Method::GET, path, Value::Null).await["mode"], "bot");
    assert_eq!(turn("handback", &own).await.0, StatusCode::CONFLICT);
    let audit = gateway.operator(Method::GET, "/api/audit?limit=2", Value::Null).await;
    let done = |at: usize| (&audit["audit"][at]["action"], &audit["audit"][at]["actor"]);
    assert_eq!(done(0).0, "hand back");
    assert_eq!(done(1), (&json!("take over"), &json!("tenant 2 (test)")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_lands_in_its_directory() {
    let gateway = running().await;
    let answer = gateway.operator(Method::POST, "/api/backup", Value::Null).await;
    let file = Path::new(answer["file"].as_str().expect("a path"));
    assert!(file.starts_with(gateway.directory.path().join("run/backups")), "{answer}");
    assert_eq!(Some(std::fs::metadata(file).expect("it is there").len()), answer["bytes"].as_u64());
    let audit = gateway.operator(Method::GET, "/api/audit?limit=1", Value::Null).await;
    assert_eq!(audit["audit"][0]["action"], "back up");
}
