//! The operator's and the tenant's word on what is listed: one, or many that have something in common.

use async_trait::async_trait;

use super::{Result, SendId};
use crate::message::Timestamp;

#[async_trait]
pub trait Listed: Send + Sync {
    async fn retry_turn(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    async fn retry_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    async fn drop_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()>;
    /// The same of many, a slice at a time, each with an entry of the audit: nobody's message waits behind
    /// all of them. Those that are not there any more, or on their way, are left out. How many it was done to.
    async fn retry_turns(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
    async fn retry_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
    async fn drop_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize>;
}
