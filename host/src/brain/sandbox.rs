//! What a guest finds around it: the state of one turn, and a WASI whose clocks and random numbers
//! come from the turn itself. There is no file, no socket, no environment, no argument; standard
//! input is empty, and what is written to standard output goes to the log like any other line.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

use super::Ask;
use super::budget::Meter;
use super::journal::Recorder;
use super::personality::Personality;
use super::reading::Reading;
use crate::glyph;
use crate::tenant::ResolvedLimits;
use clock::Clock;

pub mod clock;
pub mod poll;

/// A guest may ask for this many random bytes at once. Making them costs it no fuel.
const RANDOM_BYTES: u64 = 4 << 10;

/// Streams and pollables that a guest holds are the gateway's memory.
const RESOURCES: usize = 1_000;

/// Standard output and error take this much in one call.
const STDIO_BYTES: usize = 4 << 10;

/// A longer line is cut. The journal has it whole, as far as a turn's budget goes.
const LOGGED_BYTES: usize = 1_000;

/// What stands around a line in the log, about; it is counted with the line's own bytes.
const LINE_BYTES: u64 = 200;

/// Everything a running guest can reach. Made for one turn, dropped with it.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub ask: Arc<Ask>,
    pub personality: Personality,
    pub meter: Meter,
    pub journal: Recorder,
    pub log: Arc<Log>,
    pub reading: Arc<Reading>,
    /// What the SDK's panic hook said before the trap.
    pub panic: Option<Panic>,
    /// Carried between guest and gateway since the turn last gave way.
    pub carried: usize,
}

/// A panic inside a guest: `index out of bounds` at `src/lib.rs:12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    pub message: String,
    pub file: String,
    pub line: u32,
}

impl State {
    pub fn new(
        ask: Arc<Ask>,
        personality: Personality,
        package: Arc<str>,
        limits: ResolvedLimits,
        reading: Arc<Reading>,
    ) -> Self {
        let log =
            Arc::new(Log { ask: ask.clone(), package, limit: limits.log_bytes, used: AtomicU64::new(0) });
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Stdio(log.clone(), tracing::Level::INFO))
            .stderr(Stdio(log.clone(), tracing::Level::WARN))
            .wall_clock(Clock(ask.now))
            .monotonic_clock(Clock(ask.now))
            .secure_random(Seeded(ask.seed))
            .insecure_random(Seeded(ask.seed ^ 0x5bd1_e995))
            .insecure_random_seed(
                u128::from(Seeded(ask.seed.rotate_left(32)).next()) << 64 | u128::from(ask.seed),
            )
            .max_random_size(RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        State {
            wasi: wasi.build(),
            table,
            ask,
            personality,
            meter: Meter::new(limits),
            journal: Recorder::default(),
            log,
            reading,
            panic: None,
            carried: 0,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// SplitMix64. Not for secrets: a brain holds none, and a turn run again must see the same numbers.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// The lines of one turn on their way to the gateway's log, as many as the budget allows.
pub struct Log {
    ask: Arc<Ask>,
    package: Arc<str>,
    limit: u64,
    used: AtomicU64,
}

impl Log {
    /// Writes a line, or drops it when the turn or its tenant has used up its share; `false` when
    /// dropped. The first line of a turn that is dropped says so.
    pub fn write(&self, level: tracing::Level, line: &str) -> bool {
        let shown = glyph::shown(line, LOGGED_BYTES);
        let cost = shown.len() as u64 + LINE_BYTES;
        let before = self.used.fetch_add(cost, Ordering::Relaxed);
        let used = before.saturating_add(cost);
        if used <= self.limit {
            let written = self.ask.sources.may_log(cost);
            if written {
                self.emit(level, &shown);
            }
            return written;
        }
        if before <= self.limit {
            tracing::warn!(
                target: "brain",
                tenant = %self.ask.key.tenant,
                contact = %self.ask.key.contact.masked(),
                package = %self.package,
                limit = self.limit,
                used,
                "the rest of this turn's log lines is dropped; raise `[limits] log_bytes` in switchboard.toml or \
                 the tenant's `limits.log_bytes`"
            );
        }
        false
    }

    /// Would a line be written, or at least be told of as dropped?
    fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) <= self.limit
    }

    fn emit(&self, level: tracing::Level, line: &str) {
        // The level of an event is part of its static description, hence one arm each.
        macro_rules! line_at {
            ($macro:ident) => {
                tracing::$macro!(
                    target: "brain",
                    tenant = %self.ask.key.tenant,
                    contact = %self.ask.key.contact.masked(),
                    package = %self.package,
                    line,
                    "the brain says"
                )
            };
        }
        match level {
            tracing::Level::ERROR => line_at!(error),
            tracing::Level::WARN => line_at!(warn),
            tracing::Level::INFO => line_at!(info),
            tracing::Level::DEBUG => line_at!(debug),
            tracing::Level::TRACE => line_at!(trace),
        }
    }
}

/// Standard output or standard error.
struct Stdio(Arc<Log>, tracing::Level);

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Stdio(self.0.clone(), self.1))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        at_once(bytes.len())?;
        if !self.0.has_room() {
            return Ok(());
        }
        for line in String::from_utf8_lossy(&bytes).lines().filter(|line| !line.trim().is_empty()) {
            self.0.write(self.1, line);
        }
        Ok(())
    }

    /// Zeros are no text.
    fn write_zeroes(&mut self, bytes: usize) -> StreamResult<()> {
        at_once(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(STDIO_BYTES)
    }
}

fn at_once(bytes: usize) -> StreamResult<()> {
    if bytes <= STDIO_BYTES {
        return Ok(());
    }
    let why = format!("wrote {bytes} bytes at once to an output stream that takes {STDIO_BYTES}");
    Err(StreamError::Trap(wasmtime::format_err!(why)))
}
