//! Whose keys proved webhooks that name nobody, lately; and whose turn it is to be tried where none of
//! these fit. So a provider with more keys than one body is hashed with has every one of them tried, if
//! not with the first attempt then with a later one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::message::{Provider, SenderName};

/// Senders that are remembered of a provider.
const REMEMBERED: usize = 8;

#[derive(Debug, Default)]
pub struct Lately(Mutex<BTreeMap<Provider, Of>>);

#[derive(Debug, Default)]
struct Of {
    /// The latest first.
    proven: VecDeque<SenderName>,
    /// The place among the provider's senders where the next search begins.
    turn: usize,
}

impl Lately {
    /// The latest first.
    pub fn proven(&self, provider: Provider) -> Vec<SenderName> {
        self.lock().get(&provider).map(|of| of.proven.iter().cloned().collect()).unwrap_or_default()
    }

    pub fn note(&self, provider: Provider, name: &SenderName) {
        let mut all = self.lock();
        let proven = &mut all.entry(provider).or_default().proven;
        proven.retain(|known| known != name);
        proven.push_front(name.clone());
        proven.truncate(REMEMBERED);
    }

    pub fn turn(&self, provider: Provider) -> usize {
        self.lock().get(&provider).map_or(0, |of| of.turn)
    }

    pub fn next_turn(&self, provider: Provider, turn: usize) {
        self.lock().entry(provider).or_default().turn = turn;
    }

    /// Whatever broke off in between, what is remembered is no more than a hint.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Provider, Of>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
