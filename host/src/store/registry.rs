//! Who is there: organizations, tenants and senders.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Handover, Result};
use crate::message::{SenderName, TenantId, Timestamp};
use crate::tenant::{Directory, Organization, Sender, Tenant};

/// Organizations, tenants and senders. Whatever changes one takes the actor and writes the audit log in the same commit.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Everybody, as of the last commit. It does not change any more in the hands of who has it.
    fn directory(&self) -> Arc<Directory>;
    /// In the place of the one of its id, if there is one.
    async fn put_organization(&self, organization: Organization, actor: &str) -> Result<()>;
    /// The same. Refused with [`super::Error::Conflict`] where its organization is not there.
    async fn put_tenant(&self, tenant: Tenant, actor: &str) -> Result<()>;
    /// In the place of the one of its name, if there is one. One that would give a sender to another owner is refused:
    /// see [`Registry::give_sender`].
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
