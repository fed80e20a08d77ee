//! What senders prove themselves by is nowhere in clear, and its keys can be changed at any time.

use std::path::Path;
use std::time::Duration;

use rand::Rng as _;
use reqwest::Method;
use serde_json::json;
use switchboard::config::Config;
use switchboard::keyring;
use switchboard::seal::{KEY_BYTES, Key, Ring};
use switchboard::store::embedded::Embedded;
use switchboard::store::prelude::*;
use switchboard::tenant::Secret;
use switchboard_tests::gateway::{Gateway, Setup};

use crate::store::Files;
use crate::store::lab::{Options, sender};

const FIELDS: [&str; 5] = ["api_key", "hmac_key", "webhook_key", "webhook_path", "verify_token"];

fn plain(n: usize, field: &str) -> String {
    format!("plain-{n}-{}-in-clear", field.replace('_', "-"))
}

fn setup(senders: usize) -> Setup {
    let mut setup = Setup::new();
    for n in 0..senders {
        let secrets: Vec<String> =
            FIELDS.iter().map(|field| format!("{field} = \"{}\"", plain(n, field))).collect();
        setup = setup.sender(&format!(
            "name = \"sender-{n}\"\nprovider = \"meta\"\naccount = \"10{n}\"\n\
             base_url = \"http://127.0.0.1:1\"\n{}",
            secrets.join("\n")
        ));
    }
    setup
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[track_caller]
fn assert_no_secret(place: &str, bytes: &[u8]) {
    let found = bytes.windows(8).position(|window| window == b"in-clear");
    assert_eq!(found, None, "a secret stands in {place}");
}

#[tokio::test]
async fn no_secret_lies_or_is_shown_in_clear() {
    let mut gateway = setup(2).start().await;
    let put = json!({"provider": "waha", "account": "third", "base_url": "http://127.0.0.1:1",
        "api_key": plain(2, "api_key"), "hmac_key": plain(2, "hmac_key"), "auth": "required"});
    let put = gateway.client().put(gateway.url("/api/senders/third")).bearer_auth(gateway.token()).json(&put);
    assert!(put.send().await.unwrap().status().is_success());
    gateway.api(Method::POST, "/api/backup").await.ok();
    assert!(gateway.cli(&["keys", "rotate"]).await.status.success());
    gateway.api(Method::POST, "/api/backup").await.ok();
    let mut answers = String::new();
    for path in ["/api/senders", "/api/senders/third", "/api/audit?limit=1000", "/api/secrets", "/metrics"] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answers += &answer.text;
    }
    assert!(answers.contains("(set)"), "{answers}");
    assert_no_secret("an answer of the API", answers.as_bytes());
    for arguments in [&["sender", "list", "--json"][..], &["audit"], &["keys", "list"], &["check"]] {
        let told = gateway.cli(arguments).await;
        assert_no_secret(&arguments.join(" "), format!("{}{}", told.stdout, told.stderr).as_bytes());
    }
    let log = gateway.log();
    gateway.stop().await;
    assert_no_secret("the log", log.as_bytes());
    assert!(log.contains("keep a copy elsewhere"), "{log}");
    let keys = std::fs::read_to_string(gateway.dir().join("data/secret.key")).unwrap();
    let files = files_below(&gateway.dir().join("data"));
    assert!(
        files.iter().filter(|file| file.extension().is_some_and(|end| end == "redb" || end == "tar")).count()
            >= 3
    );
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        assert_no_secret(&file.display().to_string(), &bytes);
        for line in keys.lines().filter(|line| !line.starts_with('#')) {
            let key = line.split_whitespace().next().unwrap().as_bytes();
            let kept = bytes.windows(key.len()).any(|window| window == key);
            assert_eq!(kept, file.ends_with("secret.key"), "a key in {}", file.display());
        }
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = gateway.dir().join("data/secret.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let senders = gateway.open_store().await.directory().senders.clone();
    let third = senders.values().find(|sender| sender.account == "third").unwrap();
    assert_eq!(third.api_key, Secret::new(plain(2, "api_key")), "it opens with its key all the same");
}

/// Key ids with what they seal, oldest first.
async fn keys(gateway: &Gateway) -> Vec<(String, u64)> {
    let answer = gateway.get("/api/secrets").await.ok();
    assert_eq!(answer["in_clear"], 0);
    let keys = answer["keys"].as_array().unwrap().clone();
    assert_eq!(keys.last().unwrap()["current"], true);
    keys.iter()
        .map(|key| (key["id"].as_str().unwrap().to_owned(), key["secrets"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn keys_are_rotated_retired_and_missed() {
    let mut gateway = setup(3).start().await;
    let first = keys(&gateway).await;
    assert_eq!((first.len(), first[0].1), (1, 15));
    let backup = gateway.api(Method::POST, "/api/backup").await.ok();
    let told = gateway.cli(&["keys", "rotate"]).await;
    assert!(told.stdout.contains("3 senders sealed anew"), "{told:?}");
    let both = keys(&gateway).await;
    assert_eq!((both.len(), &both[0], both[1].1), (2, &(first[0].0.clone(), 0), 15));
    let told = gateway.cli(&["keys", "retire", &both[1].0]).await;
    assert!(told.stderr.contains("is the current one"), "{told:?}");
    let told = gateway.cli(&["keys", "retire", "nosuchkey"]).await;
    assert!(told.stderr.contains("there is no key nosuchkey"), "{told:?}");
    assert!(gateway.cli(&["keys", "retire", &both[0].0]).await.status.success());
    assert_eq!(keys(&gateway).await.len(), 1);
    gateway.restart().await;
    assert_eq!(keys(&gateway).await, [both[1].clone()]);
    let audit = gateway.get("/api/audit?limit=100").await.text;
    assert!(audit.contains("rotate secret key") && audit.contains("retire secret key"), "{audit}");

    // A backup from before is sealed with the key that is gone.
    gateway.stop().await;
    let told = gateway.cli(&["restore", backup["file"].as_str().unwrap()]).await;
    assert!(told.status.success(), "{told:?}");
    let refused = gateway.try_start().await.expect_err("the key is missing").to_string();
    let needed = format!("is sealed with key {}, which is not here; here are: {}", both[0].0, both[1].0);
    assert!(refused.contains(&needed), "{refused}");
    assert!(refused.contains("data/secret.key, which holds 1 of them"), "{refused}");
    assert!(refused.contains("SWITCHBOARD_SECRET_KEY, which is not set"), "{refused}");
    let told = gateway.cli(&["check"]).await;
    assert!(!told.status.success() && told.stderr.contains(&needed), "{told:?}");
}

#[tokio::test]
async fn a_rotation_that_is_killed_ends_by_itself() {
    let mut gateway = setup(60).start().await;
    for _ in 0..6 {
        let rotate =
            gateway.client().post(gateway.url("/api/secrets/rotate")).bearer_auth(gateway.token()).send();
        let within = Duration::from_micros(rand::rng().random_range(0..25_000));
        // However far it came by then.
        let _ = tokio::time::timeout(within, rotate).await;
        gateway.kill().await;
        gateway.start().await;
        let keys = keys(&gateway).await;
        let (current, old) = keys.split_last().unwrap();
        assert_eq!(current.1, 300, "{keys:?}");
        assert!(old.iter().all(|(_, secrets)| *secrets == 0), "{keys:?}");
    }
    gateway.stop().await;
    let store = gateway.open_store().await;
    for (name, sender) in &store.directory().senders {
        for (field, secret) in sender.secrets() {
            let n = name.as_str().rsplit('-').next().unwrap().parse().unwrap();
            assert_eq!(secret.expose(), plain(n, field));
        }
    }
}

#[tokio::test]
async fn a_rotation_that_broke_off_is_ended_by_the_next() {
    let (files, directory) = (Files::new(Options::default()), tempfile::tempdir().unwrap());
    let config = Config { data: directory.path().to_owned(), ..Config::default() };
    let store =
        Embedded::open(switchboard::store::embedded::Settings { keys: Ring::default(), ..files.settings() })
            .unwrap();
    keyring::settle(&config, &store, Ring::default()).await.unwrap();
    for n in 0..4 {
        store.put_sender(sender(&format!("s{n}"), &format!("a{n}"), None), "test").await.unwrap();
    }
    let done = keyring::rotate(&config, &store).await.unwrap();
    assert_eq!((done.resumed, done.resealed), (false, 4));
    // The new key is in its file, one sender is sealed with it, and then nothing more happens.
    let file = config.key_file();
    let text = std::fs::read_to_string(&file).unwrap();
    let new = Key::new([9; KEY_BYTES].into());
    std::fs::write(&file, format!("{text}{}\n", *new.text())).unwrap();
    store.use_keys(keyring::read(&config).unwrap().ring).await.unwrap();
    assert_eq!(store.reseal(1).await.unwrap(), 1);
    let done = keyring::rotate(&config, &store).await.unwrap();
    assert_eq!((&done.current, done.resumed, done.resealed), (new.id(), true, 3));
    assert_eq!(store.sealed().await.unwrap().len(), 1);
    assert_eq!(keyring::read(&config).unwrap().ring.keys().count(), 3, "no further key was made");
}

#[tokio::test]
async fn keys_from_the_environment_come_last_and_are_rotated_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config { data: directory.path().to_owned(), ..Config::default() };
    let [one, two, three] = [1, 2, 3].map(|byte| Key::new([byte; KEY_BYTES].into()));
    std::fs::write(config.key_file(), format!("# ours\n{}  # the first\n\n", *one.text())).unwrap();
    config.secrets.keys = Some(Secret::new(format!("{}, {}", *two.text(), *three.text())));
    let found = keyring::read(&config).unwrap();
    let ids: Vec<_> = found.ring.keys().map(|key| key.id().clone()).collect();
    assert_eq!(ids, [one.id().clone(), two.id().clone(), three.id().clone()]);
    assert!(!format!("{config:?}").contains(two.text().as_str()), "a configuration shows no key");
    let files = Files::new(Options::default());
    let store =
        Embedded::open(switchboard::store::embedded::Settings { keys: found.ring, ..files.settings() })
            .unwrap();
    let refused = keyring::rotate(&config, &store).await.unwrap_err();
    assert!(matches!(refused, keyring::Error::InEnvironment), "{refused}");
    let refused = keyring::retire(&config, &store, two.id()).await.unwrap_err();
    assert!(matches!(refused, keyring::Error::InEnvironment), "{refused}");
    config.secrets.keys = Some(Secret::new("nonsense"));
    let refused = keyring::read(&config).unwrap_err().to_string();
    assert!(refused.starts_with("SWITCHBOARD_SECRET_KEY: part 1 is no key"), "{refused}");
    assert!(!refused.contains("nonsense"), "{refused}");
}
