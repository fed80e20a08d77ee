//! What waits and what gave up, for the operator, and the operator's word on it.

use std::hash::Hash;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Place, after_prefix, conversation_prefix, place, read_under, under};
use super::dead;
use super::mirror::{Effect, Mirror};
use super::pages::Free;
use super::rows::{Dead, Reply, Waiting};
use super::sends::text;
use super::tables::define;
use super::turns::trigger;
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::schedule::Schedule;
use crate::store::pages::Page;
use crate::store::{Error, Filter, InboxId, SendId, SendSummary, TurnState, TurnSummary};

/// Undoes [`text`]. A contact's key may hold anything, so the ends decide.
pub fn parse(text: &str) -> Option<SendId> {
    let (tenant, rest) = text.split_once('-')?;
    let (contact, seq) = rest.rsplit_once('-')?;
    let tenant = TenantId::from_stored(tenant.parse().ok()?);
    let key = ConversationKey { tenant, contact: ContactKey::from_stored(contact) };
    Some(SendId { key, seq: seq.parse().ok()? })
}

fn matches(filter: &Filter, key: &ConversationKey) -> bool {
    filter.tenant.is_none_or(|tenant| tenant == key.tenant)
        && filter.contact.as_ref().is_none_or(|contact| *contact == key.contact)
}

/// The pending items of a schedule that the filter lets through: its limit, and one to tell that there are
/// others.
fn select<G, I>(schedule: &Schedule<ConversationKey, G, I>, filter: &Filter) -> Vec<(ConversationKey, I)>
where
    G: Clone + Eq + Hash,
    I: Ord + Clone,
{
    let first = filter.tenant.map(|tenant| ConversationKey {
        tenant,
        contact: filter.contact.clone().unwrap_or_else(|| ContactKey::from_stored("")),
    });
    let from = first.as_ref().map_or(Bound::Unbounded, Bound::Included);
    let tenant = |key: &ConversationKey| filter.tenant.is_none_or(|tenant| tenant == key.tenant);
    // Whoever waits for one conversation does not pass all those behind it.
    let only = first.as_ref().filter(|_| filter.contact.is_some());
    let within = schedule
        .from(from)
        .take_while(|(key, _)| only.map_or_else(|| tenant(key), |only| only == *key))
        .filter(|(key, _)| matches(filter, key));
    within
        .flat_map(|(key, items)| items.map(move |id| (key.clone(), id.clone())))
        .take(filter.limit.saturating_add(1))
        .collect()
}

/// The range of keys under a tenant, and one of its conversations if the filter names both.
fn range_of(filter: &Filter) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let prefix = match (filter.tenant, &filter.contact) {
        (None, _) => return (Bound::Unbounded, Bound::Unbounded),
        (Some(tenant), None) => tenant.get().to_be_bytes().to_vec(),
        (Some(tenant), Some(contact)) => {
            conversation_prefix(&ConversationKey { tenant, contact: contact.clone() })
        }
    };
    let end = after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
    (Bound::Included(prefix), end)
}

type Named = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type Placed = redb::ReadOnlyTable<&'static Place, &'static [u8]>;

/// Something that is listed: its place, whose it is, and its row if it has ended.
type Found = (u64, ConversationKey, Option<Vec<u8>>);

/// The rows of a table of ended things that the filter lets through, as many as a page holds. Whether there
/// are others.
fn ended(table: &Named, name: &'static str, filter: &Filter, bytes: usize) -> Step<(Vec<Found>, bool)> {
    let (from, to) = range_of(filter);
    let range = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
    let mut free = Free::new(filter.limit, bytes);
    let mut rows = Vec::new();
    for row in ReadableTable::range::<&[u8]>(table, range)? {
        let (name_of, row) = row?;
        let (key, seq) = read_under(name, name_of.value())?;
        let Some(seq) = seq.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { continue };
        if !matches(filter, &key) {
            continue;
        }
        if !free.take(row.value().len()) {
            return Ok((rows, true));
        }
        rows.push((seq, key, Some(row.value().to_vec())));
    }
    Ok((rows, false))
}

/// What fits of what was found, in order of the places. `show` is told whether the row is of what has ended.
fn page<T>(
    (mut found, mut more): (Vec<Found>, bool),
    (limit, bytes): (usize, usize),
    waiting: &Placed,
    show: impl Fn(&ConversationKey, u64, &[u8], bool) -> Step<Option<T>>,
) -> Step<Page<T>> {
    found.sort_by_key(|(seq, ..)| *seq);
    let mut free = Free::new(limit, bytes);
    let mut entries = Vec::new();
    for (seq, key, ended) in &found {
        let row = match ended {
            Some(_) => None,
            None => ReadableTable::get(waiting, &place(*seq, key.tenant))?,
        };
        let row = ended.as_deref().or_else(|| row.as_ref().map(|row| row.value()));
        let Some(row) = row else { continue };
        if !free.take(row.len()) {
            more = true;
            break;
        }
        entries.extend(show(key, *seq, row, ended.is_some())?);
    }
    Ok(Page { entries, more })
}

/// In order of arrival.
pub fn turns(
    mirror: &Mirror,
    snapshot: impl FnOnce() -> Step<ReadTransaction>,
    filter: &Filter,
    bytes: usize,
) -> Step<Page<TurnSummary>> {
    let waiting = if filter.ended { Vec::new() } else { select(&mirror.turns(), filter) };
    let snapshot = snapshot()?;
    let (mut found, more) = ended(&snapshot.open_table(define::dead_turns)?, "dead_turns", filter, bytes)?;
    found.extend(waiting.into_iter().map(|(key, id)| (id.seq, key, None)));
    let inbox = snapshot.open_table(define::inbox)?;
    page((found, more), (filter.limit, bytes), &inbox, |key, seq, row, dead| {
        if dead { dead_turn(key, seq, row) } else { waiting_turn(key, seq, row).map(Some) }
    })
}

/// One of them.
pub fn turn(snapshot: &ReadTransaction, SendId { key, seq }: &SendId) -> Step<Option<TurnSummary>> {
    let dead = snapshot.open_table(define::dead_turns)?;
    if let Some(row) = ReadableTable::get(&dead, under(key, &seq.to_be_bytes()).as_slice())? {
        return dead_turn(key, *seq, row.value());
    }
    let inbox = snapshot.open_table(define::inbox)?;
    let Some(row) = ReadableTable::get(&inbox, &place(*seq, key.tenant))? else { return Ok(None) };
    let is_theirs = Waiting::read(row.value())?.contact == key.contact.as_str();
    is_theirs.then(|| waiting_turn(key, *seq, row.value())).transpose()
}

fn dead_turn(key: &ConversationKey, seq: u64, row: &[u8]) -> Step<Option<TurnSummary>> {
    let dead = Dead::read(row)?;
    let Some((_, entry)) = dead.entries.first() else { return Ok(None) };
    let mut summary = summary(key, seq, &Waiting::read(entry)?, TurnState::Dead)?;
    summary.at = dead.at;
    summary.error = Some(dead.error.to_owned());
    Ok(Some(summary))
}

fn waiting_turn(key: &ConversationKey, seq: u64, row: &[u8]) -> Step<TurnSummary> {
    summary(key, seq, &Waiting::read(row)?, TurnState::Waiting)
}

/// No more of what waits in a conversation is looked at.
const LOOKED_AT: usize = 1_000;

/// Does nothing wait that is due? A timer that is not due yet is no work; a turn that failed and is tried
/// again is.
pub fn is_settled(
    mirror: &Mirror,
    snapshot: impl FnOnce() -> Step<ReadTransaction>,
    key: &ConversationKey,
    now: Timestamp,
) -> Step<bool> {
    let waiting: Vec<u64> = mirror.turns().items(key).take(LOOKED_AT).map(|id| id.seq).collect();
    if waiting.is_empty() {
        return Ok(true);
    }
    let inbox = snapshot()?.open_table(define::inbox)?;
    for seq in waiting {
        let Some(row) = ReadableTable::get(&inbox, &place(seq, key.tenant))? else { continue };
        let entry = Waiting::read(row.value())?;
        if entry.received_at <= now || entry.failures > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn summary(key: &ConversationKey, seq: u64, entry: &Waiting<'_>, state: TurnState) -> Step<TurnSummary> {
    Ok(TurnSummary {
        id: text(key, seq),
        tenant: key.tenant,
        contact: key.contact.clone(),
        state,
        at: entry.received_at,
        failures: entry.failures,
        error: entry.error.map(str::to_owned),
        trigger: trigger(entry)?,
    })
}

/// In order of their places.
pub fn outbox(
    mirror: &Mirror,
    snapshot: impl FnOnce() -> Step<ReadTransaction>,
    filter: &Filter,
    bytes: usize,
) -> Step<Page<SendSummary>> {
    let waiting = if filter.ended { Vec::new() } else { select(&mirror.sends(), filter) };
    let snapshot = snapshot()?;
    let (mut found, more) = ended(&snapshot.open_table(define::ended_sends)?, "ended_sends", filter, bytes)?;
    found.extend(waiting.into_iter().map(|(key, seq)| (seq, key, None)));
    let outbox = snapshot.open_table(define::outbox)?;
    page((found, more), (filter.limit, bytes), &outbox, |key, seq, row, _| {
        reply(key, seq, &Reply::read(row)?).map(Some)
    })
}

/// One of them.
pub fn send(snapshot: &ReadTransaction, SendId { key, seq }: &SendId) -> Step<Option<SendSummary>> {
    let ended = snapshot.open_table(define::ended_sends)?;
    if let Some(row) = ReadableTable::get(&ended, under(key, &seq.to_be_bytes()).as_slice())? {
        return reply(key, *seq, &Reply::read(row.value())?).map(Some);
    }
    let outbox = snapshot.open_table(define::outbox)?;
    let Some(row) = ReadableTable::get(&outbox, &place(*seq, key.tenant))? else { return Ok(None) };
    let row = Reply::read(row.value())?;
    (row.contact == key.contact.as_str()).then(|| reply(key, *seq, &row)).transpose()
}

fn reply(key: &ConversationKey, seq: u64, row: &Reply<'_>) -> Step<SendSummary> {
    let entry = row.entry()?;
    Ok(SendSummary { id: text(key, seq), tenant: key.tenant, contact: key.contact.clone(), entry })
}

/// Puts a dead turn back in line, or makes a waiting one due.
pub fn retry_turn(batch: &mut Batch<'_>, id: &SendId, now: Timestamp) -> Step<()> {
    let SendId { key, seq } = id;
    let name = under(key, &seq.to_be_bytes());
    let dead = batch.tables.dead_turns.get()?.get(name.as_slice())?.map(|row| row.value().to_vec());
    if let Some(row) = dead {
        let dead = Dead::read(&row)?;
        let mut entries = Vec::with_capacity(dead.entries.len());
        for (seq, entry) in &dead.entries {
            entries.push((*seq, Waiting::read(entry)?));
        }
        dead::forget(batch, key, *seq)?;
        batch.state.inbox += entries.len() as u64;
        for (seq, entry) in entries {
            again(batch, key, seq, &Waiting { failures: 0, due: now, ..entry })?;
        }
    } else {
        let row = batch.tables.inbox.get()?.get(&place(*seq, key.tenant))?.map(|row| row.value().to_vec());
        let row =
            row.filter(|row| Waiting::read(row).is_ok_and(|entry| entry.contact == key.contact.as_str()));
        let row = row.ok_or_else(|| Error::NotFound(format!("there is no turn {}", text(key, *seq))))?;
        again(batch, key, *seq, &Waiting { due: now, ..Waiting::read(&row)? })?;
    }
    batch.state.touch(now);
    Ok(())
}

fn again(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64, entry: &Waiting<'_>) -> Step<()> {
    entry.write(&mut batch.buffer);
    batch.tables.inbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    let id = InboxId { at: entry.at, seq };
    let (due, class, alone) = (entry.due, entry.class(), entry.alone());
    batch.effects.push(Effect::Waits { key: key.clone(), id, due, class, alone });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_both_ends() {
        for contact in ["971501234567", "245800000000182@lid", "a-b-c", "", "-"] {
            let key = ConversationKey {
                tenant: TenantId::from_stored(2),
                contact: ContactKey::from_stored(contact),
            };
            let id = SendId { key, seq: 17 };
            assert_eq!(parse(&text(&id.key, id.seq)), Some(id), "{contact:?}");
        }
        for wrong in ["", "2", "2-17", "x-971-17", "2-971-", "2-971-x", "-1-971-17", "99999999999-971-17"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
