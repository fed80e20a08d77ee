//! The change of a sender's owner. What the old one has waiting there is given up in the same commit, and nothing of
//! it ever leaves through what is the new one's number. Its conversations stay, cut off: they speak again if the sender
//! comes back.

use std::collections::HashMap;

use super::{replies_of, write};
use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::route;
use crate::store::rows::place::Place;
use crate::store::rows::{Conversations, Inbox, Outbox, ReadRows, Rows, Senders, Step, Tenants, Timers};
use crate::store::rules::{contacts, handover, secrets, sends};
use crate::store::{AuditEntry, Error, Handover, OutboxState};
use crate::tenant::Sender;

/// As it would be with another owner.
fn given(sender: Sender, to: Option<TenantId>) -> Sender {
    Sender { tenant: to, ..sender }
}

/// A change that is considered.
struct Considered<'a> {
    sender: &'a Sender,
    after: Sender,
}

impl Considered<'_> {
    /// Would the sender carry this conversation's words no more?
    fn cuts(&self, rows: &impl ReadRows, tenant: TenantId, contact: &ContactKey) -> Step<bool> {
        let lock = match self.after.tenant {
            Some(_) => None,
            None => contacts::find(rows, contact)?.1,
        };
        Ok(route::carries(&self.after, tenant, lock.as_ref()).is_err())
    }

    fn conversations(&self, rows: &impl ReadRows) -> Step<u64> {
        let mut count = 0;
        let first = ConversationKey { tenant: TenantId::GATEWAY, contact: ContactKey::from_stored("") };
        rows.each::<Conversations>(
            &first,
            |_| true,
            |key, row| {
                let speaks_here = row?.conversation.sender.as_ref() == Some(&self.sender.name);
                count += u64::from(speaks_here && self.cuts(rows, key.tenant, &key.contact)?);
                Ok(())
            },
        )?;
        Ok(count)
    }

    fn turns(&self, rows: &impl ReadRows) -> Step<u64> {
        let mut count = 0;
        rows.each::<Inbox>(
            &Place::new(0, TenantId::GATEWAY),
            |_| true,
            |at, entry| {
                let entry = entry?;
                let here = entry.sender.as_ref() == Some(&self.sender.name);
                count += u64::from(here && self.cuts(rows, at.tenant, &entry.contact)?);
                Ok(())
            },
        )?;
        Ok(count)
    }

    /// Those that wait, and those on their way.
    fn replies(&self, rows: &impl ReadRows) -> Step<(u64, u64)> {
        let (mut waiting, mut sending) = (0, 0);
        rows.each::<Outbox>(
            &Place::new(0, TenantId::GATEWAY),
            |_| true,
            |at, reply| {
                let reply = reply?;
                if reply.sender == self.sender.name && self.cuts(rows, at.tenant, &reply.contact)? {
                    *(if reply.state == OutboxState::Sending { &mut sending } else { &mut waiting }) += 1;
                }
                Ok(())
            },
        )?;
        Ok((waiting, sending))
    }

    fn timers(&self, rows: &impl ReadRows) -> Step<u64> {
        let mut count = 0;
        let mut known: HashMap<ConversationKey, bool> = HashMap::new();
        let first = ConversationKey { tenant: TenantId::GATEWAY, contact: ContactKey::from_stored("") };
        rows.each::<Timers>(
            &(first, String::new()),
            |_| true,
            |(key, _), _| {
                let is_cut = match known.get(&key) {
                    Some(is_cut) => *is_cut,
                    None => {
                        let row = rows.get::<Conversations>(&key)?.unwrap_or_default();
                        let here = row.conversation.sender.as_ref() == Some(&self.sender.name);
                        let is_cut = here && self.cuts(rows, key.tenant, &key.contact)?;
                        known.insert(key, is_cut);
                        is_cut
                    }
                };
                count += u64::from(is_cut);
                Ok(())
            },
        )?;
        Ok(count)
    }
}

/// What a change of the owner would concern: everything that the sender carries now and would not then.
pub fn plan(rows: &impl ReadRows, sender: &Sender, to: Option<TenantId>) -> Step<Handover> {
    let change = Considered { sender, after: given(sender.clone(), to) };
    let (waiting, sending) = change.replies(rows)?;
    Ok(Handover {
        conversations: change.conversations(rows)?,
        turns: change.turns(rows)?,
        timers: change.timers(rows)?,
        waiting,
        sending,
        ..Handover::of(sender, to)
    })
}

/// Gives the sender to another owner, and up what waits there and is not the new owner's. What is on its
/// way this very moment ends as it would have. `planned`: as it was shown and counted.
pub fn give(rows: &mut impl Rows, planned: &Handover, by: &AuditEntry) -> Step<Handover> {
    let kept = rows.get::<Senders>(&planned.sender)?;
    let kept = kept.ok_or_else(|| Error::NotFound(format!("there is no sender {}", planned.sender)))?;
    if kept.as_kept().tenant != planned.from {
        let Sender { name, tenant, .. } = kept.as_kept();
        let what = format!("sender {name} {} by now; look at the plan again", handover::serves(*tenant));
        return Err(Error::Conflict(what).into());
    }
    if let Some(tenant) = planned.to
        && !rows.has::<Tenants>(&tenant)?
    {
        return Err(Error::Conflict(format!("there is no tenant {tenant}")).into());
    }
    let sender = given(secrets::opened(&rows.index().keys.load(), kept)?, planned.to);
    let replies = replies_of(rows, &sender.name)?;
    write(rows, &sender)?;
    let mut done = Handover { waiting: 0, applied: true, ..planned.clone() };
    for (id, reply) in replies {
        if reply.state == OutboxState::Waiting
            && let Err(why) = handover::carried(rows, &id.key, &reply.sender)?
        {
            sends::refuse(rows, &id, reply, &why.to_string(), by.at)?;
            done.waiting += 1;
        }
    }
    rows.touch(by.at);
    rows.audit(&AuditEntry { detail: serde_json::json!(done), ..by.clone() })?;
    Ok(done)
}
