//! Whose words a sender carries.

use super::contacts;
use crate::message::{ConversationKey, SenderName};
use crate::route::{self, Unserved};
use crate::store::rows::{Rows, Step};
use crate::tenant::Sender;

/// May this conversation's words leave through this sender? As it is at this point of the transaction. Of a
/// sender that is not there nothing is said here.
pub fn carried(rows: &impl Rows, key: &ConversationKey, sender: &SenderName) -> Step<Result<(), Unserved>> {
    let directory = rows.index().directory.load();
    let Some(known) = directory.senders.get(sender) else { return Ok(Ok(())) };
    let changed = rows.changes().owners.get(sender).filter(|owner| **owner != known.tenant);
    let changed = changed.map(|owner| Sender { tenant: *owner, ..Sender::clone(known) });
    let sender = changed.as_ref().unwrap_or(known);
    let lock = match sender.tenant {
        Some(_) => None,
        None => contacts::resolve(rows, &key.contact, &[])?.lock,
    };
    Ok(route::carries(sender, key.tenant, lock.as_ref()))
}
