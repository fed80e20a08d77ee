//! What providers tell of what we sent. A receipt finds its reply by any id of it, or by our own name
//! for it, wherever the reply is by then: in the history, on its way, or among those whose outcome
//! nobody knew.

use redb::{ReadTransaction, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Place, conversation_key, read_place, sent_hash};
use super::early::Report;
use super::reached::{self, Reached, Told};
use super::references::Named;
use super::rows::{Kept, MOST_ATTEMPTS, Reply, Spoken};
use super::tables::define;
use super::{contacts, lines, references, sends, templates, views};
use crate::channel;
use crate::conversation::Occasion;
use crate::event::Receipt;
use crate::message::{ContactKey, ConversationKey, DeliveryState, SenderName, Timestamp};
use crate::store::{Moved, OutboxState, SendId};

/// A receipt with all that it may be found by, made before it reaches the writer.
pub struct Reported {
    receipt: Receipt,
    report: Report,
    hashes: Vec<[u8; 16]>,
    /// Where our own names lead. Infobip takes it for the message's id, and so does WAHA where its engine
    /// lets us choose.
    names: Vec<Named>,
}

impl Reported {
    pub fn new(receipt: Receipt, secret: &[u8; 32]) -> Self {
        let account = receipt.account.as_deref().unwrap_or_default();
        let ids = std::iter::once(&receipt.message_id).chain(&receipt.other_ids).filter(|id| !id.is_empty());
        let hashes = ids.clone().map(|id| sent_hash(receipt.provider, account, id)).collect();
        let bare = ids.map(|id| channel::adapter(receipt.provider).bare_id(id));
        let names = receipt.reference.as_deref().into_iter().chain(bare);
        let names = names.filter_map(|name| references::read(secret, name)).collect();
        Reported { report: Report::of(&receipt), hashes, names, receipt }
    }

    /// Is it about a message that we have named?
    pub fn is_named(&self) -> bool {
        !self.names.is_empty()
    }
}

/// Through whom a reply went out, or its conversation goes now.
pub fn sender_of(snapshot: &ReadTransaction, named: &Named) -> Step<Option<SenderName>> {
    let outbox = snapshot.open_table(define::outbox)?;
    if let Some(row) = ReadableTable::get(&outbox, &named.place)? {
        return Ok(Some(SenderName::new(Reply::read(row.value())?.sender)));
    }
    let (_, tenant) = read_place(&named.place);
    let history = snapshot.open_table(define::history)?;
    let line = ReadableTable::get(&history, &named.place)?;
    let ended = snapshot.open_table(define::ended_places)?;
    let contact = match &line {
        Some(row) => Some(Spoken::read(row.value())?.contact.to_owned()),
        None => ReadableTable::get(&ended, &named.place)?
            .map(|row| String::from_utf8_lossy(row.value()).into_owned()),
    };
    let Some(contact) = contact else { return Ok(None) };
    let known = snapshot.open_table(define::contacts)?;
    let (contact, _) = contacts::find(&known, &ContactKey::from_stored(contact))?;
    let conversations = snapshot.open_table(define::conversations)?;
    let row = ReadableTable::get(
        &conversations,
        conversation_key(&ConversationKey { tenant, contact }).as_slice(),
    )?;
    let kept = row.as_ref().map(|row| Kept::read(row.value())).transpose()?;
    Ok(kept.and_then(|kept| kept.conversation.sender))
}

/// Moves a reply's state forward; back it never goes. Receipts of what is not ours are forgotten. What it
/// moved, if anything.
pub fn record(batch: &mut Batch<'_>, reported: &Reported, now: Timestamp) -> Step<Option<Moved>> {
    let dead_before = batch.state.outbox_dead;
    let moved = apply(batch, reported, now)?;
    Ok(moved.map(|moved| Moved { returned: batch.state.outbox_dead > dead_before, ..moved }))
}

/// The same for what was asked for. Whether it settles a reply of unknown outcome.
pub fn recognize(batch: &mut Batch<'_>, reported: &Reported, now: Timestamp) -> Step<bool> {
    let before = batch.state.outbox_unknown;
    if reported.is_named() {
        apply(batch, reported, now)?;
    }
    Ok(batch.state.outbox_unknown < before)
}

fn apply(batch: &mut Batch<'_>, reported: &Reported, now: Timestamp) -> Step<Option<Moved>> {
    for hash in &reported.hashes {
        let place = batch.tables.sent_ids.get()?.get(hash)?.map(|row| *row.value());
        if let Some(place) = place
            && let Found::Ours(moved) = forward(batch, &place, None, reported, now)?
        {
            return Ok(moved);
        }
    }
    for name in &reported.names {
        for find in [forward_named, resolve_waiting, resolve_ended] {
            if let Found::Ours(moved) = find(batch, name, reported, now)? {
                return Ok(moved);
            }
        }
    }
    for hash in &reported.hashes {
        batch.mirror.early.note(*hash, &reported.report);
    }
    Ok(None)
}

/// Is a reply of ours there?
enum Found {
    /// And what it was moved to, if that is news.
    Ours(Option<Moved>),
    Nothing,
}

fn moved(id: SendId, message: u64, state: DeliveryState) -> Found {
    Found::Ours(Some(Moved { id, message: sends::named(message), state, returned: false }))
}

fn forward_named(batch: &mut Batch<'_>, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    forward(batch, &name.place, Some(name), reported, now)
}

fn key_of(batch: &Batch<'_>, place: &Place, contact: &str) -> Step<SendId> {
    let (seq, tenant) = read_place(place);
    let contact = views::of_tenant(batch, tenant, &ContactKey::from_stored(contact))?;
    Ok(SendId { key: ConversationKey { tenant, contact }, seq })
}

/// One that has become a line. `name`: by which it was found, if by one.
fn forward(
    batch: &mut Batch<'_>,
    place: &Place,
    name: Option<&Named>,
    reported: &Reported,
    now: Timestamp,
) -> Step<Found> {
    let row = batch.tables.history.get()?.get(place)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(Found::Nothing) };
    let line = Spoken::read(&row)?;
    let before = line.state.unwrap_or(DeliveryState::Sent);
    let after = before.after(reported.report.state);
    if after == before || is_of_another(name, &line, after)? {
        return Ok(Found::Ours(None));
    }
    let SendId { key, seq } = key_of(batch, place, line.contact)?;
    lines::put(
        batch,
        &key,
        seq,
        &Spoken { state: Some(after), times: line.times.reached(after, now), ..line },
    )?;
    batch.effects.push(super::mirror::Effect::Line(key.clone()));
    templates::reported(batch, place, line.payload, after, reported.receipt.reason.as_deref(), now)?;
    if line.said && after == DeliveryState::Failed {
        list_as_dead(batch, &SendId { key: key.clone(), seq }, &line, reported, now)?;
    } else if line.said && before == DeliveryState::Failed {
        let id = SendId { key: key.clone(), seq };
        if let Some(row) = sends::ended(batch, &id)? {
            sends::take_back(batch, &id, &Reply::read(&row)?)?;
        }
    }
    if line.is_told_of() {
        let Receipt { message_id, reason, .. } = &reported.receipt;
        reached::tell(batch, &key, &Told { message_id, state: after, reason: reason.as_deref() }, now)?;
    }
    reached::heed(batch, &key, &reported.report, now)?;
    Ok(moved(SendId { key, seq }, line.message, after))
}

/// Is this the failure of an earlier attempt, or of what the line stands in place of?
fn is_of_another(name: Option<&Named>, line: &Spoken<'_>, after: DeliveryState) -> Step<bool> {
    let Some(name) = name.filter(|_| after == DeliveryState::Failed && line.attempt > 0) else {
        return Ok(false);
    };
    let attempt = u8::try_from(name.attempt).unwrap_or(MOST_ATTEMPTS).min(MOST_ATTEMPTS);
    Ok(attempt != line.attempt || name.is_template != templates::template_of(line.payload)?.is_some())
}

/// The provider took it, and tells now that it did not arrive.
fn list_as_dead(
    batch: &mut Batch<'_>,
    id: &SendId,
    line: &Spoken<'_>,
    reported: &Reported,
    now: Timestamp,
) -> Step<()> {
    let kept = lines::kept(batch, &conversation_key(&id.key))?;
    let Some((kept, sender)) = kept.and_then(|kept| kept.conversation.sender.clone().map(|it| (kept, it)))
    else {
        tracing::warn!(msg = sends::named(line.message), conversation = %id.key, reply = id.seq, "a reply did not arrive, and nothing tells who it was for");
        return Ok(());
    };
    let reply = Reply {
        state: OutboxState::Dead,
        author: line.author,
        occasion: Occasion::Answer,
        on_receipt: line.on_receipt,
        postponed: false,
        attempts: u32::from(line.attempt.max(1)),
        repeats: false,
        retried_at: None,
        due: now,
        created_at: line.at,
        previous: line.previous,
        message: line.message,
        heard_at: Timestamp::ZERO,
        contact: id.key.contact.as_str(),
        sender: sender.as_str(),
        to: &kept.conversation.reply_to,
        error: None,
        payload: line.payload,
    };
    sends::returned(batch, id, &reply, reported.receipt.reason.as_deref())
}

/// One that is on its way, or waits for another attempt although an earlier one went out: it has
/// reached the provider after all, and must not go out again.
fn resolve_waiting(batch: &mut Batch<'_>, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    let row = batch.tables.outbox.get()?.get(&name.place)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(Found::Nothing) };
    let reply = Reply::read(&row)?;
    let id = key_of(batch, &name.place, reply.contact)?;
    let failed = reported.report.state == DeliveryState::Failed;
    let earlier = failed && name.attempt < reply.attempts;
    if earlier || reply.state == OutboxState::Waiting && (reply.attempts == 0 || failed) {
        // An attempt that failed, or a report that cannot be about anything.
        return Ok(Found::Ours(None));
    }
    resolve(batch, &id, &reply, reported, now)?;
    sends::leave(batch, &id)?;
    Ok(moved(id, reply.message, reported.report.state))
}

/// One of unknown outcome, or given up.
fn resolve_ended(batch: &mut Batch<'_>, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    let contact = batch.tables.ended_places.get()?.get(&name.place)?.map(|row| row.value().to_vec());
    let Some(contact) = contact else { return Ok(Found::Nothing) };
    let id = key_of(batch, &name.place, &String::from_utf8_lossy(&contact))?;
    let Some(row) = sends::ended(batch, &id)? else { return Ok(Found::Nothing) };
    let reply = Reply::read(&row)?;
    let failed = reported.report.state == DeliveryState::Failed;
    if failed && reply.state == OutboxState::Dead
        || is_of_another(Some(name), &reply.line(), reported.report.state)?
    {
        return Ok(Found::Ours(None));
    }
    sends::take_back(batch, &id, &reply)?;
    resolve(batch, &id, &reply, reported, now)?;
    batch.effects.push(super::mirror::Effect::Line(id.key.clone()));
    Ok(moved(id, reply.message, reported.report.state))
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
