//! The organization's registry of contacts.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use redb::ReadableTable;

use super::batch::{Batch, Fault, Step};
use super::codec::{owned_by, pack, unpack};
use super::contacts;
use crate::conversation::{Lead, LeadChange, LeadThread};
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::store::Error;
use crate::store::limit::Limit;

/// What a lead may hold. All tenants of its organization are shown it with every turn.
const MOST_BYTES: usize = 64 << 10;
const MOST_FIELDS: usize = 256;

/// A lead as it will be: its key and its row.
pub struct Changed {
    key: Vec<u8>,
    row: Vec<u8>,
}

/// Merges a turn's changes, without writing yet. `source`: what first brought the contact here.
pub fn change(
    batch: &Batch<'_>,
    key: &ConversationKey,
    changes: &[LeadChange],
    source: Option<String>,
    now: Timestamp,
) -> Step<Option<Changed>> {
    if changes.is_empty() {
        return Ok(None);
    }
    let Some(organization) = batch.mirror.directory.load().organization_of(key.tenant) else {
        return Ok(None);
    };
    let row = owned_by(organization.0, key.contact.as_str());
    let found = batch.tables.leads.get()?.get(row.as_slice())?;
    let mut lead: Lead = found.map(|row| unpack("leads", row.value())).transpose()?.unwrap_or_default();
    if let Entry::Vacant(thread) = lead.threads.entry(key.tenant.get()) {
        let lock = contacts::resolve(batch, &key.contact, &[])?.lock;
        let source = source.or_else(|| lock.filter(|lock| lock.tenant == key.tenant)?.attribution);
        thread.insert(LeadThread { since: now, source });
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
    let fields = lead.fields.len();
    if fields > MOST_FIELDS {
        return Err(too_much(&format!("would have {fields} fields; the limit is {MOST_FIELDS}")));
    }
    let packed = pack(&lead);
    if packed.len() > MOST_BYTES {
        let used = packed.len();
        return Err(too_much(&format!("would take {used} bytes; the limit is {MOST_BYTES}")));
    }
    Ok(Some(Changed { key: row, row: packed }))
}

/// Two leads of one person in one organization become one: the elder's words stand, the younger fills
/// in what it lacks, as far as there is room. `of`: the tenants to whom they are one person; a lead that
/// others share stays as it is.
pub fn join(
    batch: &mut Batch<'_>,
    organization: u32,
    from: &ContactKey,
    into: &ContactKey,
    of: &BTreeSet<TenantId>,
) -> Step<()> {
    let (old, new) = (owned_by(organization, from.as_str()), owned_by(organization, into.as_str()));
    let read = |batch: &Batch<'_>, row: &[u8]| -> Step<Option<Lead>> {
        let found = batch.tables.leads.get()?.get(row)?;
        Ok(found.map(|row| unpack("leads", row.value())).transpose()?)
    };
    let Some(theirs) = read(batch, &old)? else { return Ok(()) };
    if !theirs.threads.keys().all(|tenant| of.contains(&TenantId::from_stored(*tenant))) {
        return Ok(());
    }
    let ours = read(batch, &new)?.unwrap_or_default();
    let since = |lead: &Lead| lead.threads.values().map(|thread| thread.since).min();
    let theirs_first = since(&ours).is_none_or(|ours| since(&theirs).is_some_and(|theirs| theirs < ours));
    let (mut lead, other) = if theirs_first { (theirs, ours) } else { (ours, theirs) };
    if lead.stage.is_empty() {
        lead.stage = other.stage;
    }
    lead.updated_at = lead.updated_at.max(other.updated_at);
    for (tenant, thread) in other.threads {
        let known = lead.threads.entry(tenant).or_insert_with(|| thread.clone());
        if thread.since < known.since {
            *known = thread;
        }
    }
    let mut room = MOST_BYTES.saturating_sub(pack(&lead).len());
    for (name, value) in other.fields {
        let size = pack(&(&name, &value)).len();
        if !lead.fields.contains_key(&name) && lead.fields.len() < MOST_FIELDS && size <= room {
            room -= size;
            lead.fields.insert(name, value);
        }
    }
    let table = batch.tables.leads.put()?;
    table.remove(old.as_slice())?;
    table.insert(new.as_slice(), pack(&lead).as_slice())?;
    Ok(())
}

fn too_much(what: &str) -> Fault {
    let message = format!("the lead {what}. A null takes a field away");
    Error::Limit { of: Limit::Lead, message }.into()
}

pub fn put(batch: &mut Batch<'_>, changed: &Changed) -> Step<()> {
    batch.tables.leads.put()?.insert(changed.key.as_slice(), changed.row.as_slice())?;
    Ok(())
}
