//! What tenants use, for whoever asks.

use async_trait::async_trait;
use std::collections::BTreeMap;

use crate::message::{TenantId, Timestamp};
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::quotas::{Accounts, Gauge, Shelf, Usage};
use crate::store::rules::usage;
use crate::store::upkeep::Mark;
use crate::tenant::quotas::Kind;

#[async_trait]
impl<E: Engine> Accounts for E {
    fn gauges(&self, tenant: TenantId, now: Timestamp) -> Vec<Gauge> {
        self.index().gauges(tenant, now)
    }

    fn spend(&self, tenant: TenantId, kind: Kind, amount: u64, now: Timestamp) -> Result<()> {
        self.index().spend(tenant, kind, amount, now)
    }

    fn room_for_files(&self, tenant: TenantId) -> Result<()> {
        self.check(Mark::Stored)?;
        let used = self.index().usage(tenant).file_bytes;
        self.index().allow(tenant, Kind::FileBytes, used.saturating_add(1))
    }

    fn room_for_file(&self, tenant: TenantId, bytes: u64) -> Result<()> {
        self.check(Mark::Stored)?;
        let usage = self.index().usage(tenant);
        self.index().allow(tenant, Kind::FileBytes, usage.file_bytes.saturating_add(bytes))?;
        self.index().allow(tenant, Kind::Files, usage.of(Shelf::Files).rows + 1)
    }

    fn usage(&self) -> BTreeMap<TenantId, Usage> {
        let mut usages: BTreeMap<_, _> = self.index().usages().into_iter().collect();
        usages.retain(|_, usage| *usage != Usage::default());
        usages
    }

    async fn recount_usage(&self) -> Result<BTreeMap<TenantId, Usage>> {
        self.read(usage::recount).await
    }
}
