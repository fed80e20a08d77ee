//! Tenants upload by the same road: a package of their own in the plugins directory.

use switchboard::brain::Uploaded;

use super::*;

fn two() -> TenantId {
    TenantId::new(2).expect("not 0")
}

#[tokio::test]
async fn an_uploaded_brain_is_the_tenants_alone() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let uploaded = brains.put_brain(two(), component("echo"), "tenant 2").await.expect("taken");
    let Uploaded { package, digest: live, checked } = uploaded;
    assert_eq!((package.as_str(), live), ("tenant-2", digest(&component("echo"))));
    assert_eq!(checked, ["component", "imports", "exports"]);
    let file = std::fs::read(workshop.plugins().join("tenant-2/brain.wasm")).expect("it is in the directory");
    assert_eq!(digest(&file), digest(&component("echo")));

    let answer = brains.handle(ask("hostile", "static")).await.expect("answers");
    assert_eq!(answer.version, digest(&component("echo")), "before the brain that the tenant names");
    let other = brains.handle(ask_of(tenant(3, "hostile"), "static")).await.expect("answers");
    assert_eq!(texts(&other), ["1"], "another tenant's brain is as before");
    assert_eq!(status(&brains, "tenant-2").tenant, Some(two()));

    // The next start finds it there.
    let again = workshop.open().await;
    assert_eq!(status(&again, "tenant-2").digest, Some(digest(&component("echo"))));
}

#[tokio::test]
async fn a_selftest_is_run_before_the_answer() {
    let brains = Workshop::hostile().open().await;
    let uploaded = brains.put_brain(two(), component("hostile"), "tenant 2").await.expect("taken");
    assert_eq!(uploaded.checked, ["component", "imports", "exports", "selftest"]);
}

#[tokio::test]
async fn an_uploaded_personality_lies_on_the_tenants_brain() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), "[welcome]\nen = \"Hello!\"\n[echo]\nen = \"{said}?\"\n");
    let schema = br#"{"properties": {"welcome": {"additionalProperties": {"type": "string"}}}}"#;
    workshop.write("echo", "personality.schema.json", schema);
    let brains = workshop.open_for("echo").await;

    let wrong = "[welcome]\nen = \"Hi\"\nfa = 5\n".to_owned();
    let refused = brains.put_personality(two(), wrong, "tenant 2").await.expect_err("against the schema");
    assert_eq!(refused.reason, "tenant-2/personality.toml:3: `welcome.fa`: 5 is not of type \"string\"");
    let refused = brains.put_personality(two(), "a =\n".into(), "tenant 2").await.expect_err("not TOML");
    assert!(refused.reason.starts_with("tenant-2/personality.toml:1: "), "{}", refused.reason);

    let toml = "[echo]\nen = \"So: {said}\"\n".to_owned();
    let uploaded = brains.put_personality(two(), toml, "tenant 2").await.expect("taken");
    assert_eq!(uploaded.checked, ["toml", "schema"]);
    assert_eq!(uploaded.digest, digest(&component("echo")), "the brain that is live is the package's");
    assert_eq!(says(&brains, "echo", "hi").await, "So: hi");
    let other = brains.handle(ask_of(tenant(3, "echo"), "hi")).await.expect("answers");
    assert_eq!(texts(&other), ["hi?"]);
}

#[tokio::test]
async fn what_lies_in_the_directory_is_held_against_the_tenants_brain_from_the_start() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), "[welcome]\nen = \"Hello!\"\n");
    let schema = br#"{"properties": {"welcome": {"additionalProperties": {"type": "string"}}}}"#;
    workshop.write("echo", "personality.schema.json", schema);
    workshop.write("tenant-2", "personality.toml", b"[welcome]\nfa = 5\n");
    let brains = workshop.open_for("echo").await;
    let refused = status(&brains, "tenant-2").refused.expect("against the schema");
    assert!(refused.ends_with("personality.toml:2: `welcome.fa`: 5 is not of type \"string\""), "{refused}");
}

#[tokio::test]
async fn texts_are_rehearsed_with_the_brain_that_they_are_for() {
    let brains = Workshop::hostile().open_for("hostile").await;
    let wrong = "selftest_fails = true\n".to_owned();
    let refused = brains.put_personality(two(), wrong.clone(), "tenant 2").await.expect_err("refused");
    let expected =
        "the brain's selftest failed with it: by-command: the personality's `selftest_fails` is true";
    assert_eq!(refused.reason, format!("tenant-2/personality.toml: {expected}"));
    let good = "selftest_fails = false\n".to_owned();
    let uploaded = brains.put_personality(two(), good, "tenant 2").await.expect("taken");
    assert_eq!(uploaded.checked, ["toml", "selftest"]);
    // With a brain of its own it is that one.
    brains.put_brain(two(), component("hostile"), "tenant 2").await.expect("taken");
    let refused = brains.put_personality(two(), wrong, "tenant 2").await.expect_err("refused");
    assert!(refused.reason.contains("selftest failed: by-command"), "{}", refused.reason);
}

/// The files of compiled code.
fn compiled(workshop: &Workshop) -> Vec<String> {
    let files = std::fs::read_dir(workshop.cache().join("compiled")).expect("read");
    let mut names: Vec<String> =
        files.map(|file| file.expect("an entry").file_name().to_string_lossy()[..12].to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_refused_leaves_no_compiled_code() {
    let workshop = Workshop::hostile();
    workshop.write("tenant-2", "personality.toml", b"selftest_fails = true\n");
    let brains = workshop.open().await;
    let before = compiled(&workshop);
    let upload = variant(&component("hostile"), 1);
    let refused = brains.put_brain(two(), upload.clone(), "tenant 2").await.expect_err("its selftest");
    assert!(refused.reason.contains("selftest failed"), "{}", refused.reason);
    assert_eq!(compiled(&workshop), before);
    // By the other road too.
    workshop.write("hostile", "brain.wasm", &upload);
    workshop.write("hostile", "personality.toml", b"selftest_fails = true\n");
    tokio::spawn(brains.clone().watch());
    eventually("the refusal", || status(&brains, "hostile").refused, Option::is_some).await;
    eventually("the sweep", || compiled(&workshop), |now| *now == before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_while_another_tenants_brain_is_compiled() {
    let workshop = Workshop::hostile();
    let brains = workshop.open_for("hostile").await;
    let slow = tokio::spawn({
        let (brains, upload) = (brains.clone(), variant(&component("hostile"), 9));
        let three = TenantId::new(3).expect("not 0");
        async move { brains.put_brain(three, upload, "tenant 3").await.map(|_| ()) }
    });
    // It is compiled by now, or about to be.
    tokio::task::yield_now().await;
    for n in 0..3 {
        let texts = format!("welcome = \"{n}\"\n");
        brains.put_personality(two(), texts, "tenant 2").await.expect("taken");
    }
    assert!(!slow.is_finished(), "compiling takes longer than three texts");
    slow.await.expect("no panic").expect("taken");
    assert_eq!(status(&brains, "tenant-3").digest, Some(digest(&variant(&component("hostile"), 9))));
}

#[tokio::test]
async fn who_was_gone_back_from_does_not_stand_in() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let (hostile, echo) = (component("hostile"), component("echo"));
    brains.put_brain(two(), hostile.clone(), "tenant 2").await.expect("taken");
    brains.put_brain(two(), echo.clone(), "tenant 2").await.expect("taken");
    let back = brains.rollback("tenant-2", None, "operator").await.expect("there is one");
    assert_eq!(back.digest, digest(&hostile));
    let failure = brains.handle(ask("hostile", "trap")).await.map(|answer| answer.version);
    assert_eq!(failure.expect_err("nobody stands in").code, "trap");
    let refused = brains.rollback("tenant-2", None, "operator").await.expect_err("nothing good is left");
    assert!(refused.reason.starts_with("tenant-2: no such earlier version"), "{}", refused.reason);

    // So after a restart; and brought again, the version counts again.
    let brains = workshop.open().await;
    assert_eq!(brains.handle(ask("hostile", "trap")).await.expect_err("nobody stands in").code, "trap");
    brains.put_brain(two(), echo.clone(), "tenant 2").await.expect("taken");
    brains.put_brain(two(), variant(&hostile, 2), "tenant 2").await.expect("taken");
    assert_eq!(brains.handle(ask("hostile", "trap")).await.expect("answered").version, digest(&echo));
}

#[tokio::test]
async fn back_to_an_earlier_version() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let versions: Vec<Vec<u8>> = (1..=3).map(|n| variant(&component("hostile"), n)).collect();
    let digests: Vec<String> = versions.iter().map(|version| digest(version)).collect();
    for version in &versions {
        brains.put_brain(two(), version.clone(), "tenant 2").await.expect("taken");
    }
    assert_eq!(status(&brains, "tenant-2").earlier, [digests[1].clone(), digests[0].clone()]);

    let back = brains.rollback("tenant-2", None, "operator").await.expect("there is one");
    assert_eq!(back.digest, digests[1]);
    assert_eq!(brains.handle(ask("hostile", "static")).await.expect("answers").version, digests[1]);
    let file = std::fs::read(workshop.plugins().join("tenant-2/brain.wasm")).expect("read");
    assert_eq!(digest(&file), digests[1], "the directory tells what runs");

    let back =
        brains.rollback("tenant-2", Some(&digests[0][..10]), "operator").await.expect("by its first digits");
    assert_eq!(back.digest, digests[0]);
    assert_eq!(status(&brains, "tenant-2").earlier, [digests[1].clone(), digests[2].clone()]);

    let refused = brains.rollback("tenant-2", Some("0000000000"), "operator").await.expect_err("no such");
    assert!(
        refused.reason.starts_with("tenant-2: no such earlier version; kept are: "),
        "{}",
        refused.reason
    );
    let refused = brains.rollback("../etc", None, "operator").await.expect_err("no such package");
    assert_eq!(refused.reason, "../etc: no such earlier version; kept are: none");
}
