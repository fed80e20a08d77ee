//! The store in memory, for tests and simulations. What it keeps is no more than a process that dies and begins again
//! would find: [`Kept`] is its disk.
//!
//! It takes one operation at a time, and every other one twice, as an engine does whose group was given up: no
//! operation may notice.

use std::sync::{Arc, Mutex, MutexGuard};

pub use self::tables::Tables;
pub use self::transaction::Transaction;
pub use self::trouble::{Honest, Trouble};
use super::engine::{Engine, told};
use super::rows::{Fault, Rows as _, Step, Unreadable};
use super::rules::{load, seal};
use super::shared::index::Index;
use super::shared::lock::lock;
use super::shared::settings::Settings;
use super::{Error, Result};
use crate::message::Timestamp;
use crate::seal::Ring;

mod tables;
mod transaction;
mod trouble;

/// What outlives a process.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tables: Arc<Tables>,
    /// Commits so far.
    commits: u64,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct Memory {
    kept: Kept,
    index: Arc<Index>,
    clock: Clock,
    trouble: Arc<dyn Trouble>,
}

impl Memory {
    /// Begins as a process does: reads what is kept. `secret`: makes seeds, and names that prove themselves.
    pub fn open(kept: Kept, settings: Settings, keys: Ring, secret: [u8; 32], clock: Clock) -> Result<Self> {
        Self::open_in(kept, (settings, keys, secret), clock, Arc::new(Honest))
    }

    /// The same, where something goes wrong on purpose.
    pub fn open_in(
        kept: Kept,
        (settings, keys, secret): (Settings, Ring, [u8; 32]),
        clock: Clock,
        trouble: Arc<dyn Trouble>,
    ) -> Result<Self> {
        let index = Arc::new(Index::new(settings, keys, secret));
        let memory = Memory { kept, index, clock, trouble };
        let rows = memory.snapshot();
        let loaded = load::load(&*rows, &memory.index, memory.now()).map_err(told::<Self>)?;
        memory.index.replace(loaded);
        let interrupted = load::interrupted(&*rows).map_err(told::<Self>)?;
        drop(rows);
        if !interrupted.is_empty() {
            let now = memory.now();
            memory.apply(move |rows| load::declare_unknown(rows, &interrupted, now))?;
        }
        Ok(memory)
    }

    /// What was committed last.
    pub fn snapshot(&self) -> Arc<Tables> {
        self.inner().tables.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.kept.0)
    }

    fn apply<T>(&self, operation: impl Fn(&mut Transaction<'_>) -> Step<T>) -> Result<T> {
        let mut inner = self.inner();
        let Inner { tables, commits } = &mut *inner;
        let tables = Arc::make_mut(tables);
        let mut transaction = Transaction::new(tables, &self.index, &*self.trouble);
        let mut done = transaction.hold_to_its_rule(&operation);
        if done.is_ok() && commits.is_multiple_of(2) {
            transaction.give_up();
            transaction = Transaction::new(tables, &self.index, &*self.trouble);
            done = transaction.hold_to_its_rule(&operation);
        }
        let sealed = done.and_then(|value| Ok((value, seal::seal(&mut transaction)?)));
        match sealed {
            Ok((value, _)) if !self.trouble.commits() => {
                transaction.give_up();
                Ok(value)
            }
            Ok((value, sealed)) => {
                *commits += 1;
                let (state, effects) = transaction.end();
                self.index.apply(state, sealed, effects, self.now());
                Ok(value)
            }
            Err(fault) => {
                transaction.give_up();
                Err(told::<Self>(fault))
            }
        }
    }
}

impl Engine for Memory {
    type Snapshot = Tables;
    type Transaction<'t> = Transaction<'t>;

    fn index(&self) -> &Arc<Index> {
        &self.index
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn submit<T, F>(&self, operation: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Step<T> + Send + 'static,
    {
        std::future::ready(self.apply(operation))
    }

    fn read<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Tables) -> Step<T> + Send + 'static,
    {
        let done = read(&self.snapshot()).map_err(told::<Self>);
        if !self.trouble.holds_claims() {
            let mut turns = self.index.turns();
            let claimed: Vec<_> = turns.claimed().map(|(key, _)| key.clone()).collect();
            claimed.iter().for_each(|key| turns.release(key));
        }
        std::future::ready(done)
    }

    fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Failed(error.to_string())
    }
}

impl Transaction<'_> {
    /// What is refused has written nothing.
    fn hold_to_its_rule<T>(&mut self, operation: &impl Fn(&mut Transaction<'_>) -> Step<T>) -> Step<T> {
        let done = operation(self);
        if let Err(Fault::Refused(error)) = &done
            && self.has_written()
        {
            self.index().late_refusals.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let what = format!("refused after it had written: {error}");
            return Err(Fault::Row(Unreadable { table: "(any)", what }));
        }
        done
    }
}
