//! Removes the oldest of what tenants keep beyond their quotas, until they are a tenth below them, in slices
//! that hold nobody up. Rows lie in order of arrival, whoever they belong to: a tenant's are looked for from
//! where its last ones were found.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::leaving::Leaving;
use super::{dead_turns, ended};
use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::SendId;
use crate::store::quotas::Shelf;
use crate::store::rows::place::Place;
use crate::store::rows::{
    DeadPlaces, DeadTurns, EndedPlaces, EndedSends, Family, Fault, History, Journal, ReadRows, ReadTable,
    Rows, Step, TemplateUses,
};
use crate::store::shared::cursors::{Trim, Trims};
use crate::store::shared::lock::lock;
use crate::tenant::quotas::Kind;

/// What is trimmed, and by which quota. A reply that is given up stays as a line: the history comes after it.
const TRIMMED: [(Shelf, Kind); 5] = [
    (Shelf::Journal, Kind::JournalBytes),
    (Shelf::EndedSends, Kind::EndedRepliesBytes),
    (Shelf::History, Kind::HistoryBytes),
    (Shelf::DeadTurns, Kind::DeadTurnsBytes),
    (Shelf::TemplateUses, Kind::TemplateUseBytes),
];

/// No slice reads more than this, nearly.
const SLICE_BYTES: u64 = 16 << 20;

type Of = HashMap<TenantId, Trim>;

/// What one slice may still look at.
struct Slice {
    limit: usize,
    looked: usize,
    bytes: u64,
}

impl Slice {
    fn is_over(&self) -> bool {
        self.looked >= self.limit || self.bytes > SLICE_BYTES
    }

    fn look(&mut self, size: u64) {
        (self.looked, self.bytes) = (self.looked + 1, self.bytes + size);
    }
}

/// Looks at `limit` rows at most; how many, and `limit` whenever there is more to do. How far it came is
/// kept by the caller, once it is committed.
pub fn trim(rows: &mut impl Rows, limit: usize) -> Step<(usize, Trims)> {
    let mut slice = Slice { limit, looked: 0, bytes: 0 };
    let mut come = Trims::default();
    for (shelf, kind) in TRIMMED {
        let mut trims = begin(rows, shelf, kind);
        if slice.is_over() || trims.is_empty() {
            continue;
        }
        match shelf {
            Shelf::EndedSends => trim_ended_sends(rows, &mut trims, &mut slice)?,
            Shelf::DeadTurns => trim_dead_turns(rows, &mut trims, &mut slice)?,
            Shelf::TemplateUses => trim_template_uses(rows, &mut trims, &mut slice)?,
            Shelf::Journal => trim_journal(rows, &mut trims, &mut slice)?,
            _ => trim_history(rows, &mut trims, &mut slice)?,
        }
        come.0.extend(trims.into_iter().map(|(tenant, trim)| ((shelf, tenant), trim)));
    }
    Ok((if slice.is_over() { limit } else { slice.looked }, come))
}

/// Of whom something is to go.
fn begin(rows: &impl Rows, shelf: Shelf, kind: Kind) -> Of {
    let index = rows.index();
    let known = lock(&index.cursors.trims);
    let mut trims = HashMap::new();
    for (tenant, usage) in index.usages() {
        let (bytes, most) = (usage.of(shelf).bytes, index.quotas_of(tenant).of(kind));
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

fn first(trims: &Of) -> Place {
    Place::new(trims.values().map(|trim| trim.from).min().unwrap_or_default(), TenantId::GATEWAY)
}

/// `end`: what lies before it was looked at; `None`: everything was.
fn came(trims: &mut Of, end: Option<u64>) {
    for trim in trims.values_mut().filter(|trim| trim.left > 0) {
        match end {
            Some(end) => trim.from = trim.from.max(end),
            // What was put down late lies before where it was looked for; next time it is found.
            None => *trim = Trim::default(),
        }
    }
}

/// Which rows are to go. They lie in order of arrival.
fn oldest<F: Family<Key = Place>>(
    rows: &impl ReadTable<F>,
    trims: &mut Of,
    slice: &mut Slice,
) -> Step<Vec<Place>> {
    let (first, mut end, mut old) = (first(trims), None, Vec::new());
    rows.scan_sizes(Some(&first), &mut |place, size| {
        if slice.is_over() {
            end = Some(place.seq);
            return Ok(ControlFlow::Break(()));
        }
        slice.look(size);
        let trim = trims.get_mut(&place.tenant).filter(|trim| trim.left > 0 && trim.from <= place.seq);
        if let Some(trim) = trim {
            trim.went(place.seq, size);
            old.push(place);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    came(trims, end);
    Ok(old)
}

fn trim_history(rows: &mut impl Rows, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    for place in oldest::<History>(rows, trims, slice)? {
        // One that cannot be read leaves too.
        let line = rows.get_readable::<History>(&place)?;
        Leaving::of(place, line.as_ref()).leave(rows)?;
    }
    Ok(())
}

fn trim_journal(rows: &mut impl Rows, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    for place in oldest::<Journal>(rows, trims, slice)? {
        let turn = rows.get_readable::<Journal>(&place)?;
        Leaving::of_turn(place, turn.as_ref()).leave(rows)?;
    }
    Ok(())
}

/// Which of what has ended is to go. It lies by conversation; its places, `P`, are in order.
fn oldest_ended<P, F, R>(rows: &R, trims: &mut Of, slice: &mut Slice) -> Step<Vec<SendId>>
where
    P: Family<Key = Place, Row = ContactKey>,
    F: Family<Key = (ConversationKey, u64)>,
    R: ReadRows + ReadTable<P> + ReadTable<F>,
{
    let (first, mut end, mut old) = (first(trims), None, Vec::new());
    ReadTable::<P>::scan_rows(rows, Some(&first), &mut |place, contact| {
        if slice.is_over() {
            end = Some(place.seq);
            return Ok(ControlFlow::Break(()));
        }
        slice.look(0);
        let trim = trims.get_mut(&place.tenant).filter(|trim| trim.left > 0 && trim.from <= place.seq);
        let (Some(trim), Ok(contact)) = (trim, contact) else { return Ok(ControlFlow::Continue(())) };
        let name = (ConversationKey { tenant: place.tenant, contact }, place.seq);
        if let Some(size) = rows.size_of::<F>(&name)? {
            slice.bytes += size;
            trim.went(place.seq, size);
            old.push(SendId { key: name.0, seq: name.1 });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    came(trims, end);
    Ok(old)
}

fn trim_ended_sends(rows: &mut impl Rows, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    for id in oldest_ended::<EndedPlaces, EndedSends, _>(rows, trims, slice)? {
        match ended::find(rows, &id) {
            Ok(Some(reply)) => ended::give_up(rows, &id, &reply)?,
            Ok(None) => {}
            // It is left where it is.
            Err(Fault::Row(error)) => {
                tracing::error!(conversation = %id.key, reply = id.seq, %error, "a reply cannot be read and is not removed");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

fn trim_dead_turns(rows: &mut impl Rows, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    let old = oldest_ended::<DeadPlaces, DeadTurns, _>(rows, trims, slice)?;
    old.iter().try_for_each(|id| dead_turns::forget(rows, &id.key, id.seq))
}

/// Each tenant's lie together, in order.
fn trim_template_uses(rows: &mut impl Rows, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    let mut old = Vec::new();
    for (tenant, trim) in trims.iter_mut() {
        ReadTable::<TemplateUses>::scan_sizes(rows, Some(&(*tenant, 0)), &mut |key, size| {
            if slice.is_over() || trim.left == 0 || key.0 != *tenant {
                return Ok(ControlFlow::Break(()));
            }
            slice.look(size);
            trim.left = trim.left.saturating_sub(size);
            old.push(key);
            Ok(ControlFlow::Continue(()))
        })?;
        if !slice.is_over() {
            trim.left = 0;
        }
    }
    for key in &old {
        rows.remove::<TemplateUses>(key)?;
    }
    Ok(())
}
