//! Removes what is past its time, in slices that hold nobody up. Logs lie in order of time, so that
//! what is old is found at their beginnings.

use std::ops::Bound;
use std::sync::Mutex;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Unreadable, read_under, unpack};
use super::leaving::Leaving;
use super::rows::{Dead, Journaled, Reply, Spoken};
use crate::message::{TenantId, Timestamp};
use crate::store::rules::{dead_turns, ended, lookups, unread};
use crate::store::shared::lock::lock;
use crate::store::{AuditEntry, Retention, SendId};
use crate::template::Use;

/// At most `limit` things, roughly; how many.
pub fn prune(batch: &mut Batch<'_>, retention: &Retention, now: Timestamp, limit: usize) -> Step<usize> {
    let before = |keep_ms: i64| now.plus_ms(keep_ms.saturating_neg());
    let mut removed = dedup(batch, before(retention.dedup_ms), limit)?;
    removed += unread::prune(batch, before(retention.dedup_ms), limit.saturating_sub(removed))?;
    let log = |keep_ms: i64| Log { before: before(keep_ms), now };
    removed += history(batch, log(retention.history_ms), limit.saturating_sub(removed))?;
    let ends = (before(retention.ended_ms), before(retention.history_ms));
    removed += ended(batch, ends, limit.saturating_sub(removed))?;
    removed += journal(batch, log(retention.journal_ms), limit.saturating_sub(removed))?;
    removed += audit(batch, log(retention.audit_ms), limit.saturating_sub(removed))?;
    removed += template_uses(batch, log(retention.template_log_ms), limit.saturating_sub(removed))?;
    // As long as its notice is remembered or its lines are kept, a stranger is.
    let strangers = retention.history_ms.max(batch.index.settings.notice_every_ms);
    removed += notices(batch, before(strangers), limit.saturating_sub(removed))?;
    removed += lookups(batch, before(strangers), limit.saturating_sub(removed))?;
    Ok(removed)
}

/// A row that says of itself that it was written later than this from now tells nothing of when it was.
const AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

/// So many times as many rows are looked at as are removed, where they tell nothing.
const DOUBTFUL: usize = 50;

/// What of a log is past its time.
#[derive(Clone, Copy)]
struct Log {
    before: Timestamp,
    now: Timestamp,
}

/// How a row of a log stands to it.
enum Age {
    Old,
    Young,
    /// It cannot be read, or is from the future: it is as old as its neighbours.
    Unknown,
}

impl Log {
    fn age(self, at: Option<Timestamp>) -> Age {
        match at {
            Some(at) if at < self.before => Age::Old,
            Some(at) if at <= self.now.plus_ms(AHEAD_MS) => Age::Young,
            _ => Age::Unknown,
        }
    }

    /// Of rows in the order in which they were written those that are old. One that tells nothing of its
    /// age stops nobody: it is as old as the next that does.
    fn old<T>(self, rows: impl Iterator<Item = Step<(T, Option<Timestamp>)>>, limit: usize) -> Step<Vec<T>> {
        let (mut old, mut unknown) = (Vec::new(), Vec::new());
        for row in rows.take(limit.saturating_mul(DOUBTFUL)) {
            let (row, at) = row?;
            match self.age(at) {
                Age::Old => {
                    old.append(&mut unknown);
                    old.push(row);
                }
                Age::Young => break,
                Age::Unknown => unknown.push(row),
            }
            if old.len() >= limit {
                break;
            }
        }
        Ok(old)
    }
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

fn lookups(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let from = lock(&batch.cursors.lookup).clone();
    let (removed, next) = lookups::prune(batch, before, from.as_ref(), limit)?;
    *lock(&batch.cursors.lookup) = next;
    Ok(removed)
}

fn history(batch: &mut Batch<'_>, log: Log, limit: usize) -> Step<usize> {
    let rows = batch.tables.history.get()?.iter()?.map(|row| {
        let (place, row) = row?;
        let line = Spoken::read(row.value()).ok();
        let leaving = Leaving::of(place.value(), line.as_ref());
        Ok((leaving, line.map(|line| line.at)))
    });
    let old: Vec<Leaving> = log.old(rows, limit)?;
    old.iter().try_for_each(|line| line.leave(batch))?;
    Ok(old.len())
}

/// Dead turns, and replies that are dead or of unknown outcome. A reply's line stays for as long as the
/// others of its time. They lie by conversation: each call looks at the next `limit` of each, and goes on
/// where the last one ended.
fn ended(batch: &mut Batch<'_>, (before, lines): (Timestamp, Timestamp), limit: usize) -> Step<usize> {
    let id = |table: &'static str, name: &[u8]| {
        let (key, seq) = read_under(table, name)?;
        let seq = seq.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Ok::<_, Unreadable>(SendId { key, seq })
    };
    let mut turns = Vec::new();
    let at = |row: &[u8]| Ok(Dead::read(row)?.at);
    next_old(batch.tables.dead_turns.get()?, &batch.cursors.ended.0, (before, limit), at, &mut turns)?;
    for (name, _) in &turns {
        let id = id("dead_turns", name)?;
        dead_turns::forget(batch, &id.key, id.seq)?;
    }
    let (mut replies, left) = (Vec::new(), limit.saturating_sub(turns.len()));
    let at = |row: &[u8]| Ok(Reply::read(row)?.created_at);
    next_old(batch.tables.ended_sends.get()?, &batch.cursors.ended.1, (before, left), at, &mut replies)?;
    for (name, row) in &replies {
        let (id, reply) = (id("ended_sends", name)?, Reply::read(row)?);
        if reply.created_at < lines {
            ended::take_back(batch, &id, reply.state)?;
        } else {
            ended::give_up(batch, &id, &reply.row())?;
        }
    }
    Ok(turns.len() + replies.len())
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Of the next rows those that are older than `before`. One that cannot be read is left where it is.
fn next_old(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    cursor: &Mutex<Vec<u8>>,
    (before, limit): (Timestamp, usize),
    at: impl Fn(&[u8]) -> Result<Timestamp, Unreadable>,
    old: &mut Rows,
) -> Step<()> {
    if limit == 0 {
        return Ok(());
    }
    let from = lock(cursor).clone();
    let (mut looked, mut last) = (0, Vec::new());
    for row in table.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))?.take(limit) {
        let (name, row) = row?;
        (looked, last) = (looked + 1, name.value().to_vec());
        if at(row.value()).is_ok_and(|at| at < before) {
            old.push((last.clone(), row.value().to_vec()));
        }
    }
    *lock(cursor) = if looked == limit { last } else { Vec::new() };
    Ok(())
}

fn journal(batch: &mut Batch<'_>, log: Log, limit: usize) -> Step<usize> {
    let rows = batch.tables.journal.get()?.iter()?.map(|row| {
        let (place, row) = row?;
        let turn = Journaled::read(row.value()).ok();
        let leaving = Leaving::of_turn(place.value(), turn.as_ref());
        Ok((leaving, turn.map(|turn| turn.at)))
    });
    let old: Vec<Leaving> = log.old(rows, limit)?;
    old.iter().try_for_each(|turn| turn.leave(batch))?;
    Ok(old.len())
}

fn audit(batch: &mut Batch<'_>, log: Log, limit: usize) -> Step<usize> {
    let rows = batch.tables.audit.get()?.iter()?.map(|row| {
        let (seq, row) = row?;
        Ok((seq.value(), unpack::<AuditEntry>("audit", row.value()).ok().map(|entry| entry.at)))
    });
    let old: Vec<_> = log.old(rows, limit)?;
    for seq in &old {
        batch.tables.audit.put()?.remove(seq)?;
    }
    Ok(old.len())
}

/// They lie by tenant, and each tenant's in order: what is old stands at the beginning of each. Goes on
/// from tenant to tenant, call by call.
fn template_uses(batch: &mut Batch<'_>, log: Log, limit: usize) -> Step<usize> {
    let mut from = lock(&batch.cursors.template_tenant).to_be_bytes().to_vec();
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
        from = [key, &[0]].concat();
        match log.age(unpack::<Use>("template_uses", row.value()).ok().map(|used| used.at)) {
            Age::Old => old.push(key.to_vec()),
            Age::Unknown => {}
            Age::Young => {
                let Some(next) = tenant.checked_add(1) else { break 0 };
                from = next.to_be_bytes().to_vec();
            }
        }
    };
    *lock(&batch.cursors.template_tenant) = next;
    for key in &old {
        batch.tables.template_uses.put()?.remove(key.as_slice())?;
    }
    Ok(old.len())
}

/// Strangers lie in order of their keys, not of time: each call looks at the next `limit` of them.
fn notices(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let from = lock(&batch.cursors.stranger).clone();
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
    *lock(&batch.cursors.stranger) = if looked == limit { last.unwrap_or_default() } else { Vec::new() };
    for contact in &old {
        batch.tables.notices.put()?.remove(contact.as_slice())?;
        let mut row = TenantId::GATEWAY.get().to_be_bytes().to_vec();
        row.extend_from_slice(contact);
        batch.tables.conversations.put()?.remove(row.as_slice())?;
    }
    Ok(old.len())
}
