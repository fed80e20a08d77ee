//! What a store stands on. Whatever is asked of a store is written once ([`super::verbs`]), over this: what decides
//! is a rule ([`super::rules`]) that an engine applies to its rows.

use std::error::Error as StdError;
use std::sync::Arc;

use super::rows::{Fault, ReadRows, Rows, Step};
use super::shared::index::Index;
use super::upkeep::Mark;
use super::{Error, Result};
use crate::message::Timestamp;

/// Keeps rows. After `Ok` of [`Engine::submit`] what the operation did is kept as a whole, after `Err` nothing of it.
pub trait Engine: Send + Sync + 'static {
    /// What was committed last; nothing that is committed later changes it.
    type Snapshot: ReadRows;

    type Transaction<'t>: Rows;

    /// What is known without asking for rows. It is brought up to date by every commit, before anybody hears of
    /// the commit.
    fn index(&self) -> &Arc<Index>;

    fn now(&self) -> Timestamp;

    /// Applies the operation in a transaction, perhaps together with others: it is queued at once, and the answer is
    /// to be awaited. Dropping the answer does not undo the operation. It may be applied again, in another
    /// transaction, if the first one was given up.
    fn submit<T, F>(&self, operation: F) -> impl Future<Output = Result<T>> + Send + use<Self, T, F>
    where
        T: Send + 'static,
        F: Fn(&mut Self::Transaction<'_>) -> Step<T> + Send + 'static;

    /// Reads what was committed last, where it holds nobody up.
    fn read<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<Self, T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Self::Snapshot) -> Step<T> + Send + 'static;

    /// The same of what was written a moment ago: an engine that has it at hand still reads it at once.
    fn read_fresh<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<Self, T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Self::Snapshot) -> Step<T> + Send + 'static,
    {
        self.read(read)
    }

    /// What a caller is told where the engine failed.
    fn failed(error: Box<dyn StdError + Send + Sync>) -> Error;

    /// Is there room for what has to stop at this mark? Refused with [`Error::Full`].
    fn check(&self, _mark: Mark) -> Result<()> {
        Ok(())
    }

    /// Nothing is handed out for now: its end could not be written down.
    fn is_paused(&self) -> bool {
        false
    }
}

/// What a caller is told of a fault.
pub fn told<E: Engine + ?Sized>(fault: Fault) -> Error {
    match fault {
        Fault::Refused(error) => error,
        Fault::Row(error) => Error::Failed(error.to_string()),
        Fault::Engine(error) => E::failed(error),
    }
}
