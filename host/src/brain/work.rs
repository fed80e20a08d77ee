//! Work of the gateway for a guest: paid for before it is done, out of the guest's fuel, and done in
//! small pieces between which others come first. Whoever does much of it (filters, sorting, writing
//! long answers) does it through this.

use std::time::{Duration, Instant};

use super::budget::{Exceeded, Meter};

/// So long one turn may keep a thread to itself.
const STRIDE: Duration = Duration::from_micros(250);

/// The time is looked at after so much work: looking costs work too.
const LOOK_FUEL: u64 = 20_000;

pub struct Work<'a> {
    meter: &'a mut Meter,
    since: Instant,
    unlooked: u64,
    held: usize,
}

impl<'a> Work<'a> {
    pub fn new(meter: &'a mut Meter) -> Self {
        Work { meter, since: Instant::now(), unlooked: 0, held: 0 }
    }

    /// Pays for a piece of work, in units of fuel (about nanoseconds), and gives way where it is time to.
    pub async fn spend(&mut self, fuel: u64) -> Result<(), Exceeded> {
        self.meter.charge(fuel)?;
        self.unlooked += fuel;
        if self.unlooked >= LOOK_FUEL {
            self.unlooked = 0;
            if self.since.elapsed() >= STRIDE {
                tokio::task::yield_now().await;
                self.since = Instant::now();
            }
        }
        Ok(())
    }

    /// So many bytes more are held until the work is done.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.held = self.held.saturating_add(bytes);
        self.meter.hold(self.held)
    }
}
