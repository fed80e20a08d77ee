//! What the loops sleep on until a commit gives them something to do.

use tokio::sync::Notify;

use super::watchers::Watchers;

/// Signalled after a commit; a missed signal costs one timer tick.
#[derive(Debug, Default)]
pub struct Wakes {
    pub turns: Notify,
    pub sends: Notify,
    /// A conversation grew a line or changed one; for those who watch it.
    pub history: Watchers,
    /// A file is to be fetched.
    pub files: Notify,
    /// A tenant waits until something of it is trimmed.
    pub trims: Notify,
}

/// Who waits for a commit.
pub trait Waking: Send + Sync {
    /// What the loops sleep on.
    fn wakes(&self) -> &Wakes;
}
