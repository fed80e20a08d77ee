//! How many contacts each tenant's locks name.

use std::collections::BTreeMap;

use crate::message::TenantId;
use crate::store::rows::{ReadRows, Rows, Step, Users};

/// Writes down what this transaction made and removed; of whom it did, how many there are now.
pub fn settle(rows: &mut impl Rows) -> Step<Vec<(u32, u64)>> {
    let changed = std::mem::take(&mut rows.changes_mut().users);
    let mut users = Vec::with_capacity(changed.len());
    for (number, by) in changed {
        let tenant = TenantId::from_stored(number);
        let now = rows.get::<Users>(&tenant)?.unwrap_or(0).saturating_add_signed(by);
        match now {
            0 => rows.remove::<Users>(&tenant)?,
            now => rows.put::<Users>(&tenant, &now)?,
        };
        users.push((number, now));
    }
    Ok(users)
}

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
