//! The wasmtime engine and the turns on it. A turn gets a fresh instance out of a pool, a budget of
//! fuel, time and memory, and the interfaces it was granted; whatever it does, it ends as an answer
//! or as a failure that says why, and the instance is dropped.
//!
//! Four things end a guest: fuel, which its own steps and the gateway's work for it use up; the epoch,
//! at whose ticks it gives way and is held against its time, whatever it is doing; the memory that it
//! and the gateway for it may hold; and what one call between the two may carry. All of it happens on
//! the executor's threads.
//!
//! The pool reserves address space, not memory: an idle gateway is small. What an instance wrote is
//! found with the kernel's pagemap and put back, so that the next one starts from the component's
//! own first state.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    CallHook, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreContextMut,
    UpdateDeadline,
};

use super::abi::bindings::exports::switchboard::brain::{migrate, selftest, turn};
use super::abi::{self, actions, wit};
use super::budget::{
    CORE_INSTANCES_PER_TURN, Exceeded, MEMORIES_PER_TURN, MEMORY_CEILING, TABLES_PER_TURN, TEXT_SUM_FACTOR,
};
use super::executor::Executor;
use super::grants::{self, Grant};
use super::outcome::{self, Stopped, explain, failure, faulted};
use super::personality::Personality;
use super::reading::Reading;
use super::sandbox::State;
use super::{Answer, Ask};
use crate::tenant::ResolvedLimits;
use crate::vitals::Vitals;

/// A brain that computes gives way to others after this much fuel, about a fifth of a millisecond.
const YIELD_FUEL: u64 = 200_000;

/// What a guest may hand to the gateway in one call, once unpacked,
const CALL_BYTES: usize = 256 << 10;

/// and as its outcome, beside the memory and the texts that its limits allow: enough to say which of
/// them was too long.
const OUTCOME_BYTES: u64 = 4 << 20;

/// An instance returned to the pool keeps this much of its memory resident.
const KEEP_RESIDENT: usize = 1 << 20;

/// And this much of its tables. Giving pages back stops every core that runs one of our threads.
const TABLE_KEEP_RESIDENT: usize = 64 << 10;

/// Deep recursion ends here.
const STACK: usize = 512 << 10;

/// The engine, and the right to run so many turns at once.
pub struct Engine {
    engine: wasmtime::Engine,
    executor: Arc<Executor>,
    reading: Arc<Reading>,
    /// In front of the pool: one instance too many is an error there, not a wait. Held by a turn until
    /// its instance is gone.
    slots: Arc<Semaphore>,
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
        .epoch_interruption(true)
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
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

impl Engine {
    /// For so many turns at once. Without the address space for a pool, instances are made one by
    /// one, which costs about five times as much a turn.
    pub fn new(concurrent: usize, vitals: &Arc<Vitals>) -> wasmtime::Result<Self> {
        let concurrent = concurrent.clamp(1, 4096);
        Self::with_pool(concurrent, pool(concurrent as u32), vitals)
    }

    fn with_pool(
        concurrent: usize,
        pool: PoolingAllocationConfig,
        vitals: &Arc<Vitals>,
    ) -> wasmtime::Result<Self> {
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
        let ticked = engine.clone();
        let executor = Arc::new(Executor::new(vitals, move || ticked.increment_epoch())?);
        let reading = Arc::new(Reading::new(executor.clone()));
        let slots = Arc::new(Semaphore::new(concurrent));
        Ok(Engine { engine, executor, reading, slots, versions: Arc::default() })
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
    pub async fn turn(&self, version: &Arc<Version>, turn: Turn) -> Result<Answer, Stopped> {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (engine, version, tenant) = (self.engine.clone(), version.clone(), turn.ask.key.tenant);
        let reading = self.reading.clone();
        let run = async move {
            // The guest's store is gone before its place is free: both go with this future.
            let _slot = slot;
            Running::new(&engine, &version, &turn, reading).turn(&turn).await
        };
        self.executor.run(tenant, run).await
    }

    /// Instantiates under a turn's budget, looks whether the exports have the contract's types, and
    /// runs the selftest where there is one: `true`.
    pub async fn probe(&self, version: &Arc<Version>, turn: Turn) -> Result<bool, Stopped> {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (engine, version, tenant) = (self.engine.clone(), version.clone(), turn.ask.key.tenant);
        let reading = self.reading.clone();
        let run = async move {
            let _slot = slot;
            Running::new(&engine, &version, &turn, reading).probe().await
        };
        self.executor.run(tenant, run).await
    }
}

/// A guest with its budget, from its first step on.
struct Running<'a> {
    version: &'a Version,
    limits: ResolvedLimits,
    store: Store<State>,
    started: Instant,
}

impl<'a> Running<'a> {
    fn new(engine: &wasmtime::Engine, version: &'a Version, turn: &Turn, reading: Arc<Reading>) -> Self {
        let limits = turn.limits;
        let started = Instant::now();
        let (ask, personality) = (turn.ask.clone(), turn.personality.clone());
        let state = State::new(ask, personality, turn.package.clone(), limits, reading);
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(CALL_BYTES);
        store.set_fuel(limits.fuel).expect("the engine counts fuel");
        store.fuel_async_yield_interval(Some(YIELD_FUEL)).expect("the engine counts fuel");
        store.call_hook(charge);
        let deadline = started + Duration::from_millis(limits.wall_time_ms);
        store.epoch_deadline_callback(move |mut store| {
            store.data_mut().meter.interrupted()?;
            let now = Instant::now();
            if now < deadline {
                return Ok(UpdateDeadline::Yield(1));
            }
            let used_ms = now.duration_since(started).as_millis() as u64;
            Err(store.data_mut().meter.exceed(Exceeded::wall_time(&limits, used_ms)).into())
        });
        store.set_epoch_deadline(1);
        Running { version, limits, store, started }
    }

    async fn turn(mut self, turn: &Turn) -> Result<Answer, Stopped> {
        let Turn { ask, contact_language, migrate_from, .. } = turn;
        let called =
            call(&mut self.store, self.version, ask, contact_language.as_deref(), migrate_from.as_deref());
        let ended = tokio::time::timeout(Duration::from_millis(self.limits.wall_time_ms), called).await;
        let (outcome, migrated) = match self.ended(ended)? {
            Ok(ended) => ended,
            Err(fault) => return Err(faulted(fault, &mut self.store, self.started, &self.version.digest)),
        };
        let limits = &self.limits;
        let known = outcome::known_handles(ask, &actions::sources(&outcome, limits)).await;
        let checked = actions::check(outcome, limits, &|handle| known.contains(handle), ask.now)
            .and_then(|wanted| Ok((wanted, actions::memory(migrated, limits)?)));
        let (wanted, migrated) = match checked {
            Ok(checked) => checked,
            Err(rejected) => {
                return Err(failure(rejected, false, &mut self.store, self.started, &self.version.digest));
            }
        };
        let cost = outcome::cost(&self.store, self.started);
        Ok(Answer {
            sends: wanted.sends,
            timers: wanted.timers,
            leads: wanted.leads,
            mode: wanted.mode,
            hand_off_reason: wanted.hand_off_reason,
            // A memory that was migrated is kept even where the turn itself keeps what it has.
            memory: wanted.memory.or(migrated),
            version: self.version.digest.clone(),
            outcome: wanted.outcome,
            host_calls: self.store.data_mut().journal.take(),
            cost,
            wants_receipts: turn.receipts,
        })
    }

    async fn probe(mut self) -> Result<bool, Stopped> {
        let (version, store) = (self.version, &mut self.store);
        let called = async {
            let instance = version.instance.instantiate_async(&mut *store).await?;
            version.turn.load(&mut *store, &instance)?;
            if let Some(migrate) = &version.migrate {
                migrate.load(&mut *store, &instance)?;
            }
            let Some(selftest) = &version.selftest else { return Ok(Ok(false)) };
            let tested = selftest.load(&mut *store, &instance)?.call_run(&mut *store).await?;
            wasmtime::Result::Ok(tested.map(|()| true))
        };
        let ended = tokio::time::timeout(Duration::from_millis(self.limits.wall_time_ms), called).await;
        let tested = self.ended(ended)?;
        tested.map_err(|fault| faulted(fault, &mut self.store, self.started, &self.version.digest))
    }

    /// What the guest returned, or what stopped it.
    fn ended<T>(
        &mut self,
        ended: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Stopped> {
        let (rejected, out_of_time) = match ended {
            Ok(Ok(returned)) => {
                let left = self.store.get_fuel().unwrap_or(0);
                match self.store.data_mut().meter.balance(left) {
                    Ok(()) => return Ok(returned),
                    Err(exceeded) => (exceeded.into(), false),
                }
            }
            Ok(Err(error)) => {
                let late = self.store.data().meter.ran_out_of_time();
                (explain(&error, &self.store), late)
            }
            // It waited for something.
            Err(_) => {
                let used_ms = self.started.elapsed().as_millis() as u64;
                (Exceeded::wall_time(&self.limits, used_ms).into(), true)
            }
        };
        Err(failure(rejected, out_of_time, &mut self.store, self.started, &self.version.digest))
    }
}

/// Charges the guest for coming into the gateway. Every way there passes here: the contract's calls,
/// WASI's, and the engine's own helpers.
fn charge(mut store: StoreContextMut<'_, State>, hook: CallHook) -> wasmtime::Result<()> {
    match hook {
        CallHook::CallingHost => {
            store.set_hostcall_fuel(CALL_BYTES);
            let left = store.get_fuel()?;
            store.data_mut().meter.enter(left);
        }
        // With what it returns, if this was not one of its helpers.
        CallHook::ReturningFromWasm => {
            let limits = store.data().meter.limits();
            let texts = limits.text_bytes.saturating_mul(TEXT_SUM_FACTOR);
            let bytes = OUTCOME_BYTES.saturating_add(limits.state_bytes).saturating_add(texts);
            store.set_hostcall_fuel(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        CallHook::CallingWasm | CallHook::ReturningFromHost => {}
    }
    Ok(())
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
        let engine = Engine::with_pool(1, impossible, &Arc::default()).expect("falls back");
        let compiled = |engine: &Engine| {
            let mut hash = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&engine.wasmtime().precompile_compatibility_hash(), &mut hash);
            std::hash::Hasher::finish(&hash)
        };
        let pooled = Engine::new(1, &Arc::default()).expect("an engine");
        assert_eq!(compiled(&engine), compiled(&pooled), "compiled code serves both");
    }
}
