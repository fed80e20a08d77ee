//! Keys that are none, by who sends them: after some within a minute a peer waits for each further answer,
//! which is 429. Whoever sends a right key is never asked here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);

/// What a further answer waits.
pub const DELAY: Duration = Duration::from_millis(500);

/// Peers that are remembered. Where there are more, those beyond share one number.
const PEERS: usize = 4_096;

#[derive(Debug, Default)]
pub struct FailedKeys(Mutex<HashMap<Option<IpAddr>, Failed>>);

#[derive(Debug)]
struct Failed {
    since: Instant,
    times: u32,
}

impl FailedKeys {
    /// One more; true if it is one too many, `most` being allowed within a minute.
    pub fn too_many(&self, peer: Option<IpAddr>, most: u32, now: Instant) -> bool {
        let mut peers = self.lock();
        if peers.len() >= PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, failed| now.duration_since(failed.since) < WINDOW);
        }
        let peer = if peers.len() >= PEERS && !peers.contains_key(&peer) { None } else { peer };
        let failed = peers.entry(peer).or_insert(Failed { since: now, times: 0 });
        if now.duration_since(failed.since) >= WINDOW {
            *failed = Failed { since: now, times: 0 };
        }
        failed.times = failed.times.saturating_add(1);
        failed.times > most
    }

    /// Nothing under this lock can leave it half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Failed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    #[test]
    fn some_are_allowed_within_a_minute_and_to_each_its_own() {
        let keys = FailedKeys::default();
        let began = Instant::now();
        for _ in 0..3 {
            assert!(!keys.too_many(peer(1), 3, began));
        }
        assert!(keys.too_many(peer(1), 3, began + Duration::from_secs(59)));
        assert!(!keys.too_many(peer(2), 3, began), "another peer");
        assert!(!keys.too_many(peer(1), 3, began + WINDOW), "another minute");
    }

    #[test]
    fn peers_without_number_are_not_remembered_without_number() {
        let keys = FailedKeys::default();
        let began = Instant::now();
        for n in 0..3 * PEERS as u32 {
            keys.too_many(peer(n), 100, began);
        }
        assert!(keys.lock().len() <= PEERS + 1);
        assert!(keys.too_many(peer(u32::MAX >> 9), 100, began), "those beyond share one number");
        let later = began + WINDOW;
        assert!(!keys.too_many(peer(7_000_000), 100, later), "the others are forgotten in time");
        assert_eq!(keys.lock().len(), 1);
    }
}
