//! The organization's registry of contacts.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{owned_by, pack, unpack};
use super::contacts;
use crate::conversation::{Lead, LeadChange, LeadThread};
use crate::message::{ConversationKey, Timestamp};

/// Merges a turn's changes. `started`: the attribution of a deep link that this turn answers.
pub fn change(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    changes: &[LeadChange],
    started: Option<String>,
    now: Timestamp,
) -> Step<()> {
    let Some(organization) = batch.mirror.directory.load().organization_of(key.tenant) else { return Ok(()) };
    let row = owned_by(organization.0, key.contact.as_str());
    let found = batch.tables.leads.get()?.get(row.as_slice())?;
    let mut lead: Lead = found.map(|row| unpack("leads", row.value())).transpose()?.unwrap_or_default();
    if !lead.threads.contains_key(&key.tenant.get()) {
        let lock = contacts::resolve(batch, &key.contact, &[])?.lock;
        let source = started.or_else(|| lock.filter(|lock| lock.tenant == key.tenant)?.attribution);
        lead.threads.insert(key.tenant.get(), LeadThread { since: now, source });
    }
    for change in changes {
        if let Some(stage) = &change.stage {
            lead.stage.clone_from(stage);
        }
        for (name, value) in &change.fields {
            if value.is_null() {
                lead.fields.shift_remove(name);
            } else {
                lead.fields.insert(name.clone(), value.clone());
            }
        }
    }
    lead.updated_at = now;
    batch.tables.leads.put()?.insert(row.as_slice(), pack(&lead).as_slice())?;
    Ok(())
}
