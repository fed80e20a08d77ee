//! A conversation: what is remembered of it, and where its chains end.

use super::inbox::InboxRow;
use crate::conversation::{Conversation, Mode};
use crate::message::{ContactKey, ConversationKey, Timestamp};

/// Providers deliver again what was not acknowledged for this long.
const REDELIVERED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// When a contact wrote, by the provider's word: a message may have been long on its way. A word that
/// no redelivery explains is a wrong clock's, and the provider has the last word on its window anyway.
pub fn wrote_at(told: Timestamp, received_at: Timestamp) -> Timestamp {
    let late_ms = received_at.as_ms().saturating_sub(told.as_ms());
    if (0..=REDELIVERED_MS).contains(&late_ms) { told } else { received_at }
}

/// A conversation with the ends of its two chains: the newest line and the newest journal entry,
/// each of which names the one before it. 0: none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversationRow {
    pub conversation: Conversation,
    pub last_line: u64,
    pub last_journal: u64,
    /// The newest line when a human took over.
    pub handed_off: u64,
    /// Timers that rang since the contact wrote last, or a human gave the conversation back.
    pub rang: u32,
    /// No timer rings until then.
    pub silenced: bool,
    /// What was said under other keys of the same person, before they were known to be one.
    pub chains: Vec<Chain>,
}

/// The ends of the two chains of a conversation that was merged into another one. Its lines stay where
/// they are, under the key they were said under.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub contact: ContactKey,
    pub last_line: u64,
    pub last_journal: u64,
}

impl ConversationRow {
    /// Is a line with this contact one of the conversation's, under whichever of the person's keys?
    pub fn holds(&self, key: &ConversationKey, contact: &ContactKey) -> bool {
        *contact == key.contact || self.chains.iter().any(|chain| chain.contact == *contact)
    }

    /// What a message tells of its conversation: where it came from, and that it came. It opens one
    /// that had ended.
    pub fn hear(&mut self, entry: &InboxRow) {
        let it = &mut self.conversation;
        if !entry.what.is_heard() {
            return;
        }
        if it.mode == Mode::Ended {
            it.mode = Mode::Bot;
        }
        if it.turns == 0 && (it.created_at == Timestamp::ZERO || entry.received_at < it.created_at) {
            it.created_at = entry.received_at;
        }
        if it.source.is_none() {
            it.source = entry.attribution.clone();
        }
        it.wrote_at = it.wrote_at.max(wrote_at(entry.at, entry.received_at));
        if entry.received_at < it.last_inbound_at {
            return;
        }
        it.last_inbound_at = entry.received_at;
        it.sender.clone_from(&entry.sender);
        it.reply_to.clone_from(&entry.reply_to);
        if entry.display_name.is_some() {
            it.display_name.clone_from(&entry.display_name);
        }
    }
}
