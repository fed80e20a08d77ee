//! Who may call the API.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::message::{TenantId, Timestamp};

/// Who may call the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Hex SHA-256 of the key. The key itself is shown once and kept nowhere.
    pub hash: String,
    /// `None`: the operator.
    pub tenant: Option<TenantId>,
    pub name: String,
    pub created_at: Timestamp,
}

/// Keys of the API.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// By its hash. `None`: nobody is let in with it.
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>>;
    /// All there are.
    async fn api_keys(&self) -> Result<Vec<ApiKey>>;
    /// From now on its owner is let in with it.
    async fn put_api_key(&self, key: ApiKey, actor: &str) -> Result<()>;
    /// From now on nobody is let in with it.
    async fn remove_api_key(&self, hash: &str, actor: &str, now: Timestamp) -> Result<ApiKey>;
}
