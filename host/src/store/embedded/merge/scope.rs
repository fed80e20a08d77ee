//! Whose word it is that two keys are one person's. The operator's own numbers may say so of everybody. A
//! number of one tenant's, whose keys that tenant knows, may say so of its own contacts alone:
//! otherwise it could make itself heir to what is said with another tenant.

use redb::ReadableTable;
use serde_json::json;

use super::GATEWAY;
use crate::message::{ContactKey, TenantId, Timestamp};
use crate::store::AuditEntry;
use crate::store::embedded::batch::{Batch, Step};
use crate::store::embedded::{contacts, ties};
use crate::tenant::Sender;

/// Of the keys that `sender` calls `contact`'s as well, those that it has a say in. What it has none in
/// is counted, and audited the first time.
pub fn believed(
    batch: &mut Batch<'_>,
    sender: &Sender,
    (contact, others): (&ContactKey, &[ContactKey]),
    now: Timestamp,
) -> Step<Vec<ContactKey>> {
    let Some(tenant) = sender.tenant.filter(|_| !others.is_empty()) else { return Ok(others.to_vec()) };
    let root = contacts::canonical(batch, contact)?;
    let own = is_of(batch, &root, tenant)?;
    let mut kept = Vec::with_capacity(others.len());
    for other in others {
        let theirs = contacts::canonical(batch, other)?;
        if theirs == root || (own && is_of(batch, &theirs, tenant)?) {
            kept.push(other.clone());
        } else {
            withhold(batch, (contact, other), (sender, tenant), now)?;
        }
    }
    Ok(kept)
}

/// Does nobody but this tenant keep anything of the person? Who was told to use a link is the shared
/// number's.
fn is_of(batch: &Batch<'_>, canonical: &ContactKey, tenant: TenantId) -> Step<bool> {
    let lock = contacts::row(batch, canonical)?.and_then(|row| row.lock);
    if lock.is_some_and(|lock| lock.tenant != tenant)
        || batch.tables.notices.get()?.get(canonical.as_str().as_bytes())?.is_some()
    {
        return Ok(false);
    }
    Ok(ties::of(batch, canonical)?.into_iter().all(|tied| tied == tenant))
}

fn withhold(
    batch: &mut Batch<'_>,
    (contact, other): (&ContactKey, &ContactKey),
    (sender, tenant): (&Sender, TenantId),
    now: Timestamp,
) -> Step<()> {
    batch.state.conflicts += 1;
    batch.state.touch(now);
    let pair = contacts::pair(contact, other);
    // Every message says it again.
    if batch.tables.withheld.put()?.insert(pair.as_slice(), ())?.is_some() {
        return Ok(());
    }
    batch.audit(&AuditEntry {
        at: now,
        actor: GATEWAY.into(),
        action: "merge refused".into(),
        subject: contact.to_string(),
        detail: json!({
            "not_merged": other, "sender": sender.name, "sender_of_tenant": tenant,
            "reason": "a number of one tenant's says so of a contact of others",
        }),
    })
}
