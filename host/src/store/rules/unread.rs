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
        &(provider.name().to_owned(), 0),
        |(of, _)| of == provider.name(),
        |(provider, seq), mark| {
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
        forget(rows, &id)?;
        (left, bytes) = (left - 1, bytes - old.bytes);
    }
    if mark.bytes > BYTES {
        return Ok(());
    }
    let key = (provider.name().to_owned(), rows.seq());
    rows.put::<Unread>(&key, row)?;
    rows.put::<UnreadMarks>(&key, mark)?;
    Ok(())
}

pub fn forget(rows: &mut impl Rows, id: &UnreadId) -> Step<()> {
    let key = (id.provider.clone(), id.seq);
    rows.remove::<Unread>(&key)?;
    rows.remove::<UnreadMarks>(&key)?;
    Ok(())
}

/// Provider by provider, each one's oldest first, those behind `after`.
pub fn list(
    rows: &impl ReadRows,
    after: Option<&UnreadId>,
    limit: usize,
) -> Step<Vec<(UnreadId, UnreadBody)>> {
    let first = after.map_or((String::new(), 0), |after| (after.provider.clone(), after.seq + 1));
    let mut found = Vec::new();
    rows.each_of::<Unread>(
        &first,
        limit,
        |_| true,
        |(provider, seq), body| {
            found.push((UnreadId { provider, seq }, body?.unpack("unread")?));
            Ok(())
        },
    )?;
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
        rows.each::<UnreadMarks>(
            &(String::new(), 0),
            |_| true,
            |(provider, seq), mark| {
                if mark?.received_at < before && old.len() < limit {
                    old.push(UnreadId { provider, seq });
                }
                Ok(())
            },
        )?;
    }
    for id in &old {
        forget(rows, id)?;
    }
    Ok(old.len())
}
