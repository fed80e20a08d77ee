//! What must not go live, by either road, and what its developer reads. Whatever is thrown at it, the
//! gateway neither falls over nor hangs.

use super::*;

/// The reason `component` is refused for as an upload, with what ran before still running.
async fn reason(component: Vec<u8>) -> String {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let tenant = TenantId::new(2).expect("not 0");
    let refused = brains.put_brain(tenant, component, "tenant 2").await.expect_err("must be refused");
    assert_eq!(says(&brains, "hostile", "good morning").await, "heard: good morning");
    assert!(!workshop.plugins().join("tenant-2").exists(), "nothing is left behind");
    refused.reason.into()
}

#[tokio::test]
async fn what_is_no_component() {
    assert_eq!(reason(Vec::new()).await, "tenant-2/brain.wasm: the file is empty");
    assert_eq!(
        reason(b"#!/bin/sh".to_vec()).await,
        "tenant-2/brain.wasm: not WebAssembly: it does not begin with `\\0asm`"
    );
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    assert!(
        reason(core_module)
            .await
            .starts_with("tenant-2/brain.wasm: a core module, not a component; build it")
    );
    let huge = reason(vec![0; (32 << 20) + 1]).await;
    assert!(
        huge.starts_with("tenant-2/brain.wasm: too large: limit 33554432 bytes, used 33554433; "),
        "{huge}"
    );
}

#[tokio::test]
async fn another_contract() {
    let turn = patched(&component("hostile"), "switchboard:brain/turn@0.1.0", "switchboard:brain/turn@0.2.0");
    let text = reason(turn).await;
    assert!(text.contains("exports `switchboard:brain/turn@0.2.0`; this gateway calls"), "{text}");
    let sdk = patched(&component("hostile"), r#""contract":"0.1.0""#, r#""contract":"0.9.0""#);
    let text = reason(sdk).await;
    assert!(
        text.contains("for the contract 0.9.0; this gateway speaks 0.1.0: build it with the SDK"),
        "{text}"
    );
}

#[tokio::test]
async fn an_interface_that_is_not_offered() {
    let llm = patched(&component("echo"), "switchboard:brain/log@0.1.0", "switchboard:brain/llm@0.1.0");
    let text = reason(llm).await;
    let expected =
        "imports `switchboard:brain/llm@0.1.0`: declared in the contract, not offered by this gateway yet";
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn a_selftest_that_fails() {
    let workshop = Workshop::hostile();
    workshop.write("hostile", "personality.toml", b"selftest_fails = true\n");
    let brains = workshop.open().await;
    let refused = status(&brains, "hostile").refused.expect("refused");
    assert!(
        refused.ends_with(
            "hostile/brain.wasm: its selftest failed: by-command: the personality's `selftest_fails` is true"
        ),
        "{refused}"
    );
    assert_eq!(fails(&brains, "hostile", "hi").await.code, "no-brain");
}

#[tokio::test]
async fn a_grant_that_was_not_given_is_named_with_the_line_to_write() {
    let workshop = Workshop::hostile();
    workshop.write("hostile", "plugin.toml", manifest("hostile", r#"["log"]"#).as_bytes());
    let brains = workshop.open().await;
    let refused = status(&brains, "hostile").refused.expect("refused");
    assert!(refused.contains("without being granted it; write `grants = [\"log\", "), "{refused}");
    assert!(refused.contains("\"history\"") && refused.ends_with("plugin.toml"), "{refused}");
    assert_eq!(status(&brains, "hostile").digest, None);
}

#[tokio::test]
async fn broken_toml_is_named_by_its_line() {
    let workshop = Workshop::hostile();
    workshop.write("hostile", "personality.toml", b"a = 1\nb = \"open\nc = 2\n");
    let brains = workshop.open().await;
    let refused = status(&brains, "hostile").refused.expect("refused");
    assert!(refused.contains("hostile/personality.toml:2: "), "{refused}");
}

/// Cut anywhere, or with a bit turned anywhere: refused, or a component that runs; never a crash.
#[tokio::test]
async fn damage_of_any_kind_is_survived() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let whole = component("echo");
    let tenant = TenantId::new(2).expect("not 0");
    for cut in (0..whole.len()).step_by(whole.len() / 24) {
        let refused = brains.put_brain(tenant, whole[..cut].to_vec(), "tenant 2").await;
        let reason = refused.expect_err("half a component must be refused").reason;
        assert!(reason.starts_with("tenant-2/brain.wasm: "), "{reason}");
    }
    for at in (8..whole.len()).step_by(whole.len() / 24) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        if let Err(refused) = brains.put_brain(tenant, damaged, "tenant 2").await {
            assert!(refused.reason.starts_with("tenant-2/brain.wasm: "), "{}", refused.reason);
        }
    }
    let other = brains.handle(ask_of(super::tenant(3, "hostile"), "good morning")).await.expect("answers");
    assert_eq!(texts(&other), ["heard: good morning"]);
}
