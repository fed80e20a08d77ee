//! The wasmtime engine and the turns on it. A turn gets a fresh instance out of a pool, a budget of
//! fuel, time and memory, and the interfaces it was granted; whatever it does, it ends as an answer
//! or as a failure that says why, and the instance is dropped.
//!
//! The pool reserves address space, not memory: an idle gateway is small. What an instance wrote is
//! found with the kernel's pagemap and put back, so that the next one starts from the component's
//! own first state.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use super::abi::bindings::exports::switchboard::brain::{migrate, selftest, turn};
use super::abi::{self, actions, wit};
use super::budget::{Exceeded, MEMORY_CEILING};
use super::grants::{self, Grant};
use super::outcome::{Stopped, explain, failure, faulted};
use super::personality::Personality;
use super::sandbox::State;
use super::{Answer, Ask};
use crate::tenant::ResolvedLimits;

/// What one component may be made of. A Rust brain has 3 core instances, 1 memory and 2 tables; those
/// of other languages have more.
pub const CORE_INSTANCES_PER_TURN: u32 = 64;
pub const MEMORIES_PER_TURN: u32 = 2;
pub const TABLES_PER_TURN: u32 = 8;

/// A brain that computes gives way to others after this much fuel, about half a millisecond.
const YIELD_FUEL: u64 = 500_000;

/// What a guest may hand to the gateway in one call or as its outcome, once unpacked.
const HOSTCALL_BYTES: usize = 16 << 20;

/// An instance returned to the pool keeps this much of its memory resident.
const KEEP_RESIDENT: usize = 1 << 20;

/// Deep recursion ends here.
const STACK: usize = 512 << 10;

/// The engine, and the right to run so many turns at once.
pub struct Engine {
    engine: wasmtime::Engine,
    /// In front of the pool: one instance too many is an error there, not a wait.
    slots: Semaphore,
    /// Held by every version there is.
    versions: Arc<()>,
}

/// A component ready to run. Never changes; freed when the last turn on it ends.
pub struct Version {
    /// Hex SHA-256 of the component.
    pub digest: String,
    instance: InstancePre<State>,
    turn: turn::GuestIndices,
    migrate: Option<migrate::GuestIndices>,
    selftest: Option<selftest::GuestIndices>,
    /// Counts.
    _held: Arc<()>,
}

/// One turn to run on a version.
pub struct Turn {
    pub ask: Arc<Ask>,
    pub personality: Personality,
    pub package: Arc<str>,
    pub limits: ResolvedLimits,
    /// BCP 47, where known. No provider tells it.
    pub contact_language: Option<String>,
    /// Does the package ask for receipts?
    pub receipts: bool,
    /// The version that wrote the memory, where it must be migrated first.
    pub migrate_from: Option<String>,
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK)
        .async_stack_size(STACK + (512 << 10))
        // Compiling must leave the turns a core.
        .parallel_compilation(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_TURN))
        .total_memories(slots.saturating_mul(MEMORIES_PER_TURN))
        .total_tables(slots.saturating_mul(TABLES_PER_TURN))
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES_PER_TURN)
        .max_memories_per_component(MEMORIES_PER_TURN)
        .max_tables_per_component(TABLES_PER_TURN)
        .max_memory_size(MEMORY_CEILING as usize)
        .table_elements(super::budget::TABLE_ELEMENTS)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

impl Engine {
    /// For so many turns at once. Without the address space for a pool, instances are made one by
    /// one, which costs about five times as much a turn.
    pub fn new(concurrent: usize) -> wasmtime::Result<Self> {
        let concurrent = concurrent.clamp(1, 4096);
        Self::with_pool(concurrent, pool(concurrent as u32))
    }

    fn with_pool(concurrent: usize, pool: PoolingAllocationConfig) -> wasmtime::Result<Self> {
        let mut pooled = config();
        pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = match wasmtime::Engine::new(&pooled) {
            Ok(engine) => engine,
            Err(error) => {
                tracing::warn!(
                    error = ?error,
                    reserves_gib = concurrent * MEMORIES_PER_TURN as usize * 4,
                    "no pool of instances: turns cost more. The pool reserves address space; see `ulimit -v` and \
                     vm.overcommit_memory, or lower `[turns] concurrent`"
                );
                wasmtime::Engine::new(&config())?
            }
        };
        Ok(Engine { engine, slots: Semaphore::new(concurrent), versions: Arc::default() })
    }

    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// Links a component with what it was granted.
    pub fn version(
        &self,
        digest: String,
        component: &Component,
        grants: &[Grant],
    ) -> wasmtime::Result<Version> {
        let mut linker = Linker::new(&self.engine);
        grants::link(&mut linker, grants)?;
        let instance = linker.instantiate_pre(component)?;
        Ok(Version {
            digest,
            turn: turn::GuestIndices::new(&instance)?,
            // Optional: found by looking.
            migrate: migrate::GuestIndices::new(&instance).ok(),
            selftest: selftest::GuestIndices::new(&instance).ok(),
            instance,
            _held: self.versions.clone(),
        })
    }

    /// How many versions there are.
    pub fn versions_in_memory(&self) -> usize {
        Arc::strong_count(&self.versions) - 1
    }

    /// Runs one turn; waits for a free place first, and the time it waits is not the turn's.
    pub async fn turn(&self, version: &Version, turn: Turn) -> Result<Answer, Stopped> {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let started = Instant::now();
        let limits = turn.limits;
        let ask = turn.ask.clone();
        let mut store = self.store(turn.ask, turn.personality, turn.package, limits);
        let time = Duration::from_millis(limits.wall_time_ms);
        let called =
            call(&mut store, version, &ask, turn.contact_language.as_deref(), turn.migrate_from.as_deref());
        let ended = tokio::time::timeout(time, called).await;
        let (outcome, migrated) = match ended {
            Err(_) => {
                let used = started.elapsed().as_millis() as u64;
                let exceeded = Exceeded::wall_time(&limits, used);
                return Err(failure(exceeded.into(), true, &mut store, started, version));
            }
            Ok(Err(error)) => {
                let rejected = explain(&error, &store);
                return Err(failure(rejected, false, &mut store, started, version));
            }
            Ok(Ok(Err(fault))) => return Err(faulted(fault, &mut store, started, version)),
            Ok(Ok(Ok(ended))) => ended,
        };
        let checked =
            actions::check(outcome, &limits, &|handle| super::outcome::is_known(handle, &ask), ask.now)
                .and_then(|wanted| Ok((wanted, actions::memory(migrated, &limits)?)));
        let (wanted, migrated) = match checked {
            Ok(checked) => checked,
            Err(rejected) => return Err(failure(rejected, false, &mut store, started, version)),
        };
        let cost = super::outcome::cost(&store, started);
        Ok(Answer {
            sends: wanted.sends,
            timers: wanted.timers,
            leads: wanted.leads,
            mode: wanted.mode,
            hand_off_reason: wanted.hand_off_reason,
            // A memory that was migrated is kept even where the turn itself keeps what it has.
            memory: wanted.memory.or(migrated),
            version: version.digest.clone(),
            outcome: wanted.outcome,
            host_calls: store.data_mut().journal.take(),
            cost,
            wants_receipts: turn.receipts,
        })
    }

    /// Instantiates under a turn's budget, looks whether the exports have the contract's types, and
    /// runs the selftest where there is one: `true`.
    pub async fn probe(&self, version: &Version, turn: Turn) -> Result<bool, Stopped> {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let started = Instant::now();
        let limits = turn.limits;
        let mut store = self.store(turn.ask, turn.personality, turn.package, limits);
        let called = async {
            let instance = version.instance.instantiate_async(&mut store).await?;
            version.turn.load(&mut store, &instance)?;
            if let Some(migrate) = &version.migrate {
                migrate.load(&mut store, &instance)?;
            }
            let Some(selftest) = &version.selftest else { return Ok(Ok(false)) };
            let tested = selftest.load(&mut store, &instance)?.call_run(&mut store).await?;
            wasmtime::Result::Ok(tested.map(|()| true))
        };
        let ended = tokio::time::timeout(Duration::from_millis(limits.wall_time_ms), called).await;
        match ended {
            Err(_) => {
                let exceeded = Exceeded::wall_time(&limits, started.elapsed().as_millis() as u64);
                Err(failure(exceeded.into(), true, &mut store, started, version))
            }
            Ok(Err(error)) => {
                let rejected = explain(&error, &store);
                Err(failure(rejected, false, &mut store, started, version))
            }
            Ok(Ok(Err(fault))) => Err(faulted(fault, &mut store, started, version)),
            Ok(Ok(Ok(tested))) => Ok(tested),
        }
    }

    fn store(
        &self,
        ask: Arc<Ask>,
        personality: Personality,
        package: Arc<str>,
        limits: ResolvedLimits,
    ) -> Store<State> {
        let mut store = Store::new(&self.engine, State::new(ask, personality, package, limits));
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_fuel(limits.fuel).expect("the engine counts fuel");
        store.fuel_async_yield_interval(Some(YIELD_FUEL)).expect("the engine counts fuel");
        store
    }
}

type Ended = Result<(wit::Outcome, Option<String>), wit::Fault>;

/// Migrates the memory where it must be, and calls the turn. The second part of what it returns is
/// the migrated memory.
async fn call(
    store: &mut Store<State>,
    version: &Version,
    ask: &Ask,
    contact_language: Option<&str>,
    migrate_from: Option<&str>,
) -> wasmtime::Result<Ended> {
    let instance = version.instance.instantiate_async(&mut *store).await?;
    let mut migrated = None;
    if let (Some(migrate), Some(from), Some(memory)) =
        (&version.migrate, migrate_from, &ask.conversation.memory)
    {
        let guest = migrate.load(&mut *store, &instance)?;
        match guest.call_migrate(&mut *store, from, memory).await? {
            Ok(memory) => migrated = Some(memory),
            Err(fault) => return Ok(Err(fault)),
        }
    }
    let guest = version.turn.load(&mut *store, &instance)?;
    let trigger = abi::trigger(&ask.trigger);
    let context = abi::context(ask, contact_language, &version.digest);
    let memory = migrated.as_ref().or(ask.conversation.memory.as_ref());
    let outcome = guest.call_handle(&mut *store, &trigger, &context, memory).await?;
    Ok(outcome.map(|outcome| (outcome, migrated)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_for_a_pool_there_is_an_engine_all_the_same() {
        let mut impossible = pool(1);
        // 2^32 memories of 4 GiB are more than an address holds.
        impossible.total_memories(u32::MAX);
        let engine = Engine::with_pool(1, impossible).expect("falls back");
        let compiled = |engine: &Engine| {
            let mut hash = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&engine.wasmtime().precompile_compatibility_hash(), &mut hash);
            std::hash::Hasher::finish(&hash)
        };
        let pooled = Engine::new(1).expect("an engine");
        assert_eq!(compiled(&engine), compiled(&pooled), "compiled code serves both");
    }
}
