//! Who waits for news of a conversation is woken when there are some. Conversations share a fixed number of
//! bells, so that nothing is kept of who waits; which of them share one is another thing in every process,
//! so that nobody can choose whom to wake.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::Notify;

use crate::message::ConversationKey;

const BELLS: usize = 1024;

#[derive(Debug)]
pub struct Watchers {
    bells: Vec<Notify>,
    random: RandomState,
}

impl Default for Watchers {
    fn default() -> Self {
        let bells = std::iter::repeat_with(Notify::new).take(BELLS).collect();
        Watchers { bells, random: RandomState::new() }
    }
}

impl Watchers {
    /// Rings when this conversation grew a line or changed one, and now and then for another's.
    pub fn of(&self, key: &ConversationKey) -> &Notify {
        let at = self.random.hash_one(key) % self.bells.len() as u64;
        &self.bells[at as usize]
    }
}
