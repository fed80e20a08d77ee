//! Puts replies into the outbox.

use super::{handover, sends};
use crate::conversation::{Author, Occasion};
use crate::message::{ConversationKey, Outbound, SenderName, Timestamp};
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Fault, Outbox, Rows, Step};
use crate::store::{Error, OutboxState, SendId};

/// Of the replies that wait in a conversation so many are looked at when it wakes up: a provider that
/// is down for long must not make every further answer dearer.
const WOKEN: usize = 64;

/// Through whom this conversation is answered. Asked before anything is written: there is no answering
/// who was never heard from.
pub fn sender_of(key: &ConversationKey, row: &ConversationRow) -> Step<SenderName> {
    let never = || {
        let what =
            format!("{key} was never heard from, so that no number leads to it; it has to write first");
        Error::Conflict(what)
    };
    Ok(row.conversation.sender.clone().ok_or_else(never)?)
}

/// Why something is said.
#[derive(Clone, Copy)]
pub struct Why {
    pub author: Author,
    pub occasion: Occasion,
    /// The arrival number of the message that it answers.
    pub message: Option<u64>,
    /// When that came in.
    pub heard_at: Option<Timestamp>,
}

impl Why {
    /// In answer to a message that came in then, or to none.
    pub fn answer(author: Author, message: Option<u64>, heard_at: Option<Timestamp>) -> Self {
        Why { author, occasion: Occasion::Answer, message, heard_at }
    }
}

/// Queues a reply to where the conversation was last heard from, through `sender`. The caller keeps the conversation.
pub fn queue(
    rows: &mut impl Rows,
    key: &ConversationKey,
    to: (&mut ConversationRow, SenderName),
    why: Why,
    said: Packed<Outbound>,
    now: Timestamp,
) -> Step<u64> {
    wake(rows, key, now)?;
    queue_on(rows, key, to, why, said, now)
}

/// The same; who answers wakes the conversation once, before. Where the sender does not carry this tenant's words
/// to this contact any more, the reply is dead at once and tells why.
pub fn queue_on(
    rows: &mut impl Rows,
    key: &ConversationKey,
    (row, sender): (&mut ConversationRow, SenderName),
    Why { author, occasion, message, heard_at }: Why,
    said: Packed<Outbound>,
    now: Timestamp,
) -> Step<u64> {
    let seq = rows.seq();
    let reply = OutboxRow {
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
        previous: row.last_line,
        message,
        heard_at,
        contact: key.contact.clone(),
        sender,
        to: row.conversation.reply_to.clone(),
        error: None,
        said,
    };
    row.last_line = seq;
    rows.touch(now);
    let id = SendId { key: key.clone(), seq };
    if let Err(why) = handover::carried(rows, key, &reply.sender)? {
        sends::stillborn(rows, &id, reply, &why.to_string(), now)?;
        return Ok(seq);
    }
    rows.changes_mut().state.outbox_waiting += 1;
    sends::wait(rows, &id, &reply, now)?;
    Ok(seq)
}

/// When a contact writes, reminders to it that were postponed are released, so that the answer does not wait behind
/// them.
pub fn wake(rows: &mut impl Rows, key: &ConversationKey, now: Timestamp) -> Step<()> {
    let waiting: Vec<u64> = rows.index().sends().items(key).take(WOKEN).copied().collect();
    for seq in waiting {
        let reply = match rows.get::<Outbox>(&Place::new(seq, key.tenant)) {
            Ok(Some(reply)) => reply,
            // One that cannot be read is told of where it is claimed; it must not stop this answer.
            Ok(None) | Err(Fault::Row(_)) => continue,
            Err(other) => return Err(other),
        };
        let ours = reply.contact == key.contact && reply.state == OutboxState::Waiting;
        if !ours || reply.occasion == Occasion::Answer {
            continue;
        }
        let due = if reply.postponed { now } else { reply.due };
        let woken = OutboxRow { occasion: Occasion::Answer, postponed: false, due, ..reply };
        sends::wait(rows, &SendId { key: key.clone(), seq }, &woken, now)?;
    }
    Ok(())
}
