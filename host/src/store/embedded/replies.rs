//! Puts replies into the outbox.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::place;
use super::mirror::{Due, Effect};
use super::rows::{Kept, Reply};
use super::{handover, sends};
use crate::conversation::{Author, Occasion};
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::store::{Error, OutboxState, SendId};

/// Of the replies that wait in a conversation so many are looked at when it wakes up: a provider that
/// is down for long must not make every further answer dearer.
const WOKEN: usize = 64;

/// Through whom this conversation is answered. Asked before anything is written: there is no answering
/// who was never heard from.
pub fn sender_of(key: &ConversationKey, kept: &Kept) -> Step<SenderName> {
    let never = || {
        let what =
            format!("{key} was never heard from, so that no number leads to it; it has to write first");
        Error::Conflict(what)
    };
    Ok(kept.conversation.sender.clone().ok_or_else(never)?)
}

/// Why something is said.
#[derive(Clone, Copy)]
pub struct Why {
    pub author: Author,
    pub occasion: Occasion,
    /// The arrival number of the message that it answers; 0: of none.
    pub message: u64,
    /// When that came in.
    pub heard_at: Timestamp,
}

impl Why {
    /// In answer to a message that came in then, or to none (0).
    pub fn answer(author: Author, message: u64, heard_at: Timestamp) -> Self {
        Why { author, occasion: Occasion::Answer, message, heard_at }
    }
}

/// Queues a reply (`payload`: an `Outbound`) to where the conversation was last heard from, through
/// `sender`. The caller keeps the row.
pub fn queue(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    to: (&mut Kept, SenderName),
    why: Why,
    payload: &[u8],
    now: Timestamp,
) -> Step<u64> {
    wake(batch, key, now)?;
    queue_on(batch, key, to, why, payload, now)
}

/// The same; who answers wakes the conversation once, before. Where the sender does not carry this tenant's words
/// to this contact any more, the reply is dead at once and tells why.
pub fn queue_on(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    (kept, sender): (&mut Kept, SenderName),
    Why { author, occasion, message, heard_at }: Why,
    payload: &[u8],
    now: Timestamp,
) -> Step<u64> {
    let seq = batch.seq();
    let reply = Reply {
        state: OutboxState::Waiting,
        author,
        occasion,
        on_receipt: occasion == Occasion::Receipt,
        postponed: false,
        attempts: 0,
        repeats: false,
        retried_at: None,
        due: now,
        created_at: now,
        previous: kept.last_line,
        message,
        heard_at,
        contact: key.contact.as_str(),
        sender: sender.as_str(),
        to: &kept.conversation.reply_to,
        error: None,
        payload,
    };
    kept.last_line = seq;
    batch.state.touch(now);
    if let Err(why) = handover::carried(batch, key, sender.as_str())? {
        let id = SendId { key: key.clone(), seq };
        sends::stillborn(batch, &id, &reply, &why.to_string(), now)?;
        return Ok(seq);
    }
    let class = reply.class();
    reply.write(&mut batch.buffer);
    batch.tables.outbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    batch.state.outbox_waiting += 1;
    batch.effects.push(Effect::Queued {
        key: key.clone(),
        seq,
        sender,
        due: Due { at: now, decided_at: now },
        class,
    });
    Ok(seq)
}

/// Who writes is awake: what was said to this contact without being asked waits for no hour any more,
/// so that the answer does not wait behind it.
pub fn wake(batch: &mut Batch<'_>, key: &ConversationKey, now: Timestamp) -> Step<()> {
    let waiting: Vec<u64> = batch.mirror.sends().items(key).take(WOKEN).copied().collect();
    for seq in waiting {
        let at = place(seq, key.tenant);
        let row = batch.tables.outbox.get()?.get(&at)?.map(|row| row.value().to_vec());
        let Some(row) = row else { continue };
        // One that cannot be read is told of where it is claimed; it must not stop this answer.
        let Ok(reply) = Reply::read(&row) else { continue };
        let ours = reply.contact == key.contact.as_str() && reply.state == OutboxState::Waiting;
        if !ours || reply.occasion == Occasion::Answer {
            continue;
        }
        let due = if reply.postponed { now } else { reply.due };
        let woken = Reply { occasion: Occasion::Answer, postponed: false, due, ..reply };
        let class = woken.class();
        woken.write(&mut batch.buffer);
        batch.tables.outbox.put()?.insert(&at, batch.buffer.as_slice())?;
        let sender = SenderName::new(reply.sender);
        let due = Due { at: due, decided_at: now };
        batch.effects.push(Effect::Queued { key: key.clone(), seq, sender, due, class });
    }
    Ok(())
}
