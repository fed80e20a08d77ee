//! Webhooks of which something could not be read: kept whole until a program reads them that can, within
//! bounds for each provider, beyond which the oldest is given up, reports before the rest.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::event::Topic;
use crate::message::{Provider, SenderName, TenantId, Timestamp};

/// Of one provider, so many are kept.
pub const COUNT: usize = 1_000;
/// And so many bytes.
pub const BYTES: u64 = 16 << 20;

/// Names one that is kept; in order of provider and arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadId {
    /// Its name.
    pub provider: String,
    /// Its arrival number.
    pub seq: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnreadBody {
    pub provider: Provider,
    pub received_at: Timestamp,
    /// What could not be read, each once.
    pub topics: Vec<Topic>,
    /// Why the first of it could not.
    pub reason: String,
    pub body: String,
    /// The senders that the webhook proved itself to: it speaks for no others, whenever it is read.
    pub proven: Vec<SenderName>,
    /// Of these the one whose own address it came to, where it names nobody.
    pub at_its_address: Option<SenderName>,
    /// Whose its address said it is.
    pub tenant: Option<TenantId>,
}

/// Webhooks that could not be read.
#[async_trait]
pub trait Unread: Send + Sync {
    /// Keeps one, and gives up what is beyond the bounds of its provider. One that is larger than these is not kept.
    async fn keep_unread(&self, body: UnreadBody) -> Result<()>;
    /// Those behind `after` in order, at most `limit`.
    async fn unread(&self, after: Option<&UnreadId>, limit: usize) -> Result<Vec<(UnreadId, UnreadBody)>>;
    /// How many there are of each provider.
    async fn unread_counts(&self) -> Result<BTreeMap<Provider, u64>>;
    /// It has been read, or nobody wants it any more.
    async fn forget_unread(&self, id: UnreadId) -> Result<()>;
}
