//! Puts into the inbox what no contact sent: a timer that rang, a conversation given back, a receipt.

use super::batch::{Batch, Step};
use super::codec::place;
use super::mirror::{Due, Effect};
use super::rows::{Waiting, WaitingKind};
use crate::conversation::Conversation;
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::route::Via;
use crate::store::InboxId;

/// A turn of its own, due now and ordered by `at`.
pub fn enter(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    conversation: &Conversation,
    kind: WaitingKind,
    at: Timestamp,
    payload: &[u8],
    now: Timestamp,
) -> Step<()> {
    let seq = batch.seq();
    let entry = Waiting {
        kind,
        via: Via::Inside,
        told: false,
        failures: 0,
        at,
        received_at: now,
        due: now,
        contact: key.contact.as_str(),
        sender: conversation.sender.as_ref().map_or("", SenderName::as_str),
        reply_to: &conversation.reply_to,
        display_name: None,
        attribution: None,
        error: None,
        payload,
    };
    let (class, alone) = (entry.class(), entry.alone());
    entry.write(&mut batch.buffer);
    batch.tables.inbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    batch.state.inbox += 1;
    batch.state.touch(now);
    let id = InboxId { at, seq };
    batch.effects.push(Effect::Waits {
        key: key.clone(),
        id,
        due: Due { at: now, decided_at: now },
        class,
        alone,
    });
    Ok(())
}

/// Takes an entry out before its turn has come. The caller tells the mirror.
pub fn withdraw(batch: &mut Batch<'_>, key: &ConversationKey, id: &InboxId) -> Step<()> {
    if batch.tables.inbox.put()?.remove(&place(id.seq, key.tenant))?.is_some() {
        batch.state.inbox = batch.state.inbox.saturating_sub(1);
    }
    Ok(())
}
