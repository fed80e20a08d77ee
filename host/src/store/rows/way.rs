//! The way of a message: where what came of it lies. One row a message, written when it has been dealt with;
//! until then its row in the inbox is all there is.

use crate::message::{SenderName, Timestamp};
use crate::route::Via;

/// How it was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealt {
    /// Its turn was committed.
    Turn,
    /// Its turn was given up.
    Dead,
    /// It was put down for the human who answers, or it was a word about messages themselves.
    PutDown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub dealt: Dealt,
    pub via: Via,
    pub failures: u32,
    pub received_at: Timestamp,
    pub dealt_at: Timestamp,
    /// The first message of its turn, by which turns are named.
    pub turn: u64,
    /// Its line, if it is one.
    pub line: Option<u64>,
    /// Places in the journal: more than one where a dead turn was tried once more.
    pub journal: Vec<u64>,
    pub replies: Vec<u64>,
    pub sender: Option<SenderName>,
}
