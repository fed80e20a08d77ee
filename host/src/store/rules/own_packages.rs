//! Which tenants have a package of their own.

use std::collections::BTreeMap;

use crate::message::TenantId;
use crate::store::packages::OwnPackage;
use crate::store::rows::{OwnPackages, ReadRows, Rows, Step};

pub fn all(rows: &impl ReadRows) -> Step<BTreeMap<TenantId, OwnPackage>> {
    let mut packages = BTreeMap::new();
    rows.each::<OwnPackages>(
        &TenantId::GATEWAY,
        |_| true,
        |tenant, package| {
            packages.insert(tenant, package?);
            Ok(())
        },
    )?;
    Ok(packages)
}

/// `None`: it has none any more.
pub fn put(rows: &mut impl Rows, tenant: TenantId, package: Option<&OwnPackage>) -> Step<()> {
    match package {
        Some(package) => rows.put::<OwnPackages>(&tenant, package)?,
        None => rows.remove::<OwnPackages>(&tenant)?,
    };
    Ok(())
}
