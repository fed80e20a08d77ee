//! Which tenants keep something of a contact. A lock names one; the others, those of dedicated senders
//! and those it was freed from, are written down here, so that a merge finds them all. Whoever had the
//! contact by a shared number knows it by all keys that the shared numbers know; whoever has it by a number
//! of its own knows it by those that this number told.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{contact_prefix, of_contact};
use crate::message::{ContactKey, TenantId};

/// By which number a tenant came to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Shared,
    Own,
}

fn key(contact: &ContactKey, tenant: TenantId) -> Vec<u8> {
    of_contact(contact, &tenant.get().to_be_bytes())
}

/// What came by a shared number stays so.
pub fn put(batch: &mut Batch<'_>, contact: &ContactKey, tenant: TenantId, by: By) -> Step<()> {
    let before = find(batch.tables.ties.get()?, contact, tenant)?;
    if before != Some(By::Shared) && before != Some(by) {
        batch.tables.ties.put()?.insert(key(contact, tenant).as_slice(), by == By::Shared)?;
    }
    Ok(())
}

fn read(shared: bool) -> By {
    if shared { By::Shared } else { By::Own }
}

/// Is the contact tied to this tenant?
pub fn find(
    table: &impl ReadableTable<&'static [u8], bool>,
    contact: &ContactKey,
    tenant: TenantId,
) -> Step<Option<By>> {
    Ok(table.get(key(contact, tenant).as_slice())?.map(|shared| read(shared.value())))
}

/// The tenants that a contact is tied to, besides that of its lock.
pub fn of(batch: &Batch<'_>, contact: &ContactKey) -> Step<Vec<(TenantId, By)>> {
    let prefix = contact_prefix(contact);
    let mut tenants = Vec::new();
    for row in batch.tables.ties.get()?.range::<&[u8]>(prefix.as_slice()..)? {
        let (key, shared) = row?;
        let Some(tenant) = key.value().strip_prefix(prefix.as_slice()) else { break };
        if let Some(tenant) = tenant.first_chunk::<4>() {
            let tenant = TenantId::from_stored(u32::from_be_bytes(*tenant));
            tenants.push((tenant, read(shared.value())));
        }
    }
    Ok(tenants)
}
