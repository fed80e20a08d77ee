//! Which tenants keep something of a contact. A lock names one; the others, those of dedicated senders
//! and those it was freed from, are written down here, so that a merge finds them all. Whoever had the
//! contact by a shared number knows it by all keys that the shared numbers know; whoever has it by a number
//! of its own knows it by those that this number told.

use crate::message::{ContactKey, TenantId};
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{ContactTenants, ReadRows, Rows, Step};

/// What came by a shared number stays so.
pub fn put(rows: &mut impl Rows, contact: &ContactKey, tenant: TenantId, by: KnownBy) -> Step<()> {
    let before = find(rows, contact, tenant)?;
    if before != Some(KnownBy::Shared) && before != Some(by) {
        rows.put::<ContactTenants>(&(contact.clone(), tenant), &by)?;
    }
    Ok(())
}

/// By which number the tenant keeps something of the contact, if it does.
pub fn find(rows: &impl ReadRows, contact: &ContactKey, tenant: TenantId) -> Step<Option<KnownBy>> {
    rows.get::<ContactTenants>(&(contact.clone(), tenant))
}

/// The tenants of a contact, besides that of its lock.
pub fn of(rows: &impl ReadRows, contact: &ContactKey) -> Step<Vec<(TenantId, KnownBy)>> {
    let mut tenants = Vec::new();
    let first = (contact.clone(), TenantId::GATEWAY);
    rows.each::<ContactTenants>(
        &first,
        |(of, _)| of == contact,
        |(_, tenant), by| {
            tenants.push((tenant, by?));
            Ok(())
        },
    )?;
    Ok(tenants)
}
