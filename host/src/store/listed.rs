//! The operator's and the tenant's word on what is listed: one, or many that have something in common.

use async_trait::async_trait;

use super::{Result, SendId};
use crate::message::Timestamp;

/// The word on dead turns, and on replies that wait or ended.
#[async_trait]
pub trait Listed: Send + Sync {
    /// A dead turn is put back in line; one that waits is due at once. Written into the audit log in the same commit, as
    /// the others here.
    async fn retry_turn(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    /// A reply is due at once, whatever became of it. Refused with [`super::Error::Conflict`] while it is on its way.
    async fn retry_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    /// A reply is given up, and goes out no more. Refused as in [`Listed::retry_send`].
    async fn drop_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    /// [`Listed::retry_turn`] of many, a slice at a time, each with an entry of the audit: nobody's message waits behind
    /// all of them. Those that are not there any more, or on their way, are left out. How many it was done to.
    async fn retry_turns(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
    /// [`Listed::retry_send`] of many, as in [`Listed::retry_turns`].
    async fn retry_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
    /// [`Listed::drop_send`] of many, as in [`Listed::retry_turns`].
    async fn drop_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
}
