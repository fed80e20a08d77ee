//! What is asked of the store about the keys that its secrets are sealed with, and about the key that is lent. Senders go in and come
//! out in clear; what lies in the file, and in every copy of it, is sealed.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Result;
use crate::seal::{KeyId, Ring};
use crate::tenant::HouseWaha;

/// Keys that secrets are sealed with, and the one that is lent.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// How many secrets each key seals; `None`: how many are in clear, from before there were keys.
    async fn sealed(&self) -> Result<BTreeMap<Option<KeyId>, usize>>;
    /// From now on these keys open, and the last of them seals. Refused with
    /// [`super::Error::Conflict`] where one that is missing among them seals something.
    async fn use_keys(&self, keys: Ring) -> Result<()>;
    /// Those that open now.
    fn keys(&self) -> Ring;
    /// Senders that name no WAHA of their own have this one from now on. It is lent to them in
    /// [`super::registry::Registry::directory`] and never kept with them.
    async fn lend_waha(&self, waha: HouseWaha) -> Result<()>;
    /// Seals with the current key what is in clear or sealed with another one, of at most `limit`
    /// senders; of how many. Each call is one commit, so that it can be broken off at any time.
    async fn reseal(&self, limit: usize) -> Result<usize>;
}
