//! Puts into the inbox what no contact sent: a timer that rang, a conversation given back, a receipt.

use crate::conversation::Conversation;
use crate::message::{ConversationKey, Timestamp};
use crate::route::Via;
use crate::store::InboxId;
use crate::store::rows::inbox::{InboxRow, What};
use crate::store::rows::place::Place;
use crate::store::rows::{Inbox, Rows, Step};
use crate::store::shared::effect::{Due, Effect};

/// A turn of its own, due now and ordered by `at`.
pub fn enter(
    rows: &mut impl Rows,
    key: &ConversationKey,
    conversation: &Conversation,
    what: What,
    (at, now): (Timestamp, Timestamp),
) -> Step<()> {
    let seq = rows.seq();
    let entry = InboxRow {
        what,
        via: Via::Inside,
        told: false,
        failures: 0,
        at,
        received_at: now,
        due: now,
        contact: key.contact.clone(),
        sender: conversation.sender.clone(),
        reply_to: conversation.reply_to.clone(),
        display_name: None,
        attribution: None,
        error: None,
    };
    rows.changes_mut().state.inbox += 1;
    rows.touch(now);
    put(rows, key, seq, &entry, now)
}

/// As it is from now on; it waits until it is due. `now`: when that is decided.
pub fn put(
    rows: &mut impl Rows,
    key: &ConversationKey,
    seq: u64,
    entry: &InboxRow,
    now: Timestamp,
) -> Step<()> {
    rows.put::<Inbox>(&Place::new(seq, key.tenant), entry)?;
    rows.effect(Effect::Waits {
        key: key.clone(),
        id: InboxId { at: entry.at, seq },
        due: Due { at: entry.due, decided_at: now },
        class: entry.what.class(),
        alone: entry.what.alone(),
    });
    Ok(())
}

/// Takes an entry out before its turn has come. The caller tells the index.
pub fn withdraw(rows: &mut impl Rows, key: &ConversationKey, id: &InboxId) -> Step<()> {
    if rows.remove::<Inbox>(&Place::new(id.seq, key.tenant))? {
        let inbox = &mut rows.changes_mut().state.inbox;
        *inbox = inbox.saturating_sub(1);
    }
    Ok(())
}
