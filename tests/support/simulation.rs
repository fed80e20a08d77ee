//! A store under everything that can happen to it, in an order that one number decides: contacts write, twice and out of
//! order, providers take replies, refuse them or fall silent, operators interfere, the clock jumps, and the process dies
//! between any two steps. What must hold is looked at after every step, the whole of it too as long as it is small, and then now and
//! then, after every death and at the end. A number that shows something shows it again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use switchboard::message::{SenderName, Timestamp};
use switchboard::schedule::Limits;
use switchboard::store::memory::{Honest, Kept, Memory, Trouble};
use switchboard::store::shared::settings::Settings;
use switchboard::store::{SendClaim, Store, TurnClaim};
use switchboard::tenant::quotas::Quotas;

use self::model::Model;
use crate::cast;

mod contacts;
mod model;
mod operators;
mod replies;
pub mod troubles;
mod turns;
mod whole;

/// What was promised and does not hold. The numbers are those of the guarantees in the gateway's crate doc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub guarantee: u8,
    pub step: usize,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guarantee {} at step {}: {}", self.guarantee, self.step, self.what)
    }
}

type Holds = Result<(), Broken>;

/// The whole is looked at after each of the first steps. It grows: later it is after so many.
const WHOLE_AT_FIRST: usize = 250;
const WHOLE_EVERY: usize = 100;

/// Runs so many steps as the seed decides.
pub fn run(seed: u64, steps: usize) -> Holds {
    run_in(seed, steps, Arc::new(Honest))
}

/// The same, and prints what happens.
pub fn run_aloud(seed: u64, steps: usize) -> Holds {
    live(World { aloud: true, ..World::begin(seed, Arc::new(Honest)) }, steps)
}

/// The same in an engine in which something goes wrong.
pub fn run_in(seed: u64, steps: usize, trouble: Arc<dyn Trouble>) -> Holds {
    live(World::begin(seed, trouble), steps)
}

fn live(world: World, steps: usize) -> Holds {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
    runtime.block_on(world.live(steps))
}

struct World {
    random: StdRng,
    /// Milliseconds; what the store takes for now.
    now: i64,
    clock: Arc<AtomicI64>,
    kept: Kept,
    trouble: Arc<dyn Trouble>,
    store: Arc<dyn Store>,
    model: Model,
    /// Turns that are being run.
    running: Vec<TurnClaim>,
    /// Replies that have begun.
    leaving: Vec<SendClaim>,
    step: usize,
    aloud: bool,
}

impl World {
    fn begin(seed: u64, trouble: Arc<dyn Trouble>) -> Self {
        let clock = Arc::new(AtomicI64::new(cast::at(0).as_ms()));
        let kept = Kept::default();
        let store = open(&kept, &clock, &trouble);
        World {
            random: StdRng::seed_from_u64(seed),
            now: 0,
            clock,
            kept,
            trouble,
            store,
            model: Model::default(),
            running: Vec::new(),
            leaving: Vec::new(),
            step: 0,
            aloud: false,
        }
    }

    async fn live(mut self, steps: usize) -> Holds {
        cast::furnish(&*self.store).await;
        for step in 0..steps {
            self.step = step;
            self.happens().await?;
            // What was left to be done beside it is done.
            tokio::task::yield_now().await;
            if self.aloud || step < WHOLE_AT_FIRST || step % WHOLE_EVERY == WHOLE_EVERY - 1 {
                self.look_at_the_whole().await?;
            }
        }
        self.step = steps;
        self.settle_down().await?;
        self.look_at_the_whole().await
    }

    async fn happens(&mut self) -> Holds {
        match self.random.random_range(0..1000) {
            0..300 => self.somebody_writes().await,
            300..500 => self.turns_are_claimed().await,
            500..650 => self.a_turn_ends().await,
            650..780 => self.replies_begin().await,
            780..880 => self.a_reply_comes_to_something().await,
            880..910 => self.a_receipt_comes().await,
            910..965 => self.an_operator_interferes().await,
            965..990 => {
                self.time_passes();
                Ok(())
            }
            990..995 => self.old_things_are_removed().await,
            _ => self.the_process_dies().await,
        }
    }

    fn at(&self, ms: i64) -> Timestamp {
        cast::at(ms)
    }

    fn present(&self) -> Timestamp {
        self.at(self.now)
    }

    /// A little, or much; now and then the clock is set back.
    fn time_passes(&mut self) {
        let by = match self.random.random_range(0..20) {
            0 => self.random.random_range(0..3_600_000),
            1 => {
                // What comes now was written before what waits, by a clock that is not the same any more.
                self.model.waiting.clear();
                -self.random.random_range(0..3_000)
            }
            _ => self.random.random_range(0..5_000),
        };
        self.now = (self.now + by).max(0);
        self.clock.store(self.present().as_ms(), Ordering::Relaxed);
    }

    /// Nothing of what is in memory outlives it.
    async fn the_process_dies(&mut self) -> Holds {
        self.tell(|| "the process dies".into());
        self.running.clear();
        for claim in self.leaving.drain(..) {
            self.model.torn_off(&claim);
        }
        self.store = open(&self.kept, &self.clock, &self.trouble);
        self.look_at_the_whole().await
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            println!("{:>6} {:>9} ms  {}", self.step, self.now, what());
        }
    }

    fn broken(&self, guarantee: u8, what: impl Into<String>) -> Broken {
        Broken { guarantee, step: self.step, what: what.into() }
    }

    fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.random.random_range(0..from.len())]
    }
}

/// Sends of all senders together, of one, and of one tenant at one.
const AT_ONCE: Limits = Limits { in_all: 16, per_group: 8, per_tenant: 4 };

fn open(kept: &Kept, clock: &Arc<AtomicI64>, trouble: &Arc<dyn Trouble>) -> Arc<dyn Store> {
    let settings = Settings {
        prefixes: vec!["start_realty_".into()],
        notice: Some("Please open your agent's link.".into()),
        notice_every_ms: 24 * 3_600_000,
        coalesce_ms: 0,
        quotas: Quotas::default(),
        timer_floor_ms: 0,
        turns_per_tenant: 8,
        sends: AT_ONCE,
        fetches: AT_ONCE,
    };
    let clock = clock.clone();
    let now = Arc::new(move || Timestamp::from_ms(clock.load(Ordering::Relaxed)));
    let parts = (settings, cast::test_keys(), [7; 32]);
    Arc::new(Memory::open_in(kept.clone(), parts, now, trouble.clone()).expect("what was kept can be read"))
}

fn main_sender() -> SenderName {
    SenderName::new("main")
}
