//! A reply has reached its provider, whoever says so: the answer to its request, a receipt, or its
//! echo. It becomes a line of the history that receipts find.

use super::{ended, history, inbox, opt_outs, template_uses};
use crate::conversation::{Author, Mode, Trigger};
use crate::message::{ConversationKey, DeliveryState, Fate, Timestamp};
use crate::store::SendId;
use crate::store::contacts::OptOut;
use crate::store::rows::history::{HistoryRow, Line, Times};
use crate::store::rows::inbox::What;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Hash, History, Rows, SentIds, Step};
use crate::store::shared::pending_receipts::Report;

/// What is known of it.
pub struct Reached<'a> {
    pub sent_id: Option<Hash>,
    /// As the provider calls it.
    pub message_id: Option<&'a str>,
    pub report: &'a Report,
    pub now: Timestamp,
}

/// Writes the line. The caller takes the reply out of where it was.
pub fn write(rows: &mut impl Rows, id: &SendId, reply: &OutboxRow, reached: &Reached<'_>) -> Step<()> {
    let at = Place::new(id.seq, id.key.tenant);
    let mut state = DeliveryState::Sent.after(reached.report.state);
    if let Some(sent_id) = &reached.sent_id {
        let before = rows.get::<SentIds>(sent_id)?;
        rows.put::<SentIds>(sent_id, &at)?;
        if let Some(echo) = before.filter(|before| *before != at) {
            state = state.after(echoed(rows, &id.key, echo)?);
        }
    }
    let times = Times::default().reached(DeliveryState::Sent, reached.now).reached(state, reached.now);
    let provider_id = reached.message_id.map(str::to_owned);
    let line =
        HistoryRow { state: Some(state), sent_id: reached.sent_id, provider_id, times, ..reply.line() };
    history::put(rows, &id.key, id.seq, &line)?;
    let error = reached.report.reason.as_deref().filter(|_| state == DeliveryState::Failed);
    template_uses::used(rows, id, reply, (state, error), reached.now)?;
    if state == DeliveryState::Failed {
        ended::returned(rows, id, reply.clone(), error)?;
    }
    let told_of = reply.is_told_of() && state != DeliveryState::Sent;
    if let Some(message_id) = reached.message_id.filter(|_| told_of) {
        let told = Told { message_id, state, reason: reached.report.reason.as_deref() };
        tell(rows, &id.key, &told, reached.now)?;
    }
    heed(rows, &id.key, reached.report, reached.now)
}

/// The provider showed us this reply as a message of our own number before it answered our request,
/// and it was taken for what a human said. Returns how far that line had come.
fn echoed(rows: &mut impl Rows, key: &ConversationKey, echo: Place) -> Step<DeliveryState> {
    let line = rows.get::<History>(&echo)?.filter(|_| echo.tenant == key.tenant);
    let Some(line) = line else { return Ok(DeliveryState::Sent) };
    if line.author != Author::Human || matches!(line.line, Line::Said(_)) {
        return Ok(DeliveryState::Sent);
    }
    if !history::take_out(rows, key, echo.seq)? {
        tracing::warn!(conversation = %key, line = echo.seq, "a reply stands in the history twice: its echo could not be taken out");
    }
    Ok(line.state.unwrap_or(DeliveryState::Sent))
}

/// A contact that refused this message wants no others.
pub fn heed(rows: &mut impl Rows, key: &ConversationKey, report: &Report, now: Timestamp) -> Step<()> {
    if report.state == DeliveryState::Failed && report.fate == Some(Fate::OptedOut) {
        opt_outs::refuse(rows, key, OptOut::by_provider(now))?;
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
pub fn tell(rows: &mut impl Rows, key: &ConversationKey, told: &Told<'_>, now: Timestamp) -> Step<()> {
    let row = history::conversation(rows, key)?;
    let row = row.filter(|row| row.conversation.wants_receipts && row.conversation.mode != Mode::Human);
    let Some(row) = row else { return Ok(()) };
    let trigger = Trigger::Receipt {
        message_id: told.message_id.to_owned(),
        state: told.state,
        reason: told.reason.map(str::to_owned),
    };
    inbox::enter(rows, key, &row.conversation, What::Receipt(Packed::new(&trigger)), (now, now))
}
