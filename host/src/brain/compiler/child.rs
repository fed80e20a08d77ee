//! What runs in the process that compiles: it confines itself, reads what is to be done, compiles, hands
//! the code back, and only then lets the component run for the first time. It has no store, no log, no
//! environment, and ends with the gateway.

use std::io::{self, Read as _, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use super::confine::{self, Bounds};
use super::wire::{self, Ended, Frame, Rehearsal, Rehearsed, SHOWN_BYTES, Unmade};
use crate::brain::engine::Engine;
use crate::brain::personality::{Layer, Personality};
use crate::brain::{cache, preflight, rehearsal};
use crate::glyph;

/// The whole life of the process. What went wrong is said to the gateway, which reads it.
pub fn run(bounds: Bounds) -> ExitCode {
    let mut to = io::stdout().lock();
    let done = match catch_unwind(AssertUnwindSafe(|| work(bounds, &mut to))) {
        Ok(done) => done,
        Err(panic) => {
            let told = panic.downcast_ref::<String>().map(String::as_str);
            let told = told.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            refuse(&mut to, &Unmade::Broken { why: shown(&format!("the compiler panicked: {told}")) })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody listens any more.
        Err(_) => ExitCode::FAILURE,
    }
}

fn work(bounds: Bounds, to: &mut impl Write) -> io::Result<()> {
    let confined = match confine::confine(bounds) {
        Ok(confined) => confined,
        Err(error) => return refuse(to, &Unmade::Broken { why: format!("it cannot be confined: {error}") }),
    };
    wire::say(to, Frame::Confined, &confined)?;
    let (request, component) = wire::read_request(&mut io::stdin().lock(), preflight::COMPONENT_BYTES)?;
    std::thread::Builder::new().name("gateway-watch".into()).spawn(end_with_the_gateway)?;
    if let Err(why) = preflight::look_inside(&component) {
        return refuse(to, &Unmade::Component { why });
    }
    let engine = match Engine::new(1, &Arc::default()) {
        Ok(engine) => engine,
        Err(error) => return refuse(to, &unmade(&error, |why| Unmade::Broken { why })),
    };
    let code = match engine.wasmtime().precompile_component(&component) {
        Ok(code) => code,
        Err(error) => return refuse(to, &unmade(&error, |why| Unmade::Component { why })),
    };
    drop(component);
    if code.len() > wire::CODE_BYTES {
        let why = format!("compiled it has {} bytes; at most {}", code.len(), wire::CODE_BYTES);
        return refuse(to, &Unmade::Component { why });
    }
    wire::send(to, Frame::Code, &code)?;
    let rehearsed = match request.rehearsal {
        Some(asked) => rehearse(&engine, &code, asked),
        None => Rehearsed::Not,
    };
    wire::say(to, Frame::Ended, &Ended { rehearsed, cpu_ms: cpu_ms() })
}

fn refuse(to: &mut impl Write, unmade: &Unmade) -> io::Result<()> {
    wire::say(to, Frame::Unmade, unmade)
}

/// The gateway holds our standard input open for as long as it wants us.
fn end_with_the_gateway() {
    let mut byte = [0];
    while io::stdin().lock().read(&mut byte).is_ok_and(|read| read > 0) {}
    std::process::exit(1);
}

/// Links and starts the component, and runs its selftest.
fn rehearse(engine: &Engine, code: &[u8], asked: Rehearsal) -> Rehearsed {
    let unlinked = |error: &dyn std::fmt::Display| Rehearsed::Unlinked { why: shown(&error.to_string()) };
    let version = match cache::deserialize(engine.wasmtime(), code)
        .and_then(|component| engine.version(String::new(), &component, &asked.grants))
    {
        Ok(version) => version,
        Err(error) => return unlinked(&format!("{error:#}")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return unlinked(&error),
    };
    let layer = |values: Option<Map<String, Value>>| {
        values.map(|values| {
            let source = Value::Object(values.clone()).to_string();
            Arc::new(Layer::new(values, source.as_bytes()))
        })
    };
    let texts = Personality { package: layer(asked.below), own: layer(asked.own), ..Personality::default() };
    let turn = rehearsal::turn(&asked.package, texts, asked.limits, asked.now);
    match runtime.block_on(engine.probe(&Arc::new(version), turn)) {
        Ok(selftest) => Rehearsed::Good { selftest },
        Err(stopped) => Rehearsed::Bad { fault: stopped.fault, why: shown(&stopped.failure.to_string()) },
    }
}

/// Running out of memory is told apart from all else that can be wrong.
fn unmade(error: &wasmtime::Error, other: impl FnOnce(String) -> Unmade) -> Unmade {
    let out_of_memory = error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        cause.downcast_ref() == Some(&rustix::io::Errno::NOMEM)
            || io.is_some_and(|io| io.kind() == io::ErrorKind::OutOfMemory)
    });
    if out_of_memory { Unmade::Memory } else { other(shown(&format!("{error:#}"))) }
}

/// Whatever a component's maker may have written becomes one bounded line.
fn shown(text: &str) -> String {
    glyph::shown(text, SHOWN_BYTES)
}

fn cpu_ms() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(used.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(used.tv_nsec).unwrap_or(0) / 1_000_000
}
