//! Whose words a sender carries, and the change of its owner. Another owner is no setting: what the old
//! one has waiting there is given up in the same commit, and nothing of it ever leaves through what is the
//! new one's number. Its conversations stay, cut off: they speak again if the sender comes back.

use std::collections::HashMap;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{conversation_key, read_conversation_key, read_place, read_under, unpack};
use super::rows::{Reply, Waiting, conversation};
use super::tables::define;
use super::{admin, secrets};
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId};
use crate::route;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Outbox, ReadRows as _, Rows as _};
use crate::store::rules::contacts;
use crate::store::rules::{handover, sends};
use crate::store::{AuditEntry, Error, Handover, OutboxState, SendId};
use crate::tenant::Sender;

/// As it would be with another owner.
fn given(sender: Sender, to: Option<TenantId>) -> Sender {
    Sender { tenant: to, ..sender }
}

/// What a change of the owner would concern: everything that the sender carries now and would not then.
pub fn plan(snapshot: &ReadTransaction, sender: &Sender, to: Option<TenantId>) -> Step<Handover> {
    let after = given(sender.clone(), to);
    let cut = |tenant: TenantId, contact: &str| -> Step<bool> {
        let lock = match to {
            Some(_) => None,
            None => contacts::find(snapshot, &ContactKey::from_stored(contact))?.1,
        };
        Ok(route::carries(&after, tenant, lock.as_ref()).is_err())
    };
    let mut plan = Handover::of(sender, to);
    let conversations = snapshot.open_table(define::conversations)?;
    for row in ReadableTable::iter(&conversations)? {
        let (key, row) = row?;
        let key = read_conversation_key("conversations", key.value())?;
        let speaks_here = conversation::read(row.value())?.conversation.sender.as_ref() == Some(&sender.name);
        plan.conversations += u64::from(speaks_here && cut(key.tenant, key.contact.as_str())?);
    }
    for row in ReadableTable::iter(&snapshot.open_table(define::inbox)?)? {
        let (at, row) = row?;
        let entry = Waiting::read(row.value())?;
        let here = entry.sender == sender.name.as_str();
        plan.turns += u64::from(here && cut(read_place(at.value()).1, entry.contact)?);
    }
    for row in ReadableTable::iter(&snapshot.open_table(define::outbox)?)? {
        let (at, row) = row?;
        let reply = Reply::read(row.value())?;
        if reply.sender == sender.name.as_str() && cut(read_place(at.value()).1, reply.contact)? {
            let count =
                if reply.state == OutboxState::Sending { &mut plan.sending } else { &mut plan.waiting };
            *count += 1;
        }
    }
    let mut concerned: HashMap<ConversationKey, bool> = HashMap::new();
    for row in ReadableTable::iter(&snapshot.open_table(define::timers)?)? {
        let (name, _) = row?;
        let key = read_under("timers", name.value())?.0;
        let is_cut = match concerned.get(&key) {
            Some(known) => *known,
            None => {
                let row = ReadableTable::get(&conversations, conversation_key(&key).as_slice())?;
                let kept = row.map(|row| conversation::read(row.value())).transpose()?.unwrap_or_default();
                let here = kept.conversation.sender.as_ref() == Some(&sender.name);
                let is_cut = here && cut(key.tenant, key.contact.as_str())?;
                concerned.insert(key, is_cut);
                is_cut
            }
        };
        plan.timers += u64::from(is_cut);
    }
    Ok(plan)
}

/// Gives the sender to another owner, and up what waits there and is not the new owner's. What is on its
/// way this very moment ends as it would have. `planned`: as it was shown and counted.
pub fn give(batch: &mut Batch<'_>, planned: &Handover, by: &AuditEntry) -> Step<Handover> {
    let row = batch.tables.senders.get()?.get(planned.sender.as_str())?.map(|row| row.value().to_vec());
    let row = row.ok_or_else(|| Error::NotFound(format!("there is no sender {}", planned.sender)))?;
    let kept: Sender = unpack("senders", &row)?;
    if kept.tenant != planned.from {
        let what =
            format!("sender {} {} by now; look at the plan again", kept.name, handover::serves(kept.tenant));
        return Err(Error::Conflict(what).into());
    }
    if let Some(tenant) = planned.to
        && batch.tables.tenants.get()?.get(tenant.get())?.is_none()
    {
        return Err(Error::Conflict(format!("there is no tenant {tenant}")).into());
    }
    let sender = given(secrets::opened(&batch.index.keys.load(), kept)?, planned.to);
    let replies = replies_of(batch, &sender.name)?;
    admin::write_sender(batch, &sender)?;
    let mut done = Handover { waiting: 0, applied: true, ..planned.clone() };
    for (id, reply) in replies {
        if reply.state == OutboxState::Waiting
            && let Err(why) = handover::carried(batch, &id.key, &reply.sender)?
        {
            sends::refuse(batch, &id, reply, &why.to_string(), by.at)?;
            done.waiting += 1;
        }
    }
    batch.changes.state.touch(by.at);
    batch.audit(&AuditEntry { detail: serde_json::json!(done), ..by.clone() })?;
    Ok(done)
}

/// Everything in the outbox that is this sender's.
pub fn replies_of(batch: &Batch<'_>, sender: &SenderName) -> Step<Vec<(SendId, OutboxRow)>> {
    let mut found = Vec::new();
    batch.each::<Outbox>(
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

/// The sender as it is known now.
pub fn known(directory: &crate::tenant::Directory, name: &SenderName) -> Step<Arc<Sender>> {
    let found = directory.senders.get(name).cloned();
    Ok(found.ok_or_else(|| Error::NotFound(format!("there is no sender {name}")))?)
}
