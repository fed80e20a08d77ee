//! Whose words a sender carries.

use super::contacts;
use crate::message::{ConversationKey, SenderName, TenantId};
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

/// A setting of a sender cannot give it to another tenant.
pub fn not_here(sender: &Sender, to: Option<TenantId>) -> String {
    let name = &sender.name;
    let option = to.map_or("--shared".to_owned(), |tenant| format!("--tenant {tenant}"));
    format!(
        "sender {name} {}; `switchboard sender give {name} {option}` changes that, and shows first what \
         becomes of what waits there",
        serves(sender.tenant)
    )
}

/// In words.
pub fn serves(owner: Option<TenantId>) -> String {
    owner.map_or("is shared".to_owned(), |tenant| format!("is tenant {tenant}'s"))
}
