//! What waits in a conversation, with what came in the very transaction that asks.

use std::collections::BTreeSet;

use crate::message::ConversationKey;
use crate::store::InboxId;
use crate::store::rows::Rows;
use crate::store::shared::effect::Effect;

/// A conversation's inbox entries: those that the index shows, and those that came in this transaction.
/// Some may have gone by now.
pub fn turns(rows: &impl Rows, key: &ConversationKey) -> BTreeSet<InboxId> {
    let mut ids: BTreeSet<InboxId> = rows.index().turns().items(key).copied().collect();
    for effect in &rows.changes().effects {
        match effect {
            Effect::Waits { key: of, id, .. } if of == key => drop(ids.insert(*id)),
            Effect::Moved(moved) if moved.into == *key => ids.extend(moved.turns.iter().map(|turn| turn.id)),
            _ => {}
        }
    }
    ids
}

/// The same of its replies.
pub fn sends(rows: &impl Rows, key: &ConversationKey) -> BTreeSet<u64> {
    let mut places: BTreeSet<u64> = rows.index().sends().items(key).copied().collect();
    for effect in &rows.changes().effects {
        match effect {
            Effect::Queued { key: of, seq, .. } if of == key => drop(places.insert(*seq)),
            Effect::Moved(moved) if moved.into == *key => {
                places.extend(moved.sends.iter().map(|send| send.seq));
            }
            _ => {}
        }
    }
    places
}
