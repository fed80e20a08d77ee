//! The verbs of [`OwnPackages`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Embedded;
use crate::message::TenantId;
use crate::store::Result;
use crate::store::packages::{OwnPackage, OwnPackages};
use crate::store::rules::own_packages;

#[async_trait]
impl OwnPackages for Embedded {
    async fn own_packages(&self) -> Result<BTreeMap<TenantId, OwnPackage>> {
        self.read(own_packages::all)
    }

    async fn put_own_package(&self, tenant: TenantId, package: Option<OwnPackage>) -> Result<()> {
        self.write(move |batch| own_packages::put(batch, tenant, package.as_ref())).await
    }
}
