//! Texts and settings: layers over one another, and seen by the next turn after an edit.

use serde_json::json;
use switchboard::tenant::Organization;

use super::*;

const PACKAGE: &str = "[echo]\nen = \"package: {said}\"\n";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn in_words(who: &str) -> Map<String, Value> {
    object(json!({ "echo": { "en": format!("{who}: {{said}}") } }))
}

#[tokio::test]
async fn package_organization_tenant_and_upload_in_this_order() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), PACKAGE);
    let brains = workshop.open().await;
    let ask_next = |organization: bool, own: bool| {
        let mut tenant = tenant(2, "echo");
        if own {
            tenant.personality = in_words("tenant");
        }
        let mut next = ask_of(tenant, "hi");
        if organization {
            let id = OrganizationId(1);
            let organization = Organization { id, name: "One".into(), personality: in_words("organization") };
            next.organization = Some(Arc::new(organization));
        }
        brains.handle(next)
    };
    assert_eq!(texts(&ask_next(false, false).await.expect("answers")), ["package: hi"]);
    assert_eq!(texts(&ask_next(true, false).await.expect("answers")), ["organization: hi"]);
    assert_eq!(texts(&ask_next(true, true).await.expect("answers")), ["tenant: hi"]);
    let two = TenantId::new(2).expect("not 0");
    let upload = "[echo]\nen = \"upload: {said}\"\n".to_owned();
    brains.put_personality(two, upload, "tenant 2").await.expect("taken");
    let mut tenant = tenant(2, "echo");
    tenant.personality = in_words("tenant");
    let answer = brains.handle(ask_of(tenant, "hi")).await.expect("answers");
    assert_eq!(texts(&answer), ["upload: hi"]);
}

#[tokio::test]
async fn an_edit_is_seen_by_the_next_turn() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), PACKAGE);
    let brains = workshop.watched().await;
    assert_eq!(says(&brains, "echo", "hi").await, "package: hi");
    let before = status(&brains, "echo").digest;
    edits_are_followed(&workshop, &brains, "echo").await;
    assert_eq!(status(&brains, "echo").digest, before, "the brain is the same");
}

#[tokio::test]
async fn a_broken_edit_leaves_the_running_texts() {
    let workshop = Workshop::new();
    workshop.package("echo", &component("echo"), PACKAGE);
    let brains = workshop.watched().await;
    workshop.write("echo", "personality.toml", b"[echo]\nen = \"open\n");
    let refused = || status(&brains, "echo").refused;
    let reason = eventually("the refusal", refused, Option::is_some).await.expect("there");
    assert!(reason.contains("echo/personality.toml:2: "), "{reason}");
    assert_eq!(says(&brains, "echo", "hi").await, "package: hi");
    workshop.write("echo", "personality.toml", b"[echo]\nen = \"mended: {said}\"\n");
    eventually("the mended one", refused, Option::is_none).await;
    assert_eq!(says(&brains, "echo", "hi").await, "mended: hi");
}
