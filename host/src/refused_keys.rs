//! Senders whose key their provider refuses. That is the operator's to put right, and it passes: what waits
//! is lost for nothing of it. The sender pauses, one reply at a time tries whether the key is taken again,
//! and another key is tried at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::message::{SenderName, Timestamp};
use crate::retry::Backoff;
use crate::tenant::{Secret, Sender};

/// In memory: a gateway that has just started finds out anew.
#[derive(Debug)]
pub struct RefusedKeys {
    /// Between two tries.
    backoff: Backoff,
    refused: Mutex<HashMap<SenderName, Refused>>,
}

/// A key that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    key: Secret,
    times: u32,
    /// Nothing goes out before then.
    until: Timestamp,
    pub since: Timestamp,
    /// In the provider's words.
    pub error: String,
}

impl RefusedKeys {
    pub fn new(backoff: Backoff) -> Self {
        RefusedKeys { backoff, refused: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SenderName, Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when everything of this sender waits; `None`: this one may go. While its key is refused it
    /// goes for all, and the others wait for what comes of it. `random` is any number, evenly spread.
    pub fn waits_until(&self, sender: &Sender, now: Timestamp, random: u64) -> Option<Timestamp> {
        let mut all = self.all();
        let refused = all.get_mut(&sender.name)?;
        if refused.key != sender.api_key {
            all.remove(&sender.name);
            return None;
        }
        if now < refused.until {
            return Some(refused.until);
        }
        refused.until = self.after(now, refused.times, random);
        None
    }

    /// The provider refused the key that this sender has. Is it news?
    pub fn refuse(&self, sender: &Sender, error: &str, now: Timestamp, random: u64) -> bool {
        let mut all = self.all();
        let before = all.get(&sender.name).filter(|refused| refused.key == sender.api_key);
        let (times, since) = before.map_or((1, now), |it| (it.times.saturating_add(1), it.since));
        let (is_news, until) = (before.is_none(), self.after(now, times, random));
        let (key, error) = (sender.api_key.clone(), error.to_owned());
        all.insert(sender.name.clone(), Refused { key, times, until, since, error });
        is_news
    }

    /// The provider took it. Is it news?
    pub fn take(&self, sender: &Sender) -> bool {
        let mut all = self.all();
        let known = all.get(&sender.name).is_some_and(|refused| refused.key == sender.api_key);
        known && all.remove(&sender.name).is_some()
    }

    /// Is the key that this sender has one that is refused?
    pub fn of(&self, sender: &Sender) -> Option<Refused> {
        self.all().get(&sender.name).filter(|refused| refused.key == sender.api_key).cloned()
    }

    /// Of these senders those whose key is refused.
    pub fn count<'s>(&self, senders: impl Iterator<Item = &'s Sender>) -> usize {
        let all = self.all();
        let is_refused =
            |sender: &&Sender| all.get(&sender.name).is_some_and(|refused| refused.key == sender.api_key);
        senders.filter(is_refused).count()
    }

    fn after(&self, now: Timestamp, times: u32, random: u64) -> Timestamp {
        now.plus_ms(i64::try_from(self.backoff.delay_ms(times, None, random)).unwrap_or(i64::MAX))
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
        let old = sender("old");
        assert_eq!(keys.waits_until(&old, at(0), 0), None);
        assert!(keys.refuse(&old, "401", at(0), 0), "news");
        // Those that were on their way with it change nothing but the wait.
        assert!(!keys.refuse(&old, "401", at(10), 0), "no news");
        assert_eq!(keys.waits_until(&old, at(20), 0), Some(at(2_010)));
        assert_eq!(keys.waits_until(&old, at(2_010), 0), None, "one tries");
        assert_eq!(keys.waits_until(&old, at(2_011), 0), Some(at(4_010)), "the others wait for it");
        assert!(!keys.refuse(&old, "401", at(2_100), 0));
        assert_eq!(keys.waits_until(&old, at(2_200), 0), Some(at(6_100)));
        assert_eq!(keys.of(&old).map(|refused| refused.since), Some(at(0)));
        assert!(keys.take(&old), "news");
        assert!(!keys.take(&old), "no news");
        assert_eq!(keys.waits_until(&old, at(2_200), 0), None);
    }

    #[test]
    fn another_key_is_tried_at_once() {
        let keys = RefusedKeys::new(Backoff { base_ms: 1_000, max_ms: 4_000 });
        let at = Timestamp::from_ms;
        let (old, new) = (sender("old"), sender("new"));
        keys.refuse(&old, "401", at(0), 0);
        assert!(keys.of(&new).is_none());
        assert_eq!(keys.waits_until(&new, at(1), 0), None);
        assert!(keys.refuse(&new, "401", at(2), 0), "another key refused is news");
        // What was still on its way with the old one says nothing of the new one.
        assert!(!keys.take(&old));
        assert!(keys.of(&new).is_some());
    }
}
