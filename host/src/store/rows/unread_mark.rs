//! What the bounds of webhooks that could not be read are reckoned by, beside each of them.

use crate::message::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadMark {
    pub bytes: u64,
    pub received_at: Timestamp,
    /// Is it more than reports on what we sent?
    pub matters: bool,
}
