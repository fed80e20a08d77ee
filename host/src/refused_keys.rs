//! Senders whose key their provider refuses. That is the operator's to put right, and it passes: what waits
//! is lost for nothing of it. The sender pauses, one reply at a time tries whether the key is taken again,
//! and another key is tried at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::message::{SenderName, Timestamp};
use crate::policy::quota::Steady;
use crate::retry::Backoff;
use crate::tenant::{Secret, Sender};

/// In memory: a gateway that has just started finds out anew.
#[derive(Debug)]
pub struct RefusedKeys {
    /// Between two tries.
    backoff: Backoff,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What pauses go by: a clock that is set back makes nobody wait longer.
    steady: Steady,
    refused: HashMap<SenderName, Refused>,
}

/// A key that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    key: Secret,
    times: u32,
    /// Nothing goes out before then, in steady time.
    until_ms: u64,
    pub since: Timestamp,
    /// In the provider's words.
    pub error: String,
}

impl RefusedKeys {
    pub fn new(backoff: Backoff) -> Self {
        RefusedKeys { backoff, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long every reply of this sender waits; `None`: this one may go. While its key is refused it
    /// goes for all, and the others wait for what comes of it. `random` is any number, evenly spread.
    pub fn waits(&self, sender: &Sender, now: Timestamp, random: u64) -> Option<Duration> {
        let mut inner = self.inner();
        let now_ms = inner.steady.at(now);
        let refused = inner.refused.get_mut(&sender.name)?;
        if refused.key != sender.api_key {
            inner.refused.remove(&sender.name);
            return None;
        }
        if let Some(wait) = refused.wait(now_ms) {
            return Some(wait);
        }
        refused.until_ms = now_ms.saturating_add(self.backoff.delay_ms(refused.times, None, random));
        None
    }

    /// The one that went for all does not go after all: the next one tries.
    pub fn untried(&self, sender: &Sender, now: Timestamp) {
        let mut inner = self.inner();
        let now_ms = inner.steady.at(now);
        if let Some(refused) = inner.refused.get_mut(&sender.name) {
            refused.until_ms = refused.until_ms.min(now_ms);
        }
    }

    /// How long everything else of this sender waits: it tries no key for others, and where no reply does,
    /// it may go.
    pub fn holds(&self, sender: &Sender, now: Timestamp) -> Option<Duration> {
        let mut inner = self.inner();
        let now_ms = inner.steady.at(now);
        let refused = inner.refused.get(&sender.name).filter(|refused| refused.key == sender.api_key)?;
        refused.wait(now_ms)
    }

    /// The provider refused the key that this sender has. Is it news?
    pub fn refuse(&self, sender: &Sender, error: &str, now: Timestamp, random: u64) -> bool {
        let mut inner = self.inner();
        let now_ms = inner.steady.at(now);
        let before = inner.refused.get(&sender.name).filter(|refused| refused.key == sender.api_key);
        let (times, since) = before.map_or((1, now), |it| (it.times.saturating_add(1), it.since));
        let is_news = before.is_none();
        let until_ms = now_ms.saturating_add(self.backoff.delay_ms(times, None, random));
        let (key, error) = (sender.api_key.clone(), error.to_owned());
        inner.refused.insert(sender.name.clone(), Refused { key, times, until_ms, since, error });
        is_news
    }

    /// The provider took it. Is it news?
    pub fn take(&self, sender: &Sender) -> bool {
        let mut inner = self.inner();
        let known = inner.refused.get(&sender.name).is_some_and(|refused| refused.key == sender.api_key);
        known && inner.refused.remove(&sender.name).is_some()
    }

    /// Is the key that this sender has one that is refused?
    pub fn of(&self, sender: &Sender) -> Option<Refused> {
        self.inner().refused.get(&sender.name).filter(|refused| refused.key == sender.api_key).cloned()
    }

    /// Of these senders those whose key is refused.
    pub fn count<'s>(&self, senders: impl Iterator<Item = &'s Sender>) -> usize {
        let inner = self.inner();
        let is_refused = |sender: &&Sender| {
            inner.refused.get(&sender.name).is_some_and(|refused| refused.key == sender.api_key)
        };
        senders.filter(is_refused).count()
    }
}

impl Refused {
    fn wait(&self, now_ms: u64) -> Option<Duration> {
        let wait_ms = self.until_ms.saturating_sub(now_ms);
        (wait_ms > 0).then(|| Duration::from_millis(wait_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(key: &str) -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": "main", "provider": "meta", "account": "1", "api_key": key,
        }))
        .expect("a sender")
    }

    #[test]
    fn one_tries_for_all_and_ever_more_seldom() {
        let keys = RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 4_000 });
        let at = Timestamp::from_ms;
        let after = |ms| Some(Duration::from_millis(ms));
        let old = sender("old");
        assert_eq!(keys.waits(&old, at(0), 0), None);
        assert!(keys.refuse(&old, "401", at(0), 0), "news");
        // Those that were on their way with it change nothing but the wait.
        assert!(!keys.refuse(&old, "401", at(10), 0), "no news");
        assert_eq!(keys.waits(&old, at(20), 0), after(1_990));
        assert_eq!(keys.waits(&old, at(2_010), 0), None, "one tries");
        assert_eq!(keys.waits(&old, at(2_011), 0), after(1_999), "the others wait for it");
        assert!(!keys.refuse(&old, "401", at(2_100), 0));
        assert_eq!(keys.waits(&old, at(2_200), 0), after(3_900));
        assert_eq!(keys.of(&old).map(|refused| refused.since), Some(at(0)));
        assert!(keys.take(&old), "news");
        assert!(!keys.take(&old), "no news");
        assert_eq!(keys.waits(&old, at(2_200), 0), None);
    }

    #[test]
    fn a_try_that_does_not_go_is_the_next_ones() {
        let keys = RefusedKeys::new(Backoff { base_ms: 600_000, max_ms: 600_000 });
        let (at, old) = (Timestamp::from_ms, sender("old"));
        keys.refuse(&old, "401", at(0), 0);
        assert_eq!(keys.waits(&old, at(600_000), 0), None, "one tries");
        assert!(keys.holds(&old, at(600_001)).is_some());
        keys.untried(&old, at(600_001));
        assert_eq!(keys.waits(&old, at(600_001), 0), None, "the next one does");
    }

    #[test]
    fn another_key_is_tried_at_once() {
        let keys = RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 4_000 });
        let at = Timestamp::from_ms;
        let (old, new) = (sender("old"), sender("new"));
        keys.refuse(&old, "401", at(0), 0);
        assert!(keys.of(&new).is_none());
        assert_eq!(keys.waits(&new, at(1), 0), None);
        assert!(keys.refuse(&new, "401", at(2), 0), "another key refused is news");
        // What was still on its way with the old one says nothing of the new one.
        assert!(!keys.take(&old));
        assert!(keys.of(&new).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer() {
        let keys = RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 4_000 });
        let (at, old) = (Timestamp::from_ms, sender("old"));
        let hour = 3_600_000;
        keys.refuse(&old, "401", at(hour), 0);
        let rest = keys.waits(&old, at(hour + 400), 0).expect("it waits");
        assert_eq!(keys.waits(&old, at(0), 0), Some(rest), "set back");
        assert!(keys.waits(&old, at(100), 0).is_some_and(|wait| wait < rest), "it goes on at once");
        assert_eq!(keys.waits(&old, at(2_000), 0), None);
    }

    #[test]
    fn what_is_no_reply_waits_and_tries_no_key_for_others() {
        let keys = RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 4_000 });
        let (at, old, new) = (Timestamp::from_ms, sender("old"), sender("new"));
        assert_eq!(keys.holds(&old, at(0)), None);
        keys.refuse(&old, "401", at(0), 0);
        assert!(keys.holds(&old, at(0)).is_some());
        assert_eq!(keys.holds(&new, at(0)), None);
        assert!(keys.of(&old).is_some(), "asking for another key forgets nothing");
        assert_eq!(keys.holds(&old, at(10_000)), None);
        assert_eq!(keys.waits(&old, at(10_000), 0), None, "and a reply still tries it");
        assert!(keys.holds(&old, at(10_000)).is_some(), "meanwhile the others wait");
    }
}
