//! Removes what is past its time, in slices that hold nobody up. Logs lie in order of time, so that
//! what is old is found at their beginnings.

use std::collections::HashMap;
use std::ops::Bound;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Place, place, read_place, unpack};
use super::lookups;
use super::mirror::lock;
use super::rows::{Journaled, Spoken};
use super::tally::size;
use crate::message::{TenantId, Timestamp};
use crate::store::quotas::Shelf;
use crate::store::{AuditEntry, Retention};
use crate::template::Use;
use crate::tenant::quotas::Kind;

/// At most `limit` things, roughly; how many.
pub fn prune(batch: &mut Batch<'_>, retention: &Retention, now: Timestamp, limit: usize) -> Step<usize> {
    let before = |keep_ms: i64| now.plus_ms(keep_ms.saturating_neg());
    let mut removed = dedup(batch, before(retention.dedup_ms), limit)?;
    removed += history(batch, before(retention.history_ms), limit.saturating_sub(removed))?;
    removed += journal(batch, before(retention.journal_ms), limit.saturating_sub(removed))?;
    removed += audit(batch, before(retention.audit_ms), limit.saturating_sub(removed))?;
    removed += template_uses(batch, before(retention.template_log_ms), limit.saturating_sub(removed))?;
    // As long as its notice is remembered or its lines are kept, a stranger is.
    let strangers = retention.history_ms.max(batch.mirror.settings.notice_every_ms);
    removed += notices(batch, before(strangers), limit.saturating_sub(removed))?;
    removed += lookups::prune(batch, before(strangers), limit.saturating_sub(removed))?;
    Ok(removed)
}

/// How far tenants are trimmed that keep more than their quotas allow.
#[derive(Debug, Default)]
pub struct Trims(HashMap<(Shelf, TenantId), Trim>);

impl Trims {
    pub fn extend(&mut self, come: Trims) {
        self.0.extend(come.0);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Trim {
    /// Nothing of the tenant lies before this.
    from: u64,
    /// So many bytes are to go.
    left: u64,
}

/// No slice reads more than this.
const TRIM_BYTES: u64 = 16 << 20;

/// Removes the oldest journal entries and lines of tenants that keep more than they may, until they are
/// a tenth below it. Rows lie in order of arrival, whoever they belong to: a tenant's are looked for from
/// where its last ones were found. Looks at `limit` rows at most; how many.
/// How far it came is kept by the caller, once it is committed.
pub fn trim(batch: &mut Batch<'_>, limit: usize) -> Step<(usize, Trims)> {
    let (mut looked, mut come) = (0, Trims::default());
    for (shelf, kind) in [(Shelf::Journal, Kind::JournalBytes), (Shelf::History, Kind::HistoryBytes)] {
        let mut trims = begin(batch, shelf, kind);
        if let Some(first) = trims.values().map(|trim| trim.from).min() {
            looked += trim_shelf(batch, shelf, first, &mut trims, limit.saturating_sub(looked))?;
            come.0.extend(trims.into_iter().map(|(tenant, trim)| ((shelf, tenant), trim)));
        }
    }
    Ok((looked, come))
}

/// Of whom something is to go.
fn begin(batch: &Batch<'_>, shelf: Shelf, kind: Kind) -> HashMap<TenantId, Trim> {
    let known = lock(&batch.mirror.trims);
    let mut trims = HashMap::new();
    for (tenant, usage) in batch.mirror.usages() {
        let (bytes, most) = (usage.of(shelf).bytes, batch.mirror.quotas_of(tenant).of(kind));
        let mut trim = known.0.get(&(shelf, tenant)).copied().unwrap_or_default();
        if bytes > most {
            trim.left = bytes - (most - most / 10);
        }
        if trim.left > 0 {
            trims.insert(tenant, trim);
        }
    }
    trims
}

fn trim_shelf(
    batch: &mut Batch<'_>,
    shelf: Shelf,
    first: u64,
    trims: &mut HashMap<TenantId, Trim>,
    limit: usize,
) -> Step<usize> {
    let first = place(first, TenantId::GATEWAY);
    let (mut old, mut looked, mut bytes) = (Vec::new(), 0, 0);
    let range = match shelf {
        Shelf::Journal => batch.tables.journal.get()?.range::<&Place>(&first..)?,
        _ => batch.tables.history.get()?.range::<&Place>(&first..)?,
    };
    let mut end = u64::MAX;
    for row in range {
        let (key, row) = row?;
        let (seq, tenant) = read_place(key.value());
        if looked == limit || bytes > TRIM_BYTES {
            end = seq;
            break;
        }
        let size = size(key.value(), row.value()).unsigned_abs();
        (looked, bytes) = (looked + 1, bytes + size);
        let Some(trim) = trims.get_mut(&tenant).filter(|trim| trim.left > 0 && trim.from <= seq) else {
            continue;
        };
        (trim.left, trim.from) = (trim.left.saturating_sub(size), seq);
        let sent_id = if shelf == Shelf::History { Spoken::read(row.value()).ok() } else { None };
        old.push((*key.value(), sent_id.and_then(|line| line.sent_id)));
    }
    for trim in trims.values_mut().filter(|trim| trim.left > 0) {
        match end {
            // There is nothing more of it.
            u64::MAX => trim.left = 0,
            end => trim.from = trim.from.max(end),
        }
    }
    for (place, sent_id) in &old {
        match shelf {
            Shelf::Journal => drop(batch.tables.journal.put()?.remove(place)?),
            _ => drop(batch.tables.history.put()?.remove(place)?),
        }
        if let Some(sent_id) = sent_id {
            batch.tables.sent_ids.put()?.remove(sent_id)?;
        }
    }
    Ok(looked)
}

/// A commit's records leave together: at most a group too many.
fn dedup(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut end = [0; 16];
    end[..8].copy_from_slice(&(before.as_ms().max(0) as u64).to_be_bytes());
    let (mut rows, mut removed) = (Vec::new(), 0);
    if limit > 0 {
        for row in
            batch.tables.dedup_log.get()?.range::<&[u8; 16]>((Bound::Unbounded, Bound::Excluded(&end)))?
        {
            let (key, hashes) = row?;
            removed += hashes.value().len() / 16;
            rows.push((*key.value(), hashes.value().to_vec()));
            if removed >= limit {
                break;
            }
        }
    }
    for (key, hashes) in rows {
        for hash in hashes.as_chunks::<16>().0 {
            batch.tables.dedup.put()?.remove(hash)?;
        }
        batch.tables.dedup_log.put()?.remove(&key)?;
    }
    Ok(removed)
}

fn history(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut old: Vec<(Place, Option<[u8; 16]>)> = Vec::new();
    for row in batch.tables.history.get()?.iter()?.take(limit) {
        let (place, row) = row?;
        let line = Spoken::read(row.value())?;
        if line.at >= before {
            break;
        }
        old.push((*place.value(), line.sent_id));
    }
    for (place, sent_id) in &old {
        batch.tables.history.put()?.remove(place)?;
        if let Some(sent_id) = sent_id {
            batch.tables.sent_ids.put()?.remove(sent_id)?;
        }
    }
    Ok(old.len())
}

fn journal(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut old: Vec<Place> = Vec::new();
    for row in batch.tables.journal.get()?.iter()?.take(limit) {
        let (place, row) = row?;
        if Journaled::read(row.value())?.at >= before {
            break;
        }
        old.push(*place.value());
    }
    for place in &old {
        batch.tables.journal.put()?.remove(place)?;
    }
    Ok(old.len())
}

fn audit(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut old = Vec::new();
    for row in batch.tables.audit.get()?.iter()?.take(limit) {
        let (seq, row) = row?;
        if unpack::<AuditEntry>("audit", row.value())?.at >= before {
            break;
        }
        old.push(seq.value());
    }
    for seq in &old {
        batch.tables.audit.put()?.remove(seq)?;
    }
    Ok(old.len())
}

/// They lie by tenant, and each tenant's in order: what is old stands at the beginning of each. Goes on
/// from tenant to tenant, call by call.
fn template_uses(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut from = lock(&batch.mirror.template_tenant).to_be_bytes().to_vec();
    let mut old: Vec<Vec<u8>> = Vec::new();
    let mut looked = 0;
    let next = loop {
        if looked >= limit {
            break from.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        }
        looked += 1;
        let table = batch.tables.template_uses.get()?;
        let Some(row) = table.range::<&[u8]>((Bound::Included(from.as_slice()), Bound::Unbounded))?.next()
        else {
            break 0;
        };
        let (key, row) = row?;
        let key = key.value();
        let tenant = key.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if unpack::<Use>("template_uses", row.value())?.at < before {
            old.push(key.to_vec());
            from = [key, &[0]].concat();
        } else {
            let Some(next) = tenant.checked_add(1) else { break 0 };
            from = next.to_be_bytes().to_vec();
        }
    };
    *lock(&batch.mirror.template_tenant) = next;
    for key in &old {
        batch.tables.template_uses.put()?.remove(key.as_slice())?;
    }
    Ok(old.len())
}

/// Strangers lie in order of their keys, not of time: each call looks at the next `limit` of them.
fn notices(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let from = lock(&batch.mirror.stranger).clone();
    let (mut old, mut last) = (Vec::new(), None);
    let mut looked = 0;
    for row in
        batch.tables.notices.get()?.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))?
    {
        if looked == limit {
            break;
        }
        looked += 1;
        let (contact, told) = row?;
        last = Some(contact.value().to_vec());
        if told.value() < before.as_ms() {
            old.push(contact.value().to_vec());
        }
    }
    *lock(&batch.mirror.stranger) = if looked == limit { last.unwrap_or_default() } else { Vec::new() };
    for contact in &old {
        batch.tables.notices.put()?.remove(contact.as_slice())?;
        let mut row = TenantId::GATEWAY.get().to_be_bytes().to_vec();
        row.extend_from_slice(contact);
        batch.tables.conversations.put()?.remove(row.as_slice())?;
    }
    Ok(old.len())
}
