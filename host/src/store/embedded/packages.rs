//! The verbs of [`OwnPackages`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable as _};

use super::Embedded;
use super::batch::Step;
use super::codec::{pack, unpack};
use super::tables::define;
use crate::message::TenantId;
use crate::store::Result;
use crate::store::packages::{OwnPackage, OwnPackages};

#[async_trait]
impl OwnPackages for Embedded {
    fn own_packages(&self) -> Result<BTreeMap<TenantId, OwnPackage>> {
        self.read(|snapshot| all(snapshot))
    }

    async fn put_own_package(&self, tenant: TenantId, package: Option<OwnPackage>) -> Result<()> {
        self.write(move |batch| {
            let table = batch.tables.own_packages.put()?;
            match &package {
                Some(package) => drop(table.insert(tenant.get(), pack(package).as_slice())?),
                None => drop(table.remove(tenant.get())?),
            }
            Ok(())
        })
        .await
    }
}

/// A file from before the table existed tells of nobody.
pub fn all(snapshot: &ReadTransaction) -> Step<BTreeMap<TenantId, OwnPackage>> {
    let table = match snapshot.open_table(define::own_packages) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        table => table?,
    };
    let mut packages = BTreeMap::new();
    for row in table.iter()? {
        let (tenant, row) = row?;
        packages.insert(TenantId::from_stored(tenant.value()), unpack("own_packages", row.value())?);
    }
    Ok(packages)
}
