//! Webhooks that could not be read, and beside each what its bounds are reckoned by.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};

use super::Embedded;
use super::batch::{Batch, Step};
use super::codec::{after_prefix, pack, unpack};
use super::tables::define;
use crate::event::Topic;
use crate::message::{Provider, Timestamp};
use crate::store::Result;
use crate::store::rows::Rows as _;
use crate::store::unread::{BYTES, COUNT, Unread, UnreadBody, UnreadId};
use crate::store::upkeep::Mark;

#[async_trait]
impl Unread for Embedded {
    async fn keep_unread(&self, body: UnreadBody) -> Result<()> {
        self.shared.space.check(Mark::Messages)?;
        let row = pack(&body);
        let matters = body.topics.iter().any(|topic| *topic != Topic::Receipt);
        self.write(move |batch| keep(batch, (body.provider, body.received_at, matters), &row)).await
    }

    fn unread(&self, after: Option<&UnreadId>, limit: usize) -> Result<Vec<(UnreadId, UnreadBody)>> {
        self.read(|snapshot| list(snapshot, after, limit))
    }

    fn unread_counts(&self) -> Result<BTreeMap<Provider, u64>> {
        self.read(|snapshot| {
            let mut counts = BTreeMap::new();
            let marks = snapshot.open_table(define::unread_marks)?;
            for provider in Provider::ALL {
                let (begin, end) = of(provider);
                let count = marks
                    .range::<&[u8]>((Bound::Included(begin.as_slice()), Bound::Excluded(end.as_slice())))?
                    .count();
                if count > 0 {
                    counts.insert(provider, count as u64);
                }
            }
            Ok(counts)
        })
    }

    async fn forget_unread(&self, id: UnreadId) -> Result<()> {
        self.write(move |batch| forget(batch, &id.0)).await
    }
}

/// The keys of a provider's: from the first up to, without, the second.
fn of(provider: Provider) -> (Vec<u8>, Vec<u8>) {
    let mut begin = provider.name().as_bytes().to_vec();
    begin.push(0);
    let end = after_prefix(&begin).unwrap_or_default();
    (begin, end)
}

/// Reports are given up before anything else: they are many, and what they tell can be asked.
fn keep(batch: &mut Batch<'_>, (provider, at, matters): (Provider, Timestamp, bool), row: &[u8]) -> Step<()> {
    let size = row.len() as u64;
    let (begin, end) = of(provider);
    let mut kept = Vec::new();
    for mark in batch
        .tables
        .unread_marks
        .get()?
        .range::<&[u8]>((Bound::Included(begin.as_slice()), Bound::Excluded(end.as_slice())))?
    {
        let (key, mark) = mark?;
        kept.push((key.value().to_vec(), mark.value()));
    }
    kept.sort_by_key(|(_, (_, _, matters))| *matters);
    let mut bytes: u64 = kept.iter().map(|(_, (size, ..))| size).sum();
    let mut left = kept.len();
    for (key, (size_of_old, ..)) in kept {
        if left < COUNT && bytes + size <= BYTES {
            break;
        }
        forget(batch, &key)?;
        (left, bytes) = (left - 1, bytes - size_of_old);
    }
    if size > BYTES {
        return Ok(());
    }
    let mut key = begin;
    key.extend_from_slice(&batch.seq().to_be_bytes());
    batch.tables.unread.put()?.insert(key.as_slice(), row)?;
    batch.tables.unread_marks.put()?.insert(key.as_slice(), (size, at.as_ms(), matters))?;
    Ok(())
}

fn forget(batch: &mut Batch<'_>, key: &[u8]) -> Step<()> {
    batch.tables.unread.put()?.remove(key)?;
    batch.tables.unread_marks.put()?.remove(key)?;
    Ok(())
}

fn list(
    snapshot: &ReadTransaction,
    after: Option<&UnreadId>,
    limit: usize,
) -> Step<Vec<(UnreadId, UnreadBody)>> {
    let table = snapshot.open_table(define::unread)?;
    let begin = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.0.as_slice()));
    let mut found = Vec::new();
    for row in table.range::<&[u8]>((begin, Bound::Unbounded))?.take(limit) {
        let (key, row) = row?;
        found.push((UnreadId(key.value().to_vec()), unpack("unread", row.value())?));
    }
    Ok(found)
}

/// What came before the ids of messages were forgotten could be taken in twice.
pub fn prune(batch: &mut Batch<'_>, before: Timestamp, limit: usize) -> Step<usize> {
    let mut old = Vec::new();
    if limit > 0 {
        for mark in batch.tables.unread_marks.get()?.iter()? {
            let (key, mark) = mark?;
            if mark.value().1 < before.as_ms() && old.len() < limit {
                old.push(key.value().to_vec());
            }
        }
    }
    for key in &old {
        forget(batch, key)?;
    }
    Ok(old.len())
}
