//! What becomes of replies: on their way, waiting for another time, sent, dead, of unknown outcome, and what an operator
//! does about those that have ended.

use super::reached::{self, Reached};
use super::{ended, handover, history, names, template_uses, views};
use crate::conversation::Occasion;
use crate::message::{ConversationKey, DeliveryState, Timestamp};
use crate::store::rows::history::HistoryRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Conversations, Fault, Outbox, ReadRows, Rows, Step, Unreadable};
use crate::store::shared::effect::{Due, Effect};
use crate::store::shared::pending_receipts::Report;
use crate::store::{Error, OutboxState, SendId, Settlement};

fn place(id: &SendId) -> Place {
    Place::new(id.seq, id.key.tenant)
}

/// A reply that was claimed.
pub enum Claimed {
    Reply(Box<OutboxRow>),
    Gone,
    Unreadable(Unreadable),
}

/// As it lies in the outbox.
pub fn find(rows: &impl ReadRows, id: &SendId) -> Step<Claimed> {
    match rows.get::<Outbox>(&place(id)) {
        Ok(Some(reply)) if reply.contact == id.key.contact => Ok(Claimed::Reply(Box::new(reply))),
        Ok(_) => Ok(Claimed::Gone),
        Err(Fault::Row(error)) => Ok(Claimed::Unreadable(error)),
        Err(other) => Err(other),
    }
}

fn waiting(rows: &impl ReadRows, id: &SendId) -> Step<Option<OutboxRow>> {
    match find(rows, id)? {
        Claimed::Reply(reply) => Ok(Some(*reply)),
        Claimed::Gone => Ok(None),
        Claimed::Unreadable(error) => Err(error.into()),
    }
}

/// Marks replies as being sent; as they are kept from now on. What its sender does not carry any more
/// is dead instead: this is the one place that every reply passes, and nobody changes a sender's owner or
/// a contact's lock meanwhile.
pub fn begin(rows: &mut impl Rows, ids: &[SendId], now: Timestamp) -> Step<Vec<Claimed>> {
    let mut begun = Vec::with_capacity(ids.len());
    for id in ids {
        let reply = match find(rows, id)? {
            Claimed::Reply(reply) => *reply,
            other => {
                begun.push(other);
                continue;
            }
        };
        if let Err(why) = handover::carried(rows, &id.key, &reply.sender)? {
            refuse(rows, id, reply, &why.to_string(), now)?;
            begun.push(Claimed::Gone);
            continue;
        }
        let attempts = if reply.repeats { reply.attempts } else { reply.attempts + 1 };
        let state = OutboxState::Sending;
        let reply = OutboxRow { state, postponed: false, attempts, repeats: false, ..reply };
        rows.put::<Outbox>(&place(id), &reply)?;
        begun.push(Claimed::Reply(Box::new(reply)));
    }
    Ok(begun)
}

/// It waits, and is not to go out at all.
pub fn refuse(rows: &mut impl Rows, id: &SendId, reply: OutboxRow, error: &str, now: Timestamp) -> Step<()> {
    tracing::warn!(
        msg = reply.message, conversation = %id.key, sender = %reply.sender, reply = id.seq, reason = error,
        "a reply may not go out; see `switchboard outbox list`"
    );
    let told_of = reply.is_told_of();
    end(rows, id, &OutboxRow { state: OutboxState::Dead, error: Some(error.to_owned()), ..reply }, now)?;
    tell_of_death(rows, id, told_of, error, now)
}

/// It was said where nothing goes out any more, and is listed as dead without having waited.
pub fn stillborn(
    rows: &mut impl Rows,
    id: &SendId,
    reply: OutboxRow,
    error: &str,
    now: Timestamp,
) -> Step<()> {
    let told_of = reply.is_told_of();
    let dead = OutboxRow { state: OutboxState::Dead, error: Some(error.to_owned()), ..reply };
    template_uses::used(rows, id, &dead, (DeliveryState::Failed, Some(error)), now)?;
    ended::list(rows, id, &dead)?;
    rows.effect(Effect::Line(id.key.clone()));
    tell_of_death(rows, id, told_of, error, now)
}

/// The reply as it is kept now: its contact may have been merged into another one since it was claimed.
fn as_it_is_now(rows: &impl ReadRows, id: &SendId) -> Step<(SendId, Option<OutboxRow>)> {
    // One that left while both were busy keeps its old key, whatever its conversation is called by now.
    if let Some(reply) = waiting(rows, id)?
        && rows.has::<Conversations>(&id.key)?
    {
        return Ok((id.clone(), Some(reply)));
    }
    let tenant = id.key.tenant;
    let contact = views::of_tenant(rows, tenant, &id.key.contact)?;
    let now = SendId { key: ConversationKey { tenant, contact }, seq: id.seq };
    let Some(mut reply) = rows.get::<Outbox>(&place(id))? else { return Ok((now, None)) };
    if views::of_tenant(rows, tenant, &reply.contact)? != now.key.contact {
        return Ok((now, None));
    }
    reply.contact.clone_from(&now.key.contact);
    Ok((now, Some(reply)))
}

/// Once: a commit that was answered with an error may have reached the disk all the same, and its
/// outcome is then told again. What is not being sent is settled already; only its claim ends.
pub fn settle(rows: &mut impl Rows, claimed: &SendId, settlement: &Settlement, now: Timestamp) -> Step<()> {
    let (id, reply) = as_it_is_now(rows, claimed)?;
    if let Some(reply) = reply
        && (reply.state == OutboxState::Sending || is_held_back(rows, claimed, settlement))
    {
        write_down(rows, &id, reply, settlement, now)?;
        rows.touch(now);
    }
    if id != *claimed {
        rows.effect(Effect::SendDone { key: claimed.key.clone(), seq: claimed.seq });
    }
    rows.effect(Effect::SendDone { key: id.key, seq: id.seq });
    Ok(())
}

fn write_down(
    rows: &mut impl Rows,
    id: &SendId,
    reply: OutboxRow,
    settlement: &Settlement,
    now: Timestamp,
) -> Step<()> {
    let because = |error: &String| Some(error.clone());
    match settlement {
        Settlement::Sent { provider_id } => sent(rows, id, &reply, provider_id.as_deref(), now),
        Settlement::Replaced { provider_id, by } => {
            let reply = OutboxRow { said: Packed::new(by), ..reply };
            sent(rows, id, &reply, provider_id.as_deref(), now)
        }
        Settlement::Later { at, error } => {
            wait(rows, id, &OutboxRow { due: *at, error: because(error), ..reply }, now)
        }
        // The contact wrote while this was decided.
        Settlement::Postponed { .. } if reply.occasion == Occasion::Answer => {
            wait(rows, id, &OutboxRow { due: now, ..reply }, now)
        }
        Settlement::Postponed { until, why } => {
            wait(rows, id, &OutboxRow { due: *until, error: because(why), postponed: true, ..reply }, now)
        }
        Settlement::Dead { error } => {
            let told_of = reply.is_told_of();
            end(rows, id, &OutboxRow { state: OutboxState::Dead, error: because(error), ..reply }, now)?;
            tell_of_death(rows, id, told_of, error, now)
        }
        Settlement::Unknown { error } => {
            end(rows, id, &OutboxRow { state: OutboxState::Unknown, error: because(error), ..reply }, now)
        }
        Settlement::PerhapsReplaced { error, by } => {
            let (state, said) = (OutboxState::Unknown, Packed::new(by));
            end(rows, id, &OutboxRow { state, error: because(error), said, ..reply }, now)
        }
    }
}

/// In its place in the outbox, until it is due.
pub fn wait(rows: &mut impl Rows, id: &SendId, reply: &OutboxRow, now: Timestamp) -> Step<()> {
    if reply.state == OutboxState::Waiting {
        rows.put::<Outbox>(&place(id), reply)?;
    } else {
        rows.put::<Outbox>(&place(id), &OutboxRow { state: OutboxState::Waiting, ..reply.clone() })?;
    }
    let (key, seq, sender) = (id.key.clone(), id.seq, reply.sender.clone());
    let due = Due { at: reply.due, decided_at: now };
    rows.effect(Effect::Queued { key, seq, sender, due, class: reply.class() });
    Ok(())
}

/// Has it been claimed and not begun, and is it not to begin now?
fn is_held_back(rows: &impl Rows, id: &SendId, settlement: &Settlement) -> bool {
    let held_back = matches!(
        settlement,
        Settlement::Later { .. } | Settlement::Postponed { .. } | Settlement::Dead { .. }
    );
    held_back && rows.index().sends().is_claimed_for(&id.key, &id.seq)
}

/// A brain that wants receipts hears that what it said reached nobody.
fn tell_of_death(rows: &mut impl Rows, id: &SendId, told_of: bool, error: &str, now: Timestamp) -> Step<()> {
    if !told_of {
        return Ok(());
    }
    let message_id = id.text();
    let told = reached::Told { message_id: &message_id, state: DeliveryState::Failed, reason: Some(error) };
    reached::tell(rows, &id.key, &told, now)
}

/// Out of the outbox and into the history, with what receipts will find it by.
fn sent(
    rows: &mut impl Rows,
    id: &SendId,
    reply: &OutboxRow,
    message_id: Option<&str>,
    now: Timestamp,
) -> Step<()> {
    let directory = rows.index().directory.load();
    let sender = directory.senders.get(&reply.sender);
    let sent_id =
        sender.zip(message_id).map(|(sender, id)| names::sent(sender.provider(), &sender.account, id));
    // A receipt may overtake the answer to the request that it is about.
    let early = sent_id.as_ref().and_then(|sent_id| rows.index().pending_receipts.find(sent_id));
    let report = early.unwrap_or(Report { state: DeliveryState::Sent, reason: None, fate: None });
    reached::write(rows, id, reply, &Reached { sent_id, message_id, report: &report, now })?;
    leave(rows, id)
}

/// Out of the outbox to those that have ended, where it stands in nobody's way.
fn end(rows: &mut impl Rows, id: &SendId, reply: &OutboxRow, now: Timestamp) -> Step<()> {
    template_uses::used(rows, id, reply, (reply.delivery(), reply.error.as_deref()), now)?;
    ended::list(rows, id, reply)?;
    leave(rows, id)
}

/// A reply that a process was sending when it ended.
pub fn declare_unknown(rows: &mut impl Rows, id: &SendId, error: &str, now: Timestamp) -> Step<()> {
    let (id, Some(reply)) = as_it_is_now(rows, id)? else { return Ok(()) };
    end(rows, &id, &OutboxRow { state: OutboxState::Unknown, error: Some(error.to_owned()), ..reply }, now)
}

/// It is not in the outbox any more.
pub fn leave(rows: &mut impl Rows, id: &SendId) -> Step<()> {
    rows.remove::<Outbox>(&place(id))?;
    let waiting = &mut rows.changes_mut().state.outbox_waiting;
    *waiting = waiting.saturating_sub(1);
    rows.effect(Effect::Unqueued { key: id.key.clone(), seq: id.seq });
    Ok(())
}

/// The operator wants it to go out now, whatever became of it and whatever the hour. Its place in the
/// history stays.
pub fn retry(rows: &mut impl Rows, id: &SendId, now: Timestamp) -> Step<()> {
    let listed = ended::find(rows, id)?;
    let has_ended = listed.is_some();
    let reply = match listed {
        Some(reply) => reply,
        None => waiting(rows, id)?.ok_or_else(|| not_there(id))?,
    };
    if reply.state == OutboxState::Sending {
        return Err(on_its_way(id).into());
    }
    if has_ended {
        ended::take_back(rows, id, reply.state)?;
        history::unsay(rows, id)?;
        rows.changes_mut().state.outbox_waiting += 1;
    }
    let repeats = reply.repeats || reply.state == OutboxState::Unknown;
    let (occasion, retried_at) = (Occasion::Answer, Some(now));
    wait(rows, id, &OutboxRow { due: now, occasion, postponed: false, repeats, retried_at, ..reply }, now)?;
    rows.touch(now);
    Ok(())
}

/// The operator gives it up.
pub fn drop_it(rows: &mut impl Rows, id: &SendId, now: Timestamp) -> Step<()> {
    if let Some(reply) = ended::find(rows, id)? {
        ended::give_up(rows, id, &reply)?;
    } else {
        let reply = waiting(rows, id)?.ok_or_else(|| not_there(id))?;
        if reply.state == OutboxState::Sending {
            return Err(on_its_way(id).into());
        }
        let line = HistoryRow { state: Some(DeliveryState::Failed), ..reply.line() };
        history::put(rows, &id.key, id.seq, &line)?;
        leave(rows, id)?;
    }
    rows.touch(now);
    Ok(())
}

fn not_there(id: &SendId) -> Error {
    Error::NotFound(format!("there is no send {}", id.text()))
}

fn on_its_way(id: &SendId) -> Error {
    Error::Conflict(format!("send {} is on its way this very moment", id.text()))
}
