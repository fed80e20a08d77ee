//! Removes what is past its time, in slices that hold nobody up. Logs lie in order of time, so that
//! what is old is found at their beginnings.

use std::ops::ControlFlow;

use super::leaving::Leaving;
use super::{dead_turns, ended, lookups, unread};
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::store::rows::place::Place;
use crate::store::rows::{
    Audit, Conversations, DeadTurns, Dedup, DedupLog, EndedSends, Family, History, Journal, Notices, Read,
    ReadTable, Rows, Step, TemplateUses,
};
use crate::store::shared::cursors::{Ended, Prunes};
use crate::store::{Retention, SendId};

/// At most `limit` things, roughly; how many, and how far it came, which the caller keeps once it is committed.
pub fn prune(
    rows: &mut impl Rows,
    from: &Prunes,
    retention: &Retention,
    now: Timestamp,
    limit: usize,
) -> Step<(usize, Prunes)> {
    let mut at = from.clone();
    let before = |keep_ms: i64| now.plus_ms(keep_ms.saturating_neg());
    let mut removed = dedup(rows, before(retention.dedup_ms), limit)?;
    removed += unread::prune(rows, before(retention.dedup_ms), limit.saturating_sub(removed))?;
    let log = |keep_ms: i64| Log { before: before(keep_ms), now };
    removed += history(rows, log(retention.history_ms), limit.saturating_sub(removed))?;
    let ends = (before(retention.ended_ms), before(retention.history_ms));
    removed += ended(rows, &mut at, ends, limit.saturating_sub(removed))?;
    removed += journal(rows, log(retention.journal_ms), limit.saturating_sub(removed))?;
    removed += audit(rows, log(retention.audit_ms), limit.saturating_sub(removed))?;
    removed += template_uses(rows, &mut at, log(retention.template_log_ms), limit.saturating_sub(removed))?;
    // As long as its notice is remembered or its lines are kept, a stranger is.
    let strangers = retention.history_ms.max(rows.index().settings.notice_every_ms);
    removed += notices(rows, &mut at.stranger, before(strangers), limit.saturating_sub(removed))?;
    let (gone, next) =
        lookups::prune(rows, before(strangers), at.lookup.as_ref(), limit.saturating_sub(removed))?;
    at.lookup = next;
    Ok((removed + gone, at))
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
    /// age stops nobody: it is as old as the next that does. `tell`: what leaves with a row, and how old it is.
    fn old<F: Family, T>(
        self,
        rows: &impl ReadTable<F>,
        limit: usize,
        tell: impl Fn(F::Key, Read<F::Row>) -> (T, Option<Timestamp>),
    ) -> Step<Vec<T>> {
        let (mut old, mut unknown, mut looked) = (Vec::new(), Vec::new(), 0);
        let most = limit.saturating_mul(DOUBTFUL);
        if most == 0 {
            return Ok(old);
        }
        rows.scan_rows(None, &mut |key, row| {
            looked += 1;
            let (leaving, at) = tell(key, row);
            match self.age(at) {
                Age::Old => {
                    old.append(&mut unknown);
                    old.push(leaving);
                }
                Age::Young => return Ok(ControlFlow::Break(())),
                Age::Unknown => unknown.push(leaving),
            }
            let enough = old.len() >= limit || looked >= most;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(old)
    }
}

/// A commit's records leave together: at most a group too many.
fn dedup(rows: &mut impl Rows, before: Timestamp, limit: usize) -> Step<usize> {
    let (mut old, mut removed) = (Vec::new(), 0);
    if limit > 0 {
        ReadTable::<DedupLog>::scan_rows(rows, None, &mut |key, hashes| {
            if key.0 >= before {
                return Ok(ControlFlow::Break(()));
            }
            let hashes = hashes?;
            removed += hashes.len();
            old.push((key, hashes));
            Ok(if removed >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    for (key, hashes) in old {
        for hash in &hashes {
            rows.remove::<Dedup>(hash)?;
        }
        rows.remove::<DedupLog>(&key)?;
    }
    Ok(removed)
}

fn history(rows: &mut impl Rows, log: Log, limit: usize) -> Step<usize> {
    let old = log.old::<History, _>(rows, limit, |place: Place, line| {
        let line = line.ok();
        (Leaving::of(place, line.as_ref()), line.map(|line| line.at))
    })?;
    old.iter().try_for_each(|line| line.leave(rows))?;
    Ok(old.len())
}

fn journal(rows: &mut impl Rows, log: Log, limit: usize) -> Step<usize> {
    let old = log.old::<Journal, _>(rows, limit, |place: Place, turn| {
        let turn = turn.ok();
        (Leaving::of_turn(place, turn.as_ref()), turn.map(|turn| turn.at))
    })?;
    old.iter().try_for_each(|turn| turn.leave(rows))?;
    Ok(old.len())
}

fn audit(rows: &mut impl Rows, log: Log, limit: usize) -> Step<usize> {
    let old = log.old::<Audit, _>(rows, limit, |seq, row| {
        let at = row.and_then(|row| row.entry()).ok().map(|entry| entry.at);
        (seq, at)
    })?;
    for seq in &old {
        rows.remove::<Audit>(seq)?;
    }
    Ok(old.len())
}

/// Dead turns, and replies that are dead or of unknown outcome. A reply's line stays for as long as the
/// others of its time. They lie by conversation: each call looks at the next `limit` of each, and goes on
/// where the last one ended.
fn ended(
    rows: &mut impl Rows,
    at: &mut Prunes,
    (before, lines): (Timestamp, Timestamp),
    limit: usize,
) -> Step<usize> {
    let turns = next_old::<DeadTurns>(rows, &mut at.dead_turn, (before, limit), |turn| turn.at)?;
    for ((key, seq), _) in &turns {
        dead_turns::forget(rows, key, *seq)?;
    }
    let left = limit.saturating_sub(turns.len());
    let replies = next_old::<EndedSends>(rows, &mut at.ended_send, (before, left), |reply| reply.created_at)?;
    let removed = turns.len() + replies.len();
    for ((key, seq), reply) in replies {
        let id = SendId { key, seq };
        if reply.created_at < lines {
            ended::take_back(rows, &id, reply.state)?;
        } else {
            ended::give_up(rows, &id, &reply)?;
        }
    }
    Ok(removed)
}

/// Of the next rows those that are older than `before`. One that cannot be read is left where it is.
fn next_old<F: Family<Key = Ended>>(
    rows: &impl ReadTable<F>,
    cursor: &mut Option<Ended>,
    (before, limit): (Timestamp, usize),
    at: impl Fn(&F::Row) -> Timestamp,
) -> Step<Vec<(Ended, F::Row)>> {
    let mut old = Vec::new();
    if limit == 0 {
        return Ok(old);
    }
    let after = cursor.take();
    let (mut looked, mut last) = (0, None);
    rows.scan_rows(after.as_ref(), &mut |name, row| {
        if after.as_ref() == Some(&name) {
            return Ok(ControlFlow::Continue(()));
        }
        (looked, last) = (looked + 1, Some(name.clone()));
        if let Ok(row) = row
            && at(&row) < before
        {
            old.push((name, row));
        }
        Ok(if looked == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    *cursor = last.filter(|_| looked == limit);
    Ok(old)
}

/// They lie by tenant, and each tenant's in order: what is old stands at the beginning of each. Goes on
/// from tenant to tenant, call by call.
fn template_uses(rows: &mut impl Rows, at: &mut Prunes, log: Log, limit: usize) -> Step<usize> {
    let mut from = (TenantId::from_stored(at.template_tenant), 0);
    let mut old = Vec::new();
    let mut looked = 0;
    let next = loop {
        if looked >= limit {
            break from.0.get();
        }
        looked += 1;
        let Some((key, used)) = rows.first_row::<TemplateUses>(&from)? else { break 0 };
        let (tenant, place) = key;
        let of_next = || tenant.get().checked_add(1).map(|next| (TenantId::from_stored(next), 0));
        let beside = place.checked_add(1).map(|next| (tenant, next));
        let next = match log.age(used.ok().map(|used| used.at)) {
            Age::Old => {
                old.push(key);
                beside.or_else(of_next)
            }
            Age::Unknown => beside.or_else(of_next),
            Age::Young => of_next(),
        };
        match next {
            Some(next) => from = next,
            None => break 0,
        }
    };
    at.template_tenant = next;
    for key in &old {
        rows.remove::<TemplateUses>(key)?;
    }
    Ok(old.len())
}

/// Strangers lie in order of their keys, not of time: each call looks at the next `limit` of them.
fn notices(
    rows: &mut impl Rows,
    cursor: &mut Option<ContactKey>,
    before: Timestamp,
    limit: usize,
) -> Step<usize> {
    if limit == 0 {
        return Ok(0);
    }
    let after = cursor.take();
    let (mut old, mut last, mut looked) = (Vec::new(), None, 0);
    ReadTable::<Notices>::scan_rows(rows, after.as_ref(), &mut |contact, told| {
        if after.as_ref() == Some(&contact) {
            return Ok(ControlFlow::Continue(()));
        }
        (looked, last) = (looked + 1, Some(contact.clone()));
        if told? < before {
            old.push(contact);
        }
        Ok(if looked == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    *cursor = last.filter(|_| looked == limit);
    let removed = old.len();
    for contact in old {
        rows.remove::<Notices>(&contact)?;
        rows.remove::<Conversations>(&ConversationKey { tenant: TenantId::GATEWAY, contact })?;
    }
    Ok(removed)
}
