//! What the loops sleep on.

use crate::store::engine::Engine;
use crate::store::wakes::{Wakes, Waking};

impl<E: Engine> Waking for E {
    fn wakes(&self) -> &Wakes {
        &self.index().wakes
    }
}
