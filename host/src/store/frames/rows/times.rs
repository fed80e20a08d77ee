//! When what was said came how far, by our clock.

use super::Read;
use crate::message::Timestamp;
use crate::store::frames::codec::{Eye, Pen};
use crate::store::rows::history::Times;

fn all(times: &Times) -> [Timestamp; 4] {
    [times.sent, times.delivered, times.read, times.failed]
}

pub fn write(times: &Times, pen: &mut Pen<'_>) {
    let told = |time: &Timestamp| *time != Timestamp::ZERO;
    let mask = all(times).iter().enumerate().fold(0, |mask, (at, time)| mask | u8::from(told(time)) << at);
    pen.u8(mask);
    all(times).into_iter().filter(told).for_each(|time| pen.time(time));
}

pub fn read(eye: &mut Eye<'_>) -> Read<Times> {
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
