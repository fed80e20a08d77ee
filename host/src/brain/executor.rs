//! Where guests run: threads of their own, none of which answers a request, writes the store or
//! delivers. A turn is polled here and nowhere else, so that whatever a guest makes the gateway do,
//! webhooks, API, delivery and `/health` have their threads to themselves.
//!
//! A turn begins on a *prompt* thread, where nearly all turns end within microseconds. One that
//! has used up [`PROMPT`] goes on on a *patient* thread, of a low priority: a guest that computes
//! takes what of the processor others leave. So does a tenant that has used up its prompt time of
//! late ([`Allowance`]): its turns begin patiently. On both, tenants take turns by the time that they
//! have used, so that one with many conversations waits for its own.
//!
//! A guest gives way after some fuel and at every tick of the engine's epoch, which an own thread
//! counts for as long as any guest runs.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_task::Runnable;
use tokio::runtime::Handle;

use crate::message::TenantId;
use crate::priority;
use crate::vitals::Vitals;

/// So much of one turn runs promptly.
const PROMPT: Duration = Duration::from_millis(1);

/// So much prompt time a tenant may use at once, and so much of every second in the long run: ordinary
/// turns of some hundred microseconds by the hundred, but not a millisecond of each of many that compute.
const PROMPT_BURST: Duration = Duration::from_millis(50);
const PROMPT_SHARE: f64 = 0.05;

/// Between two ticks of the epoch, at each of which a running guest gives way and is asked for the time.
const TICK: Duration = Duration::from_millis(1);

/// The ticks go on for this long after the last guest: starting them anew costs a system call.
const LINGER: Duration = Duration::from_millis(200);

/// Added to the process's own priority number: a higher number is a lower priority.
const PROMPT_NICE: i32 = 1;
const PATIENT_NICE: i32 = 10;

/// Tenants that did nothing for a while are looked for when so many are known.
const LANES: usize = 4_096;

/// The threads. Dropping it ends them once what they run has given way.
pub struct Executor {
    shared: Arc<Shared>,
    ticker: Thread,
}

struct Shared {
    prompt: Class,
    patient: Class,
    /// Guests that are being polled at this moment.
    active: AtomicUsize,
    closed: AtomicBool,
}

/// One kind of threads, and what waits for them.
#[derive(Default)]
struct Class {
    queue: Mutex<Queue<Ready>>,
    wake: Condvar,
}

/// What the executor knows of a turn.
struct About {
    tenant: TenantId,
    used: Used,
    /// Timers and waiting need the runtime that asked.
    runtime: Handle,
}

/// What one turn has used of the processor, in nanoseconds.
#[derive(Clone, Default)]
struct Used(Arc<AtomicU64>);

/// A turn that wants to go on.
type Ready = Runnable<About>;

impl Executor {
    /// `tick` counts the engine's epoch on.
    pub fn new(vitals: &Arc<Vitals>, tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Arc::new(Shared {
            prompt: Class::default(),
            patient: Class::default(),
            active: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let (of, running) = (shared.clone(), vitals.thread("epoch"));
        let ticker = thread::Builder::new().name("epoch".into()).spawn(move || {
            let _running = running;
            of.tick(tick);
        })?;
        let executor = Executor { shared, ticker: ticker.thread().clone() };
        for number in 0..cores {
            executor.start(vitals, format!("guest-{number}"), PROMPT_NICE, |shared| &shared.prompt)?;
            executor.start(vitals, format!("patient-{number}"), PATIENT_NICE, |shared| &shared.patient)?;
        }
        Ok(executor)
    }

    fn start(
        &self,
        vitals: &Arc<Vitals>,
        name: String,
        nice: i32,
        class: fn(&Shared) -> &Class,
    ) -> io::Result<()> {
        let (shared, ticker) = (self.shared.clone(), self.ticker.clone());
        let running = vitals.thread(name.clone());
        thread::Builder::new().name(name).spawn(move || {
            let _running = running;
            priority::lower(nice);
            while let Some(ready) = class(&shared).next(&shared.closed) {
                shared.poll(ready, &ticker);
            }
        })?;
        Ok(())
    }

    /// Runs a turn of this tenant to its end, away from the caller's thread. A caller that goes away
    /// takes the turn along; a panic in it is the caller's.
    pub async fn run<T: Send + 'static>(
        &self,
        tenant: TenantId,
        turn: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.run_from(Used::default(), tenant, turn).await
    }

    /// Runs what is known to take long.
    pub async fn run_patiently<T: Send + 'static>(
        &self,
        tenant: TenantId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let used = Used::default();
        used.be_patient();
        self.run_from(used, tenant, work).await
    }

    async fn run_from<T: Send + 'static>(
        &self,
        used: Used,
        tenant: TenantId,
        turn: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let about = About { tenant, used: used.clone(), runtime: Handle::current() };
        let (metered, scheduled) = (self.shared.clone(), self.shared.clone());
        let (ready, task) = async_task::Builder::new().propagate_panic(true).metadata(about).spawn(
            move |_| metered.metered(tenant, used, turn),
            move |ready: Ready| scheduled.enqueue(ready),
        );
        ready.schedule();
        task.await
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        for class in [&self.shared.prompt, &self.shared.patient] {
            // Taken, so that no thread goes to sleep between its look at the flag and the wake.
            drop(class.queue());
            class.wake.notify_all();
        }
        self.ticker.unpark();
    }
}

impl Shared {
    fn class(&self, used: &Used) -> &Class {
        if used.get() < PROMPT { &self.prompt } else { &self.patient }
    }

    fn enqueue(&self, ready: Ready) {
        let About { tenant, used, .. } = ready.metadata();
        if used.get() < PROMPT {
            if self.prompt.queue().affords(*tenant, Instant::now()) {
                return self.prompt.put(ready);
            }
            used.be_patient();
        }
        self.patient.put(ready);
    }

    fn poll(&self, ready: Ready, ticker: &Thread) {
        let runtime = ready.metadata().runtime.clone();
        let _runtime = runtime.enter();
        if self.active.fetch_add(1, Ordering::AcqRel) == 0 {
            ticker.unpark();
        }
        // A panic is handed to whoever waits for the turn.
        ready.run();
        self.active.fetch_sub(1, Ordering::AcqRel);
    }

    /// The turn, with each of its polls on its tenant's account. Counted before the turn is put into a
    /// queue again, which decides by it.
    async fn metered<T>(self: Arc<Self>, tenant: TenantId, used: Used, turn: impl Future<Output = T>) -> T {
        let mut turn = std::pin::pin!(turn);
        std::future::poll_fn(|context| {
            let class = self.class(&used);
            let began = Instant::now();
            let polled = turn.as_mut().poll(context);
            let took = began.elapsed();
            used.add(took);
            class.queue().charge(tenant, took);
            polled
        })
        .await
    }

    fn tick(&self, tick: impl Fn()) {
        let mut quiet_since = Instant::now();
        while !self.closed.load(Ordering::Acquire) {
            if self.active.load(Ordering::Acquire) > 0 {
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() >= LINGER {
                thread::park();
                quiet_since = Instant::now();
            }
            thread::sleep(TICK);
            tick();
        }
    }
}

impl Used {
    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// From here on on a patient thread.
    fn be_patient(&self) {
        self.add(PROMPT);
    }

    fn add(&self, more: Duration) {
        self.0.fetch_add(more.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Class {
    fn queue(&self) -> MutexGuard<'_, Queue<Ready>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, ready: Ready) {
        let tenant = ready.metadata().tenant;
        self.queue().push(tenant, ready);
        self.wake.notify_one();
    }

    /// The next turn, once there is one; none when the executor is gone.
    fn next(&self, closed: &AtomicBool) -> Option<Ready> {
        let mut queue = self.queue();
        loop {
            if closed.load(Ordering::Acquire) {
                return None;
            }
            if let Some(ready) = queue.take() {
                return Some(ready);
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Who is next: the tenant that has used the least, and of it the turn that has waited longest.
struct Queue<R> {
    lanes: HashMap<TenantId, Lane<R>>,
    /// The lanes that hold something.
    order: BTreeSet<(Duration, TenantId)>,
    /// What the tenant served last had used. Who comes back after a while begins here: time that was
    /// not used is not saved up.
    floor: Duration,
    /// So many lanes there may be before those of nobody are looked for.
    lanes_before_sweep: usize,
}

struct Lane<R> {
    ready: VecDeque<R>,
    used: Duration,
    allowance: Allowance,
}

/// What a tenant may still use at once. It grows with time, and may be overdrawn by one poll.
#[derive(Clone, Copy)]
struct Allowance {
    /// In seconds.
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new(at: Instant) -> Self {
        Allowance { left: PROMPT_BURST.as_secs_f64(), at }
    }

    fn left(&self, now: Instant) -> f64 {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() * PROMPT_SHARE;
        (self.left + grown).min(PROMPT_BURST.as_secs_f64())
    }

    fn take(&mut self, took: Duration, now: Instant) {
        *self = Allowance { left: self.left(now) - took.as_secs_f64(), at: now };
    }
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Queue {
            lanes: HashMap::new(),
            order: BTreeSet::new(),
            floor: Duration::ZERO,
            lanes_before_sweep: LANES,
        }
    }
}

impl<R> Queue<R> {
    fn push(&mut self, tenant: TenantId, ready: R) {
        if self.lanes.len() >= self.lanes_before_sweep {
            let floor = self.floor;
            let now = Instant::now();
            self.lanes.retain(|_, lane| {
                !lane.ready.is_empty() || lane.used > floor || lane.allowance.left(now) < 0.0
            });
            // As many again before the next look, however many tenants are busy: a look at all of them
            // must not come with every turn.
            self.lanes_before_sweep = LANES.max(2 * self.lanes.len());
        }
        let lane = self.lanes.entry(tenant).or_insert_with(|| Lane {
            ready: VecDeque::new(),
            used: self.floor,
            allowance: Allowance::new(Instant::now()),
        });
        if lane.ready.is_empty() {
            lane.used = lane.used.max(self.floor);
            self.order.insert((lane.used, tenant));
        }
        lane.ready.push_back(ready);
    }

    fn take(&mut self) -> Option<R> {
        let (used, tenant) = self.order.pop_first()?;
        self.floor = self.floor.max(used);
        let lane = self.lanes.get_mut(&tenant)?;
        let ready = lane.ready.pop_front();
        if !lane.ready.is_empty() {
            self.order.insert((lane.used, tenant));
        }
        ready
    }

    fn affords(&self, tenant: TenantId, now: Instant) -> bool {
        self.lanes.get(&tenant).is_none_or(|lane| lane.allowance.left(now) > 0.0)
    }

    fn charge(&mut self, tenant: TenantId, took: Duration) {
        let Some(lane) = self.lanes.get_mut(&tenant) else { return };
        let stands = self.order.remove(&(lane.used, tenant));
        lane.used += took;
        lane.allowance.take(took, Instant::now());
        if stands {
            self.order.insert((lane.used, tenant));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: u32) -> TenantId {
        TenantId::new(id).expect("an id")
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn who_has_used_less_is_next_however_many_turns_another_has() {
        let mut queue = Queue::default();
        for turn in 0..16 {
            queue.push(tenant(66), turn);
        }
        for _ in 0..8 {
            queue.take().expect("a turn");
            queue.charge(tenant(66), ms(3));
        }
        queue.push(tenant(1), 100);
        queue.push(tenant(1), 101);
        assert_eq!(queue.take(), Some(100), "it has used nothing");
        queue.charge(tenant(1), ms(1));
        assert_eq!(queue.take(), Some(101), "and still less than the other");
        queue.charge(tenant(1), ms(5));
        queue.push(tenant(1), 102);
        assert_eq!(queue.take(), Some(8), "now it is the other's turn");
    }

    #[test]
    fn time_that_was_not_used_is_not_saved_up() {
        let mut queue = Queue::default();
        for turn in 0..100 {
            queue.push(tenant(1), turn);
            queue.take();
            queue.charge(tenant(1), ms(10));
        }
        queue.push(tenant(1), 0);
        queue.take();
        queue.charge(tenant(1), ms(10));
        // After a second in which only tenant 1 ran, tenant 2 does not run alone for a second.
        queue.push(tenant(2), 1);
        queue.push(tenant(1), 0);
        assert_eq!(queue.take(), Some(1));
        queue.charge(tenant(2), ms(11));
        queue.push(tenant(2), 1);
        assert_eq!(queue.take(), Some(0));
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let mut queue = Queue::default();
        for id in 1..=3 * LANES as u32 {
            queue.push(tenant(id), ());
            queue.take();
        }
        assert!(queue.lanes.len() <= LANES);
    }

    #[test]
    fn many_busy_tenants_are_not_looked_through_with_every_turn() {
        let mut queue = Queue::default();
        for id in 1..=3 * LANES as u32 {
            queue.push(tenant(id), ());
            queue.take();
            // More than whoever is served next: it is not forgotten.
            queue.charge(tenant(id), ms(1));
        }
        assert!(queue.lanes.len() > LANES);
        assert!(queue.lanes_before_sweep > queue.lanes.len(), "the next look is far off");
    }

    #[tokio::test]
    async fn a_turn_runs_on_a_thread_of_its_own_and_its_panic_is_the_callers() {
        let executor = Executor::new(&Arc::default(), || {}).expect("threads");
        let name = executor.run(tenant(1), async {
            // Waiting needs the caller's runtime.
            tokio::time::sleep(ms(1)).await;
            thread::current().name().map(str::to_owned)
        });
        assert!(name.await.is_some_and(|name| name.starts_with("guest-")));
        let panicked = executor.run(tenant(1), async { panic!("as a test") });
        let caught = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(panicked)).await;
        assert!(caught.is_err());
        assert_eq!(executor.run(tenant(1), async { 5 }).await, 5, "the threads live on");
    }

    #[tokio::test]
    async fn who_computes_goes_on_patiently_and_others_are_prompt() {
        let executor = Executor::new(&Arc::default(), || {}).expect("threads");
        let name = executor.run(tenant(66), async {
            let began = Instant::now();
            while began.elapsed() <= PROMPT {}
            tokio::task::yield_now().await;
            thread::current().name().map(str::to_owned)
        });
        assert!(name.await.is_some_and(|name| name.starts_with("patient-")));
    }

    #[test]
    fn prompt_time_is_used_up_and_comes_back() {
        let began = Instant::now();
        let mut allowance = Allowance::new(began);
        allowance.take(PROMPT_BURST + ms(10), began);
        assert!(allowance.left(began) < 0.0, "a poll may overdraw it");
        assert!(allowance.left(began + ms(100)) < 0.0);
        assert!(allowance.left(began + ms(300)) > 0.0);
        assert!(
            allowance.left(began + ms(1_000_000)) <= PROMPT_BURST.as_secs_f64(),
            "no more than this is saved up"
        );
    }

    #[tokio::test]
    async fn a_tenant_that_computed_much_begins_patiently() {
        let executor = Executor::new(&Arc::default(), || {}).expect("threads");
        let on = || thread::current().name().map(str::to_owned).unwrap_or_default();
        // Overdrawn by so much that a machine which is busy meanwhile does not make it good.
        let computes = async {
            let began = Instant::now();
            while began.elapsed() <= 8 * PROMPT_BURST {}
        };
        executor.run(tenant(66), computes).await;
        assert!(executor.run(tenant(66), async move { on() }).await.starts_with("patient-"));
        assert!(executor.run(tenant(1), async move { on() }).await.starts_with("guest-"), "others do not");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_its_turn_along() {
        struct Dropped(Option<tokio::sync::oneshot::Sender<()>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.take().map(|tell| tell.send(()));
            }
        }
        let executor = Executor::new(&Arc::default(), || {}).expect("threads");
        let (tell, told) = tokio::sync::oneshot::channel();
        let dropped = Dropped(Some(tell));
        let endless = executor.run(tenant(1), async move {
            let _dropped = dropped;
            loop {
                tokio::task::yield_now().await;
            }
        });
        let ended: Result<(), _> = tokio::time::timeout(ms(20), endless).await;
        assert!(ended.is_err());
        tokio::time::timeout(Duration::from_secs(60), told).await.expect("dropped").expect("told");
    }
}
