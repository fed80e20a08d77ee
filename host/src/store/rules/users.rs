//! How many contacts each tenant's locks name.

use std::collections::BTreeMap;

use crate::message::TenantId;
use crate::store::rows::{ReadRows, Step, Users};

pub fn all(rows: &impl ReadRows) -> Step<BTreeMap<u32, u64>> {
    let mut users = BTreeMap::new();
    rows.each::<Users>(
        &TenantId::GATEWAY,
        |_| true,
        |tenant, count| {
            users.insert(tenant.get(), count?);
            Ok(())
        },
    )?;
    Ok(users)
}
