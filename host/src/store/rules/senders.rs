//! Our own numbers: made, changed, removed. Another owner is no setting, see [`give`].

use std::sync::Arc;

use super::{handover, secrets, sends, sessions};
use crate::message::{ConversationKey, SenderName, TenantId};
use crate::store::numbers::Removed;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Outbox, ReadRows, Rows, Senders, Step, Tenants};
use crate::store::shared::effect::Effect;
use crate::store::{AuditEntry, Error, OutboxState, SendId};
use crate::tenant::{Directory, Secret, Sender};

pub mod give;

pub fn put(rows: &mut impl Rows, sender: &Sender, by: &AuditEntry) -> Step<()> {
    if let Some(tenant) = sender.tenant
        && !rows.has::<Tenants>(&tenant)?
    {
        return Err(Error::Conflict(format!("sender {}: there is no tenant {tenant}", sender.name)).into());
    }
    rows.each::<Senders>(&SenderName::new(""), |_| true, |_, other| Ok(beside(sender, other?.as_kept())?))?;
    let kept = rows.index().directory.load().waha().take_back(sender.clone());
    write(rows, &kept)?;
    rows.audit(by)
}

/// May it be there beside this one, which may be itself as it was?
fn beside(sender: &Sender, other: &Sender) -> Result<(), Error> {
    if other.name == sender.name {
        return match other.tenant == sender.tenant {
            true => Ok(()),
            false => Err(Error::Conflict(handover::not_here(other, sender.tenant))),
        };
    }
    if other.provider() != sender.provider() || other.account != sender.account {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "sender {}: the {} account {:?} is sender {}'s already",
        sender.name,
        sender.provider(),
        sender.account,
        other.name
    )))
}

/// `sender`: without what the configuration lends it.
fn write(rows: &mut impl Rows, sender: &Sender) -> Step<()> {
    let kept = secrets::sealed(&rows.index().keys.load(), sender)?;
    rows.put::<Senders>(&sender.name, &kept)?;
    rows.changes_mut().owners.insert(sender.name.clone(), sender.tenant);
    rows.effect(Effect::Sender(sender.clone()));
    Ok(())
}

/// The sender as it is known now.
pub fn known(directory: &Directory, name: &SenderName) -> Step<Arc<Sender>> {
    let found = directory.senders.get(name).cloned();
    Ok(found.ok_or_else(|| Error::NotFound(format!("there is no sender {name}")))?)
}

/// Everything but what may not be shown.
pub fn without_secrets(sender: &Sender) -> serde_json::Value {
    let mut hidden = sender.clone();
    for (_, secret) in hidden.secrets_mut() {
        *secret = Secret::default();
    }
    serde_json::json!(hidden)
}

/// Everything in the outbox that is this sender's.
fn replies_of(rows: &impl ReadRows, sender: &SenderName) -> Step<Vec<(SendId, OutboxRow)>> {
    let mut found = Vec::new();
    rows.each::<Outbox>(
        &Place::new(0, TenantId::GATEWAY),
        |_| true,
        |at, reply| {
            let reply = reply?;
            if reply.sender == *sender {
                let key = ConversationKey { tenant: at.tenant, contact: reply.contact.clone() };
                found.push((SendId { key, seq: at.seq }, reply));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// Its conversations and their history stay. `drop_waiting`: also what waits to go out through it.
pub fn remove(
    rows: &mut impl Rows,
    sender: &SenderName,
    drop_waiting: bool,
    by: &AuditEntry,
) -> Step<Removed> {
    if !rows.has::<Senders>(sender)? {
        return Err(Error::NotFound(format!("there is no sender {sender}")).into());
    }
    let (mut sending, mut waiting) = (0, Vec::new());
    for (id, reply) in replies_of(rows, sender)? {
        match reply.state {
            OutboxState::Sending => sending += 1,
            OutboxState::Waiting => waiting.push((id, reply)),
            OutboxState::Dead | OutboxState::Unknown => {}
        }
    }
    if sending > 0 {
        let what = format!("{sending} replies are on their way through {sender} this moment; ask again");
        return Err(Error::Conflict(what).into());
    }
    if !waiting.is_empty() && !drop_waiting {
        let what = format!(
            "{} replies wait to go out through {sender}; drop them with it (--drop-waiting), or let them go \
             first",
            waiting.len()
        );
        return Err(Error::Conflict(what).into());
    }
    let removed = Removed { sender: sender.clone(), dropped: waiting.len() as u64 };
    for (id, reply) in waiting {
        sends::refuse(rows, &id, reply, &format!("the sender {sender} was removed"), by.at)?;
    }
    rows.remove::<Senders>(sender)?;
    sessions::forget(rows, sender)?;
    rows.effect(Effect::SenderGone(sender.clone()));
    rows.touch(by.at);
    rows.audit(&AuditEntry { detail: serde_json::json!({ "dropped": removed.dropped }), ..by.clone() })?;
    Ok(removed)
}
