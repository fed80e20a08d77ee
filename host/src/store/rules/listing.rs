//! What waits and what gave up, for the operator.

use std::hash::Hash;
use std::ops::{Bound, ControlFlow};

use crate::glyph::Shown;
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::schedule::Schedule;
use crate::store::pages::{Free, Page};
use crate::store::rows::dead_turn::DeadTurnRow;
use crate::store::rows::inbox::InboxRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{DeadTurns, EndedSends, Family, Inbox, Outbox, Read, ReadRows, ReadTable, Step};
use crate::store::shared::index::Index;
use crate::store::{Error, Filter, SendId, SendSummary, TurnState, TurnSummary};

/// Where a listing stands: what has ended comes first, then what waits, each in order of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    pub waits: bool,
    pub id: SendId,
}

impl Stand {
    pub fn text(&self) -> String {
        format!("{}-{}", if self.waits { "waiting" } else { "ended" }, self.id.text())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('-')?;
        let waits = match kind {
            "waiting" => true,
            "ended" => false,
            _ => return None,
        };
        Some(Stand { waits, id: SendId::parse(id)? })
    }
}

fn matches(filter: &Filter, key: &ConversationKey) -> bool {
    filter.tenant.is_none_or(|tenant| tenant == key.tenant)
        && filter.contact.as_ref().is_none_or(|contact| *contact == key.contact)
}

fn has(filter: &Filter, sender: &str, state: &str, error: Option<&str>, since: Timestamp) -> bool {
    filter.sender.as_ref().is_none_or(|wanted| wanted.as_str() == sender)
        && filter.state.as_ref().is_none_or(|wanted| wanted == state)
        && filter.error.as_ref().is_none_or(|part| error.is_some_and(|error| error.contains(part.as_str())))
        && filter.before.is_none_or(|before| since < before)
}

/// So many of what waits are taken from the schedule at once: it is held meanwhile.
const AT_ONCE: usize = 1_000;

/// Pending items of a schedule from one on.
fn waiting<G, I>(
    schedule: &Schedule<ConversationKey, G, I>,
    filter: &Filter,
    after: Option<&SendId>,
    seq_of: impl Fn(&I) -> u64,
) -> Vec<SendId>
where
    G: Clone + Eq + Hash,
    I: Ord + Clone,
{
    let first = first_of(filter);
    let from = after.map(|after| &after.key).or(first.as_ref()).map_or(Bound::Unbounded, Bound::Included);
    let mut found = Vec::new();
    for (key, items) in schedule.from(from) {
        // Whoever wants one tenant's or one conversation's does not pass all those behind.
        let beyond = filter.tenant.is_some_and(|tenant| tenant != key.tenant)
            || filter.tenant.is_some() && filter.contact.as_ref().is_some_and(|only| *only < key.contact);
        if beyond {
            break;
        }
        if !matches(filter, key) {
            continue;
        }
        let mut seqs: Vec<u64> = items.map(&seq_of).collect();
        seqs.sort_unstable();
        let behind = after.filter(|after| after.key == *key).map_or(0, |after| after.seq);
        found
            .extend(seqs.into_iter().filter(|seq| *seq > behind).map(|seq| SendId { key: key.clone(), seq }));
        if found.len() >= AT_ONCE {
            break;
        }
    }
    found
}

/// Before what a filter by tenant can let through.
fn first_of(filter: &Filter) -> Option<ConversationKey> {
    let contact = || filter.contact.clone().unwrap_or_else(|| ContactKey::from_stored(""));
    filter.tenant.map(|tenant| ConversationKey { tenant, contact: contact() })
}

/// What there are lists of.
pub trait Listing: Sized {
    /// What has ended of it,
    type Ended: Family<Key = (ConversationKey, u64)>;
    /// and what waits.
    type Waiting: Family<Key = Place>;

    /// What waits, in order of conversations, from one on.
    fn next(index: &Index, filter: &Filter, after: Option<&SendId>) -> Vec<SendId>;

    /// As it is shown, where the filter lets it through, and its bytes, about.
    fn ended(id: &SendId, row: &<Self::Ended as Family>::Row, filter: &Filter)
    -> Read<Option<(Self, usize)>>;

    fn waits(
        id: &SendId,
        row: &<Self::Waiting as Family>::Row,
        filter: &Filter,
    ) -> Read<Option<(Self, usize)>>;
}

impl Listing for TurnSummary {
    type Ended = DeadTurns;
    type Waiting = Inbox;

    fn next(index: &Index, filter: &Filter, after: Option<&SendId>) -> Vec<SendId> {
        waiting(&index.turns(), filter, after, |id| id.seq)
    }

    fn ended(id: &SendId, row: &DeadTurnRow, filter: &Filter) -> Read<Option<(Self, usize)>> {
        let Some((_, entry)) = row.entries.first() else { return Ok(None) };
        let sender = entry.sender.as_ref().map_or("", |sender| sender.as_str());
        if !has(filter, sender, TurnState::Dead.name(), Some(&row.error), row.at) {
            return Ok(None);
        }
        let bytes = row.entries.iter().map(|(_, entry)| entry.bytes()).sum();
        Ok(dead_turn(id, row)?.map(|shown| (shown, bytes)))
    }

    fn waits(id: &SendId, row: &InboxRow, filter: &Filter) -> Read<Option<(Self, usize)>> {
        let sender = row.sender.as_ref().map_or("", |sender| sender.as_str());
        if !has(filter, sender, TurnState::Waiting.name(), row.error.as_deref(), row.received_at) {
            return Ok(None);
        }
        Ok(Some((summary(id, row, TurnState::Waiting)?, row.bytes())))
    }
}

impl Listing for SendSummary {
    type Ended = EndedSends;
    type Waiting = Outbox;

    fn next(index: &Index, filter: &Filter, after: Option<&SendId>) -> Vec<SendId> {
        waiting(&index.sends(), filter, after, |seq| *seq)
    }

    fn ended(id: &SendId, row: &OutboxRow, filter: &Filter) -> Read<Option<(Self, usize)>> {
        Self::waits(id, row, filter)
    }

    fn waits(id: &SendId, row: &OutboxRow, filter: &Filter) -> Read<Option<(Self, usize)>> {
        if !has(filter, row.sender.as_str(), row.state.name(), row.error.as_deref(), row.created_at) {
            return Ok(None);
        }
        Ok(Some((reply(id, row)?, row.said.as_kept().len())))
    }
}

/// Shows what the filter lets through, with its bytes, from where the filter says on.
fn walk<T: Listing, R>(
    rows: &R,
    index: &Index,
    filter: &Filter,
    visit: &mut dyn FnMut(Stand, T, usize) -> ControlFlow<()>,
) -> Step<()>
where
    R: ReadRows + ReadTable<T::Ended> + ReadTable<T::Waiting>,
{
    let after = match &filter.after {
        None => None,
        Some(told) => Some(Stand::parse(told).ok_or_else(|| {
            let told = Shown::from(told.as_str());
            Error::NotFound(format!("{told} is no place in this list: it is the `next` of the page before"))
        })?),
    };
    if after.as_ref().is_none_or(|after| !after.waits)
        && walk_ended(rows, filter, after.as_ref(), visit)?.is_break()
    {
        return Ok(());
    }
    if filter.ended {
        return Ok(());
    }
    let mut after = after.filter(|after| after.waits).map(|after| after.id);
    loop {
        let next = T::next(index, filter, after.as_ref());
        let Some(last) = next.last().cloned() else { return Ok(()) };
        for id in next {
            let row = ReadTable::<T::Waiting>::get_row(rows, &Place::new(id.seq, id.key.tenant))?;
            let Some(row) = row else { continue };
            if let Some((shown, bytes)) = T::waits(&id, &row, filter)?
                && visit(Stand { waits: true, id }, shown, bytes).is_break()
            {
                return Ok(());
            }
        }
        after = Some(last);
    }
}

fn walk_ended<T: Listing>(
    rows: &impl ReadTable<T::Ended>,
    filter: &Filter,
    after: Option<&Stand>,
    visit: &mut dyn FnMut(Stand, T, usize) -> ControlFlow<()>,
) -> Step<ControlFlow<()>> {
    let after = after.map(|after| (after.id.key.clone(), after.id.seq));
    let from = after.clone().or_else(|| first_of(filter).map(|key| (key, 0)));
    let mut going = ControlFlow::Continue(());
    rows.scan_rows(from.as_ref(), &mut |name, row| {
        if after.as_ref() == Some(&name) {
            return Ok(ControlFlow::Continue(()));
        }
        let (key, seq) = name;
        let beyond = filter.tenant.is_some_and(|tenant| tenant != key.tenant)
            || filter.tenant.is_some() && filter.contact.as_ref().is_some_and(|only| *only != key.contact);
        if beyond {
            return Ok(ControlFlow::Break(()));
        }
        if !matches(filter, &key) {
            return Ok(ControlFlow::Continue(()));
        }
        let id = SendId { key, seq };
        if let Some((shown, bytes)) = T::ended(&id, &row?, filter)? {
            going = visit(Stand { waits: false, id }, shown, bytes);
        }
        Ok(going)
    })?;
    Ok(going)
}

/// As many as a page holds, in order of arrival.
pub fn page<T: Listing, R>(rows: &R, index: &Index, filter: &Filter, bytes: usize) -> Step<Page<T>>
where
    R: ReadRows + ReadTable<T::Ended> + ReadTable<T::Waiting>,
{
    let mut free = Free::new(filter.limit, bytes);
    let (mut found, mut more, mut last) = (Vec::new(), false, None);
    walk(rows, index, filter, &mut |stand, shown, size| {
        if !free.take(size) {
            more = true;
            return ControlFlow::Break(());
        }
        found.push((stand.id.seq, shown));
        last = Some(stand);
        ControlFlow::Continue(())
    })?;
    found.sort_by_key(|(seq, _)| *seq);
    let next = last.filter(|_| more).map(|last| last.text());
    Ok(Page { entries: found.into_iter().map(|(_, shown)| shown).collect(), more, next })
}

/// All of them, but no more than `most`.
pub fn ids<T: Listing, R>(rows: &R, index: &Index, filter: &Filter, most: usize) -> Step<Vec<SendId>>
where
    R: ReadRows + ReadTable<T::Ended> + ReadTable<T::Waiting>,
{
    let mut ids = Vec::new();
    walk(rows, index, filter, &mut |stand, _: T, _| {
        ids.push(stand.id);
        if ids.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ids)
}

/// One of them.
pub fn turn(rows: &impl ReadRows, id: &SendId) -> Step<Option<TurnSummary>> {
    if let Some(dead) = rows.get::<DeadTurns>(&(id.key.clone(), id.seq))? {
        return Ok(dead_turn(id, &dead)?);
    }
    let waits = rows.get::<Inbox>(&Place::new(id.seq, id.key.tenant))?;
    let theirs = waits.filter(|entry| entry.contact == id.key.contact);
    Ok(theirs.map(|entry| summary(id, &entry, TurnState::Waiting)).transpose()?)
}

/// One of them.
pub fn send(rows: &impl ReadRows, id: &SendId) -> Step<Option<SendSummary>> {
    if let Some(ended) = rows.get::<EndedSends>(&(id.key.clone(), id.seq))? {
        return Ok(Some(reply(id, &ended)?));
    }
    let waits = rows.get::<Outbox>(&Place::new(id.seq, id.key.tenant))?;
    let theirs = waits.filter(|waits| waits.contact == id.key.contact);
    Ok(theirs.map(|waits| reply(id, &waits)).transpose()?)
}

/// No more of what waits in a conversation is looked at.
const LOOKED_AT: usize = 1_000;

/// What waits in a conversation, by arrival number.
pub fn waiting_in(index: &Index, key: &ConversationKey) -> Vec<u64> {
    index.turns().items(key).take(LOOKED_AT).map(|id| id.seq).collect()
}

/// Is nothing of it due? A timer that is not due yet is no work; a turn that failed and is tried
/// again is.
pub fn is_settled(rows: &impl ReadRows, tenant: TenantId, waiting: &[u64], now: Timestamp) -> Step<bool> {
    for seq in waiting {
        let Some(entry) = rows.get::<Inbox>(&Place::new(*seq, tenant))? else { continue };
        if entry.received_at <= now || entry.failures > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn dead_turn(id: &SendId, dead: &DeadTurnRow) -> Read<Option<TurnSummary>> {
    let Some((_, entry)) = dead.entries.first() else { return Ok(None) };
    let mut summary = summary(id, entry, TurnState::Dead)?;
    summary.at = dead.at;
    summary.error = Some(dead.error.clone());
    Ok(Some(summary))
}

fn summary(id: &SendId, entry: &InboxRow, state: TurnState) -> Read<TurnSummary> {
    Ok(TurnSummary {
        id: id.text(),
        tenant: id.key.tenant,
        contact: id.key.contact.clone(),
        sender: entry.sender.as_ref().map(|sender| sender.as_str().to_owned()).unwrap_or_default(),
        state,
        at: entry.received_at,
        failures: entry.failures,
        error: entry.error.clone(),
        trigger: entry.trigger()?,
    })
}

fn reply(id: &SendId, row: &OutboxRow) -> Read<SendSummary> {
    Ok(SendSummary {
        id: id.text(),
        tenant: id.key.tenant,
        contact: id.key.contact.clone(),
        entry: row.entry()?,
    })
}
