//! Whatever a brain does costs one turn: it ends with an error that says what, how much, and where to
//! raise it, and the next turn of the next contact is answered.

use std::time::Duration;

use super::*;

const RAISE: &str = "in switchboard.toml or the tenant's `limits.";

async fn check(workshop: &Workshop, command: &str, code: &str, message: &str) {
    let brains = workshop.open().await;
    let failure = fails(&brains, "hostile", command).await;
    assert_eq!(failure.code, code, "{command}: {failure}");
    assert!(failure.message.contains(message), "{command}: {}", failure.message);
    assert_eq!(failure.version, digest(&component("hostile")));
    assert_eq!(says(&brains, "hostile", "good morning").await, "heard: good morning", "after {command}");
}

#[tokio::test]
async fn a_trap_is_named() {
    check(
        &Workshop::hostile(),
        "trap",
        "trap",
        "the brain trapped: wasm trap: wasm `unreachable` instruction",
    )
    .await;
}

#[tokio::test]
async fn a_panic_reaches_the_developer_with_its_place() {
    let workshop = Workshop::hostile();
    check(&workshop, "panic", "trap", "the brain panicked at ").await;
    let failure = fails(&*workshop.open().await, "hostile", "panic").await;
    assert!(failure.message.contains("lib.rs:"), "{}", failure.message);
    assert!(failure.message.ends_with("the hostile brain panics on command"), "{}", failure.message);
    assert!(
        failure.host_calls.iter().any(|call| call.function == "log.panicked"),
        "{:?}",
        failure.host_calls
    );
}

#[tokio::test]
async fn endless_work_runs_out_of_fuel() {
    let workshop = Workshop::hostile();
    let expected = format!(
        "the brain computed for too long: limit 100000000 units of fuel, used 100000000; raise `[limits] fuel` \
         {RAISE}fuel`"
    );
    check(&workshop, "spin", "fuel", &expected).await;
    // The clock stands still during a turn.
    check(&workshop, "sleep", "fuel", &expected).await;
}

#[tokio::test]
async fn busy_for_too_long_runs_out_of_time() {
    let mut workshop = Workshop::hostile();
    workshop.limits.wall_time_ms = 300;
    workshop.limits.fuel = u64::MAX / 4;
    let brains = workshop.open().await;
    let failure = fails(&brains, "hostile", "spin").await;
    assert_eq!(failure.code, "wall-time");
    assert!(failure.retryable && failure.out_of_time, "a slow machine may be faster later");
    let expected = "the turn took too long: limit 300 ms, used ";
    assert!(failure.message.starts_with(expected), "{}", failure.message);
    assert!(failure.message.ends_with(&format!("raise `[limits] wall_time_ms` {RAISE}wall_time_ms`")));
    assert!(failure.cost.wall_time_us >= 300_000);
}

/// An hour's sleep is over at once: it would hold a place and cost the guest nothing.
#[tokio::test]
async fn who_sleeps_is_awake_at_once() {
    let brains = Workshop::hostile().open().await;
    let nap = || brains.handle(ask("hostile", "nap"));
    let (a, b) = (nap().await.expect("it wakes"), nap().await.expect("it wakes"));
    assert!(a.cost.wall_time_us < 5_000_000, "{:?}", a.cost);
    assert_eq!(a.cost.fuel, b.cost.fuel, "and does the same each time");
}

#[tokio::test]
async fn a_memory_bomb_is_refused_with_what_it_asked_for() {
    let workshop = Workshop::hostile();
    check(&workshop, "bomb", "memory", "more memory than it may have: limit 16777216 bytes, used 1").await;
    let failure = fails(&*workshop.open().await, "hostile", "bomb").await;
    assert!(failure.cost.memory_bytes <= 16 << 20);
    assert!(failure.message.ends_with(&format!("raise `[limits] memory_bytes` {RAISE}memory_bytes`")));
}

#[tokio::test]
async fn recursion_without_end_is_a_trap() {
    check(&Workshop::hostile(), "deep", "trap", "(recursion without an end?)").await;
}

#[tokio::test]
async fn floods_are_counted_not_sent() {
    let mut workshop = Workshop::hostile();
    // Writing ten megabytes of JSON takes work and room.
    workshop.limits.fuel = 2_000_000_000;
    workshop.limits.memory_bytes = 64 << 20;
    let actions = format!("limit 32 actions, used 10000; raise `[limits] actions` {RAISE}actions`");
    check(&workshop, "flood", "actions", &actions).await;
    let text = "action 1 (send text): text is too long: limit 16384 bytes, used 1024000";
    check(&workshop, "long", "text", text).await;
    let state = "the memory that the brain wants kept is too large: limit 65536 bytes, used 1048578";
    check(&workshop, "memory", "state", state).await;
    // Ten megabytes are not even looked at.
    let whole = "the brain handed over more than 4325376 bytes at once, in a call or as its outcome";
    check(&workshop, "huge", "call", whole).await;
    check(&workshop, "badjson", "state", "the memory that the brain wants kept is not JSON: ").await;
    let calls = "too many calls to the gateway in one turn: limit 200 calls, used 201";
    check(&workshop, "calls", "host-calls", calls).await;
}

#[tokio::test]
async fn a_talkative_brain_loses_lines_and_fills_nothing() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let failure = fails(&brains, "hostile", "log").await;
    assert_eq!(failure.code, "fuel", "it never stops");
    let kept: usize = failure.host_calls.iter().map(|call| call.arguments.len()).sum();
    assert!((1..=32 << 10).contains(&kept), "{kept} bytes of log kept");
}

#[tokio::test]
async fn a_brains_own_fault_is_passed_on() {
    let brains = Workshop::hostile().open().await;
    let failure = fails(&brains, "hostile", "fault").await;
    assert_eq!((failure.code.as_str(), &*failure.message), ("by-command", "a fault on command"));
    assert!(!failure.retryable);
    let again = fails(&brains, "hostile", "retryable").await;
    assert!(again.retryable && !again.out_of_time);
}

#[tokio::test]
async fn a_tenants_own_limits_come_before_the_gateways() {
    let brains = Workshop::hostile().open().await;
    let mut tenant = tenant(2, "hostile");
    tenant.limits.fuel = Some(7_000_000);
    let failure = brains.handle(ask_of(tenant, "spin")).await.expect_err("runs out");
    assert!(failure.message.contains("limit 7000000 units of fuel, used 7000000"), "{}", failure.message);
    assert_eq!(failure.cost.fuel, 7_000_000);
}

#[tokio::test]
async fn every_turn_begins_anew_and_sees_nothing() {
    let brains = Workshop::hostile().open().await;
    for _ in 0..20 {
        assert_eq!(says(&brains, "hostile", "static").await, "1");
    }
    assert_eq!(says(&brains, "hostile", "peek").await, "nothing");
    // What one contact's turn wrote into its instance is not there for the next.
    assert_eq!(says(&brains, "hostile", "remember a red door").await, "remembered");
    assert_eq!(says(&brains, "hostile", "recall").await, "nothing");
}

#[tokio::test]
async fn the_same_turn_comes_to_the_same() {
    let brains = Workshop::hostile().open().await;
    let remember = || brains.handle(ask("hostile", "remember a red door"));
    let (a, b) = (remember().await.expect("answers"), remember().await.expect("answers"));
    assert_eq!((&a.sends, &a.memory, &a.outcome), (&b.sends, &b.memory, &b.outcome));
    assert_eq!((&a.host_calls, a.cost.fuel), (&b.host_calls, b.cost.fuel), "to the last unit of fuel");
    assert_eq!(a.cost.memory_bytes, b.cost.memory_bytes);
    assert!(a.cost.fuel > 0 && a.cost.memory_bytes > 0);
}

/// The clock interrupts a guest wherever it is; what it has cost is the same.
#[tokio::test]
async fn what_a_turn_costs_does_not_depend_on_the_clock() {
    let brains = Workshop::hostile().open().await;
    let mut costs = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let turn = brains.handle(ask("hostile", "nap")).await.expect("it wakes");
        costs.insert(turn.cost.fuel);
    }
    assert_eq!(costs.len(), 1, "{costs:?}");
}

#[tokio::test]
async fn memory_comes_back_as_it_was_kept() {
    let brains = Workshop::hostile().open().await;
    let answer = brains.handle(ask("hostile", "remember a red door")).await.expect("answers");
    let mut next = ask("hostile", "recall");
    next.conversation.brain_version = Some(answer.version.clone());
    next.conversation.memory = answer.memory;
    assert_eq!(texts(&brains.handle(next).await.expect("answers")), ["a red door"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_turns_than_places_wait_and_are_all_answered() {
    let mut workshop = Workshop::hostile();
    workshop.concurrent = 2;
    let brains = workshop.open().await;
    let turns: Vec<_> = (0..100)
        .map(|n| {
            let brains = brains.clone();
            tokio::spawn(async move {
                let text = if n % 10 == 0 { "trap" } else { "static" };
                brains.handle(ask("hostile", text)).await.map(|answer| texts(&answer).join(""))
            })
        })
        .collect();
    for (n, turn) in turns.into_iter().enumerate() {
        match turn.await.expect("no panic") {
            Ok(text) => assert_eq!(text, "1"),
            Err(failure) => assert_eq!((n % 10, failure.code.as_str()), (0, "trap"), "{failure}"),
        }
    }
}

#[tokio::test]
async fn a_turn_that_nobody_waits_for_gives_its_place_back() {
    let mut workshop = Workshop::hostile();
    workshop.concurrent = 1;
    workshop.limits.fuel = u64::MAX / 4;
    let brains = workshop.open().await;
    for _ in 0..5 {
        let spin = brains.handle(ask("hostile", "spin"));
        assert!(tokio::time::timeout(Duration::from_millis(30), spin).await.is_err(), "it is busy");
    }
    assert_eq!(says(&brains, "hostile", "good morning").await, "heard: good morning");
}

/// On one thread: whoever is busy gives way.
#[tokio::test]
async fn others_are_answered_while_one_is_busy() {
    let mut workshop = Workshop::hostile();
    workshop.limits.fuel = u64::MAX / 4;
    workshop.limits.wall_time_ms = 600_000;
    let brains = workshop.open().await;
    for command in ["spin", "sleep", "log"] {
        let busy = tokio::spawn({
            let brains = brains.clone();
            async move { brains.handle(ask("hostile", command)).await.is_ok() }
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
            assert_eq!(says(&brains, "hostile", "static").await, "1", "beside {command}");
        }
        assert!(!busy.is_finished(), "{command} goes on");
        busy.abort();
        assert!(busy.await.expect_err("aborted").is_cancelled());
    }
}

/// Others come after every call that carries much, not after sixteen of them.
#[tokio::test]
async fn long_answers_of_the_gateway_let_others_in() {
    use switchboard::conversation::{Author, Line};
    let mut workshop = Workshop::hostile();
    workshop.limits.fuel = u64::MAX / 4;
    workshop.limits.wall_time_ms = 600_000;
    workshop.limits.memory_bytes = 256 << 20;
    // More than there are threads for guests.
    let threads = std::thread::available_parallelism().map_or(1, usize::from) * 4;
    workshop.concurrent = threads + 1;
    let brains = workshop.open().await;
    let mut long = tokio::task::JoinSet::new();
    for _ in 0..threads {
        let mut ask = ask_of(tenant(66, "hostile"), "calls");
        let Trigger::Messages { messages } = &ask.trigger else { unreachable!("it is a message") };
        let said = Heard { content: Content::Text { text: "x".repeat(2_000) }, ..messages[0].clone() };
        let entry =
            HistoryEntry { at: ask.now, author: Author::Contact, line: Line::Heard(said), state: None };
        ask.sources = Arc::new(Shelf { history: vec![entry; 100], ..Shelf::default() });
        let brains = brains.clone();
        long.spawn(async move { brains.handle(ask).await.expect_err("too many calls").code });
    }
    for _ in 0..20 {
        brains.handle(ask("hostile", "hello")).await.expect("a short turn of another tenant");
        let over = long.try_join_next();
        assert!(over.is_none(), "200 calls of 200 KB are over before a short turn of another: {over:?}");
    }
    while let Some(code) = long.join_next().await {
        assert_eq!(code.expect("no panic"), "host-calls");
    }
}

#[tokio::test]
async fn every_trigger_reaches_a_brain() {
    use switchboard::conversation::{Author, Line};
    use switchboard::message::DeliveryState;
    let workshop = Workshop::hostile();
    let with_receipts = manifest("hostile", GRANTS) + "receipts = true\n";
    workshop.write("asks", "plugin.toml", with_receipts.as_bytes());
    workshop.write("asks", "brain.wasm", &component("hostile"));
    let brains = workshop.open().await;
    let first = ask("hostile", "hello");
    let Trigger::Messages { messages } = &first.trigger else { unreachable!("it is a message") };
    let line = |author, line| HistoryEntry { at: first.now, author, line, state: None };
    let said = vec![
        line(Author::Contact, Line::Heard(messages[0].clone())),
        line(Author::Human, Line::Said(switchboard::message::Outbound::text("a colleague here".to_owned()))),
    ];
    let receipt = |state| Trigger::Receipt { message_id: "out-7".into(), state, reason: Some("why".into()) };
    let cases = [
        (Trigger::Handback { said }, "handback: 2 said"),
        (Trigger::Timer { key: "later".into(), payload: "{}".into() }, "timer: later"),
        (receipt(DeliveryState::Read), "receipt: out-7"),
        (receipt(DeliveryState::Failed), "receipt: out-7"),
    ];
    for (trigger, expected) in cases {
        for (package, asks) in [("hostile", false), ("asks", true)] {
            let answer = brains.handle(Ask { trigger: trigger.clone(), ..ask(package, "") }).await;
            let answer = answer.unwrap_or_else(|failure| panic!("{trigger:?}: {failure}"));
            assert_eq!(texts(&answer), [expected]);
            assert_eq!(answer.wants_receipts, asks, "{package}");
        }
    }
}
