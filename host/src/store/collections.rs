//! Records that tenants give their brains.

use std::sync::Arc;

use async_trait::async_trait;

use super::Result;
use crate::message::TenantId;

/// Collections of records.
#[async_trait]
pub trait Collections: Send + Sync {
    /// Replaces the whole collection. Each record is an object with a text or integer `id`.
    async fn put_collection(
        &self,
        tenant: TenantId,
        collection: &str,
        records: Vec<serde_json::Value>,
        actor: &str,
    ) -> Result<()>;
    /// Its records. `None`: there is no such collection.
    async fn collection(
        &self,
        tenant: TenantId,
        collection: &str,
    ) -> Result<Option<Arc<Vec<serde_json::Value>>>>;
    /// The same at once, where it lies ready.
    fn parsed_collection(&self, tenant: TenantId, collection: &str) -> Option<Arc<Vec<serde_json::Value>>>;
    /// Its records as they are kept: a list in JSON. `None`: there is no such collection.
    async fn collection_json(&self, tenant: TenantId, collection: &str) -> Result<Option<Vec<u8>>>;
}
