//! Which tenants have a package of their own. The packages lie in the plugins directory, and not in the
//! store; that they were there is kept here, so that a start finds out when one is missing.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::message::TenantId;

/// What a tenant's own package held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPackage {
    /// The digest of its component; none where the package is texts alone.
    pub brain: Option<String>,
}

/// Which tenants have a package of their own.
#[async_trait]
pub trait OwnPackages: Send + Sync {
    /// Every tenant that has one, with what it held last.
    async fn own_packages(&self) -> Result<BTreeMap<TenantId, OwnPackage>>;
    /// This is what the tenant has of its own; `None`: it has none any more.
    async fn put_own_package(&self, tenant: TenantId, package: Option<OwnPackage>) -> Result<()>;
}
