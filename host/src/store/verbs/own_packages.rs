//! The verbs of [`OwnPackages`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::message::TenantId;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::packages::{OwnPackage, OwnPackages};
use crate::store::rules::own_packages;

#[async_trait]
impl<E: Engine> OwnPackages for E {
    async fn own_packages(&self) -> Result<BTreeMap<TenantId, OwnPackage>> {
        self.read(own_packages::all).await
    }

    async fn put_own_package(&self, tenant: TenantId, package: Option<OwnPackage>) -> Result<()> {
        self.submit(move |rows| own_packages::put(rows, tenant, package.as_ref())).await
    }
}
