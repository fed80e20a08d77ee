//! What waits longest.

use crate::message::TenantId;
use crate::store::rows::place::Place;
use crate::store::rows::{Inbox, Outbox, ReadRows, Step};
use crate::store::upkeep::Oldest;

/// Of so many of each kind, which lie in order of arrival. One that cannot be read is told of where it is claimed.
pub fn of(rows: &impl ReadRows, most: usize) -> Step<Oldest> {
    let mut oldest = Oldest::default();
    let first = Place::new(0, TenantId::GATEWAY);
    rows.each_of::<Outbox>(
        &first,
        most,
        |_| true,
        |_, reply| {
            if let Ok(reply) = reply
                && !reply.postponed
            {
                let since = reply.retried_at.unwrap_or(reply.created_at);
                oldest.replies.entry(reply.sender).or_insert(since);
            }
            Ok(())
        },
    )?;
    rows.each_of::<Inbox>(
        &first,
        most,
        |_| true,
        |at, entry| {
            if let Ok(entry) = entry {
                oldest.turns.entry(at.tenant).or_insert(entry.received_at);
            }
            Ok(())
        },
    )?;
    Ok(oldest)
}
