//! What the operator changes. Each change writes the audit log in the same commit.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::pack;
use super::secrets;
use crate::event::SessionChange;
use crate::message::{ContactKey, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::rows::Rows as _;
use crate::store::rows::contact::Contact;
use crate::store::rows::known_by::KnownBy;
use crate::store::rules::handover;
use crate::store::rules::merge::unify;
use crate::store::rules::{contact_tenants, contacts};
use crate::store::shared::effect::Effect;
use crate::store::{ApiKey, AuditEntry, Error, ImportReport};
use crate::tenant::{Directory, Organization, Secret, Sender, Tenant};

/// Locks that are imported in one commit.
pub const CHUNK: usize = 10_000;

/// Who did what, for the audit log.
pub fn entry(
    actor: &str,
    action: &str,
    subject: impl ToString,
    detail: serde_json::Value,
    at: Timestamp,
) -> AuditEntry {
    AuditEntry { at, actor: actor.into(), action: action.into(), subject: subject.to_string(), detail }
}

pub fn put_organization(batch: &mut Batch<'_>, organization: &Organization, by: &AuditEntry) -> Step<()> {
    batch.tables.organizations.put()?.insert(organization.id.0, pack(organization).as_slice())?;
    batch.changes.effects.push(Effect::Organization(organization.clone()));
    batch.audit(by)
}

pub fn put_tenant(batch: &mut Batch<'_>, tenant: &Tenant, by: &AuditEntry) -> Step<()> {
    if tenant.id == TenantId::GATEWAY {
        return Err(Error::Conflict("tenant 0 is the gateway itself".into()).into());
    }
    if batch.tables.organizations.get()?.get(tenant.organization.0)?.is_none() {
        let what = format!("tenant {}: there is no organization {}", tenant.id, tenant.organization);
        return Err(Error::Conflict(what).into());
    }
    batch.tables.tenants.put()?.insert(tenant.id.get(), pack(tenant).as_slice())?;
    batch.changes.effects.push(Effect::Tenant(tenant.clone()));
    batch.audit(by)
}

pub fn put_sender(batch: &mut Batch<'_>, sender: &Sender, by: &AuditEntry) -> Step<()> {
    if let Some(tenant) = sender.tenant
        && batch.tables.tenants.get()?.get(tenant.get())?.is_none()
    {
        return Err(Error::Conflict(format!("sender {}: there is no tenant {tenant}", sender.name)).into());
    }
    for row in batch.tables.senders.get()?.iter()? {
        let other: Sender = super::codec::unpack("senders", row?.1.value())?;
        if other.name == sender.name && other.tenant != sender.tenant {
            return Err(Error::Conflict(handover::not_here(&other, sender.tenant)).into());
        }
        if other.name != sender.name
            && other.provider() == sender.provider()
            && other.account == sender.account
        {
            let what = format!(
                "sender {}: the {} account {:?} is sender {}'s already",
                sender.name,
                sender.provider(),
                sender.account,
                other.name
            );
            return Err(Error::Conflict(what).into());
        }
    }
    let kept = batch.index.directory.load().waha().take_back(sender.clone());
    write_sender(batch, &kept)?;
    batch.audit(by)
}

/// `sender`: without what the configuration lends it.
pub fn write_sender(batch: &mut Batch<'_>, sender: &Sender) -> Step<()> {
    let row = secrets::sealed(&batch.index.keys.load(), sender)?;
    batch.tables.senders.put()?.insert(sender.name.as_str(), row.as_slice())?;
    batch.changes.owners.insert(sender.name.clone(), sender.tenant);
    batch.changes.effects.push(Effect::Sender(sender.clone()));
    Ok(())
}

pub fn put_api_key(batch: &mut Batch<'_>, key: &ApiKey, by: &AuditEntry) -> Step<()> {
    batch.tables.api_keys.put()?.insert(key.hash.as_str(), pack(key).as_slice())?;
    batch.audit(by)
}

pub fn remove_api_key(batch: &mut Batch<'_>, hash: &str, actor: &str, now: Timestamp) -> Step<ApiKey> {
    let known = batch.tables.api_keys.get()?.get(hash)?;
    let known: Option<ApiKey> = known.map(|row| super::codec::unpack("api_keys", row.value())).transpose()?;
    let key = known.ok_or_else(|| Error::NotFound("there is no such key".into()))?;
    batch.tables.api_keys.put()?.remove(hash)?;
    let subject = key.tenant.map_or("operator".to_owned(), |tenant| format!("tenant {tenant}"));
    batch.audit(&entry(actor, "remove api key", subject, serde_json::json!({ "name": key.name }), now))?;
    Ok(key)
}

pub fn record_session(batch: &mut Batch<'_>, sender: &str, change: &SessionChange) -> Step<()> {
    let known = batch.tables.sessions.get()?.get(sender)?;
    let known: Option<SessionChange> =
        known.map(|row| super::codec::unpack("sessions", row.value())).transpose()?;
    // Events come out of order; an older one tells nothing new.
    if known.is_some_and(|known| known.at > change.at) {
        return Ok(());
    }
    batch.tables.sessions.put()?.insert(sender, pack(change).as_slice())?;
    Ok(())
}

pub fn unlock(batch: &mut Batch<'_>, contact: &ContactKey, actor: &str, now: Timestamp) -> Step<Lock> {
    let known = contacts::resolve(batch, contact, &[])?;
    let lock = known.lock.ok_or_else(|| Error::NotFound(format!("{contact} has no tenant")))?;
    batch.tables.contacts.put()?.remove(known.canonical.as_str().as_bytes())?;
    // None of its keys is locked any more, should they be told apart later.
    for alias in contacts::keys_of(batch, &known.canonical)?.into_iter().skip(1) {
        if let Some(row) = contacts::row(batch, &alias)? {
            contacts::put(batch, &alias, &Contact { former: None, replaced: None, ..row })?;
        }
    }
    // Its conversation stays, and no lock tells of it any more.
    contact_tenants::put(batch, &known.canonical, lock.tenant, KnownBy::Shared)?;
    batch.changes.count_lock(lock.tenant, -1);
    batch.changes.state.touch(now);
    let detail = serde_json::json!({ "previous_tenant": lock.tenant, "since": lock.since.to_string() });
    batch.audit(&entry(actor, "unlock", &known.canonical, detail, now))?;
    Ok(lock)
}

/// What an import comes to. Locks are considered in the order of their contacts, those of one
/// contact in the order of the file.
pub struct Import {
    directory: Arc<Directory>,
    pub report: ImportReport,
    /// The lock that was found right before, to be made.
    last: Option<(ContactKey, TenantId)>,
}

impl Import {
    pub fn new(directory: Arc<Directory>) -> Self {
        Import { directory, report: ImportReport::default(), last: None }
    }

    /// Is this lock to be made? `found`: the contact's lock so far.
    pub fn consider(&mut self, contact: &ContactKey, tenant: TenantId, found: Option<TenantId>) -> bool {
        let conflict = if self.directory.tenant(tenant).is_none() {
            format!("{contact}: there is no tenant {tenant}")
        } else if let Some(found) = found {
            format!("{contact}: locked to {found}, the file says {tenant}")
        } else {
            match &self.last {
                Some((last, said)) if last == contact => {
                    format!("{contact}: the file says {said} first, {tenant} later")
                }
                _ => {
                    self.last = Some((contact.clone(), tenant));
                    self.report.imported += 1;
                    return true;
                }
            }
        };
        let said = self.last.as_ref().filter(|(last, _)| last == contact).map(|(_, said)| *said);
        if found.or(said) == Some(tenant) {
            self.report.unchanged += 1;
        } else {
            self.report.conflicts.push(conflict);
        }
        false
    }
}

/// Everything but what may not be shown.
pub fn without_secrets(sender: &Sender) -> serde_json::Value {
    let mut hidden = sender.clone();
    for (_, secret) in hidden.secrets_mut() {
        *secret = Secret::default();
    }
    serde_json::json!(hidden)
}

/// Those locks that are to be made, in key order; the others are in the report.
pub fn sift(
    snapshot: &ReadTransaction,
    import: &mut Import,
    mut locks: Vec<(ContactKey, TenantId)>,
) -> Step<Vec<(ContactKey, TenantId)>> {
    // Stable, here and below: of a contact that comes twice, the first word stays the first.
    locks.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut found = Vec::with_capacity(locks.len());
    for (contact, tenant) in locks {
        let (canonical, lock) = contacts::find(snapshot, &contact)?;
        found.push((canonical, tenant, lock.map(|lock| lock.tenant)));
    }
    found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    found.retain(|(contact, tenant, found)| import.consider(contact, *tenant, *found));
    Ok(found.into_iter().map(|(contact, tenant, _)| (contact, tenant)).collect())
}

/// The writer looks again: a contact may have come with a link since the snapshot.
/// `so_far`: what is known of this part of the import already; the audit log tells the sum.
pub fn import(
    batch: &mut Batch<'_>,
    locks: &[(ContactKey, TenantId)],
    so_far: &ImportReport,
    actor: &str,
    now: Timestamp,
) -> Step<ImportReport> {
    let mut import = Import::new(batch.index.directory.load_full());
    import.report = so_far.clone();
    for (contact, tenant) in locks {
        let known = contacts::resolve(batch, contact, &[])?;
        if import.consider(&known.canonical, *tenant, known.lock.map(|lock| lock.tenant)) {
            let lock = Lock { tenant: *tenant, since: now, attribution: None, sender: None };
            batch.changes.count_lock(*tenant, 1);
            contacts::put(batch, &known.canonical, &Contact { lock: Some(lock), ..Contact::default() })?;
            unify::gain(batch, *tenant, &known.canonical)?;
        }
    }
    batch.changes.state.touch(now);
    let report = import.report;
    let detail = serde_json::json!({
        "imported": report.imported, "unchanged": report.unchanged, "conflicts": report.conflicts.len(),
    });
    batch.audit(&entry(actor, "import locks", "", detail, now))?;
    Ok(report)
}
