//! Work of the gateway for a guest costs the guest no fuel, which is where it gives way otherwise.
//! Whoever does much of it keeps this pace: now and then others come first, and a turn that is out of
//! time ends there.

use std::time::{Duration, Instant};

/// So long one turn may keep a thread to itself.
const STRIDE: Duration = Duration::from_millis(1);

pub struct Pace(Instant);

impl Pace {
    pub fn new() -> Self {
        Pace(Instant::now())
    }

    /// Gives way where it is time to.
    pub async fn keep(&mut self) {
        if self.0.elapsed() >= STRIDE {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}
