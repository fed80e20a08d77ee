//! The one place that reads the wall clock. Deciding code gets the time as an argument.

use std::time::Duration;

use crate::message::Timestamp;

/// Now, by the machine's clock.
pub fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}

/// How long a loop may sleep until `due`, `at_most` in any case: a loop looks anew now and then,
/// whatever signal it missed.
pub fn nap(due: Option<Timestamp>, at_most: Duration) -> Duration {
    let Some(due) = due else { return at_most };
    let ms = due.as_ms().saturating_sub(now().as_ms()).max(1);
    Duration::from_millis(ms.unsigned_abs()).min(at_most)
}
