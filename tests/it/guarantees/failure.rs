//! Guarantee 7. Whatever a brain does, it costs its own turn: the contact reads the fallback text
//! once, the next message finds the memory as it was, and the neighbours notice nothing.

use switchboard_tests::package::replace;

use super::*;

const FALLBACK: &str = "Tenant 2 is sorry";

async fn start(waha: &FakeWaha, more: &str) -> Gateway {
    Setup::new()
        .package("echo")
        .package("hostile")
        .tenant(&tenant(1, 1, "echo"))
        .tenant(&tenant(2, 1, "hostile"))
        .sender(&sender(waha))
        .config(more)
        .start()
        .await
}

/// The command, and the codes that its death may have.
const DEADLY: &[(&str, &[&str])] = &[
    ("trap", &["trap"]),
    ("panic", &["trap"]),
    ("spin", &["fuel"]),
    ("sleep", &["fuel", "wall-time"]),
    ("bomb", &["memory"]),
    ("deep", &["trap", "fuel"]),
    ("flood", &["actions"]),
    ("long", &["text"]),
    ("memory", &["state"]),
    ("huge", &["call"]),
    ("badjson", &["state"]),
    ("calls", &["host-calls"]),
    ("log", &["host-calls", "log"]),
    ("fault", &["by-command"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hostile_turn_costs_itself_alone() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "").await;
    let mut victim = Contact::new(&gateway, &waha, "971502000001");
    let mut neighbour = Contact::new(&gateway, &waha, "971501000001");
    assert_eq!(victim.says("start_realty_2").await, "hostile is ready");
    neighbour.says("start_realty_1").await;
    assert_eq!(victim.says("remember a red door").await, "remembered");
    for (number, (command, codes)) in DEADLY.iter().enumerate() {
        victim.posts(command).await;
        let answer = neighbour.says(&format!("during {command}")).await;
        assert!(answer.contains(&format!("during {command}")), "{command}: the neighbour got {answer:?}");
        assert_eq!(victim.reads().await, FALLBACK, "{command}");
        assert_eq!(victim.says("recall").await, "a red door", "memory after {command}");
        let dead = dead_turns(&gateway).await;
        assert_eq!(dead.len(), number + 1, "{command}: {dead:?}");
        let errors: Vec<&str> = dead.iter().filter_map(|turn| turn["error"].as_str()).collect();
        let known = errors.iter().any(|error| codes.iter().any(|code| error.starts_with(code)));
        assert!(known, "{command}: expected one of {codes:?} in {errors:?}");
    }
    assert!(gateway.log().contains("the hostile brain panics on command"), "the panic reaches the log");
    assert!(gateway.log().contains("tests/guests/hostile/src/lib.rs"), "with its place");
}

/// A limit's error says how much it is, how much was used, and where to raise it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_says_what_where_and_how_much() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "").await;
    let mut victim = Contact::new(&gateway, &waha, "971502000001");
    victim.says("start_realty_2").await;
    for (command, words) in [
        ("spin", ["500000000", "limits.fuel"]),
        ("bomb", ["67108864", "limits.memory_bytes"]),
        ("flood", ["10000", "limits.actions"]),
    ] {
        assert_eq!(victim.says(command).await, FALLBACK);
        let dead = dead_turns(&gateway).await;
        let told: Vec<String> = dead.iter().map(Value::to_string).collect();
        let named = told.iter().any(|turn| words.iter().all(|word| turn.contains(word)));
        assert!(named, "{command}: expected {words:?} in {told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retryable_fault_is_tried_again_and_then_costs_one_turn() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "").await;
    let mut victim = Contact::new(&gateway, &waha, "971502000001");
    victim.says("start_realty_2").await;
    victim.posts("retryable").await;
    // Behind the failing one, in order.
    victim.posts("good evening").await;
    assert_eq!(victim.reads().await, FALLBACK);
    assert_eq!(victim.reads().await, "heard: good evening");
    let dead = dead_turns(&gateway).await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0]["failures"], 5, "turns.attempts: {dead:?}");

    // An operator can have it run again; what the contact has read once is not said twice.
    let id = dead[0]["id"].as_str().expect("an id");
    gateway.cli(&["turns", "retry", id]).await.ok();
    let given_up = "a turn failed for good";
    until("it has died again", ANSWER, async || (gateway.log().matches(given_up).count() == 2).then_some(()))
        .await;
    assert_eq!(victim.says("good night").await, "heard: good night");
    assert_eq!(dead_turns(&gateway).await.len(), 1);
}

/// A fault that passes is never seen by the contact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_passes_costs_nothing() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "[turns]\nattempts = 1000\n").await;
    let mut victim = Contact::new(&gateway, &waha, "971502000001");
    victim.says("start_realty_2").await;
    victim.posts("retryable-once").await;
    gateway.wait_for_line("a turn failed and is tried again").await;
    let personality = gateway.package_dir("hostile").join("personality.toml");
    let told = std::fs::read_to_string(&personality).expect("it is there");
    replace(&personality, told.replace("fail = true", "fail = false").as_bytes());
    assert_eq!(victim.reads().await, "went well");
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
}

/// What a brain writes is a field of our line, and no line of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_forges_no_line_of_the_log() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "").await;
    let mut forger = Contact::new(&gateway, &waha, "971502000001");
    forger.says("start_realty_2").await;
    let forged = "ok\n2026-11-30T10:00:00.000000Z ERROR the store failed tenant=1\r\u{1b}[2J\u{202E}x";
    assert_eq!(forger.says(&format!("print {forged}")).await, "printed");
    assert_eq!(forger.says(&format!("panic-with {forged}")).await, FALLBACK);
    let log = gateway.log();
    assert!(log.contains("ERROR the store failed"), "it was written: {log}");
    for line in log.lines() {
        let ours = line.contains(" the brain says ") || line.contains(" a turn failed for good");
        assert!(!line.contains("the store failed") || ours, "forged: {line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202E}'), "{line:?}");
    }
    let dead = dead_turns(&gateway).await;
    let error = dead[0]["error"].as_str().expect("an error");
    assert!(error.contains("\\u{a}2026-11-30") && !error.contains('\n'), "{error}");
    let told = gateway.cli(&["turns", "list", "--json"]).await;
    assert!(!told.stdout.chars().any(|c| c != '\n' && c.is_control()), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_that_is_not_there_yet_is_waited_for() {
    let waha = FakeWaha::start().await;
    let gateway = start(&waha, "").await;
    let (package, aside) = (gateway.package_dir("hostile"), gateway.dir().join("aside"));
    std::fs::rename(&package, &aside).expect("moved");
    gateway.wait_for_line("gone from the plugins directory").await;
    let mut contact = Contact::new(&gateway, &waha, "971502000001");
    contact.posts("start_realty_2").await;
    let mut neighbour = Contact::new(&gateway, &waha, "971501000001");
    neighbour.says("start_realty_1").await;
    until("the turn waits", ANSWER, async || {
        let waiting = gateway.get("/api/turns").await.ok();
        (!waiting["turns"].as_array()?.is_empty()).then_some(())
    })
    .await;
    std::fs::rename(&aside, &package).expect("moved back");
    contact.reads().await;
    assert_eq!(dead_turns(&gateway).await, Vec::<Value>::new());
}
