//! What is told of many senders at once, by events of their own: the first of a server and a kind is told at once,
//! with its name; those that follow within a minute are counted and told together, some by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{EVERY, NAMED};

/// So many kinds are remembered; beyond them each is told.
const KINDS: usize = 1_024;

/// The server, and what is told of it.
type Kind = (String, String);

#[derive(Debug, Default)]
pub struct Alike(Mutex<BTreeMap<Kind, Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    count: u64,
    some: Vec<String>,
}

/// Those that were not told by themselves.
#[derive(Debug, PartialEq, Eq)]
struct Together {
    server: String,
    what: String,
    times: u64,
    some: String,
}

impl Alike {
    /// Is it to be told by itself? `what`: a few fixed words.
    pub fn is_first(&self, server: &str, what: &str, sender: &str) -> bool {
        self.is_first_at(server, what, sender, Instant::now())
    }

    fn is_first_at(&self, server: &str, what: &str, sender: &str, now: Instant) -> bool {
        let mut all = self.lock();
        let kind = (server.to_owned(), what.to_owned());
        if let Some(said) = all.get_mut(&kind) {
            said.count += 1;
            if said.some.len() < NAMED && !said.some.iter().any(|name| name == sender) {
                said.some.push(sender.to_owned());
            }
            return false;
        }
        if all.len() < KINDS {
            all.insert(kind, Said { at: now, count: 0, some: Vec::new() });
        }
        true
    }

    /// Tells what came after the first of each kind, once its minute is over.
    pub fn sum_up(&self) {
        for Together { server, what, times, some } in self.over(Instant::now()) {
            tracing::warn!(server, what, times, some, "the same again at this server, within a minute");
        }
    }

    fn over(&self, now: Instant) -> Vec<Together> {
        let mut together = Vec::new();
        self.lock().retain(|(server, what), said| {
            let is_over = now.duration_since(said.at) >= EVERY;
            if is_over && said.count > 0 {
                let (times, mut some) = (said.count, said.some.join(", "));
                if times > said.some.len() as u64 {
                    some.push_str(", ...");
                }
                together.push(Together { server: server.clone(), what: what.clone(), times, some });
            }
            !is_over
        });
        together
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Said>> {
        // Whatever broke off in between, at worst a line is told once more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_of_a_server_is_told_and_the_others_together() {
        let alike = Alike::default();
        let began = Instant::now();
        let first = |server, what, n: u32, after_s| {
            alike.is_first_at(server, what, &format!("n{n}"), began + Duration::from_secs(after_s))
        };
        assert!(first("one", "FAILED", 0, 0));
        for n in 1..300 {
            assert!(!first("one", "FAILED", n, 1));
        }
        assert!(first("two", "FAILED", 0, 1), "another server");
        assert!(first("one", "STOPPED", 0, 1), "another state");
        assert_eq!(alike.over(began + Duration::from_secs(59)), []);
        let [told] = &alike.over(began + Duration::from_secs(61))[..] else { panic!("one line") };
        assert_eq!(
            (told.server.as_str(), told.times, told.some.as_str()),
            ("one", 299, "n1, n2, n3, n4, n5, ...")
        );
        assert!(first("one", "FAILED", 0, 62), "another minute");
    }

    #[test]
    fn kinds_without_number_are_not_remembered() {
        let alike = Alike::default();
        for n in 0..2 * KINDS {
            assert!(alike.is_first_at(&n.to_string(), "FAILED", "n", Instant::now()));
        }
        assert_eq!(alike.lock().len(), KINDS);
    }
}
