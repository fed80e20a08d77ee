//! When the newest version fails, the one before it answers; memory follows from version to version.

use super::*;

/// `p` ran the echo, then the hostile brain landed on it.
async fn echo_then_hostile() -> (Workshop, Arc<Brains>) {
    let workshop = Workshop::new();
    let personality =
        std::fs::read_to_string(workspace().join("plugins/echo/personality.toml")).expect("read");
    workshop.package("p", &component("echo"), &personality);
    let brains = workshop.watched().await;
    assert_eq!(says(&brains, "p", "hi").await, "You said: hi (message 1)");
    workshop.write("p", "brain.wasm", &component("hostile"));
    let wanted = digest(&component("hostile"));
    eventually("the hostile brain", || status(&brains, "p").digest, |seen| *seen == Some(wanted.clone()))
        .await;
    (workshop, brains)
}

#[tokio::test]
async fn a_trap_is_answered_by_the_version_before() {
    let (_workshop, brains) = echo_then_hostile().await;
    for command in ["trap", "panic", "spin", "flood", "badjson"] {
        let answer = brains.handle(ask("p", command)).await.expect("the older one answers");
        assert_eq!(texts(&answer), [format!("You said: {command} (message 1)")]);
        assert_eq!(answer.version, digest(&component("echo")));
    }
    assert_eq!(says(&brains, "p", "good morning").await, "heard: good morning", "the newest is asked first");
}

#[tokio::test]
async fn a_fault_is_the_brains_answer_and_not_asked_again() {
    let (_workshop, brains) = echo_then_hostile().await;
    assert_eq!(fails(&brains, "p", "fault").await.code, "by-command");
}

#[tokio::test]
async fn where_both_fail_the_newest_is_named() {
    let workshop = Workshop::hostile();
    let brains = workshop.watched().await;
    let newer = variant(&component("hostile"), 1);
    workshop.write("hostile", "brain.wasm", &newer);
    let wanted = digest(&newer);
    eventually("the newer", || status(&brains, "hostile").digest, |seen| *seen == Some(wanted.clone())).await;
    assert_eq!(fails(&brains, "hostile", "trap").await.version, wanted);
}

#[tokio::test]
async fn memory_of_an_older_version_is_migrated_once_kept() {
    let brains = Workshop::hostile().open().await;
    let recall = |version: Option<&str>| {
        let mut next = ask("hostile", "recall");
        next.conversation.memory = Some(r#"{"word":"a red door"}"#.into());
        next.conversation.brain_version = version.map(str::to_owned);
        brains.handle(next)
    };
    let answer = recall(Some("older")).await.expect("answers");
    assert_eq!(texts(&answer), ["a red door from older"]);
    let migrated = answer.memory.expect("kept, though the turn itself keeps what it has");
    assert_eq!(migrated, r#"{"word":"a red door from older"}"#);

    let same = recall(Some(&answer.version)).await.expect("answers");
    assert_eq!((texts(&same), &same.memory), (vec!["a red door"], &None), "its own memory is left alone");

    let mut broken = ask("hostile", "recall");
    broken.conversation.memory = Some(r#"{"word":"unmovable"}"#.into());
    broken.conversation.brain_version = Some("older".into());
    let failure = brains.handle(broken).await.expect_err("cannot be migrated");
    assert_eq!(failure.to_string(), "by-command: this memory does not migrate");
}

#[tokio::test]
async fn no_brain_is_said_with_the_reason_and_can_be_tried_again() {
    let workshop = Workshop::hostile();
    workshop.write("broken", "plugin.toml", manifest("broken", GRANTS).as_bytes());
    let brains = workshop.open().await;
    let failure = fails(&brains, "absent", "hi").await;
    assert_eq!((failure.code.as_str(), failure.retryable), ("no-brain", true));
    assert!(
        failure.message.contains("tenant 2: the brain `absent` does not run: there is no package"),
        "{failure}"
    );
    let failure = fails(&brains, "broken", "hi").await;
    assert!(failure.message.contains("it was refused: "), "{failure}");
    assert!(failure.message.contains("broken/brain.wasm: not there; build it"), "{failure}");
}
