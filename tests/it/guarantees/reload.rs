//! Guarantee 8. Brains and personalities are exchanged while contacts write; every message is
//! answered once, by one version or the other.

use std::collections::BTreeSet;
use std::path::Path;

use switchboard_tests::package::{built, relabelled, replace};

use super::*;

async fn package(gateway: &Gateway, name: &str) -> Value {
    let told = gateway.get("/api/brains").await.ok();
    let list = told["brains"].as_array().unwrap_or_else(|| panic!("a list of brains: {told}"));
    list.iter()
        .find(|package| package["package"] == name)
        .unwrap_or_else(|| panic!("{name} in {told}"))
        .clone()
}

async fn digest_changes(gateway: &Gateway, name: &str, from: &str) -> String {
    until("the new version is live", ANSWER, async || {
        package(gateway, name).await["digest"].as_str().filter(|digest| *digest != from).map(str::to_owned)
    })
    .await
}

async fn start(waha: &FakeWaha) -> Gateway {
    Setup::new().package("echo").tenant(&tenant(1, 1, "echo")).sender(&sender(waha)).start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_nothing() {
    const CONTACTS: usize = 8;
    const SWAPS: usize = 12;
    let waha = FakeWaha::start().await;
    // As fast as they can: more than the quota of a tenant that nobody raised it for.
    let setup = Setup::new().package("echo").tenant(&tenant(1, 1, "echo")).sender(&sender(&waha));
    let gateway = setup.config("[quotas]\nturns_per_minute = 1000000\n").start().await;
    let file = gateway.package_dir("echo").join("brain.wasm");
    let component = built("echo");
    let hook = Hook::to(&gateway);
    let enough = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..CONTACTS)
        .map(|number| {
            let (hook, enough) = (hook.clone(), enough.clone());
            tokio::spawn(async move {
                let phone = format!("97150300{number:04}");
                let mut said = 0;
                // Before everything else by the provider's time too, which orders what is pending.
                let link = text(&phone, &format!("S{number}"), "start_realty_1");
                hook.say(&link.sent_at_s(1_741_250_000)).await;
                while !enough.load(std::sync::atomic::Ordering::Relaxed) {
                    said += 1;
                    let text = text(&phone, &format!("T{number}N{said}"), &format!("word {said}"));
                    hook.say(&text.sent_at_s(1_741_250_000 + i64::from(said))).await;
                }
                (phone, said)
            })
        })
        .collect();
    let mut digests = BTreeSet::new();
    let mut live = package(&gateway, "echo").await["digest"].as_str().expect("one is live").to_owned();
    for swap in 0..SWAPS {
        replace(&file, &relabelled(&component, &format!("swap {swap}")));
        live = digest_changes(&gateway, "echo", &live).await;
        digests.insert(live.clone());
    }
    assert_eq!(digests.len(), SWAPS, "every version was live once");
    enough.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut said = Vec::new();
    for writer in writers {
        said.push(writer.await.expect("every webhook was answered"));
    }
    gateway.drained(Duration::from_secs(60)).await;
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
    for (phone, count) in said {
        let texts = texts_to(&waha, &phone);
        let expected: Vec<String> =
            (1..=count).map(|number| format!("You said: word {number} (message {number})")).collect();
        assert_eq!(texts[1..], expected, "{phone}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_package_leaves_the_running_one() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971503000001");
    contact.says("start_realty_1").await;
    let file = gateway.package_dir("echo").join("brain.wasm");
    let live = package(&gateway, "echo").await["digest"].clone();
    let component = built("echo");
    let half = &component[..component.len() / 2];
    let mut damaged = component.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xFF);
    let cases: [(&str, &[u8]); 4] =
        [("text", b"not a component"), ("half", half), ("damaged", &damaged), ("empty", b"")];
    let mut number = 0;
    for (name, broken) in cases {
        replace(&file, broken);
        until("the broken one is refused", ANSWER, async || {
            let refused = package(&gateway, "echo").await["refused"].as_str()?.to_owned();
            (!refused.is_empty()).then_some(refused)
        })
        .await;
        assert_eq!(package(&gateway, "echo").await["digest"], live, "{name}");
        number += 1;
        assert_eq!(contact.says("hi").await, format!("You said: hi (message {number})"), "{name}");
        let listed = gateway.cli(&["brain", "list"]).await;
        assert!(listed.ok().contains("echo"), "{name}: {listed:?}");
        // The good one again, so that the next case starts clean.
        replace(&file, &component);
        until("nothing is refused any more", ANSWER, async || {
            package(&gateway, "echo").await["refused"].is_null().then_some(())
        })
        .await;
    }
}

/// A version that traps is not the end: the turn runs again on the last good one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_of_a_new_version_falls_back_to_the_last_good_one() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971503000001");
    contact.says("start_realty_1").await;
    let live = package(&gateway, "echo").await["digest"].as_str().expect("one is live").to_owned();
    grant(&gateway.package_dir("echo"), &["log", "personality", "history", "records", "media", "details"]);
    replace(&gateway.package_dir("echo").join("brain.wasm"), &built("hostile"));
    digest_changes(&gateway, "echo", &live).await;
    assert_eq!(contact.says("one").await, "heard: one");
    assert_eq!(contact.says("trap").await, "You said: trap (message 1)");
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
}

/// Lets the package's brain import these.
fn grant(package: &Path, grants: &[&str]) {
    let file = package.join("plugin.toml");
    let mut manifest: toml::Table =
        std::fs::read_to_string(&file).expect("it is there").parse().expect("the manifest is TOML");
    manifest.insert("grants".into(), toml::Value::from(grants.to_vec()));
    replace(&file, manifest.to_string().as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_personality_is_seen_by_the_next_message() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971503000001");
    contact.says("start_realty_1").await;
    assert_eq!(contact.says("hi").await, "You said: hi (message 1)");
    let version = package(&gateway, "echo").await["personality_version"].clone();
    let file = gateway.package_dir("echo").join("personality.toml");
    let told = std::fs::read_to_string(&file).expect("it is there");
    replace(&file, told.replace("You said:", "I heard:").as_bytes());
    until("the personality is read", ANSWER, async || {
        (package(&gateway, "echo").await["personality_version"] != version).then_some(())
    })
    .await;
    assert_eq!(contact.says("hi").await, "I heard: hi (message 2)");
    // One that cannot be read changes nothing.
    replace(&file, b"[echo\nen = ");
    until("the broken one is refused", ANSWER, async || {
        package(&gateway, "echo").await["refused"].is_string().then_some(())
    })
    .await;
    assert_eq!(contact.says("hi").await, "I heard: hi (message 3)");
}
