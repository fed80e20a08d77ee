//! Hidden ids whose phone numbers are asked for.

use crate::message::{SenderName, Timestamp};

/// One that was asked for once stays written down, so that it is not asked for again with every message.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupRow {
    /// When it is asked for next; `None`: never.
    pub due: Option<Timestamp>,
    /// Through whom.
    pub sender: SenderName,
    /// How often nobody knew.
    pub misses: u32,
    /// When it was first wanted.
    pub since: Timestamp,
}
