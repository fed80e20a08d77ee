//! The organization's registry of contacts.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::contacts;
use crate::conversation::{Lead, LeadChange, LeadThread};
use crate::message::{ContactKey, ConversationKey, OrganizationId, TenantId, Timestamp};
use crate::store::rows::packed::pack;
use crate::store::rows::{Fault, Leads, ReadRows, Rows, Step};
use crate::store::{Error, Limit};

/// What a lead may hold. All tenants of its organization are shown it with every turn.
const MOST_BYTES: usize = 64 << 10;
const MOST_FIELDS: usize = 256;

/// A lead as it will be, and whose it is.
pub struct Changed {
    key: (OrganizationId, ContactKey),
    lead: Lead,
}

pub fn find(rows: &impl ReadRows, key: &(OrganizationId, ContactKey)) -> Step<Option<Lead>> {
    rows.get::<Leads>(key)
}

/// Merges a turn's changes, without writing yet. `source`: what first brought the contact here.
pub fn change(
    rows: &impl Rows,
    key: &ConversationKey,
    changes: &[LeadChange],
    source: Option<String>,
    now: Timestamp,
) -> Step<Option<Changed>> {
    if changes.is_empty() {
        return Ok(None);
    }
    let Some(organization) = rows.index().directory.load().organization_of(key.tenant) else {
        return Ok(None);
    };
    let name = (organization, key.contact.clone());
    let mut lead = rows.get::<Leads>(&name)?.unwrap_or_default();
    if let Entry::Vacant(thread) = lead.threads.entry(key.tenant.get()) {
        let lock = contacts::resolve(rows, &key.contact, &[])?.lock;
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
    let used = pack(&lead).len();
    if used > MOST_BYTES {
        return Err(too_much(&format!("would take {used} bytes; the limit is {MOST_BYTES}")));
    }
    Ok(Some(Changed { key: name, lead }))
}

/// Two leads of one person in one organization become one: the elder's words stand, the younger fills
/// in what it lacks, as far as there is room. `of`: the tenants to whom they are one person; a lead that
/// others share stays as it is.
pub fn join(
    rows: &mut impl Rows,
    organization: OrganizationId,
    from: &ContactKey,
    into: &ContactKey,
    of: &BTreeSet<TenantId>,
) -> Step<()> {
    let (old, new) = ((organization, from.clone()), (organization, into.clone()));
    let Some(theirs) = rows.get::<Leads>(&old)? else { return Ok(()) };
    if !theirs.threads.keys().all(|tenant| of.contains(&TenantId::from_stored(*tenant))) {
        return Ok(());
    }
    let ours = rows.get::<Leads>(&new)?.unwrap_or_default();
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
    rows.remove::<Leads>(&old)?;
    rows.put::<Leads>(&new, &lead)?;
    Ok(())
}

fn too_much(what: &str) -> Fault {
    let message = format!("the lead {what}. A null takes a field away");
    Error::Limit { of: Limit::Lead, message }.into()
}

pub fn put(rows: &mut impl Rows, changed: &Changed) -> Step<()> {
    rows.put::<Leads>(&changed.key, &changed.lead)?;
    Ok(())
}
