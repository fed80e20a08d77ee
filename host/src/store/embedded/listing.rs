//! What waits and what gave up, for the operator, and the operator's word on it.

use std::hash::Hash;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{after_prefix, conversation_prefix, place, read_under, under};
use super::dead;
use super::mirror::{Effect, Mirror};
use super::rows::{Dead, Reply, Waiting};
use super::sends::text;
use super::tables::define;
use super::turns::trigger;
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::schedule::Schedule;
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

/// The pending items of a schedule that the filter lets through, at most its limit.
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
        .take(filter.limit)
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

/// The rows of a table of ended things that the filter lets through, at most its limit.
fn ended(table: &Named, name: &'static str, filter: &Filter) -> Step<Vec<(ConversationKey, u64, Vec<u8>)>> {
    let (from, to) = range_of(filter);
    let range = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
    let mut rows = Vec::new();
    for row in ReadableTable::range::<&[u8]>(table, range)? {
        let (name_of, row) = row?;
        let (key, seq) = read_under(name, name_of.value())?;
        let Some(seq) = seq.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { continue };
        if matches(filter, &key) {
            rows.push((key, seq, row.value().to_vec()));
        }
        if rows.len() == filter.limit {
            break;
        }
    }
    Ok(rows)
}

/// In order of arrival.
pub fn turns(
    mirror: &Mirror,
    snapshot: impl FnOnce() -> Step<ReadTransaction>,
    filter: &Filter,
) -> Step<Vec<TurnSummary>> {
    let waiting = if filter.ended { Vec::new() } else { select(&mirror.turns(), filter) };
    let snapshot = snapshot()?;
    let mut found = Vec::new();
    for (key, seq, row) in ended(&snapshot.open_table(define::dead_turns)?, "dead_turns", filter)? {
        let dead = Dead::read(&row)?;
        let Some((_, entry)) = dead.entries.first() else { continue };
        let entry = Waiting::read(entry)?;
        let mut summary = summary(&key, seq, &entry, TurnState::Dead)?;
        summary.at = dead.at;
        summary.error = Some(dead.error.to_owned());
        found.push((seq, summary));
    }
    let inbox = snapshot.open_table(define::inbox)?;
    for (key, InboxId { seq, .. }) in waiting {
        let Some(row) = ReadableTable::get(&inbox, &place(seq, key.tenant))? else { continue };
        found.push((seq, summary(&key, seq, &Waiting::read(row.value())?, TurnState::Waiting)?));
    }
    Ok(in_order(found, filter.limit))
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
) -> Step<Vec<SendSummary>> {
    let waiting = if filter.ended { Vec::new() } else { select(&mirror.sends(), filter) };
    let snapshot = snapshot()?;
    let mut found = Vec::new();
    let mut push = |key: ConversationKey, seq, row: &[u8]| -> Step<()> {
        let entry = Reply::read(row)?.entry()?;
        found.push((
            seq,
            SendSummary { id: text(&key, seq), tenant: key.tenant, contact: key.contact, entry },
        ));
        Ok(())
    };
    for (key, seq, row) in ended(&snapshot.open_table(define::ended_sends)?, "ended_sends", filter)? {
        push(key, seq, &row)?;
    }
    let outbox = snapshot.open_table(define::outbox)?;
    for (key, seq) in waiting {
        let Some(row) = ReadableTable::get(&outbox, &place(seq, key.tenant))? else { continue };
        push(key, seq, row.value())?;
    }
    Ok(in_order(found, filter.limit))
}

fn in_order<T>(mut found: Vec<(u64, T)>, limit: usize) -> Vec<T> {
    found.sort_by_key(|(seq, _)| *seq);
    found.into_iter().map(|(_, one)| one).take(limit).collect()
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
