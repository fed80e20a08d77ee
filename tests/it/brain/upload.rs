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
    let brains = workshop.open().await;
    brains.follow_tenants(|tenant| (tenant.get() == 2).then(|| "echo".to_owned()));

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
