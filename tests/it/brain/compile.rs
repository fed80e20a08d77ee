//! Compiling happens elsewhere: in processes that have bounds, that nobody else waits for, and that end
//! with whoever wanted them. Real processes and real bombs, with small bounds.

use std::os::unix::fs::PermissionsExt as _;

use switchboard::brain::{By, Refused};
use switchboard_tests::gateway::Setup;
use switchboard_tests::wait::until;

use super::*;

fn two() -> TenantId {
    TenantId::new(2).expect("not 0")
}

fn three() -> TenantId {
    TenantId::new(3).expect("not 0")
}

/// A component that looks like a brain from outside, around a core module in the text format.
fn around(module: &str) -> Vec<u8> {
    let turn = r#"(instance $turn) (export "switchboard:brain/turn@0.1.0" (instance $turn))"#;
    wat::parse_str(format!("(component (core module {module}) {turn})")).expect("it is well-formed")
}

/// Takes the compiler some hundred megabytes: what each of many locals is worth in each of many loops.
fn needs_memory() -> Vec<u8> {
    heavy(1, 0)
}

/// Takes the compiler minutes of a core; `label` tells one from another.
fn needs_time(label: u32) -> Vec<u8> {
    heavy(40, label)
}

fn heavy(functions: usize, label: u32) -> Vec<u8> {
    let (locals, loops) = ("i32 ".repeat(9_000), 490);
    let sets: String =
        (0..9_000).map(|n| format!("(local.set {n} (i32.add (local.get {n}) (local.get 7)))")).collect();
    let (open, close) = ("loop ".repeat(loops), "(br_if 0 (local.get 7)) end ".repeat(loops));
    let function = format!("(func (local {locals}) {open} {sets} {close})");
    around(&format!("(memory 1) {} (data (i32.const 0) \"{label}\")", function.repeat(functions)))
}

/// The gateway's program behind a script that writes down the id of every process that compiles.
struct Watched {
    workshop: Workshop,
    script: PathBuf,
    started: PathBuf,
}

impl Watched {
    fn new() -> Self {
        let workshop = Workshop::hostile();
        let (script, started) = (workshop.root.path().join("compile"), workshop.root.path().join("started"));
        let program = program();
        let text =
            format!("#!/bin/sh\necho $$ >> '{}'\nexec '{}' \"$@\"\n", started.display(), program.display());
        std::fs::write(&script, text).expect("written");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("its own");
        std::fs::write(&started, "").expect("written");
        Watched { workshop, script, started }
    }

    async fn open(&self) -> Arc<Brains> {
        let settings = Settings { program: self.script.clone(), ..self.workshop.settings() };
        Brains::open(settings, |_| None).await.expect("the brains open")
    }

    /// The ids of the processes that were started so far.
    fn started(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(&self.started).expect("read");
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// The process that compiles, once it does.
    async fn compiling(&self) -> u32 {
        let first =
            || self.started().first().copied().filter(|id| field(*id, "Seccomp:").is_some_and(|n| n == "2"));
        eventually("the process", first, Option::is_some).await.expect("it was waited for")
    }
}

/// A line of `/proc/ID/status`.
fn field(process: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Killed, and buried.
fn is_gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

#[tokio::test]
async fn what_needs_too_much_memory_is_named_and_not_tried_again() {
    let mut watched = Watched::new();
    watched.workshop.compiling.compile_memory_bytes = 128 << 20;
    let brains = watched.open().await;
    for tenant in [two(), two(), three()] {
        let Refused { reason, retry_after } =
            brains.put_brain(tenant, needs_memory(), "tenant").await.expect_err("too much");
        assert_eq!(retry_after, None);
        let expected = "brain.wasm: compiling it took too much memory: limit 134217728 bytes, and it needed more; \
                        make it smaller, or raise `[brains] compile_memory_bytes` in switchboard.toml";
        assert!(reason.ends_with(expected), "{reason}");
    }
    assert_eq!(watched.started().len(), 1, "what is known to fail costs nothing");
    // A brain that is none fits all the same.
    brains.put_brain(two(), variant(&component("echo"), 1), "tenant 2").await.expect("taken");
}

#[tokio::test]
async fn what_needs_too_long_is_named_and_counts_for_its_tenant() {
    let mut watched = Watched::new();
    watched.workshop.compiling.compile_seconds = 1;
    watched.workshop.compiling.tenant_compile_seconds = 1;
    watched.workshop.limits.wall_time_ms = 1_000;
    let brains = watched.open().await;
    let refused = brains.put_brain(two(), needs_time(1), "tenant 2").await.expect_err("too long");
    let expected = "tenant-2/brain.wasm: compiling it took too long: limit 1 s of a core's time, and it needed \
                    more; make it smaller, or raise `[brains] compile_seconds` in switchboard.toml";
    assert_eq!((&*refused.reason, refused.retry_after), (expected, None));

    let echo = variant(&component("echo"), 1);
    let refused = brains.put_brain(two(), echo.clone(), "tenant 2").await.expect_err("its hour is used up");
    assert!(
        refused.reason.contains("within the last hour: limit 1 s, used 1 s; free again in 60 min; raise"),
        "{}",
        refused.reason
    );
    assert!(refused.retry_after.is_some_and(|after| after > Duration::from_secs(3_000)));
    brains.put_brain(three(), echo.clone(), "tenant 3").await.expect("another's hour is its own");
    // Nothing is compiled for what is there already.
    brains.put_brain(two(), echo, "tenant 2").await.expect("taken");
    assert_eq!(watched.started().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_meanwhile_and_who_goes_takes_the_process_along() {
    let mut watched = Watched::new();
    watched.workshop.compiling.compilers = 2;
    let brains = watched.open().await;
    let by = By::from("tenant 3");
    let bomb = tokio::spawn({
        let (brains, by) = (brains.clone(), by.clone());
        async move { brains.put_brain(three(), needs_time(1), by).await }
    });
    let process = watched.compiling().await;
    assert!(status(&brains, "tenant-3").compiling_since.is_some());

    // It has what it needs, and nothing else.
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
    for (limit, value) in [("Max data size", "1610612736"), ("Max cpu time", "140"), ("Max open files", "64")]
    {
        let line = limits.lines().find(|line| line.starts_with(limit)).expect("it is listed");
        assert!(line[limit.len()..].trim_start().starts_with(value), "{line}");
    }
    assert_eq!(field(process, "NoNewPrivs:").as_deref(), Some("1"));
    let told = std::fs::read_to_string(format!("/proc/{process}/environ")).expect("it runs");
    assert_eq!(told, "_RJEM_MALLOC_CONF=retain:false\0PWD=/\0");

    let echo = variant(&component("echo"), 1);
    brains.put_brain(two(), echo, "tenant 2").await.expect("taken");
    assert!(!bomb.is_finished() && !is_gone(process), "it still compiles");
    by.gone.cancel();
    let refused = bomb.await.expect("no panic").expect_err("given up");
    assert_eq!(refused.reason, "tenant-3: given up: whoever sent it has gone");
    eventually("its end", || is_gone(process), |gone| *gone).await;
    assert!(brains.list().iter().all(|package| package.package != "tenant-3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_component_is_compiled_once_and_nobody_reads_anothers_texts() {
    let watched = Watched::new();
    // Its selftest fails with the texts of tenant 2, and with nobody else's.
    watched.workshop.write("tenant-2", "personality.toml", b"selftest_fails = true\n");
    let brains = watched.open().await;
    let same = variant(&component("hostile"), 1);
    let put = |tenant| brains.put_brain(tenant, same.clone(), "tenant");
    let four = TenantId::new(4).expect("not 0");
    let (of_two, of_three, of_four) = tokio::join!(put(two()), put(three()), put(four));
    let reason = of_two.expect_err("with its texts").reason;
    assert!(reason.contains("selftest failed: by-command"), "{reason}");
    for uploaded in [of_three, of_four] {
        assert_eq!(uploaded.expect("taken").checked, ["component", "imports", "exports", "selftest"]);
    }
    assert_eq!(watched.started().len(), 1);
}

/// Over HTTP: who hangs up is noticed, and its upload is no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_hangs_up_is_noticed() {
    let setup = Setup::new().package("echo").tenant("id = 2\nname = 'Two'\norganization = 1\nbrain = 'echo'");
    let gateway = setup.start().await;
    let url = gateway.url("/api/tenants/2/brain");
    let push = gateway.client().put(url).bearer_auth(gateway.token()).body(needs_time(1));
    let push = tokio::spawn(push.send());
    let wait = Duration::from_secs(60);
    until("it is compiled", wait, async || (!gateway.compiling().await.is_empty()).then_some(())).await;
    push.abort();
    until("it is given up", wait, async || gateway.compiling().await.is_empty().then_some(())).await;
    let line = gateway.wait_for_line("given up: whoever sent it has gone").await;
    assert!(line.contains("push brain"), "{line}");
}

#[tokio::test]
async fn uploads_that_wait_have_a_bound() {
    let mut watched = Watched::new();
    watched.workshop.compiling.tenant_uploads = 1;
    let brains = watched.open().await;
    let by = By::from("tenant 2");
    let first = tokio::spawn({
        let (brains, by) = (brains.clone(), by.clone());
        async move { brains.put_brain(two(), needs_time(1), by).await }
    });
    watched.compiling().await;
    let refused = brains.put_brain(two(), component("echo"), "tenant 2").await.expect_err("one waits");
    assert_eq!(
        refused.reason,
        "tenant 2 has too many uploads waiting: limit 1, used 1; raise `[brains] tenant_uploads` in \
         switchboard.toml"
    );
    assert!(refused.retry_after.is_some());
    by.gone.cancel();
    first.await.expect("no panic").expect_err("given up");
    brains.put_brain(two(), component("echo"), "tenant 2").await.expect("there is room again");
}

#[tokio::test]
async fn a_start_serves_what_was_compiled_and_makes_the_rest() {
    let workshop = Workshop::hostile();
    let fresh = variant(&component("hostile"), 1);
    workshop.package("fresh", &fresh, "welcome = \"fresh\"\n");
    workshop.write("tenant-2", "personality.toml", b"welcome = \"mine\"\n");
    let brains = workshop.open_now().await;
    assert_eq!(says(&brains, "hostile", "static").await, "1");
    let waiting = status(&brains, "fresh");
    assert_eq!((waiting.digest, waiting.live_since), (None, None));
    assert!(waiting.compiling_since.is_some());
    assert!(!brains.answers(&tenant(3, "fresh")));
    let failure = fails(&brains, "fresh", "static").await;
    assert!(
        failure.message.contains("the brain `fresh` does not run: it is being compiled since "),
        "{failure}"
    );

    tokio::spawn(brains.clone().watch());
    let live = || status(&brains, "fresh").digest;
    eventually("the version", live, |seen| *seen == Some(digest(&fresh))).await;
    assert!(brains.answers(&tenant(3, "fresh")));
    assert_eq!(status(&brains, "fresh").compiling_since, None);
}

#[tokio::test]
async fn a_compiler_that_does_not_start_is_nobodys_fault() {
    let workshop = Workshop::hostile();
    let settings = Settings { program: "/nowhere/switchboard".into(), ..workshop.settings() };
    let brains = Brains::open(settings, |_| None).await.expect("the brains open");
    let refused = brains.put_brain(two(), variant(&component("echo"), 1), "tenant 2").await;
    let Refused { reason, retry_after } = refused.expect_err("nothing compiles");
    assert!(reason.contains("the compiler cannot be started: "), "{reason}");
    assert!(retry_after.is_some());
    // One that says nothing sensible is refused like one that breaks down.
    let settings = Settings { program: "/bin/echo".into(), ..workshop.settings() };
    let brains = Brains::open(settings, |_| None).await.expect("the brains open");
    let refused = brains.put_brain(two(), variant(&component("echo"), 1), "tenant 2").await;
    let reason = refused.expect_err("nothing compiles").reason;
    assert!(reason.contains("it cannot be compiled: the compiler's process ended with "), "{reason}");
}
