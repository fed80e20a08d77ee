//! Webhooks that could not be read, and beside each what its bounds are reckoned by.

use std::collections::BTreeMap;

use crate::event::Topic;
use crate::message::{Provider, Timestamp};
use crate::store::rows::packed::Packed;
use crate::store::rows::unread_mark::UnreadMark;
use crate::store::rows::{ReadRows, Rows, Step, Unread, UnreadMarks};
use crate::store::unread::{BYTES, COUNT, UnreadBody, UnreadId};

/// One that is to be kept.
pub struct Unreadable {
    provider: Provider,
    mark: UnreadMark,
    row: Packed<UnreadBody>,
}

impl Unreadable {
    pub fn new(body: &UnreadBody) -> Self {
        let row = Packed::new(body);
        let mark = UnreadMark {
            bytes: row.as_kept().len() as u64,
            received_at: body.received_at,
            matters: body.topics.iter().any(|topic| *topic != Topic::Receipt),
        };
        Unreadable { provider: body.provider, mark, row }
    }
}

/// A provider's, oldest first.
fn of(rows: &impl ReadRows, provider: Provider) -> Step<Vec<(UnreadId, UnreadMark)>> {
    let mut kept = Vec::new();
    rows.each::<UnreadMarks>(
        &(provider, 0),
        |(of, _)| *of == provider,
        |(_, seq), mark| {
            kept.push((UnreadId { provider, seq }, mark?));
            Ok(())
        },
    )?;
    Ok(kept)
}

/// Reports are given up before anything else: they are many, and what they tell can be asked.
pub fn keep(rows: &mut impl Rows, Unreadable { provider, mark, row }: &Unreadable) -> Step<()> {
    let mut kept = of(rows, *provider)?;
    kept.sort_by_key(|(_, mark)| mark.matters);
    let mut bytes: u64 = kept.iter().map(|(_, mark)| mark.bytes).sum();
    let mut left = kept.len();
    for (id, old) in kept {
        if left < COUNT && bytes + mark.bytes <= BYTES {
            break;
        }
        forget(rows, id)?;
        (left, bytes) = (left - 1, bytes - old.bytes);
    }
    if mark.bytes > BYTES {
        return Ok(());
    }
    let key = (*provider, rows.seq());
    rows.put::<Unread>(&key, row)?;
    rows.put::<UnreadMarks>(&key, mark)?;
    Ok(())
}

pub fn forget(rows: &mut impl Rows, id: UnreadId) -> Step<()> {
    let key = (id.provider, id.seq);
    rows.remove::<Unread>(&key)?;
    rows.remove::<UnreadMarks>(&key)?;
    Ok(())
}

/// In the order of their names, however an engine orders them.
fn providers() -> impl Iterator<Item = Provider> {
    let mut providers = Provider::ALL;
    providers.sort_by_key(|provider| provider.name());
    providers.into_iter()
}

/// Provider by provider, each one's oldest first, those behind `after`.
pub fn list(
    rows: &impl ReadRows,
    after: Option<&UnreadId>,
    limit: usize,
) -> Step<Vec<(UnreadId, UnreadBody)>> {
    let seen = |provider: &Provider| after.is_some_and(|after| after.provider != *provider);
    let mut found = Vec::new();
    for provider in providers().skip_while(seen) {
        let behind = after.filter(|after| after.provider == provider).map_or(0, |after| after.seq);
        rows.each_of::<Unread>(
            &(provider, behind.saturating_add(1)),
            limit.saturating_sub(found.len()),
            |(of, _)| *of == provider,
            |(_, seq), body| {
                found.push((UnreadId { provider, seq }, body?.unpack("unread")?));
                Ok(())
            },
        )?;
    }
    Ok(found)
}

/// How many there are, of those of whom there are any.
pub fn counts(rows: &impl ReadRows) -> Step<BTreeMap<Provider, u64>> {
    let mut counts = BTreeMap::new();
    for provider in Provider::ALL {
        let count = of(rows, provider)?.len() as u64;
        if count > 0 {
            counts.insert(provider, count);
        }
    }
    Ok(counts)
}

/// What came before the ids of messages were forgotten could be taken in twice.
pub fn prune(rows: &mut impl Rows, before: Timestamp, limit: usize) -> Step<usize> {
    let mut old = Vec::new();
    if limit > 0 {
        for provider in providers() {
            let kept = of(rows, provider)?.into_iter();
            old.extend(kept.filter(|(_, mark)| mark.received_at < before).map(|(id, _)| id));
        }
    }
    old.truncate(limit);
    for id in &old {
        forget(rows, *id)?;
    }
    Ok(old.len())
}
