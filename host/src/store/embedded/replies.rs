//! Puts replies into the outbox.

use super::batch::{Batch, Step};
use super::codec::place;
use super::mirror::Effect;
use super::rows::{Kept, Reply};
use crate::conversation::{Author, Occasion};
use crate::message::{ConversationKey, Timestamp};
use crate::store::{Error, OutboxState};

/// Queues a reply (`payload`: an `Outbound`) to where the conversation was last heard from. The
/// caller keeps the row.
pub fn queue(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    author: Author,
    payload: &[u8],
    now: Timestamp,
) -> Step<u64> {
    queue_on(batch, key, kept, (author, Occasion::Answer), payload, now)
}

/// The same, by whom and on what occasion.
pub fn queue_on(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    (author, occasion): (Author, Occasion),
    payload: &[u8],
    now: Timestamp,
) -> Step<u64> {
    let sender = kept.conversation.sender.clone();
    let sender = sender.ok_or_else(|| Error::Conflict(format!("{key} was never heard from")))?;
    let seq = batch.seq();
    let reply = Reply {
        state: OutboxState::Waiting,
        author,
        occasion,
        attempts: 0,
        due: now,
        created_at: now,
        previous: kept.last_line,
        contact: key.contact.as_str(),
        sender: sender.as_str(),
        to: &kept.conversation.reply_to,
        error: None,
        payload,
    };
    reply.write(&mut batch.buffer);
    batch.tables.outbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    kept.last_line = seq;
    batch.state.outbox_waiting += 1;
    batch.state.touch(now);
    batch.effects.push(Effect::Queued { key: key.clone(), seq, sender, due: now });
    Ok(seq)
}
