//! What a brain wants to be reminded of.

use crate::message::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRow {
    pub at: Timestamp,
    pub payload: String,
}
