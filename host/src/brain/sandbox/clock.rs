//! The clocks of a turn. They stand still at the turn's moment, so that a turn run again sees the same
//! time; and since no time passes, whoever sleeps is awake at once. A guest that could sleep would
//! hold one of the gateway's places and pay nothing for it.

use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use super::State;
use crate::message::Timestamp;

/// The turn's moment.
pub struct Clock(pub Timestamp);

/// Puts our monotonic clock in the place of WASI's, whose alarms ring in real time.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Clock {
    fn since_1970(&self) -> Duration {
        Duration::from_millis(self.0.as_ms().max(0) as u64)
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.since_1970()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.since_1970().as_nanos() as u64
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(HostMonotonicClock::now(&Clock(self.ask.now)))
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(HostMonotonicClock::resolution(&Clock(self.ask.now)))
    }

    fn subscribe_instant(&mut self, _: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = self.table.push(Alarm)?;
        subscribe(&mut self.table, alarm)
    }

    fn subscribe_duration(
        &mut self,
        _: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = self.table.push(Alarm)?;
        subscribe(&mut self.table, alarm)
    }
}

/// Rings at once. Whoever waits for it gives way to others first.
struct Alarm;

#[wasmtime_wasi::async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        tokio::task::yield_now().await;
    }
}
