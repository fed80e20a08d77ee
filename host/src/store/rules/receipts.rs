//! What providers tell of what we sent. A receipt finds its reply by any id of it, or by our own name
//! for it, wherever the reply is by then: in the history, on its way, or among those whose outcome
//! nobody knew.

use super::reached::{self, Reached, Told};
use super::references::Named;
use super::{contacts, ended, history, names, references, sends, template_uses, views};
use crate::channel;
use crate::conversation::Occasion;
use crate::event::Receipt;
use crate::message::{ContactKey, ConversationKey, DeliveryState, SenderName, Timestamp};
use crate::store::rows::history::{HistoryRow, Line, MOST_ATTEMPTS};
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{EndedPlaces, Hash, History, Outbox, ReadRows, Rows, SentIds, Step};
use crate::store::shared::effect::Effect;
use crate::store::shared::pending_receipts::Report;
use crate::store::{Moved, OutboxState, SendId};

/// A receipt with all that it may be found by, made before it reaches the writer.
pub struct Reported {
    receipt: Receipt,
    report: Report,
    hashes: Vec<Hash>,
    /// Where our own names lead. Infobip takes it for the message's id, and so does WAHA where its engine
    /// lets us choose.
    names: Vec<Named>,
}

impl Reported {
    pub fn new(receipt: Receipt, secret: &[u8; 32]) -> Self {
        let account = receipt.account.as_deref().unwrap_or_default();
        let ids = std::iter::once(&receipt.message_id).chain(&receipt.other_ids).filter(|id| !id.is_empty());
        let hashes = ids.clone().map(|id| names::sent(receipt.provider, account, id)).collect();
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
pub fn sender_of(rows: &impl ReadRows, named: &Named) -> Step<Option<SenderName>> {
    if let Some(reply) = rows.get::<Outbox>(&named.place)? {
        return Ok(Some(reply.sender));
    }
    let contact = match rows.get::<History>(&named.place)? {
        Some(line) => Some(line.contact),
        None => rows.get::<EndedPlaces>(&named.place)?,
    };
    let Some(contact) = contact else { return Ok(None) };
    let (contact, _) = contacts::find(rows, &contact)?;
    let row = history::conversation(rows, &ConversationKey { tenant: named.place.tenant, contact })?;
    Ok(row.and_then(|row| row.conversation.sender))
}

/// Moves a reply's state forward; back it never goes. Receipts of what is not ours are forgotten. What it
/// moved, if anything.
pub fn record(rows: &mut impl Rows, reported: &Reported, now: Timestamp) -> Step<Option<Moved>> {
    let dead_before = rows.changes().state.outbox_dead;
    let moved = apply(rows, reported, now)?;
    Ok(moved.map(|moved| Moved { returned: rows.changes().state.outbox_dead > dead_before, ..moved }))
}

/// The same for what was asked for. Whether it settles a reply of unknown outcome.
pub fn recognize(rows: &mut impl Rows, reported: &Reported, now: Timestamp) -> Step<bool> {
    let before = rows.changes().state.outbox_unknown;
    if reported.is_named() {
        apply(rows, reported, now)?;
    }
    Ok(rows.changes().state.outbox_unknown < before)
}

fn apply<R: Rows>(rows: &mut R, reported: &Reported, now: Timestamp) -> Step<Option<Moved>> {
    for hash in &reported.hashes {
        if let Some(place) = rows.get::<SentIds>(hash)?
            && let Found::Ours(moved) = forward(rows, place, None, reported, now)?
        {
            return Ok(moved);
        }
    }
    for name in &reported.names {
        for find in [forward_named::<R>, resolve_waiting::<R>, resolve_ended::<R>] {
            if let Found::Ours(moved) = find(rows, name, reported, now)? {
                return Ok(moved);
            }
        }
    }
    for hash in &reported.hashes {
        rows.index().pending_receipts.note(*hash, &reported.report);
    }
    Ok(None)
}

/// Is a reply of ours there?
enum Found {
    /// And what it was moved to, if that is news.
    Ours(Option<Moved>),
    Nothing,
}

fn moved(id: SendId, message: Option<u64>, state: DeliveryState) -> Found {
    Found::Ours(Some(Moved { id, message, state, returned: false }))
}

fn forward_named<R: Rows>(rows: &mut R, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    forward(rows, name.place, Some(name), reported, now)
}

fn id_of(rows: &impl ReadRows, place: Place, contact: &ContactKey) -> Step<SendId> {
    let contact = views::of_tenant(rows, place.tenant, contact)?;
    Ok(SendId { key: ConversationKey { tenant: place.tenant, contact }, seq: place.seq })
}

/// One that has become a line. `name`: by which it was found, if by one.
fn forward(
    rows: &mut impl Rows,
    place: Place,
    name: Option<&Named>,
    reported: &Reported,
    now: Timestamp,
) -> Step<Found> {
    let Some(line) = rows.get::<History>(&place)? else { return Ok(Found::Nothing) };
    let before = line.state.unwrap_or(DeliveryState::Sent);
    let after = before.after(reported.report.state);
    if after == before || is_of_another(name, &line, after)? {
        return Ok(Found::Ours(None));
    }
    let id = id_of(rows, place, &line.contact)?;
    let line = HistoryRow { state: Some(after), times: line.times.reached(after, now), ..line };
    history::put(rows, &id.key, id.seq, &line)?;
    rows.effect(Effect::Line(id.key.clone()));
    if let Line::Said(said) = &line.line {
        template_uses::reported(rows, place, said, after, reported.receipt.reason.as_deref(), now)?;
        if after == DeliveryState::Failed {
            list_as_dead(rows, &id, &line, reported, now)?;
        } else if before == DeliveryState::Failed
            && let Some(reply) = ended::find(rows, &id)?
        {
            ended::take_back(rows, &id, reply.state)?;
        }
    }
    if line.is_told_of() {
        let Receipt { message_id, reason, .. } = &reported.receipt;
        reached::tell(rows, &id.key, &Told { message_id, state: after, reason: reason.as_deref() }, now)?;
    }
    reached::heed(rows, &id.key, &reported.report, now)?;
    Ok(moved(id, line.message, after))
}

/// Is this the failure of an earlier attempt, or of what the line stands in place of?
fn is_of_another(name: Option<&Named>, line: &HistoryRow, after: DeliveryState) -> Step<bool> {
    let Some(name) = name.filter(|_| after == DeliveryState::Failed && line.attempt > 0) else {
        return Ok(false);
    };
    let attempt = u8::try_from(name.attempt).unwrap_or(MOST_ATTEMPTS).min(MOST_ATTEMPTS);
    let is_template = match &line.line {
        Line::Said(said) => template_uses::template_of(said)?.is_some(),
        Line::Heard(_) => false,
    };
    Ok(attempt != line.attempt || name.is_template != is_template)
}

/// The provider took it, and tells now that it did not arrive.
fn list_as_dead(
    rows: &mut impl Rows,
    id: &SendId,
    line: &HistoryRow,
    reported: &Reported,
    now: Timestamp,
) -> Step<()> {
    let Line::Said(said) = &line.line else { return Ok(()) };
    let conversation = history::conversation(rows, &id.key)?.map(|row| row.conversation);
    let Some((to, sender)) = conversation.and_then(|it| Some((it.reply_to, it.sender?))) else {
        tracing::warn!(msg = line.message, conversation = %id.key, reply = id.seq, "a reply did not arrive, and nothing tells who it was for");
        return Ok(());
    };
    let reply = OutboxRow {
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
        heard_at: None,
        contact: id.key.contact.clone(),
        sender,
        to,
        error: None,
        said: said.clone(),
    };
    ended::returned(rows, id, reply, reported.receipt.reason.as_deref())
}

/// One that is on its way, or waits for another attempt although an earlier one went out: it has
/// reached the provider after all, and must not go out again.
fn resolve_waiting<R: Rows>(rows: &mut R, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    let Some(reply) = rows.get::<Outbox>(&name.place)? else { return Ok(Found::Nothing) };
    let id = id_of(rows, name.place, &reply.contact)?;
    let failed = reported.report.state == DeliveryState::Failed;
    let earlier = failed && name.attempt < reply.attempts;
    if earlier || reply.state == OutboxState::Waiting && (reply.attempts == 0 || failed) {
        // An attempt that failed, or a report that cannot be about anything.
        return Ok(Found::Ours(None));
    }
    let message = reply.message;
    resolve(rows, &id, reply, reported, now)?;
    sends::leave(rows, &id)?;
    Ok(moved(id, message, reported.report.state))
}

/// One of unknown outcome, or given up.
fn resolve_ended<R: Rows>(rows: &mut R, name: &Named, reported: &Reported, now: Timestamp) -> Step<Found> {
    let Some(contact) = rows.get::<EndedPlaces>(&name.place)? else { return Ok(Found::Nothing) };
    let id = id_of(rows, name.place, &contact)?;
    let Some(reply) = ended::find(rows, &id)? else { return Ok(Found::Nothing) };
    let failed = reported.report.state == DeliveryState::Failed;
    if failed && reply.state == OutboxState::Dead
        || is_of_another(Some(name), &reply.line(), reported.report.state)?
    {
        return Ok(Found::Ours(None));
    }
    ended::take_back(rows, &id, reply.state)?;
    let message = reply.message;
    resolve(rows, &id, reply, reported, now)?;
    rows.effect(Effect::Line(id.key.clone()));
    Ok(moved(id, message, reported.report.state))
}

fn resolve(
    rows: &mut impl Rows,
    id: &SendId,
    reply: OutboxRow,
    reported: &Reported,
    now: Timestamp,
) -> Step<()> {
    let reply = OutboxRow { contact: id.key.contact.clone(), ..reply };
    let reached = Reached {
        sent_id: reported.hashes.first().copied(),
        message_id: Some(&reported.receipt.message_id),
        report: &reported.report,
        now,
    };
    reached::write(rows, id, &reply, &reached)?;
    rows.touch(now);
    Ok(())
}
