//! What waits and what gave up, for the operator.

use std::hash::Hash;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::Snapshot;
use super::batch::Step;
use super::codec::{Place, after_prefix, conversation_prefix, place, read_under, under};
use super::rows::{Dead, Reply, Waiting};
use super::tables::define;
use crate::glyph::Shown;
use crate::message::{ContactKey, ConversationKey, Timestamp};
use crate::schedule::Schedule;
use crate::store::pages::Free;
use crate::store::pages::Page;
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

/// Does what is said of it in its row match as well?
pub trait Matches {
    fn matches(&self, filter: &Filter) -> bool;
}

fn has(filter: &Filter, sender: &str, state: &str, error: Option<&str>, since: Timestamp) -> bool {
    filter.sender.as_ref().is_none_or(|wanted| wanted.as_str() == sender)
        && filter.state.as_ref().is_none_or(|wanted| wanted == state)
        && filter.error.as_ref().is_none_or(|part| error.is_some_and(|error| error.contains(part.as_str())))
        && filter.before.is_none_or(|before| since < before)
}

impl Matches for SendSummary {
    fn matches(&self, filter: &Filter) -> bool {
        let entry = &self.entry;
        has(filter, entry.sender.as_str(), entry.state.name(), entry.last_error.as_deref(), entry.created_at)
    }
}

impl Matches for TurnSummary {
    fn matches(&self, filter: &Filter) -> bool {
        has(filter, &self.sender, self.state.name(), self.error.as_deref(), self.at)
    }
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
    let first = filter.tenant.map(|tenant| ConversationKey {
        tenant,
        contact: filter.contact.clone().unwrap_or_else(|| ContactKey::from_stored("")),
    });
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

/// Goes on, or has seen enough.
type Going = std::ops::ControlFlow<()>;

/// Reads a row, which is told whether it is of what has ended.
type Show<'a, T> = dyn Fn(&SendId, &[u8], bool) -> Step<Option<T>> + 'a;

/// What is listed of one kind, and how.
pub struct Kind<'a, T> {
    /// Of what has ended, and its name.
    ended: (Named, &'static str),
    /// Of what waits.
    waiting: Placed,
    next: &'a dyn Fn(Option<&SendId>) -> Vec<SendId>,
    show: &'a Show<'a, T>,
}

impl<T: Matches> Kind<'_, T> {
    /// Shows what the filter lets through, with the size of its row, from where the filter says on.
    fn walk(&self, filter: &Filter, visit: &mut dyn FnMut(Stand, T, usize) -> Going) -> Step<()> {
        let after = match &filter.after {
            None => None,
            Some(told) => Some(Stand::parse(told).ok_or_else(|| {
                let told = Shown::from(told.as_str());
                Error::NotFound(format!(
                    "{told} is no place in this list: it is the `next` of the page before"
                ))
            })?),
        };
        if after.as_ref().is_none_or(|after| !after.waits)
            && self.walk_ended(filter, after.as_ref(), visit)?.is_break()
        {
            return Ok(());
        }
        if filter.ended {
            return Ok(());
        }
        let mut after = after.filter(|after| after.waits).map(|after| after.id);
        loop {
            let next = (self.next)(after.as_ref());
            let Some(last) = next.last().cloned() else { return Ok(()) };
            for id in next {
                let row = ReadableTable::get(&self.waiting, &place(id.seq, id.key.tenant))?;
                let Some(row) = row else { continue };
                if self.visit((true, id, row.value()), filter, visit)?.is_break() {
                    return Ok(());
                }
            }
            after = Some(last);
        }
    }

    fn walk_ended(
        &self,
        filter: &Filter,
        after: Option<&Stand>,
        visit: &mut dyn FnMut(Stand, T, usize) -> Going,
    ) -> Step<Going> {
        let (table, name) = &self.ended;
        let (mut from, to) = range_of(filter);
        if let Some(Stand { id, .. }) = after {
            from = Bound::Excluded(under(&id.key, &id.seq.to_be_bytes()));
        }
        let range = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        for row in ReadableTable::range::<&[u8]>(table, range)? {
            let (name_of, row) = row?;
            let (key, seq) = read_under(name, name_of.value())?;
            let Some(seq) = seq.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { continue };
            if matches(filter, &key)
                && self.visit((false, SendId { key, seq }, row.value()), filter, visit)?.is_break()
            {
                return Ok(Going::Break(()));
            }
        }
        Ok(Going::Continue(()))
    }

    fn visit(
        &self,
        (waits, id, row): (bool, SendId, &[u8]),
        filter: &Filter,
        visit: &mut dyn FnMut(Stand, T, usize) -> Going,
    ) -> Step<Going> {
        let shown = (self.show)(&id, row, !waits)?.filter(|shown| shown.matches(filter));
        Ok(match shown {
            None => Going::Continue(()),
            Some(shown) => visit(Stand { waits, id }, shown, row.len()),
        })
    }

    /// As many as a page holds, in order of arrival.
    fn page(&self, filter: &Filter, bytes: usize) -> Step<Page<T>> {
        let mut free = Free::new(filter.limit, bytes);
        let (mut found, mut more, mut last) = (Vec::new(), false, None);
        self.walk(filter, &mut |stand, shown, size| {
            if !free.take(size) {
                more = true;
                return Going::Break(());
            }
            found.push((stand.id.seq, shown));
            last = Some(stand);
            Going::Continue(())
        })?;
        found.sort_by_key(|(seq, _)| *seq);
        let next = last.filter(|_| more).map(|last| last.text());
        Ok(Page { entries: found.into_iter().map(|(_, shown)| shown).collect(), more, next })
    }

    /// All of them, but no more than `most`.
    fn ids(&self, filter: &Filter, most: usize) -> Step<Vec<SendId>> {
        let mut ids = Vec::new();
        self.walk(filter, &mut |stand, _, _| {
            ids.push(stand.id);
            if ids.len() >= most { Going::Break(()) } else { Going::Continue(()) }
        })?;
        Ok(ids)
    }
}

/// What there are lists of, and where it lies.
pub trait Listing: Matches + Sized {
    fn with<R>(
        index: &Index,
        snapshot: &ReadTransaction,
        filter: &Filter,
        work: impl FnOnce(&Kind<'_, Self>) -> Step<R>,
    ) -> Step<R>;
}

impl Listing for TurnSummary {
    fn with<R>(
        index: &Index,
        snapshot: &ReadTransaction,
        filter: &Filter,
        work: impl FnOnce(&Kind<'_, Self>) -> Step<R>,
    ) -> Step<R> {
        let show = |SendId { key, seq }: &SendId, row: &[u8], dead| {
            if dead { dead_turn(key, *seq, row) } else { waiting_turn(key, *seq, row).map(Some) }
        };
        work(&Kind {
            ended: (snapshot.open_table(define::dead_turns)?, "dead_turns"),
            waiting: snapshot.open_table(define::inbox)?,
            next: &|after| waiting(&index.turns(), filter, after, |id| id.seq),
            show: &show,
        })
    }
}

impl Listing for SendSummary {
    fn with<R>(
        index: &Index,
        snapshot: &ReadTransaction,
        filter: &Filter,
        work: impl FnOnce(&Kind<'_, Self>) -> Step<R>,
    ) -> Step<R> {
        let show =
            |SendId { key, seq }: &SendId, row: &[u8], _| reply(key, *seq, &Reply::read(row)?).map(Some);
        work(&Kind {
            ended: (snapshot.open_table(define::ended_sends)?, "ended_sends"),
            waiting: snapshot.open_table(define::outbox)?,
            next: &|after| waiting(&index.sends(), filter, after, |seq| *seq),
            show: &show,
        })
    }
}

pub fn page<T: Listing>(
    index: &Index,
    snapshot: &ReadTransaction,
    filter: &Filter,
    bytes: usize,
) -> Step<Page<T>> {
    T::with(index, snapshot, filter, |kind| kind.page(filter, bytes))
}

/// `most` at most.
pub fn ids<T: Listing>(
    index: &Index,
    snapshot: &ReadTransaction,
    filter: &Filter,
    most: usize,
) -> Step<Vec<SendId>> {
    T::with(index, snapshot, filter, |kind| kind.ids(filter, most))
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
    index: &Index,
    snapshot: impl FnOnce() -> Step<Snapshot>,
    key: &ConversationKey,
    now: Timestamp,
) -> Step<bool> {
    let waiting: Vec<u64> = index.turns().items(key).take(LOOKED_AT).map(|id| id.seq).collect();
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
        id: SendId { key: key.clone(), seq }.text(),
        tenant: key.tenant,
        contact: key.contact.clone(),
        sender: entry.sender.to_owned(),
        state,
        at: entry.received_at,
        failures: entry.failures,
        error: entry.error.map(str::to_owned),
        trigger: entry.row()?.trigger()?,
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
    Ok(SendSummary {
        id: SendId { key: key.clone(), seq }.text(),
        tenant: key.tenant,
        contact: key.contact.clone(),
        entry,
    })
}
