//! Which tenants keep something of a contact. A lock names one; the others, those of dedicated senders
//! and those it was freed from, are written down here, so that a merge finds them all.

use redb::{ReadableTable, WriteTransaction};

use super::batch::{Batch, Step};
use super::codec::{contact_prefix, of_contact, read_conversation_key};
use super::tables::define;
use crate::message::{ContactKey, TenantId};

fn key(contact: &ContactKey, tenant: TenantId) -> Vec<u8> {
    of_contact(contact, &tenant.get().to_be_bytes())
}

pub fn put(batch: &mut Batch<'_>, contact: &ContactKey, tenant: TenantId) -> Step<()> {
    batch.tables.ties.put()?.insert(key(contact, tenant).as_slice(), ())?;
    Ok(())
}

pub fn remove(batch: &mut Batch<'_>, contact: &ContactKey, tenant: TenantId) -> Step<()> {
    batch.tables.ties.put()?.remove(key(contact, tenant).as_slice())?;
    Ok(())
}

/// The tenants that a contact is tied to, besides that of its lock.
pub fn of(batch: &Batch<'_>, contact: &ContactKey) -> Step<Vec<TenantId>> {
    let prefix = contact_prefix(contact);
    let mut tenants = Vec::new();
    for row in batch.tables.ties.get()?.range::<&[u8]>(prefix.as_slice()..)? {
        let (key, _) = row?;
        let Some(tenant) = key.value().strip_prefix(prefix.as_slice()) else { break };
        if let Some(tenant) = tenant.first_chunk::<4>() {
            tenants.push(TenantId::from_stored(u32::from_be_bytes(*tenant)));
        }
    }
    Ok(tenants)
}

/// For a file from before ties were written down: every conversation is one.
pub fn write_all(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut ties = transaction.open_table(define::ties)?;
    for row in transaction.open_table(define::conversations)?.iter()? {
        let (row, _) = row?;
        // One that cannot be read is told of by whoever needs it.
        if let Ok(conversation) = read_conversation_key("conversations", row.value()) {
            ties.insert(key(&conversation.contact, conversation.tenant).as_slice(), ())?;
        }
    }
    Ok(())
}
