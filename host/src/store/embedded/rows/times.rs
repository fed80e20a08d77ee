//! When what was said came how far, by our clock.

use super::super::codec::{Eye, Pen};
use super::Read;
use crate::message::{DeliveryState, Timestamp};

/// [`Timestamp::ZERO`] for what has not been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub sent: Timestamp,
    pub delivered: Timestamp,
    pub read: Timestamp,
    pub failed: Timestamp,
}

impl Times {
    /// With this state reached now. The first word on it counts.
    #[must_use]
    pub fn reached(mut self, state: DeliveryState, now: Timestamp) -> Self {
        let time = match state {
            DeliveryState::Sent => &mut self.sent,
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Read => &mut self.read,
            DeliveryState::Failed => &mut self.failed,
            DeliveryState::Queued | DeliveryState::Unknown => return self,
        };
        if *time == Timestamp::ZERO {
            *time = now;
        }
        self
    }

    fn all(&self) -> [Timestamp; 4] {
        [self.sent, self.delivered, self.read, self.failed]
    }

    pub fn write(&self, pen: &mut Pen<'_>) {
        let told = |time: &Timestamp| *time != Timestamp::ZERO;
        let mask =
            self.all().iter().enumerate().fold(0, |mask, (at, time)| mask | u8::from(told(time)) << at);
        pen.u8(mask);
        self.all().into_iter().filter(told).for_each(|time| pen.time(time));
    }

    pub fn read(eye: &mut Eye<'_>) -> Read<Self> {
        let mask = eye.u8()?;
        let mut times = [Timestamp::ZERO; 4];
        for (at, time) in times.iter_mut().enumerate() {
            if mask & 1 << at != 0 {
                *time = eye.time()?;
            }
        }
        let [sent, delivered, read, failed] = times;
        Ok(Times { sent, delivered, read, failed })
    }
}
