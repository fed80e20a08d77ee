//! What providers tell of what we sent. A receipt finds its reply by any id of it, or by our own name
//! for it, wherever the reply is by then: in the history, on its way, or among those whose outcome
//! nobody knew.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Place, bare_id, read_place, sent_hash};
use super::early::Report;
use super::reached::{self, Reached, Told};
use super::rows::{Reply, Spoken};
use super::{contacts, lines, references, sends, templates};
use crate::conversation::Author;
use crate::event::Receipt;
use crate::message::{ContactKey, ConversationKey, DeliveryState, Timestamp};
use crate::store::{OutboxState, SendId};

/// A receipt with all that it may be found by, made before it reaches the writer.
pub struct Reported {
    receipt: Receipt,
    report: Report,
    hashes: Vec<[u8; 16]>,
    /// Where our own name leads. Infobip takes it for the message's id, and so does WAHA where its engine
    /// lets us choose.
    places: Vec<Place>,
}

impl Reported {
    pub fn new(receipt: Receipt, secret: &[u8; 32]) -> Self {
        let account = receipt.account.as_deref().unwrap_or_default();
        let ids = std::iter::once(&receipt.message_id).chain(&receipt.other_ids).filter(|id| !id.is_empty());
        let hashes = ids.clone().map(|id| sent_hash(receipt.provider, account, id)).collect();
        let bare = ids.map(|id| bare_id(receipt.provider, id));
        let names = receipt.reference.as_deref().into_iter().chain(bare);
        let places = names.filter_map(|name| references::place_of(secret, name)).collect();
        Reported { report: Report::of(&receipt), hashes, places, receipt }
    }

    /// Is it about a message that we have named?
    pub fn is_named(&self) -> bool {
        !self.places.is_empty()
    }
}

/// Moves a reply's state forward; back it never goes. Receipts of what is not ours are forgotten.
pub fn record(batch: &mut Batch<'_>, reported: &Reported, now: Timestamp) -> Step<()> {
    for hash in &reported.hashes {
        let place = batch.tables.sent_ids.get()?.get(hash)?.map(|row| *row.value());
        if let Some(place) = place
            && forward(batch, &place, reported, now)?
        {
            return Ok(());
        }
    }
    for place in &reported.places {
        if forward(batch, place, reported, now)?
            || resolve_waiting(batch, place, reported, now)?
            || resolve_ended(batch, place, reported, now)?
        {
            return Ok(());
        }
    }
    for hash in &reported.hashes {
        batch.mirror.early.note(*hash, &reported.report);
    }
    Ok(())
}

fn key_of(batch: &Batch<'_>, place: &Place, contact: &str) -> Step<SendId> {
    let (seq, tenant) = read_place(place);
    let contact = contacts::canonical(batch, &ContactKey::from_stored(contact))?;
    Ok(SendId { key: ConversationKey { tenant, contact }, seq })
}

/// One that has become a line. Whether there is one.
fn forward(batch: &mut Batch<'_>, place: &Place, reported: &Reported, now: Timestamp) -> Step<bool> {
    let row = batch.tables.history.get()?.get(place)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(false) };
    let line = Spoken::read(&row)?;
    let before = line.state.unwrap_or(DeliveryState::Sent);
    let after = before.after(reported.report.state);
    if after == before {
        return Ok(true);
    }
    let SendId { key, seq } = key_of(batch, place, line.contact)?;
    lines::put(batch, &key, seq, &Spoken { state: Some(after), ..line })?;
    batch.effects.push(super::mirror::Effect::Line);
    templates::reported(batch, place, line.payload, after, reported.receipt.reason.as_deref(), now)?;
    // What a human typed on the phone is no business of the brain's.
    if line.author != Author::Human {
        let Receipt { message_id, reason, .. } = &reported.receipt;
        reached::tell(batch, &key, &Told { message_id, state: after, reason: reason.as_deref() }, now)?;
    }
    reached::heed(batch, &key, &reported.report, now)?;
    Ok(true)
}

/// One that is on its way, or waits for another attempt although an earlier one went out: it has
/// reached the provider after all, and must not go out again.
fn resolve_waiting(batch: &mut Batch<'_>, place: &Place, reported: &Reported, now: Timestamp) -> Step<bool> {
    let row = batch.tables.outbox.get()?.get(place)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(false) };
    let reply = Reply::read(&row)?;
    let id = key_of(batch, place, reply.contact)?;
    if reply.state == OutboxState::Waiting
        && (reply.attempts == 0 || reported.report.state == DeliveryState::Failed)
    {
        // An attempt that failed, or a report that cannot be about anything.
        return Ok(true);
    }
    resolve(batch, &id, &reply, reported, now)?;
    sends::leave(batch, &id)?;
    Ok(true)
}

/// One of unknown outcome, or given up.
fn resolve_ended(batch: &mut Batch<'_>, place: &Place, reported: &Reported, now: Timestamp) -> Step<bool> {
    let contact = batch.tables.ended_places.get()?.get(place)?.map(|row| row.value().to_vec());
    let Some(contact) = contact else { return Ok(false) };
    let id = key_of(batch, place, &String::from_utf8_lossy(&contact))?;
    let Some(row) = sends::ended(batch, &id)? else { return Ok(false) };
    let reply = Reply::read(&row)?;
    if reply.state == OutboxState::Dead && reported.report.state == DeliveryState::Failed {
        return Ok(true);
    }
    sends::take_back(batch, &id, &reply)?;
    resolve(batch, &id, &reply, reported, now)?;
    batch.effects.push(super::mirror::Effect::Line);
    Ok(true)
}

fn resolve(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    reported: &Reported,
    now: Timestamp,
) -> Step<()> {
    let reply = Reply { contact: id.key.contact.as_str(), ..*reply };
    let reached = Reached {
        sent_id: reported.hashes.first().copied(),
        message_id: Some(&reported.receipt.message_id),
        report: &reported.report,
        now,
    };
    reached::write(batch, id, &reply, &reached)?;
    batch.state.touch(now);
    Ok(())
}
