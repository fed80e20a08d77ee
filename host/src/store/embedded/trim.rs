//! Removes the oldest of what tenants keep beyond their quotas, until they are a tenth below them, in slices
//! that hold nobody up. Rows lie in order of arrival, whoever they belong to: a tenant's are looked for from
//! where its last ones were found.

use std::collections::HashMap;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Place, place, read_place, under};
use super::cursors::{Trim, Trims};
use super::leaving::Leaving;
use super::rows::{Journaled, Reply, Spoken};
use super::tally::size;
use super::templates;
use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::SendId;
use crate::store::quotas::Shelf;
use crate::store::rules::{dead_turns, ended};
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
pub fn trim(batch: &mut Batch<'_>, limit: usize) -> Step<(usize, Trims)> {
    let mut slice = Slice { limit, looked: 0, bytes: 0 };
    let mut come = Trims::default();
    for (shelf, kind) in TRIMMED {
        let mut trims = begin(batch, shelf, kind);
        if slice.is_over() || trims.is_empty() {
            continue;
        }
        match shelf {
            Shelf::EndedSends | Shelf::DeadTurns => trim_ended(batch, shelf, &mut trims, &mut slice)?,
            Shelf::TemplateUses => trim_template_uses(batch, &mut trims, &mut slice)?,
            _ => trim_log(batch, shelf, &mut trims, &mut slice)?,
        }
        come.0.extend(trims.into_iter().map(|(tenant, trim)| ((shelf, tenant), trim)));
    }
    Ok((if slice.is_over() { limit } else { slice.looked }, come))
}

/// Of whom something is to go.
fn begin(batch: &Batch<'_>, shelf: Shelf, kind: Kind) -> Of {
    let known = lock(&batch.cursors.trims);
    let mut trims = HashMap::new();
    for (tenant, usage) in batch.index.usages() {
        let (bytes, most) = (usage.of(shelf).bytes, batch.index.quotas_of(tenant).of(kind));
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
    place(trims.values().map(|trim| trim.from).min().unwrap_or_default(), TenantId::GATEWAY)
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

fn trim_log(batch: &mut Batch<'_>, shelf: Shelf, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    let (first, mut end, mut old) = (first(trims), None, Vec::new());
    let range = match shelf {
        Shelf::Journal => batch.tables.journal.get()?.range::<&Place>(&first..)?,
        _ => batch.tables.history.get()?.range::<&Place>(&first..)?,
    };
    for row in range {
        let (key, row) = row?;
        let (seq, tenant) = read_place(key.value());
        if slice.is_over() {
            end = Some(seq);
            break;
        }
        let size = size(key.value(), row.value()).unsigned_abs();
        slice.look(size);
        let Some(trim) = trims.get_mut(&tenant).filter(|trim| trim.left > 0 && trim.from <= seq) else {
            continue;
        };
        trim.went(seq, size);
        old.push(match shelf {
            Shelf::Journal => Leaving::of_turn(key.value(), Journaled::read(row.value()).ok().as_ref()),
            _ => Leaving::of(key.value(), Spoken::read(row.value()).ok().as_ref()),
        });
    }
    came(trims, end);
    old.iter().try_for_each(|row| row.leave(batch))
}

/// They lie by conversation; their places are in order.
fn trim_ended(batch: &mut Batch<'_>, shelf: Shelf, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    let (first, mut end, mut old) = (first(trims), None, Vec::new());
    let (places, table) = match shelf {
        Shelf::EndedSends => (batch.tables.ended_places.get()?, batch.tables.ended_sends.get()?),
        _ => (batch.tables.dead_places.get()?, batch.tables.dead_turns.get()?),
    };
    for row in places.range::<&Place>(&first..)? {
        let (at, contact) = row?;
        let (seq, tenant) = read_place(at.value());
        if slice.is_over() {
            end = Some(seq);
            break;
        }
        slice.look(0);
        let Some(trim) = trims.get_mut(&tenant).filter(|trim| trim.left > 0 && trim.from <= seq) else {
            continue;
        };
        let contact = ContactKey::from_stored(String::from_utf8_lossy(contact.value()));
        let id = SendId { key: ConversationKey { tenant, contact }, seq };
        let name = under(&id.key, &seq.to_be_bytes());
        let Some(row) = table.get(name.as_slice())?.map(|row| row.value().to_vec()) else { continue };
        let size = size(&name, &row).unsigned_abs();
        slice.bytes += size;
        trim.went(seq, size);
        old.push((id, row));
    }
    came(trims, end);
    for (id, row) in &old {
        match shelf {
            // One that cannot be read is left where it is.
            Shelf::EndedSends => match Reply::read(row) {
                Ok(reply) => ended::give_up(batch, id, &reply.row())?,
                Err(error) => {
                    tracing::error!(conversation = %id.key, reply = id.seq, %error, "a reply cannot be read and is not removed")
                }
            },
            _ => dead_turns::forget(batch, &id.key, id.seq)?,
        }
    }
    Ok(())
}

/// Each tenant's lie together, in order.
fn trim_template_uses(batch: &mut Batch<'_>, trims: &mut Of, slice: &mut Slice) -> Step<()> {
    let mut old = Vec::new();
    for (tenant, trim) in trims.iter_mut() {
        let (from, end) = (templates::use_key(*tenant, 0), templates::use_key(*tenant, u64::MAX));
        for row in batch.tables.template_uses.get()?.range::<&[u8]>(from.as_slice()..end.as_slice())? {
            if slice.is_over() || trim.left == 0 {
                break;
            }
            let (key, row) = row?;
            let size = size(key.value(), row.value()).unsigned_abs();
            slice.look(size);
            trim.left = trim.left.saturating_sub(size);
            old.push(key.value().to_vec());
        }
        if !slice.is_over() {
            trim.left = 0;
        }
    }
    for key in &old {
        batch.tables.template_uses.put()?.remove(key.as_slice())?;
    }
    Ok(())
}
