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

/// All the texts of one turn together may take this many times what one text may.
pub const TEXT_SUM_FACTOR: u64 = 4;

/// A limit that a turn ran into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The failure's code: `fuel`, `memory`.
    pub code: &'static str,
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
            code: "fuel",
            what: "the brain computed for too long".into(),
            limit: limits.fuel,
            used,
            unit: "units of fuel",
            key: "fuel",
        }
    }

    pub fn wall_time(limits: &ResolvedLimits, used_ms: u64) -> Self {
        Exceeded {
            code: "wall-time",
            what: "the turn took too long".into(),
            limit: limits.wall_time_ms,
            used: used_ms,
            unit: "ms",
            key: "wall_time_ms",
        }
    }

    pub fn actions(limits: &ResolvedLimits, used: usize) -> Self {
        Exceeded {
            code: "actions",
            what: "too many actions in one turn".into(),
            limit: limits.actions.into(),
            used: used as u64,
            unit: "actions",
            key: "actions",
        }
    }

    pub fn text(limits: &ResolvedLimits, place: &str, used: usize) -> Self {
        Exceeded {
            code: "text",
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
            code: "text",
            what: format!("the texts of the turn together are too long ({TEXT_SUM_FACTOR} x text_bytes)"),
            limit: limits.text_bytes.saturating_mul(TEXT_SUM_FACTOR),
            used,
            unit: "bytes",
            key: "text_bytes",
        }
    }

    pub fn state(limits: &ResolvedLimits, used: usize) -> Self {
        Exceeded {
            code: "state",
            what: "the memory that the brain wants kept is too large".into(),
            limit: limits.state_bytes,
            used: used as u64,
            unit: "bytes",
            key: "state_bytes",
        }
    }

    fn host_calls(limits: &ResolvedLimits) -> Self {
        Exceeded {
            code: "host-calls",
            what: "too many calls to the gateway in one turn".into(),
            limit: limits.host_calls.into(),
            used: u64::from(limits.host_calls) + 1,
            unit: "calls",
            key: "host_calls",
        }
    }
}

/// Counts while the guest runs. What was refused is kept: the guest may answer a refusal with any
/// trap it likes, and the failure must name the cause.
#[derive(Debug)]
pub struct Meter {
    limits: ResolvedLimits,
    host_calls: u32,
    /// Of all memories, now.
    memory: u64,
    memory_peak: u64,
    pub exceeded: Option<Exceeded>,
}

impl Meter {
    pub fn new(limits: ResolvedLimits) -> Self {
        Meter { limits, host_calls: 0, memory: 0, memory_peak: 0, exceeded: None }
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

    /// Counts a call to the gateway; past the limit the guest is stopped with the error.
    pub fn host_call(&mut self) -> Result<(), Exceeded> {
        if self.host_calls >= self.limits.host_calls {
            let exceeded = Exceeded::host_calls(&self.limits);
            self.exceeded = Some(exceeded.clone());
            return Err(exceeded);
        }
        self.host_calls += 1;
        Ok(())
    }
}

impl wasmtime::ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Past the maximum that the guest itself declares the engine refuses without our help.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        let limit = self.limits.memory_bytes.min(MEMORY_CEILING);
        if wanted > limit {
            self.exceeded = Some(Exceeded {
                code: "memory",
                what: "the brain asked for more memory than it may have".into(),
                limit,
                used: wanted,
                unit: "bytes",
                key: "memory_bytes",
            });
            return Ok(false);
        }
        self.memory = wanted;
        self.memory_peak = self.memory_peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        super::engine::CORE_INSTANCES_PER_TURN as usize
    }

    fn tables(&self) -> usize {
        super::engine::TABLES_PER_TURN as usize
    }

    fn memories(&self) -> usize {
        super::engine::MEMORIES_PER_TURN as usize
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
        let text = meter.exceeded.expect("remembered").to_string();
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
}
