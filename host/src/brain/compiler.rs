//! Makes components into code, each in a process of its own that has bounds on memory and time, no file
//! and no network, and the lowest priority. At most so many run at once, in fair order; the same
//! component is never compiled twice at the same time, and one that cannot be compiled is not tried
//! again for a while. Who stops waiting takes its compilation along. Knows no package and no turn.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::oneshot;
use wasmtime::component::Component;

use super::cache::{self, Cache};
use super::engine::Engine;
use crate::config::brains::Brains as Bounds;
use crate::message::TenantId;
use account::{Budget, Failures};
use process::{Failed, Job};
use queue::{Queue, Size, Ticket};
use wire::{Confined, Request};

pub use queue::Lane;
pub use wire::{Rehearsal, Rehearsed};

mod account;
pub mod child;
pub mod confine;
mod process;
mod queue;
mod wire;

/// The command that the process is started with, and its bounds. Nobody types it.
pub const COMMAND: &str = "compile-component";
pub const MEMORY_BYTES: &str = "--memory-bytes";
pub const CPU_SECONDS: &str = "--cpu-seconds";

/// What is the machine's fault is tried again after this.
const ANOTHER_TIME: Duration = Duration::from_secs(30);

/// A component that is wanted as code.
pub struct Order {
    pub digest: String,
    pub component: Bytes,
    pub lane: Lane,
    /// Whose budget it is for; none where nobody asked for it just now, as at a start.
    pub pays: Option<TenantId>,
    pub rehearsal: Option<Rehearsal>,
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The component's own fault; it will not be otherwise.
    Wrong(String),
    /// It may be otherwise later.
    NotNow { why: String, retry_after: Duration },
}

/// A component that can be linked.
#[derive(Clone)]
pub struct Made {
    pub code: Component,
    pub rehearsed: Rehearsed,
}

pub struct Compiler {
    engine: Arc<Engine>,
    program: PathBuf,
    bounds: Bounds,
    cache: Cache,
    desk: Mutex<Desk>,
    told: AtomicBool,
}

/// Everything that waits, runs or is remembered.
struct Desk {
    queue: Queue,
    waiting: HashMap<Ticket, oneshot::Sender<Place>>,
    /// By digest. Gone when nobody waits for it any more.
    flights: HashMap<String, WeakShared<Flight>>,
    budget: Budget,
    failures: Failures<String>,
}

type Flight = BoxFuture<'static, Result<Made, Failure>>;

impl Compiler {
    /// `program` is the gateway's own.
    pub fn new(engine: Arc<Engine>, program: PathBuf, bounds: Bounds, cache: Cache) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let desk = Mutex::new(Desk {
            queue: Queue::new(bounds.places(cores)),
            waiting: HashMap::new(),
            flights: HashMap::new(),
            budget: Budget::default(),
            failures: Failures::default(),
        });
        Arc::new(Compiler { engine, program, bounds, cache, desk, told: AtomicBool::new(false) })
    }

    /// Makes a component into code, which is kept in the cache. Says how its first run went to whoever
    /// ordered it first; to others that waited for the same one it is [`Rehearsed::Not`], because that run
    /// was with somebody else's texts. Dropped, the compilation ends unless others wait for it too.
    pub async fn make(self: &Arc<Self>, order: Order) -> Result<Made, Failure> {
        let (flight, first) = self.board(order)?;
        let made = flight.await?;
        Ok(if first { made } else { Made { rehearsed: Rehearsed::Not, ..made } })
    }

    /// The compilation of this component, and whether it was begun for this order.
    fn board(self: &Arc<Self>, order: Order) -> Result<(Shared<Flight>, bool), Failure> {
        let now = Instant::now();
        let mut desk = self.desk();
        if let Some(why) = desk.failures.find(&order.digest, now) {
            return Err(Failure::Wrong(why));
        }
        if let Some(flight) = desk.flights.get(&order.digest).and_then(WeakShared::upgrade) {
            return Ok((flight, false));
        }
        if let Some(tenant) = order.pays {
            let limit = Duration::from_secs(self.bounds.tenant_compile_seconds);
            desk.budget.check(tenant, limit, now).map_err(|spent| Failure::NotNow {
                why: format!(
                    "compiling for tenant {tenant} took too long within the last hour: limit {} s, used {} s; free \
                     again in {} min; raise `[brains] tenant_compile_seconds` in switchboard.toml",
                    limit.as_secs(),
                    spent.used.as_secs(),
                    spent.free_in.as_secs().div_ceil(60)
                ),
                retry_after: spent.free_in,
            })?;
        }
        let digest = order.digest.clone();
        let flight = self.clone().fly(order).boxed().shared();
        desk.flights.retain(|_, flight| flight.upgrade().is_some());
        desk.flights.extend(flight.downgrade().map(|flight| (digest, flight)));
        Ok((flight, true))
    }

    async fn fly(self: Arc<Self>, order: Order) -> Result<Made, Failure> {
        let Order { digest, component, lane, pays, rehearsal } = order;
        let place = self.place(lane, Size::of(&component)).await;
        let mut bill = Bill { compiler: &self, tenant: pays, began: Instant::now(), cost: None };
        let rehearsing = rehearsal.as_ref().map_or(0, |wanted| wanted.limits.wall_time_ms.div_ceil(1_000));
        let job = Job {
            program: &self.program,
            bounds: confine::Bounds {
                memory_bytes: self.bounds.compile_memory_bytes,
                cpu_seconds: self.bounds.compile_seconds + rehearsing,
            },
            request: Request { component_bytes: component.len(), rehearsal },
            component: &component,
        };
        let made = job.run(|confined| self.tell(confined)).await;
        // The code is somebody else's to write down.
        drop(place);
        match made {
            Ok(made) => {
                bill.cost = Some(made.cpu);
                tracing::debug!(digest = &digest[..12], cpu_ms = made.cpu.as_millis() as u64, "compiled");
                self.keep(digest, made).await
            }
            Err(failed) => {
                let failure = self.explain(failed);
                if let Failure::Wrong(why) = &failure {
                    self.desk().failures.note(&digest, why.clone(), Instant::now());
                }
                Err(failure)
            }
        }
    }

    async fn keep(&self, digest: String, made: process::Made) -> Result<Made, Failure> {
        if let Rehearsed::Unlinked { why } = made.rehearsed {
            return Err(Failure::Wrong(format!("cannot be linked: {why}")));
        }
        let (cache, engine) = (self.cache.clone(), self.engine.clone());
        let kept = tokio::task::spawn_blocking(move || {
            // Without the cache the next start is slower; that is no reason to refuse a brain.
            if let Err(error) = cache.keep(&digest, &made.code) {
                tracing::warn!(digest = &digest[..12], %error, "compiled code could not be cached");
            }
            cache::deserialize(engine.wasmtime(), &made.code)
        });
        let code = kept
            .await
            .map_err(|error| not_now(format!("a worker failed: {error}")))?
            .map_err(|error| Failure::Wrong(format!("not a component that can run here: {error:#}")))?;
        Ok(Made { code, rehearsed: made.rehearsed })
    }

    fn explain(&self, failed: Failed) -> Failure {
        let Bounds { compile_memory_bytes: memory, compile_seconds: seconds, .. } = self.bounds;
        match failed {
            Failed::Component(why) => Failure::Wrong(format!("not a component that can run here: {why}")),
            Failed::Memory => Failure::Wrong(format!(
                "compiling it took too much memory: limit {memory} bytes, and it needed more; make it smaller, \
                 or raise `[brains] compile_memory_bytes` in switchboard.toml"
            )),
            Failed::Cpu => Failure::Wrong(format!(
                "compiling it took too long: limit {seconds} s of a core's time, and it needed more; make it \
                 smaller, or raise `[brains] compile_seconds` in switchboard.toml"
            )),
            Failed::Clock(time) => not_now(format!(
                "compiling it was given up: limit {} s by the clock, in which it did not get the {seconds} s of \
                 a core's time that it may have; the machine is busy",
                time.as_secs()
            )),
            Failed::Broken(why) => Failure::Wrong(format!("it cannot be compiled: {why}")),
            Failed::Start(why) => not_now(format!("the compiler cannot be started: {why}")),
        }
    }

    /// Says once what the kernel does not keep the compiler from.
    fn tell(&self, confined: Confined) {
        let missing = match (confined.files, confined.calls) {
            (true, true) => return,
            (false, true) => "files (Landlock)",
            (true, false) => "system calls (seccomp)",
            (false, false) => "files (Landlock) and system calls (seccomp)",
        };
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                missing,
                "this kernel cannot close all that the process that compiles brains has no use for; its limits \
                 of memory and time hold all the same"
            );
        }
    }

    /// Waits for a place.
    async fn place(self: &Arc<Self>, lane: Lane, size: Size) -> Place {
        let (sender, receiver) = oneshot::channel();
        let ticket = {
            let mut desk = self.desk();
            let ticket = desk.queue.enter(lane, size);
            desk.waiting.insert(ticket, sender);
            ticket
        };
        let _waits = Waits { compiler: self, ticket };
        self.dispatch();
        receiver.await.expect("who waits is sent a place before it is forgotten")
    }

    /// Gives free places to those whose turn it is.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let mut desk = self.desk();
            let Some((ticket, size)) = desk.queue.start() else { return };
            let waiting = desk.waiting.remove(&ticket);
            drop(desk);
            let place = Place { compiler: self.clone(), size };
            // Given back by its drop where nobody takes it.
            waiting.and_then(|waiting| waiting.send(place).err());
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing under this lock can leave it half-changed.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_now(why: String) -> Failure {
    Failure::NotNow { why, retry_after: ANOTHER_TIME }
}

/// The right to compile.
struct Place {
    compiler: Arc<Compiler>,
    size: Size,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.compiler.desk().queue.ended(self.size);
        self.compiler.dispatch();
    }
}

/// Leaves the queue when it goes.
struct Waits<'c> {
    compiler: &'c Compiler,
    ticket: Ticket,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut desk = self.compiler.desk();
        desk.queue.leave(self.ticket);
        desk.waiting.remove(&self.ticket);
    }
}

/// Charges a tenant for what was compiled for it, also where that was broken off.
struct Bill<'c> {
    compiler: &'c Compiler,
    tenant: Option<TenantId>,
    began: Instant,
    /// What the process said; else it is what the clock says.
    cost: Option<Duration>,
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        let Some(tenant) = self.tenant else { return };
        let most = Duration::from_secs(self.compiler.bounds.compile_seconds);
        let cost = self.cost.unwrap_or_else(|| self.began.elapsed()).min(most);
        self.compiler.desk().budget.spend(tenant, cost, Instant::now());
    }
}
