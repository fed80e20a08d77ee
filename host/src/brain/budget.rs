//! What one turn may cost, and the words for a turn that wanted more. Every text here says what ran
//! out, the limit, what was used, and where to raise it. Knows no engine but the trait through which
//! the engine asks before a guest's memory grows.

use std::fmt;

use crate::tenant::ResolvedLimits;

/// No guest may have more linear memory than this, whatever a tenant's limits say: the pool reserves
/// address space for it in advance.
pub const MEMORY_CEILING: u64 = 1 << 30;

/// Elements in each of a guest's tables. Tables hold function references; a large program has some
/// thousands.
pub const TABLE_ELEMENTS: usize = 20_000;

/// What one component may be made of. A Rust brain has 3 core instances, 1 memory and 2 tables; those
/// of other languages have more.
pub const CORE_INSTANCES_PER_TURN: u32 = 64;
pub const MEMORIES_PER_TURN: u32 = 2;
pub const TABLES_PER_TURN: u32 = 8;

/// All the texts of one turn together may take this many times what one text may.
pub const TEXT_SUM_FACTOR: u64 = 4;

/// What there is a limit on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Fuel,
    WallTime,
    Actions,
    Text,
    State,
    Memory,
    HostCalls,
}

impl Limit {
    /// The failure's code.
    pub const fn code(self) -> &'static str {
        match self {
            Limit::Fuel => "fuel",
            Limit::WallTime => "wall-time",
            Limit::Actions => "actions",
            Limit::Text => "text",
            Limit::State => "state",
            Limit::Memory => "memory",
            Limit::HostCalls => "host-calls",
        }
    }
}

/// A limit that a turn ran into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub of: Limit,
    /// What wanted too much: `the brain's memory`.
    pub what: String,
    pub limit: u64,
    pub used: u64,
    pub unit: &'static str,
    /// The key under `[limits]`.
    pub key: &'static str,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exceeded { what, limit, used, unit, key, .. } = self;
        write!(
            f,
            "{what}: limit {limit} {unit}, used {used}; raise `[limits] {key}` in switchboard.toml or \
             the tenant's `limits.{key}`"
        )
    }
}

impl std::error::Error for Exceeded {}

impl Exceeded {
    pub fn fuel(limits: &ResolvedLimits, used: u64) -> Self {
        Exceeded {
            of: Limit::Fuel,
            what: "the brain computed for too long".into(),
            limit: limits.fuel,
            used,
            unit: "units of fuel",
            key: "fuel",
        }
    }

    pub fn wall_time(limits: &ResolvedLimits, used_ms: u64) -> Self {
        Exceeded {
            of: Limit::WallTime,
            what: "the turn took too long".into(),
            limit: limits.wall_time_ms,
            used: used_ms,
            unit: "ms",
            key: "wall_time_ms",
        }
    }

    pub fn actions(limits: &ResolvedLimits, used: usize) -> Self {
        Exceeded {
            of: Limit::Actions,
            what: "too many actions in one turn".into(),
            limit: limits.actions.into(),
            used: used as u64,
            unit: "actions",
            key: "actions",
        }
    }

    pub fn text(limits: &ResolvedLimits, place: &str, used: usize) -> Self {
        Exceeded {
            of: Limit::Text,
            what: format!("{place} is too long"),
            limit: limits.text_bytes,
            used: used as u64,
            unit: "bytes",
            key: "text_bytes",
        }
    }

    /// Said of the sum, raised by the limit on each.
    pub fn texts(limits: &ResolvedLimits, used: u64) -> Self {
        Exceeded {
            of: Limit::Text,
            what: format!("the texts of the turn together are too long ({TEXT_SUM_FACTOR} x text_bytes)"),
            limit: limits.text_bytes.saturating_mul(TEXT_SUM_FACTOR),
            used,
            unit: "bytes",
            key: "text_bytes",
        }
    }

    pub fn state(limits: &ResolvedLimits, used: usize) -> Self {
        Exceeded {
            of: Limit::State,
            what: "the memory that the brain wants kept is too large".into(),
            limit: limits.state_bytes,
            used: used as u64,
            unit: "bytes",
            key: "state_bytes",
        }
    }

    fn memory(limits: &ResolvedLimits, what: &str, used: u64) -> Self {
        Exceeded {
            of: Limit::Memory,
            what: what.into(),
            limit: limits.memory_bytes.min(MEMORY_CEILING),
            used,
            unit: "bytes",
            key: "memory_bytes",
        }
    }

    fn host_calls(limits: &ResolvedLimits) -> Self {
        Exceeded {
            of: Limit::HostCalls,
            what: "too many calls to the gateway in one turn".into(),
            limit: limits.host_calls.into(),
            used: u64::from(limits.host_calls) + 1,
            unit: "calls",
            key: "host_calls",
        }
    }
}

/// What any way into the gateway costs, in fuel: about what it takes of the processor, with a unit of
/// fuel for a nanosecond.
const CALL_FUEL: u64 = 1_000;

/// And a growth of memory or of a table, granted or not.
const GROW_FUEL: u64 = 10_000;

/// A guest that is refused memory may try something smaller, so many times.
const REFUSED_GROWTHS: u32 = 64;

/// Counts while the guest runs. What was refused is kept: the guest may answer a refusal with any
/// trap it likes, and the failure must name the cause.
#[derive(Debug)]
pub struct Meter {
    limits: ResolvedLimits,
    host_calls: u32,
    /// What the guest had left when it last came into the gateway.
    fuel_left: u64,
    /// What the gateway's work for it has cost. Kept beside the guest's own fuel and never taken from it
    /// while it runs: between calls the compiled code holds that in a register, and writes it back over
    /// whatever was set meanwhile.
    fuel_owed: u64,
    /// Of all memories, now.
    memory: u64,
    memory_peak: u64,
    /// What the gateway holds for the guest until the turn ends: its journal.
    kept: u64,
    refused_growths: u32,
    exceeded: Option<Exceeded>,
}

impl Meter {
    pub fn new(limits: ResolvedLimits) -> Self {
        Meter {
            limits,
            host_calls: 0,
            fuel_left: limits.fuel,
            fuel_owed: 0,
            memory: 0,
            memory_peak: 0,
            kept: 0,
            refused_growths: 0,
            exceeded: None,
        }
    }

    pub fn limits(&self) -> &ResolvedLimits {
        &self.limits
    }

    pub fn host_calls(&self) -> u32 {
        self.host_calls
    }

    pub fn memory_peak(&self) -> u64 {
        self.memory_peak
    }

    /// What the gateway's work has cost, beside what the guest's own steps have.
    pub fn fuel_owed(&self) -> u64 {
        self.fuel_owed
    }

    /// The limit that the turn ran into, if it did.
    pub fn exceeded(&self) -> Option<&Exceeded> {
        self.exceeded.as_ref()
    }

    pub fn ran_out_of_time(&self) -> bool {
        self.exceeded.as_ref().is_some_and(|exceeded| exceeded.of == Limit::WallTime)
    }

    /// Remembers what the turn ran into; the last is the cause, because all but refused memory end it.
    pub fn exceed(&mut self, exceeded: Exceeded) -> Exceeded {
        self.exceeded.insert(exceeded).clone()
    }

    /// Counts a call to the gateway; past the limit the guest is stopped with the error.
    pub fn host_call(&mut self) -> Result<(), Exceeded> {
        if self.host_calls >= self.limits.host_calls {
            let exceeded = Exceeded::host_calls(&self.limits);
            return Err(self.exceed(exceeded));
        }
        self.host_calls += 1;
        Ok(())
    }

    /// The guest comes into the gateway with so much fuel left, or somewhat less: what it used since its
    /// latest call may not be written down yet.
    pub fn enter(&mut self, fuel_left: u64) {
        self.fuel_left = fuel_left;
        self.fuel_owed = self.fuel_owed.saturating_add(CALL_FUEL);
    }

    /// It did not come of its own: the epoch ticked. What a turn costs does not depend on the clock.
    pub fn interrupted(&mut self) -> Result<(), Exceeded> {
        self.fuel_owed = self.fuel_owed.saturating_sub(CALL_FUEL);
        self.balance(self.fuel_left)
    }

    /// Its own steps and the gateway's work together are within its fuel, of which it has so much left.
    /// Asked on the way and at the end, so that whether a turn ran out does not depend on when it was
    /// looked at.
    pub fn balance(&mut self, fuel_left: u64) -> Result<(), Exceeded> {
        if self.fuel_owed <= fuel_left {
            return Ok(());
        }
        let exceeded = Exceeded::fuel(&self.limits, self.limits.fuel);
        Err(self.exceed(exceeded))
    }

    /// Charges the gateway's work before it is done; refused where the fuel does not reach.
    pub fn charge(&mut self, fuel: u64) -> Result<(), Exceeded> {
        let owed = self.fuel_owed.saturating_add(fuel);
        if owed > self.fuel_left {
            let exceeded = Exceeded::fuel(&self.limits, self.limits.fuel);
            return Err(self.exceed(exceeded));
        }
        self.fuel_owed = owed;
        Ok(())
    }

    /// What the gateway holds for this guest counts as the guest's memory: `passing` for the length of
    /// one call.
    pub fn hold(&mut self, passing: usize) -> Result<(), Exceeded> {
        let used = self.memory.saturating_add(self.kept).saturating_add(passing as u64);
        self.memory_peak = self.memory_peak.max(used);
        if used > self.limits.memory_bytes.min(MEMORY_CEILING) {
            let what = "the brain's memory, and what the gateway holds for it";
            let exceeded = Exceeded::memory(&self.limits, what, used);
            return Err(self.exceed(exceeded));
        }
        Ok(())
    }

    /// Until the turn ends.
    pub fn keep(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.kept = self.kept.saturating_add(bytes as u64);
        self.hold(0)
    }
}

impl Meter {
    /// The guest is told no, and may make do with less; one that does nothing but ask is stopped.
    fn refused_growth(&mut self) -> wasmtime::Result<bool> {
        self.refused_growths += 1;
        if self.refused_growths <= REFUSED_GROWTHS {
            return Ok(false);
        }
        let why = format!("it asked {REFUSED_GROWTHS} times for memory or a table that it may not have");
        Err(wasmtime::format_err!(why))
    }
}

impl wasmtime::ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.charge(GROW_FUEL)?;
        // Past the maximum that the guest itself declares the engine refuses without our help.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return self.refused_growth();
        }
        let memory = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        let wanted = memory.saturating_add(self.kept);
        if wanted > self.limits.memory_bytes.min(MEMORY_CEILING) {
            let what = "the brain asked for more memory than it may have";
            self.exceed(Exceeded::memory(&self.limits, what, wanted));
            return self.refused_growth();
        }
        self.memory = memory;
        self.memory_peak = self.memory_peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.charge(GROW_FUEL)?;
        if desired <= TABLE_ELEMENTS { Ok(true) } else { self.refused_growth() }
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_TURN as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_TURN as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_TURN as usize
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter;

    use super::*;

    #[test]
    fn a_refused_growth_is_remembered_with_both_numbers() {
        let limits = ResolvedLimits { memory_bytes: 1 << 20, ..ResolvedLimits::default() };
        let mut meter = Meter::new(limits);
        assert!(meter.memory_growing(0, 1 << 20, None).expect("answers"));
        assert!(!meter.memory_growing(1 << 20, (1 << 20) + 65_536, None).expect("answers"));
        let text = meter.exceeded().expect("remembered").to_string();
        assert_eq!(
            text,
            "the brain asked for more memory than it may have: limit 1048576 bytes, used 1114112; raise \
             `[limits] memory_bytes` in switchboard.toml or the tenant's `limits.memory_bytes`"
        );
        assert_eq!(meter.memory_peak, 1 << 20);
    }

    #[test]
    fn the_call_past_the_limit_is_the_one_refused() {
        let mut meter = Meter::new(ResolvedLimits { host_calls: 2, ..ResolvedLimits::default() });
        assert!(meter.host_call().is_ok());
        assert!(meter.host_call().is_ok());
        assert_eq!(meter.host_call().expect_err("refused").used, 3);
        assert_eq!(meter.host_calls(), 2);
    }

    #[test]
    fn work_of_the_gateway_is_charged_before_it_is_done() {
        let mut meter = Meter::new(ResolvedLimits { fuel: 100_000, ..ResolvedLimits::default() });
        meter.enter(60_000);
        meter.charge(9_000).expect("there is enough");
        meter.charge(50_000).expect("there is just enough");
        assert_eq!(meter.charge(1).expect_err("refused").of, Limit::Fuel);
        meter.balance(60_000).expect("to the last unit");
        assert_eq!(meter.balance(59_999).expect_err("computed on").of, Limit::Fuel);
    }

    #[test]
    fn a_tick_costs_nothing_and_looks_whether_the_turn_has_run_out() {
        let mut meter = Meter::new(ResolvedLimits { fuel: 100_000, ..ResolvedLimits::default() });
        meter.enter(90_000);
        meter.charge(49_000).expect("there is enough");
        meter.enter(50_000);
        meter.interrupted().expect("just enough");
        assert_eq!(meter.fuel_owed(), 50_000);
        meter.enter(49_999);
        assert_eq!(meter.interrupted().expect_err("it computed on").of, Limit::Fuel);
    }

    #[test]
    fn what_the_gateway_holds_is_the_guests_memory() {
        let mut meter = Meter::new(ResolvedLimits { memory_bytes: 1 << 20, ..ResolvedLimits::default() });
        assert!(meter.memory_growing(0, 512 << 10, None).expect("answers"));
        meter.hold(512 << 10).expect("just enough");
        meter.keep(128 << 10).expect("enough");
        assert_eq!(meter.hold(512 << 10).expect_err("too much").used, (1 << 20) + (128 << 10));
        assert!(!meter.memory_growing(512 << 10, 1 << 20, None).expect("answers"), "what is kept counts");
    }

    #[test]
    fn a_guest_that_only_asks_for_memory_is_stopped() {
        let mut meter = Meter::new(ResolvedLimits { memory_bytes: 1 << 20, ..ResolvedLimits::default() });
        for _ in 0..REFUSED_GROWTHS {
            assert!(!meter.memory_growing(0, 2 << 20, None).expect("answers"));
        }
        meter.memory_growing(0, 2 << 20, None).expect_err("stopped");
    }
}
