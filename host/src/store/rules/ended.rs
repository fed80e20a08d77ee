//! Replies that have ended without having arrived, or nobody knows whether: they are listed until somebody says what to
//! do. They lie by conversation, for who looks at one, and by their places, so that the oldest of a tenant are found
//! first. Both change together, here alone.

use super::history;
use crate::message::ConversationKey;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{EndedPlaces, EndedSends, History, ReadRows, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::{OutboxState, SendId};

fn place(id: &SendId) -> Place {
    Place::new(id.seq, id.key.tenant)
}

fn name(id: &SendId) -> (ConversationKey, u64) {
    (id.key.clone(), id.seq)
}

/// One that turned out not to have arrived after it had become a line, which stays: where the operator
/// finds it, can send it again or let it be.
pub fn returned(rows: &mut impl Rows, id: &SendId, reply: OutboxRow, reason: Option<&str>) -> Step<()> {
    let error = reason.unwrap_or("the provider gave no reason");
    let error = Some(format!("the provider took it and then reported that it failed: {error}"));
    tracing::warn!(
        msg = reply.message, conversation = %id.key, sender = %reply.sender, reply = id.seq, reason,
        "a reply did not arrive; see `switchboard outbox list --dead`"
    );
    let contact = id.key.contact.clone();
    list(rows, id, &OutboxRow { state: OutboxState::Dead, error, contact, ..reply })
}

/// Among those that have ended.
pub fn list(rows: &mut impl Rows, id: &SendId, reply: &OutboxRow) -> Step<()> {
    rows.put::<EndedSends>(&name(id), reply)?;
    rows.put::<EndedPlaces>(&place(id), &id.key.contact)?;
    let state = &mut rows.changes_mut().state;
    match reply.state {
        OutboxState::Unknown => state.outbox_unknown += 1,
        _ => state.outbox_dead += 1,
    }
    Ok(())
}

/// A reply that has ended, by its conversation and place.
pub fn find(rows: &impl ReadRows, id: &SendId) -> Step<Option<OutboxRow>> {
    rows.get::<EndedSends>(&name(id))
}

/// It is taken off the list of those that have ended.
pub fn take_back(rows: &mut impl Rows, id: &SendId, state: OutboxState) -> Step<()> {
    rows.remove::<EndedSends>(&name(id))?;
    rows.remove::<EndedPlaces>(&place(id))?;
    let counted = &mut rows.changes_mut().state;
    let counted = match state {
        OutboxState::Unknown => &mut counted.outbox_unknown,
        _ => &mut counted.outbox_dead,
    };
    *counted = counted.saturating_sub(1);
    Ok(())
}

/// Those that have ended go on under another key of the same person. Whether there were any.
pub fn rename(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let mut found = Vec::new();
    rows.each::<EndedSends>(
        &(from.clone(), 0),
        |(of, _)| of == from,
        |(_, seq), reply| {
            found.push((seq, reply?));
            Ok(())
        },
    )?;
    let any = !found.is_empty();
    for (seq, reply) in found {
        rows.remove::<EndedSends>(&(from.clone(), seq))?;
        let reply = OutboxRow { contact: into.contact.clone(), ..reply };
        rows.put::<EndedSends>(&(into.clone(), seq), &reply)?;
        rows.put::<EndedPlaces>(&Place::new(seq, into.tenant), &into.contact)?;
    }
    Ok(any)
}

/// One that has ended is listed no more. Its line stays, marked as what it was: failed, or of unknown
/// outcome.
pub fn give_up(rows: &mut impl Rows, id: &SendId, reply: &OutboxRow) -> Step<()> {
    take_back(rows, id, reply.state)?;
    if !rows.has::<History>(&place(id))? {
        history::put(rows, &id.key, id.seq, &reply.line())?;
    }
    rows.effect(Effect::Line(id.key.clone()));
    Ok(())
}
