//! What turns did.

use super::packed::Packed;
use crate::conversation::JournalEntry;
use crate::message::{ContactKey, Timestamp};

/// A journal entry. It names the one before it.
#[derive(Clone, Debug)]
pub struct JournalRow {
    pub at: Timestamp,
    /// The entry before it; 0: none.
    pub previous: u64,
    /// What its turn was for, where that is no line: its way leaves with this.
    pub way: Option<u64>,
    pub contact: ContactKey,
    pub entry: Packed<JournalEntry>,
}
