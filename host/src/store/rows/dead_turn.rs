//! Turns that were given up.

use super::inbox::InboxRow;
use crate::message::Timestamp;

/// Its entries as they stood in the inbox, and why.
#[derive(Clone, Debug)]
pub struct DeadTurnRow {
    pub at: Timestamp,
    pub error: String,
    /// By arrival number.
    pub entries: Vec<(u64, InboxRow)>,
}
