//! Hands out replies and takes back what became of them.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Place, Unreadable, pack, place, sent_hash, under};
use super::early::Report;
use super::mirror::{Due, Effect};
use super::reached::{self, Reached};
use super::rows::{Reply, Spoken};
use super::tables::define;
use super::writer::Shared;
use super::{handover, lines, references, templates, views};
use crate::clock;
use crate::conversation::Occasion;
use crate::message::{ContactKey, ConversationKey, DeliveryState, SenderName, Timestamp};
use crate::store::{Error, OutboxState, Paced, SendClaim, SendId, Settlement};

/// The claims of one call. Those that are not handed over are given back when this is dropped, be it
/// because the caller went away.
pub struct Held {
    shared: Arc<Shared>,
    pub ids: Vec<SendId>,
}

impl Held {
    pub fn claim(shared: &Arc<Shared>, n: usize, now: Timestamp, pace: &mut Paced<'_>) -> Self {
        let mut sends = shared.mirror.sends();
        let keys = sends.claim(n, now, pace);
        let id = |key: Arc<ConversationKey>| {
            let seq = sends.items(&key).next().copied()?;
            Some(SendId { key: Arc::unwrap_or_clone(key), seq })
        };
        let ids = keys.into_iter().filter_map(id).collect();
        drop(sends);
        Held { shared: shared.clone(), ids }
    }

    /// Of claims that are out already.
    pub fn again(shared: &Arc<Shared>, ids: &[SendId]) -> Self {
        Held { shared: shared.clone(), ids: ids.to_vec() }
    }

    /// What was claimed, as it is kept.
    pub fn read(&self, snapshot: &ReadTransaction) -> Step<Vec<Found>> {
        let outbox = snapshot.open_table(define::outbox)?;
        self.ids.iter().map(|id| found(&outbox, id)).collect()
    }

    /// Makes the claims the caller's. One that cannot be read waits for the next start, out of the way
    /// of the others: asked again it would fail again.
    pub fn hand_over(&mut self, found: Vec<Found>) -> Vec<SendClaim> {
        let mut claims = Vec::with_capacity(found.len());
        let mut gone = Vec::new();
        for (id, found) in std::mem::take(&mut self.ids).into_iter().zip(found) {
            let entry = match found {
                Found::Gone => {
                    gone.push(id);
                    continue;
                }
                Found::Row(row) => Reply::read(&row).and_then(|reply| reply.entry()),
                Found::Unreadable(error) => Err(error),
            };
            match entry {
                Ok(entry) => {
                    let place = place(id.seq, id.key.tenant);
                    let reference = references::name(&self.shared.mirror.secret, &place, entry.attempts);
                    claims.push(SendClaim { id, entry, reference });
                }
                Err(error) => {
                    tracing::error!(conversation = %id.key, reply = id.seq, %error, "a reply cannot be read and waits for the next start");
                    self.shared.mirror.sends().postpone(&id.key, &id.seq, Timestamp::from_ms(i64::MAX));
                }
            }
        }
        self.ids = gone;
        claims
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let mut sends = self.shared.mirror.sends();
        for id in self.ids.drain(..) {
            sends.release_claim(&id.key, &id.seq);
        }
    }
}

/// A reply that was claimed.
pub enum Found {
    Row(Vec<u8>),
    Gone,
    Unreadable(Unreadable),
}

fn found(outbox: &impl ReadableTable<&'static Place, &'static [u8]>, id: &SendId) -> Step<Found> {
    let Some(row) = outbox.get(&place(id.seq, id.key.tenant))?.map(|row| row.value().to_vec()) else {
        return Ok(Found::Gone);
    };
    Ok(match Reply::read(&row).map(|reply| reply.contact == id.key.contact.as_str()) {
        Ok(true) => Found::Row(row),
        Ok(false) => Found::Gone,
        Err(error) => Found::Unreadable(error),
    })
}

fn row_of(batch: &Batch<'_>, id: &SendId) -> Step<Option<Vec<u8>>> {
    match found(batch.tables.outbox.get()?, id)? {
        Found::Row(row) => Ok(Some(row)),
        Found::Gone => Ok(None),
        Found::Unreadable(error) => Err(error.into()),
    }
}

fn put(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>) -> Step<()> {
    reply.write(&mut batch.buffer);
    batch.tables.outbox.put()?.insert(&place(id.seq, id.key.tenant), batch.buffer.as_slice())?;
    Ok(())
}

/// Marks replies as being sent; as they are kept from now on. What its sender does not carry any more
/// is dead instead: this is the one place that every reply passes, and nobody changes a sender's owner or
/// a contact's lock meanwhile.
pub fn begin(batch: &mut Batch<'_>, ids: &[SendId]) -> Step<Vec<Found>> {
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let row = match found(batch.tables.outbox.get()?, id)? {
            Found::Row(row) => row,
            other => {
                rows.push(other);
                continue;
            }
        };
        let reply = Reply::read(&row)?;
        if let Err(why) = handover::carried(batch, &id.key, reply.sender)? {
            refuse(batch, id, &reply, &why.to_string())?;
            rows.push(Found::Gone);
            continue;
        }
        let attempts = if reply.repeats { reply.attempts } else { reply.attempts + 1 };
        let state = OutboxState::Sending;
        let reply = Reply { state, postponed: false, attempts, repeats: false, ..reply };
        put(batch, id, &reply)?;
        rows.push(Found::Row(batch.buffer.clone()));
    }
    Ok(rows)
}

/// It waits, and is not to go out at all.
pub fn refuse(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>, error: &str) -> Step<()> {
    tracing::warn!(
        msg = named(reply.message), conversation = %id.key, sender = reply.sender, reply = id.seq, reason = error,
        "a reply may not go out; see `switchboard outbox list`"
    );
    end(batch, id, &Reply { state: OutboxState::Dead, error: Some(error), ..*reply })?;
    tell_of_death(batch, id, reply, error, clock::now())
}

/// As the log names the message that a reply answers; 0: none.
pub fn named(message: u64) -> Option<u64> {
    (message > 0).then_some(message)
}

/// It was said where nothing goes out any more, and is listed as dead without having waited.
pub fn stillborn(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    error: &str,
    now: Timestamp,
) -> Step<()> {
    let dead = Reply { state: OutboxState::Dead, error: Some(error), ..*reply };
    templates::used(batch, id, &dead, (DeliveryState::Failed, Some(error)), now)?;
    list(batch, id, &dead)?;
    batch.effects.push(Effect::Line(id.key.clone()));
    tell_of_death(batch, id, reply, error, now)
}

/// The reply as it is kept now: its contact may have been merged into another one since it was claimed.
fn row_now(batch: &Batch<'_>, id: &SendId) -> Step<(SendId, Option<Vec<u8>>)> {
    if let Some(row) = row_of(batch, id)? {
        return Ok((id.clone(), Some(row)));
    }
    let contact = views::of_tenant(batch, id.key.tenant, &id.key.contact)?;
    let row = batch.tables.outbox.get()?.get(&place(id.seq, id.key.tenant))?.map(|row| row.value().to_vec());
    let now = SendId { key: ConversationKey { tenant: id.key.tenant, contact }, seq: id.seq };
    let Some(row) = row else { return Ok((now, None)) };
    let reply = Reply::read(&row)?;
    let kept = views::of_tenant(batch, id.key.tenant, &ContactKey::from_stored(reply.contact))?;
    if kept != now.key.contact {
        return Ok((now, None));
    }
    let mut moved = Vec::with_capacity(row.len());
    Reply { contact: now.key.contact.as_str(), ..reply }.write(&mut moved);
    Ok((now, Some(moved)))
}

/// Once: a commit that was answered with an error may have reached the disk all the same, and its
/// outcome is then told again. What is not being sent is settled already; only its claim ends.
pub fn settle(batch: &mut Batch<'_>, claimed: &SendId, settlement: &Settlement, now: Timestamp) -> Step<()> {
    let (id, row) = row_now(batch, claimed)?;
    if let Some(row) = row {
        let reply = Reply::read(&row)?;
        if reply.state == OutboxState::Sending || is_held_back(batch, claimed, settlement) {
            write_down(batch, &id, &reply, settlement, now)?;
            batch.state.touch(now);
        }
    }
    if id != *claimed {
        batch.effects.push(Effect::SendDone { key: claimed.key.clone(), seq: claimed.seq });
    }
    batch.effects.push(Effect::SendDone { key: id.key, seq: id.seq });
    Ok(())
}

fn write_down(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    settlement: &Settlement,
    now: Timestamp,
) -> Step<()> {
    match settlement {
        Settlement::Sent { provider_id } => sent(batch, id, reply, provider_id.as_deref(), now),
        Settlement::Replaced { provider_id, by } => {
            let reply = Reply { payload: &pack(by), ..*reply };
            sent(batch, id, &reply, provider_id.as_deref(), now)
        }
        Settlement::Later { at, error } => {
            wait(batch, id, &Reply { due: *at, error: Some(error), ..*reply }, now)
        }
        // The contact wrote while this was decided.
        Settlement::Postponed { .. } if reply.occasion == Occasion::Answer => {
            wait(batch, id, &Reply { due: now, ..*reply }, now)
        }
        Settlement::Postponed { until, why } => {
            wait(batch, id, &Reply { due: *until, error: Some(why), postponed: true, ..*reply }, now)
        }
        Settlement::Dead { error } => {
            end(batch, id, &Reply { state: OutboxState::Dead, error: Some(error), ..*reply })?;
            tell_of_death(batch, id, reply, error, now)
        }
        Settlement::Unknown { error } => {
            end(batch, id, &Reply { state: OutboxState::Unknown, error: Some(error), ..*reply })
        }
        Settlement::PerhapsReplaced { error, by } => {
            let (state, payload) = (OutboxState::Unknown, pack(by));
            end(batch, id, &Reply { state, error: Some(error), payload: &payload, ..*reply })
        }
    }
}

/// In its place in the outbox, until it is due.
fn wait(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>, now: Timestamp) -> Step<()> {
    put(batch, id, &Reply { state: OutboxState::Waiting, ..*reply })?;
    let (key, seq, sender) = (id.key.clone(), id.seq, SenderName::new(reply.sender));
    let due = Due { at: reply.due, decided_at: now };
    batch.effects.push(Effect::Queued { key, seq, sender, due, class: reply.class() });
    Ok(())
}

/// Has it been claimed and not begun, and is it not to begin now?
fn is_held_back(batch: &Batch<'_>, id: &SendId, settlement: &Settlement) -> bool {
    let held_back = matches!(
        settlement,
        Settlement::Later { .. } | Settlement::Postponed { .. } | Settlement::Dead { .. }
    );
    held_back && batch.mirror.sends().is_claimed_for(&id.key, &id.seq)
}

/// A brain that wants receipts hears that what it said reached nobody.
fn tell_of_death(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    error: &str,
    now: Timestamp,
) -> Step<()> {
    if !reply.line().is_told_of() {
        return Ok(());
    }
    let message_id = text_of(id);
    let told = reached::Told { message_id: &message_id, state: DeliveryState::Failed, reason: Some(error) };
    reached::tell(batch, &id.key, &told, now)
}

/// Out of the outbox and into the history, with what receipts will find it by.
fn sent(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    message_id: Option<&str>,
    now: Timestamp,
) -> Step<()> {
    let directory = batch.mirror.directory.load();
    let sender = directory.senders.get(&SenderName::new(reply.sender));
    let sent_id =
        sender.zip(message_id).map(|(sender, id)| sent_hash(sender.provider(), &sender.account, id));
    // A receipt may overtake the answer to the request that it is about.
    let early = sent_id.as_ref().and_then(|sent_id| batch.mirror.early.find(sent_id));
    let report = early.unwrap_or(Report { state: DeliveryState::Sent, reason: None, fate: None });
    reached::write(batch, id, reply, &Reached { sent_id, message_id, report: &report, now })?;
    leave(batch, id)
}

/// Out of the outbox to those that have ended, where it stands in nobody's way.
fn end(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>) -> Step<()> {
    let state = reply.line().state.unwrap_or(DeliveryState::Unknown);
    templates::used(batch, id, reply, (state, reply.error), clock::now())?;
    list(batch, id, reply)?;
    leave(batch, id)
}

/// One that turned out not to have arrived after it had become a line, which stays: where the operator
/// finds it, can send it again or let it be.
pub fn returned(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>, reason: Option<&str>) -> Step<()> {
    let error = reason.unwrap_or("the provider gave no reason");
    let error = format!("the provider took it and then reported that it failed: {error}");
    tracing::warn!(
        msg = named(reply.message), conversation = %id.key, sender = reply.sender, reply = id.seq, reason,
        "a reply did not arrive; see `switchboard outbox list --dead`"
    );
    let state = OutboxState::Dead;
    list(batch, id, &Reply { state, error: Some(&error), contact: id.key.contact.as_str(), ..*reply })
}

/// Among those that have ended.
fn list(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>) -> Step<()> {
    reply.write(&mut batch.buffer);
    let name = ended_name(id);
    batch.tables.ended_sends.put()?.insert(name.as_slice(), batch.buffer.as_slice())?;
    let at = place(id.seq, id.key.tenant);
    batch.tables.ended_places.put()?.insert(&at, id.key.contact.as_str().as_bytes())?;
    match reply.state {
        OutboxState::Unknown => batch.state.outbox_unknown += 1,
        _ => batch.state.outbox_dead += 1,
    }
    Ok(())
}

/// A reply that has ended, by its conversation and place.
pub fn ended(batch: &Batch<'_>, id: &SendId) -> Step<Option<Vec<u8>>> {
    let name = ended_name(id);
    Ok(batch.tables.ended_sends.get()?.get(name.as_slice())?.map(|row| row.value().to_vec()))
}

/// It is one of those that have ended no more.
pub fn take_back(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>) -> Step<()> {
    batch.tables.ended_sends.put()?.remove(ended_name(id).as_slice())?;
    batch.tables.ended_places.put()?.remove(&place(id.seq, id.key.tenant))?;
    let counted = match reply.state {
        OutboxState::Unknown => &mut batch.state.outbox_unknown,
        _ => &mut batch.state.outbox_dead,
    };
    *counted = counted.saturating_sub(1);
    Ok(())
}

/// A reply that a process was sending when it ended.
pub fn declare_unknown(batch: &mut Batch<'_>, id: &SendId, error: &str) -> Step<()> {
    let Some(row) = row_of(batch, id)? else { return Ok(()) };
    let reply = Reply::read(&row)?;
    end(batch, id, &Reply { state: OutboxState::Unknown, error: Some(error), ..reply })
}

/// It is not in the outbox any more.
pub fn leave(batch: &mut Batch<'_>, id: &SendId) -> Step<()> {
    batch.tables.outbox.put()?.remove(&place(id.seq, id.key.tenant))?;
    batch.state.outbox_waiting = batch.state.outbox_waiting.saturating_sub(1);
    batch.effects.push(Effect::Unqueued { key: id.key.clone(), seq: id.seq });
    Ok(())
}

fn ended_name(id: &SendId) -> Vec<u8> {
    under(&id.key, &id.seq.to_be_bytes())
}

/// The operator wants it to go out now, whatever became of it and whatever the hour. Its place in the
/// history stays.
pub fn retry(batch: &mut Batch<'_>, id: &SendId, now: Timestamp) -> Step<()> {
    let ended = ended(batch, id)?;
    let row = match &ended {
        Some(row) => row.clone(),
        None => row_of(batch, id)?.ok_or_else(|| not_there(id))?,
    };
    let reply = Reply::read(&row)?;
    if reply.state == OutboxState::Sending {
        return Err(Error::Conflict(format!("send {} is on its way this very moment", text_of(id))).into());
    }
    if ended.is_some() {
        take_back(batch, id, &reply)?;
        lines::unsay(batch, id)?;
        batch.state.outbox_waiting += 1;
    }
    let repeats = reply.repeats || reply.state == OutboxState::Unknown;
    let (occasion, retried_at) = (Occasion::Answer, Some(now));
    wait(batch, id, &Reply { due: now, occasion, postponed: false, repeats, retried_at, ..reply }, now)?;
    batch.state.touch(now);
    Ok(())
}

/// One that has ended is listed no more. Its line stays, marked as what it was: failed, or of unknown
/// outcome.
pub fn give_up(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>) -> Step<()> {
    take_back(batch, id, reply)?;
    let at = place(id.seq, id.key.tenant);
    if batch.tables.history.get()?.get(&at)?.is_none() {
        lines::put(batch, &id.key, id.seq, &reply.line())?;
    }
    batch.effects.push(Effect::Line(id.key.clone()));
    Ok(())
}

/// The operator gives it up.
pub fn drop_it(batch: &mut Batch<'_>, id: &SendId, now: Timestamp) -> Step<()> {
    if let Some(row) = ended(batch, id)? {
        give_up(batch, id, &Reply::read(&row)?)?;
    } else {
        let row = row_of(batch, id)?.ok_or_else(|| not_there(id))?;
        let reply = Reply::read(&row)?;
        if reply.state == OutboxState::Sending {
            return Err(
                Error::Conflict(format!("send {} is on its way this very moment", text_of(id))).into()
            );
        }
        let line = Spoken { state: Some(DeliveryState::Failed), ..reply.line() };
        lines::put(batch, &id.key, id.seq, &line)?;
        leave(batch, id)?;
    }
    batch.state.touch(now);
    Ok(())
}

fn not_there(id: &SendId) -> Error {
    Error::NotFound(format!("there is no send {}", text_of(id)))
}

/// `2-971501234567-17`.
pub fn text_of(id: &SendId) -> String {
    text(&id.key, id.seq)
}

pub fn text(key: &ConversationKey, seq: u64) -> String {
    format!("{}-{}-{seq}", key.tenant, key.contact)
}
