//! The verbs of [`Numbers`]: what is wished for a session, and a sender's end.

use async_trait::async_trait;
use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::tables::define;
use super::{Embedded, admin, handover, sends};
use crate::message::{SenderName, Timestamp};
use crate::store::numbers::{Numbers, Removed, Wish};
use crate::store::rows::Rows as _;
use crate::store::shared::effect::Effect;
use crate::store::{AuditEntry, Error, OutboxState, Result};

/// What stands in the table; no row: nothing was said.
fn code(wish: Wish) -> Option<u8> {
    match wish {
        Wish::Unsaid => None,
        Wish::Connected => Some(1),
        Wish::LoggedOut => Some(2),
    }
}

fn read(code: Option<u8>) -> Wish {
    [Wish::Connected, Wish::LoggedOut].into_iter().find(|wish| self::code(*wish) == code).unwrap_or_default()
}

#[async_trait]
impl Numbers for Embedded {
    fn wish(&self, sender: &SenderName) -> Result<Wish> {
        self.read(|snapshot| {
            let wishes = snapshot.open_table(define::session_wishes)?;
            let row = ReadableTable::get(&wishes, sender.as_str())?;
            Ok(read(row.map(|row| row.value())))
        })
    }

    async fn set_wish(&self, sender: &SenderName, wish: Wish) -> Result<()> {
        let sender = sender.clone();
        self.write(move |batch| {
            let wishes = batch.tables.session_wishes.put()?;
            match code(wish) {
                Some(code) => drop(wishes.insert(sender.as_str(), code)?),
                None => drop(wishes.remove(sender.as_str())?),
            }
            Ok(())
        })
        .await
    }

    async fn remove_sender(
        &self,
        sender: &SenderName,
        drop_waiting: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Removed> {
        let by = admin::entry(actor, "remove sender", sender, serde_json::Value::Null, now);
        let sender = sender.clone();
        self.write(move |batch| remove(batch, &sender, drop_waiting, &by)).await
    }
}

fn remove(batch: &mut Batch<'_>, sender: &SenderName, drop_waiting: bool, by: &AuditEntry) -> Step<Removed> {
    if batch.tables.senders.get()?.get(sender.as_str())?.is_none() {
        return Err(Error::NotFound(format!("there is no sender {sender}")).into());
    }
    let (mut sending, mut waiting) = (0, Vec::new());
    for (id, reply) in handover::replies_of(batch, sender)? {
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
        sends::refuse(batch, &id, reply, &format!("the sender {sender} was removed"), by.at)?;
    }
    batch.tables.senders.put()?.remove(sender.as_str())?;
    batch.tables.sessions.put()?.remove(sender.as_str())?;
    batch.tables.session_wishes.put()?.remove(sender.as_str())?;
    batch.changes.effects.push(Effect::SenderGone(sender.clone()));
    batch.changes.state.touch(by.at);
    batch.audit(&AuditEntry { detail: serde_json::json!({ "dropped": removed.dropped }), ..by.clone() })?;
    Ok(removed)
}
