//! How a turn ends when it does not end well: traps, limits and faults in the words of the developer
//! who must mend them.

use std::collections::HashSet;
use std::time::Instant;

use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::abi::actions::Rejected;
use super::abi::wit;
use super::budget::Exceeded;
use super::sandbox::State;
use super::{Ask, Failure};
use crate::conversation::{Cost, Heard, Line, Trigger};
use crate::glyph;
use crate::message::Content;

/// A brain's own fault code is cut here.
const CODE_BYTES: usize = 100;

/// So many functions of a trap's backtrace are named, innermost first.
const FRAMES: usize = 5;

/// How the engine begins its sentence when one call carries more than it may; the error has no type of
/// its own.
const TOO_MUCH_CARRIED: &str = "too much data is being copied between the host and the guest";

/// A handle is looked for in this many lines of the conversation.
const HANDLES_IN: usize = 100;

/// A turn without an answer.
#[derive(Debug)]
pub struct Stopped {
    /// Boxed: it is large, and the exception.
    pub failure: Box<Failure>,
    /// The brain itself said so: it works, and an older version would say the same.
    pub fault: bool,
}

/// A trap or limit. `out_of_time`: the turn's time was over, which it may keep another time.
pub fn failure(
    rejected: Rejected,
    out_of_time: bool,
    store: &mut Store<State>,
    started: Instant,
    version: &str,
) -> Stopped {
    let cost = cost(store, started);
    let failure = Failure {
        code: rejected.code.into(),
        message: rejected.message.into(),
        retryable: out_of_time,
        out_of_time,
        version: version.to_owned(),
        host_calls: store.data_mut().journal.take(),
        cost,
    };
    Stopped { failure: Box::new(failure), fault: false }
}

/// The brain's own word.
pub fn faulted(fault: wit::Fault, store: &mut Store<State>, started: Instant, version: &str) -> Stopped {
    let cost = cost(store, started);
    let code =
        if fault.code.trim().is_empty() { "fault".into() } else { glyph::shown(fault.code, CODE_BYTES) };
    let failure = Failure {
        code,
        message: fault.message.into(),
        retryable: fault.retryable,
        out_of_time: false,
        version: version.to_owned(),
        host_calls: store.data_mut().journal.take(),
        cost,
    };
    Stopped { failure: Box::new(failure), fault: true }
}

pub fn cost(store: &Store<State>, started: Instant) -> Cost {
    let meter = &store.data().meter;
    Cost {
        fuel: meter
            .limits()
            .fuel
            .saturating_sub(store.get_fuel().unwrap_or(0).saturating_sub(meter.fuel_owed())),
        wall_time_us: started.elapsed().as_micros() as u64,
        memory_bytes: meter.memory_peak(),
        host_calls: meter.host_calls(),
    }
}

/// What stopped the guest. A limit that was hit on the way comes before the trap it led to.
pub fn explain(error: &wasmtime::Error, store: &Store<State>) -> Rejected {
    let state = store.data();
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::OutOfFuel) {
        let limits = state.meter.limits();
        return Exceeded::fuel(limits, limits.fuel).into();
    }
    if let Some(exceeded) = state.meter.exceeded() {
        return exceeded.clone().into();
    }
    if error.root_cause().to_string().starts_with(TOO_MUCH_CARRIED) {
        let limit = store.hostcall_fuel();
        let message =
            format!("the brain handed over more than {limit} bytes at once, in a call or as its outcome");
        return Rejected { code: "call", message };
    }
    let message = if let Some(panic) = &state.panic {
        format!("the brain panicked at {}:{}: {}", panic.file, panic.line, panic.message)
    } else if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        format!("the brain called exit({status}); a turn ends by returning from `handle`")
    } else if trap == Some(Trap::StackOverflow) {
        format!("the brain's stack overflowed (512 KiB): recursion without an end?{}", frames(error))
    } else if trap == Some(Trap::MemoryOutOfBounds) {
        // A Rust brain keeps its larger values on a stack of its own, at the bottom of its memory.
        format!("the brain trapped: {} (recursion without an end?){}", Trap::MemoryOutOfBounds, frames(error))
    } else if let Some(trap) = trap {
        format!("the brain trapped: {trap}{}", frames(error))
    } else {
        format!("the brain was stopped: {}", error.root_cause())
    };
    Rejected { code: "trap", message }
}

/// The innermost functions, where the component kept their names.
fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<&str> =
        backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(FRAMES).collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) }
}

/// Of these those that a turn may send: handles of the tenant's files, and those that were received in the
/// conversation.
pub async fn known_handles(ask: &Ask, sources: &[&str]) -> HashSet<String> {
    let mut known = HashSet::new();
    let mut received = None;
    for handle in sources {
        // Whatever it is, it is no handle.
        if handle.contains("://") || known.contains(*handle) {
            continue;
        }
        if received.is_none() {
            received = Some(handles_received(ask).await);
        }
        let is_received = received.as_ref().is_some_and(|received| received.contains(*handle));
        if is_received || ask.sources.has_file(handle).await {
            known.insert((*handle).to_owned());
        }
    }
    known
}

async fn handles_received(ask: &Ask) -> HashSet<String> {
    let now: &[Heard] = match &ask.trigger {
        Trigger::Started { message, .. } => std::slice::from_ref(message),
        Trigger::Messages { messages } => messages,
        Trigger::Timer { .. } | Trigger::Handback { .. } | Trigger::Receipt { .. } => &[],
    };
    let before = ask.sources.history(HANDLES_IN).await.unwrap_or_default();
    let before = before.iter().filter_map(|entry| match &entry.line {
        Line::Heard(heard) => Some(&heard.content),
        Line::Said(_) => None,
    });
    let all = now.iter().map(|heard| &heard.content).chain(before);
    let handles = all.filter_map(|content| match content {
        Content::Media(media) => Some(media.handle.clone()),
        _ => None,
    });
    handles.collect()
}
