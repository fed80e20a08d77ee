//! What a merge changes in the schedules: a conversation's pending turns and replies wait under another
//! key from now on.

use super::asleep::Asleep;
use super::schedules::{Sends, Turns};
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::schedule::{Class, Item};
use crate::store::InboxId;

/// Pending work that moves.
#[derive(Debug)]
pub struct Moved {
    pub from: ConversationKey,
    pub into: ConversationKey,
    pub turns: Vec<Turn>,
    pub sends: Vec<Send>,
}

#[derive(Debug)]
pub struct Turn {
    pub id: InboxId,
    pub due: Timestamp,
    pub class: Class,
    pub alone: bool,
}

#[derive(Debug)]
pub struct Send {
    pub seq: u64,
    pub sender: SenderName,
    pub due: Timestamp,
    pub class: Class,
    /// On its way this very moment.
    pub sending: bool,
}

impl Moved {
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.sends.is_empty()
    }

    /// A turn that runs under the old key cannot be committed any more, and is run again under the new
    /// one. A reply that is on its way still is: those behind it wait for it under the new key, unless
    /// that one waits for a reply of its own, and it is settled under whichever key.
    pub fn apply(self, turns: &mut Turns, sends: &mut Sends, asleep: &Asleep, now: Timestamp) {
        let Moved { from, into, turns: waiting, sends: replies } = self;
        let tenant = into.tenant;
        for Turn { id, due, class, alone } in waiting {
            turns.remove(&from, &id);
            turns.put(&into, id, Item { group: (), tenant, due, class, alone });
        }
        turns.release(&from);
        asleep.call(&from, &into, turns, now);
        let held = sends.is_claimed(&from);
        let busy = sends.is_claimed(&into);
        for Send { seq, sender, due, class, sending } in replies {
            sends.remove(&from, &seq);
            if sending && held && busy {
                continue;
            }
            sends.put(&into, seq, Item { group: sender, tenant, due, class, alone: true });
            if sending && held {
                sends.reclaim(&into, &seq);
            }
        }
        sends.release(&from);
    }
}
