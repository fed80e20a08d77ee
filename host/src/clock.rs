//! The one place that reads the wall clock. Deciding code gets the time as an argument.

use crate::message::Timestamp;

/// Now, by the machine's clock.
pub fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}
