//! Organizations, tenants and senders.

use std::sync::Arc;

use async_trait::async_trait;

use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::audit::entry;
use crate::store::engine::{Engine, told};
use crate::store::registry::Registry;
use crate::store::rules::directory;
use crate::store::rules::senders::{self, give};
use crate::store::{Handover, Result};
use crate::tenant::{Directory, Organization, Sender, Tenant};

#[async_trait]
impl<E: Engine> Registry for E {
    fn directory(&self) -> Arc<Directory> {
        self.index().directory.load_full()
    }

    async fn put_organization(&self, organization: Organization, actor: &str) -> Result<()> {
        let by =
            entry(actor, "put organization", organization.id, serde_json::json!(organization), self.now());
        self.submit(move |rows| directory::put_organization(rows, &organization, &by)).await
    }

    async fn put_tenant(&self, tenant: Tenant, actor: &str) -> Result<()> {
        let by = entry(actor, "put tenant", tenant.id, serde_json::json!(tenant), self.now());
        self.submit(move |rows| directory::put_tenant(rows, &tenant, &by)).await
    }

    async fn put_sender(&self, sender: Sender, actor: &str) -> Result<()> {
        let by = entry(actor, "put sender", &sender.name, senders::without_secrets(&sender), self.now());
        self.submit(move |rows| senders::put(rows, &sender, &by)).await
    }

    async fn give_sender(
        &self,
        sender: &SenderName,
        to: Option<TenantId>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Handover> {
        let known = senders::known(&self.directory(), sender).map_err(told::<E>)?;
        let planned = self.read(move |rows| give::plan(rows, &known, to)).await?;
        if dry_run || planned.from == to {
            return Ok(planned);
        }
        let by = entry(actor, "give sender", sender, serde_json::Value::Null, now);
        self.submit(move |rows| give::give(rows, &planned, &by)).await
    }
}
