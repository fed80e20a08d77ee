//! What goes wrong in an engine on purpose: whoever checks a store shows by it that nothing of the kind goes unseen.

use std::any::Any;

use crate::store::shared::changes::Changes;
use crate::store::shared::effect::Effect;

pub trait Trouble: Send + Sync {
    /// A row is put down, perhaps another than was meant. `false`: it is not.
    fn puts(&self, _key: &mut dyn Any, _row: &mut dyn Any, _changes: &mut Changes) -> bool {
        true
    }

    /// What is kept in memory hears of it after the commit, perhaps otherwise than it was. `false`: it does not.
    fn tells(&self, _effect: &mut Effect) -> bool {
        true
    }

    /// What was done is kept. `false`: it is only said to be.
    fn commits(&self) -> bool {
        true
    }

    /// What is claimed is handed to nobody else.
    fn holds_claims(&self) -> bool {
        true
    }
}

/// Nothing goes wrong.
pub struct Honest;

impl Trouble for Honest {}
