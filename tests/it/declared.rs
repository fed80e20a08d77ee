//! Declared files and those who change the same things elsewhere: who is told what, and when a file has the
//! last word; and files that are read again while the gateway runs.

use std::time::Duration;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::gateway::{Answer, Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::wait::until;

const SOON: Duration = Duration::from_secs(20);

const SENDER: &str = "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = 'http://127.0.0.1:9'\nhmac_key = 'file:hmac'";

fn setup() -> Setup {
    Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .tenant("id = 2\nname = 'Second'\norganization = 1\nbrain = 'echo'\nlabels = { user_id = 'u2' }")
        .sender(SENDER)
        .collection(1, "homes", &json!([{"id": 1}]))
}

async fn start() -> Gateway {
    let mut gateway = setup().write();
    write(&gateway, "hmac", "first-key\n");
    gateway.start().await;
    gateway
}

fn write(gateway: &Gateway, file: &str, text: &str) {
    std::fs::write(gateway.dir().join("declared").join(file), text).unwrap();
}

fn read(gateway: &Gateway, file: &str) -> String {
    std::fs::read_to_string(gateway.dir().join("declared").join(file)).unwrap()
}

fn edit(gateway: &Gateway, file: &str, from: &str, to: &str) {
    let text = read(gateway, file);
    assert!(text.contains(from), "{text}");
    write(gateway, file, &text.replacen(from, to, 1));
}

async fn put(gateway: &Gateway, path: &str, body: Value) -> Value {
    let request = gateway.client().put(gateway.url(path)).bearer_auth(gateway.token()).json(&body);
    Answer::of(request).await.unwrap().ok()
}

/// Also what is only a mistake at its provider stands where it was written, and one hides no other.
#[tokio::test]
async fn each_mistake_of_a_sender_has_its_place() {
    let gateway = setup().write();
    let text = "[[sender]]\nname = 'main'\nprovider = 'waha'\naccount = 'default'\nhmac_key = 'k'\n\
                base_url = 'http://127.0.0.1:9'\nverify_token = 'v'\nactive = 'yes'\nacount = 'x'\n";
    write(&gateway, "senders.toml", text);
    let told = gateway.cli(&["check"]).await;
    assert!(!told.status.success(), "{told:?}");
    for line in [
        "senders.toml:7:16: sender[0].verify_token: means nothing at waha; it is for meta; take it away",
        "senders.toml:8:10: sender[0].active: is string \"yes\"; write true or false",
        "senders.toml:9:1: sender[0].acount: there is no such key; did you mean `account`?",
    ] {
        assert!(told.stderr.contains(line), "{line}\n{}{}", told.stdout, told.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_what_a_file_declares_is_told_and_the_start_says_what_it_takes_back() {
    let mut gateway = start().await;
    for (path, body, file, field, declared, now) in [
        (
            "/api/tenants/2",
            json!({"time_zone": "Asia/Dubai"}),
            "tenants.toml:",
            "time_zone",
            "\"UTC\"",
            "\"Asia/Dubai\"",
        ),
        (
            "/api/tenants/1",
            json!({"labels": {"user_id": "x"}}),
            "tenants.toml:",
            "labels.user_id",
            "(nothing)",
            "\"x\"",
        ),
        ("/api/senders/main", json!({"groups": true}), "senders.toml:", "groups", "false", "true"),
        (
            "/api/senders/main",
            json!({"hmac_key": "elsewhere"}),
            "senders.toml:",
            "hmac_key",
            "(set)",
            "(set)",
        ),
        (
            "/api/organizations/1",
            json!({"name": "Other"}),
            "organizations.toml:",
            "name",
            "\"Demo Realty Group\"",
            "\"Other\"",
        ),
        (
            "/api/tenants/1/collections/homes",
            json!([{"id": 2}]),
            "homes.json",
            "records",
            "(the file's)",
            "(others)",
        ),
    ] {
        let told = put(&gateway, path, body).await;
        assert!(told["declared"]["file"].as_str().is_some_and(|at| at.contains(file)), "{path}: {told}");
        assert_eq!(told["declared"]["fields"][field], json!({"declared": declared, "now": now}), "{told}");
        assert!(!told.to_string().contains("first-key"), "{told}");
    }
    // What no file declares, or has the same, is nobody's business.
    for (path, body) in [
        ("/api/tenants/9", json!({"name": "Nine", "organization": 1, "brain": "echo"})),
        ("/api/tenants/2", json!({"time_zone": null})),
        ("/api/tenants/1/collections/others", json!([])),
    ] {
        let told = put(&gateway, path, body).await;
        assert_eq!(told["declared"], Value::Null, "{path}: {told}");
    }
    put(&gateway, "/api/tenants/2", json!({"time_zone": "Asia/Dubai"})).await;
    let told = gateway.cli(&["tenant", "add", "2", "--replace", "--language", "ar"]).await;
    assert!(
        told.stderr.contains("tenants.toml") && told.stderr.contains("language = \"en\""),
        "{}",
        told.stderr
    );
    gateway.restart().await;
    for fragment in
        ["\"Asia/Dubai\\\" -> \\\"UTC\\\"", "groups: true -> false", "name: \\\"Other\\\" -> ", "1 records"]
    {
        let line = gateway.wait_for_line(fragment).await;
        assert!(line.contains("a change was taken back") && line.contains("operator"), "{line}");
    }
    let tenant = gateway.get("/api/tenants/2").await.ok();
    assert_eq!(
        (&tenant["time_zone"], &tenant["language"], &tenant["labels"]["user_id"]),
        (&json!("UTC"), &json!("en"), &json!("u2"))
    );
    assert_eq!(tenant["declared"], Value::Null);
    // A sender that is declared comes back, and who gives it away has the file to change.
    let owner = gateway.client().post(gateway.url("/api/senders/main/owner")).bearer_auth(gateway.token());
    let given = Answer::of(owner.json(&json!({"tenant": 1}))).await.unwrap().ok();
    let gone = gateway.api(Method::DELETE, "/api/senders/main").await.ok();
    for told in [given, gone] {
        assert!(told["declared"]["file"].as_str().is_some_and(|at| at.contains("senders.toml:")), "{told}");
    }
    assert_eq!(gateway.cli(&["reload", "--json"]).await.ok().matches("\"changed\": 1").count(), 1);
    assert_eq!(gateway.get("/api/senders/main").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_read_again_while_it_runs() {
    let gateway = start().await;
    let (old, new) = (Hook::to(&gateway).signed("first-key"), Hook::to(&gateway).signed("second-key"));
    assert_eq!(old.say(&text("971501234567", "A1", "start_realty_2")).await["status"], "routed");
    write(&gateway, "hmac", "second-key\n");
    edit(&gateway, "tenants.toml", "name = 'Second'", "name = 'Renamed'\ntime_zone = 'Asia/Dubai'");
    write(&gateway, "collections/1/homes.json", r#"[{"id": 1}, {"id": 2}]"#);
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    let other = config.replacen("drain_timeout_ms = 10000", "drain_timeout_ms = 9000", 1);
    assert_ne!(config, other, "{config}");
    std::fs::write(
        gateway.config_file(),
        format!("{other}\n[http]\ncors_origins = ['https://crm.example.com']\n"),
    )
    .unwrap();
    let told = gateway.cli(&["reload"]).await;
    let said = told.ok();
    for part in [
        "time_zone",
        "hmac_key",
        "records",
        "drain_timeout_ms",
        "http.cors_origins",
        "3 declared things changed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("second-key") && !gateway.log().contains("second-key"));
    let tenant = gateway.get("/api/tenants/2").await.ok();
    assert_eq!((&tenant["name"], &tenant["time_zone"]), (&json!("Renamed"), &json!("Asia/Dubai")));
    assert_eq!(old.post(&text("971501234567", "A2", "hello")).await.status, 401);
    assert_eq!(new.say(&text("971501234567", "A3", "hello")).await["status"], "routed");
    let again = gateway.cli(&["reload", "--json"]).await;
    let again: Value = serde_json::from_str(again.ok()).unwrap();
    assert_eq!((&again["changed"], &again["changes"]), (&json!(0), &json!([])), "{again}");
    let audit = gateway.get("/api/audit?limit=1").await.ok();
    assert_eq!(audit["audit"][0]["action"], "reload", "{audit}");
    // What somebody changed meanwhile is taken back, with the name of who it was.
    put(&gateway, "/api/tenants/2", json!({"name": "By hand"})).await;
    let taken_back = gateway.api(Method::POST, "/api/reload").await.ok();
    let change = &taken_back["changes"][0];
    assert_eq!((&change["what"], &change["took_back_from"]), (&json!("tenant 2"), &json!("operator")));
    assert_eq!(change["fields"], json!(["name: \"By hand\" -> \"Renamed\""]));
    gateway.wait_for_line("a change was taken back").await;
}

/// Keys that lie in files: WAHA's, and those that secrets are sealed with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_files_are_read_again() {
    let waha = FakeWaha::start().await;
    let mut gateway = Setup::new()
        .package("echo")
        .tenant("id = 1\nname = 'First'\norganization = 1\nbrain = 'echo'")
        .config(&format!("[waha]\nbase_url = '{}'\napi_key = 'file:waha.key'\n", waha.url()))
        .write();
    let key_file = gateway.dir().join("waha.key");
    std::fs::write(&key_file, "an old key").unwrap();
    gateway.start().await;
    let connect = async || gateway.api(Method::POST, "/api/tenants/1/whatsapp/connect").await;
    assert_eq!(connect().await.status, 502);
    std::fs::write(&key_file, format!("{}\n", waha.api_key())).unwrap();
    let told = gateway.api(Method::POST, "/api/reload").await.ok();
    assert_eq!(
        (&told["waha_api_key"], &told["sealing_keys"], &told["needs_restart"]),
        (&json!(true), &json!(null), &json!([]))
    );
    assert_eq!(connect().await.ok()["status"], "SCAN_QR_CODE");
    // A key for another WAHA does not go to this one.
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    std::fs::write(gateway.config_file(), config.replace(waha.url(), "http://127.0.0.1:9")).unwrap();
    std::fs::write(&key_file, "another's key").unwrap();
    let told = gateway.api(Method::POST, "/api/reload").await.ok();
    assert_eq!((&told["waha_api_key"], &told["needs_restart"]), (&json!(false), &json!(["waha.base_url"])));
    assert_eq!(connect().await.status, 200);
    std::fs::write(gateway.config_file(), config).unwrap();
    std::fs::write(&key_file, waha.api_key()).unwrap();
    // A key more seals from now on; one that is missing changes nothing.
    let secrets = gateway.dir().join("data/secret.key");
    let before = std::fs::read_to_string(&secrets).unwrap();
    std::fs::write(
        &secrets,
        format!("{before}{}\n", base64::engine::general_purpose::STANDARD.encode([9; 32])),
    )
    .unwrap();
    let told = gateway.api(Method::POST, "/api/reload").await.ok();
    assert_eq!((&told["waha_api_key"], &told["sealing_keys"]), (&json!(false), &json!(2)));
    let both = std::fs::read_to_string(&secrets).unwrap();
    for (text, status) in [(before.as_str(), 409), ("", 422), ("no key\n", 422)] {
        std::fs::write(&secrets, text).unwrap();
        let refused = gateway.api(Method::POST, "/api/reload").await;
        assert_eq!(refused.status, status, "{text:?}: {}", refused.text);
        assert_eq!(connect().await.status, 200, "its secrets still open");
    }
    std::fs::write(&secrets, both).unwrap();
    let told = gateway.api(Method::POST, "/api/reload").await.ok();
    assert_eq!((&told["changed"], &told["sealing_keys"]), (&json!(0), &json!(null)));
    std::fs::remove_file(&key_file).unwrap();
    let refused = gateway.api(Method::POST, "/api/reload").await;
    assert!(refused.status == 422 && refused.text.contains("waha.api_key"), "{}", refused.text);
}

/// A mistake anywhere changes nothing, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_is_refused_whole_and_a_hangup_ends_nothing() {
    let mut gateway = start().await;
    let pid = gateway.pid();
    let sound = read(&gateway, "tenants.toml");
    edit(&gateway, "tenants.toml", "name = 'First'", "name = 'Changed'");
    edit(&gateway, "tenants.toml", "brain = 'echo'\nlabels", "brain = 'ecco'\nlabels");
    let refused = gateway.cli(&["reload"]).await;
    assert!(!refused.status.success());
    for part in ["nothing was changed", "tenants.toml:", "there is no package \"ecco\"", "known are"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let asked = gateway.api(Method::POST, "/api/reload").await;
    assert_eq!(asked.status, 422, "{}", asked.text);
    assert!(
        asked.json()["error"]["problems"][0].as_str().is_some_and(|line| line.contains("ecco")),
        "{}",
        asked.text
    );
    gateway.hang_up();
    // The two above, and this one.
    until("the hangup is refused as well", SOON, async || {
        let refused = gateway.log().matches("was not read again; what runs stays as it is").count();
        (refused == 3).then_some(())
    })
    .await;
    assert_eq!(gateway.get("/api/tenants/1").await.ok()["name"], "First");
    // The same for the configuration, and for a secret's file that is gone.
    write(&gateway, "tenants.toml", &sound.replacen("'First'", "'Changed'", 1));
    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    std::fs::write(gateway.config_file(), format!("{config}\n[htp]\n")).unwrap();
    let refused = gateway.api(Method::POST, "/api/reload").await;
    assert!(refused.status == 422 && refused.text.contains("htp"), "{}", refused.text);
    std::fs::write(gateway.config_file(), config).unwrap();
    std::fs::remove_file(gateway.dir().join("declared/hmac")).unwrap();
    let refused = gateway.api(Method::POST, "/api/reload").await;
    assert!(refused.status == 422 && refused.text.contains("hmac_key"), "{}", refused.text);
    assert_eq!(gateway.get("/api/tenants/1").await.ok()["name"], "First");
    write(&gateway, "hmac", "first-key");
    gateway.hang_up();
    until("the file is taken up", SOON, async || {
        (gateway.get("/api/tenants/1").await.ok()["name"] == "Changed").then_some(())
    })
    .await;
    gateway.wait_for_line("read again what is declared").await;
    assert_eq!(gateway.pid(), pid);
    let tenants = gateway.api_as("nobody", Method::POST, "/api/reload").await;
    assert_eq!(tenants.status, 401);
    assert!(gateway.stop().await.success());
}
