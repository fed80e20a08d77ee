//! Who is there: organizations, tenants and senders.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Handover, Result};
use crate::message::{SenderName, TenantId, Timestamp};
use crate::tenant::{Directory, Organization, Sender, Tenant};

/// Organizations, tenants and senders. Whatever changes one takes the actor and writes the audit log in the same commit.
#[async_trait]
pub trait Registry: Send + Sync {
    fn directory(&self) -> Arc<Directory>;
    async fn put_organization(&self, organization: Organization, actor: &str) -> Result<()>;
    async fn put_tenant(&self, tenant: Tenant, actor: &str) -> Result<()>;
    /// One that would give a sender to another owner is refused: see [`Store::give_sender`].
    async fn put_sender(&self, sender: Sender, actor: &str) -> Result<()>;
    /// Another owner for a sender; `None`: shared. In one commit with what becomes of what the old one has
    /// there. A dry run tells what it would come to.
    async fn give_sender(
        &self,
        sender: &SenderName,
        to: Option<TenantId>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Handover>;
}
