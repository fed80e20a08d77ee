//! A reply has reached its provider, whoever says so: the answer to its request, a receipt, or its
//! echo. It becomes a line of the history that receipts find.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{Place, conversation_key, pack, place, read_place};
use super::early::Report;
use super::rows::{Kept, Reply, Spoken, Times, WaitingKind};
use super::{inbox, lines, opt_outs, sends, templates};
use crate::conversation::{Author, Mode, Trigger};
use crate::message::{ConversationKey, DeliveryState, Fate, Timestamp};
use crate::store::SendId;
use crate::store::contacts::OptOut;

/// What is known of it.
pub struct Reached<'a> {
    pub sent_id: Option<[u8; 16]>,
    /// As the provider calls it.
    pub message_id: Option<&'a str>,
    pub report: &'a Report,
    pub now: Timestamp,
}

/// Writes the line. The caller takes the reply out of where it was.
pub fn write(batch: &mut Batch<'_>, id: &SendId, reply: &Reply<'_>, reached: &Reached<'_>) -> Step<()> {
    let at = place(id.seq, id.key.tenant);
    let mut state = DeliveryState::Sent.after(reached.report.state);
    if let Some(sent_id) = &reached.sent_id {
        let before = batch.tables.sent_ids.put()?.insert(sent_id, &at)?.map(|row| *row.value());
        if let Some(echo) = before.filter(|before| *before != at) {
            state = state.after(echoed(batch, &id.key, &echo)?);
        }
    }
    let times = Times::default().reached(DeliveryState::Sent, reached.now).reached(state, reached.now);
    let (sent_id, provider_id) = (reached.sent_id, reached.message_id);
    let line = Spoken { state: Some(state), sent_id, provider_id, times, ..reply.line() };
    lines::put(batch, &id.key, id.seq, &line)?;
    let error = reached.report.reason.as_deref().filter(|_| state == DeliveryState::Failed);
    templates::used(batch, id, reply, (state, error), reached.now)?;
    if state == DeliveryState::Failed {
        sends::returned(batch, id, reply, error)?;
    }
    let told_of = reply.line().is_told_of() && state != DeliveryState::Sent;
    if let Some(message_id) = reached.message_id.filter(|_| told_of) {
        let told = Told { message_id, state, reason: reached.report.reason.as_deref() };
        tell(batch, &id.key, &told, reached.now)?;
    }
    heed(batch, &id.key, reached.report, reached.now)
}

/// The provider showed us this reply as a message of our own number before it answered our request,
/// and it was taken for what a human said. Returns how far that line had come.
fn echoed(batch: &mut Batch<'_>, key: &ConversationKey, echo: &Place) -> Step<DeliveryState> {
    let (seq, tenant) = read_place(echo);
    let row = batch.tables.history.get()?.get(echo)?.map(|row| row.value().to_vec());
    let Some(row) = row.filter(|_| tenant == key.tenant) else { return Ok(DeliveryState::Sent) };
    let line = Spoken::read(&row)?;
    if line.author != Author::Human || line.said {
        return Ok(DeliveryState::Sent);
    }
    if !lines::take_out(batch, key, seq)? {
        tracing::warn!(conversation = %key, seq, "a reply stands in the history twice: its echo could not be taken out");
    }
    Ok(line.state.unwrap_or(DeliveryState::Sent))
}

/// A contact that refused this message wants no others.
pub fn heed(batch: &mut Batch<'_>, key: &ConversationKey, report: &Report, now: Timestamp) -> Step<()> {
    if report.state == DeliveryState::Failed && report.fate == Some(Fate::OptedOut) {
        opt_outs::refuse(batch, key, OptOut::by_provider(now))?;
    }
    Ok(())
}

/// What a brain is told of a reply of its.
pub struct Told<'a> {
    pub message_id: &'a str,
    pub state: DeliveryState,
    pub reason: Option<&'a str>,
}

/// A turn of its own, where the brain wants it and is asked at all.
pub fn tell(batch: &mut Batch<'_>, key: &ConversationKey, told: &Told<'_>, now: Timestamp) -> Step<()> {
    let kept = lines::kept(batch, &conversation_key(key))?;
    let wants = |kept: &Kept| kept.conversation.wants_receipts && kept.conversation.mode != Mode::Human;
    let Some(kept) = kept.filter(wants) else { return Ok(()) };
    let payload = pack(&Trigger::Receipt {
        message_id: told.message_id.to_owned(),
        state: told.state,
        reason: told.reason.map(str::to_owned),
    });
    inbox::enter(batch, key, &kept.conversation, WaitingKind::Receipt, now, &payload, now)
}
