//! Locks that are brought along in a file.

use std::sync::Arc;

use crate::message::{ContactKey, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::ImportReport;
use crate::store::audit::entry;
use crate::store::rows::{ReadRows, Rows, Step};
use crate::store::rules::contacts;
use crate::store::rules::merge::unify;
use crate::tenant::Directory;

/// Locks that are imported in one commit.
pub const CHUNK: usize = 10_000;

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

/// Those locks that are to be made, in key order; the others are in the report.
pub fn sift(
    rows: &impl ReadRows,
    import: &mut Import,
    mut locks: Vec<(ContactKey, TenantId)>,
) -> Step<Vec<(ContactKey, TenantId)>> {
    // Stable, here and below: of a contact that comes twice, the first word stays the first.
    locks.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut found = Vec::with_capacity(locks.len());
    for (contact, tenant) in locks {
        let (canonical, lock) = contacts::find(rows, &contact)?;
        found.push((canonical, tenant, lock.map(|lock| lock.tenant)));
    }
    found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    found.retain(|(contact, tenant, found)| import.consider(contact, *tenant, *found));
    Ok(found.into_iter().map(|(contact, tenant, _)| (contact, tenant)).collect())
}

/// Looks again: a contact may have come with a link since it was sifted.
/// `so_far`: what is known of this part of the import already; the audit log tells the sum.
pub fn import(
    rows: &mut impl Rows,
    locks: &[(ContactKey, TenantId)],
    so_far: &ImportReport,
    actor: &str,
    now: Timestamp,
) -> Step<ImportReport> {
    let mut import = Import::new(rows.index().directory.load_full());
    import.report = so_far.clone();
    for (contact, tenant) in locks {
        let known = contacts::resolve(rows, contact, &[])?;
        if import.consider(&known.canonical, *tenant, known.lock.map(|lock| lock.tenant)) {
            let lock = Lock { tenant: *tenant, since: now, attribution: None, sender: None };
            contacts::lock(rows, &known.canonical, lock)?;
            unify::gain(rows, *tenant, &known.canonical)?;
        }
    }
    rows.touch(now);
    let report = import.report;
    let detail = serde_json::json!({
        "imported": report.imported, "unchanged": report.unchanged, "conflicts": report.conflicts.len(),
    });
    rows.audit(&entry(actor, "import locks", "", detail, now))?;
    Ok(report)
}
