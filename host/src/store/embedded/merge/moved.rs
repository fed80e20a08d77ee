//! What a merge changes in the schedules: a conversation's pending turns and replies wait under another
//! key from now on.

use std::collections::BTreeSet;

use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::schedule::{Class, Item};
use crate::store::InboxId;
use crate::store::embedded::asleep::Asleep;
use crate::store::embedded::batch::Batch;
use crate::store::embedded::mirror::{Effect, Sends, Turns};

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
    pub fn apply(self, turns: &mut Turns, sends: &mut Sends, asleep: &Asleep) {
        let Moved { from, into, turns: waiting, sends: replies } = self;
        let tenant = into.tenant;
        for Turn { id, due, class, alone } in waiting {
            turns.remove(&from, &id);
            turns.put(&into, id, Item { group: (), tenant, due, class, alone });
        }
        turns.release(&from);
        asleep.call(&from, &into, turns);
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

/// A conversation's inbox entries: those that the mirror shows, and those that came in this very group.
/// Some may have gone by now.
pub fn waiting_turns(batch: &Batch<'_>, key: &ConversationKey) -> BTreeSet<InboxId> {
    let mut ids: BTreeSet<InboxId> = batch.mirror.turns().items(key).copied().collect();
    for effect in &batch.effects {
        match effect {
            Effect::Waits { key: of, id, .. } if of == key => drop(ids.insert(*id)),
            Effect::Moved(moved) if moved.into == *key => ids.extend(moved.turns.iter().map(|turn| turn.id)),
            _ => {}
        }
    }
    ids
}

/// The same of its replies.
pub fn waiting_sends(batch: &Batch<'_>, key: &ConversationKey) -> BTreeSet<u64> {
    let mut places: BTreeSet<u64> = batch.mirror.sends().items(key).copied().collect();
    for effect in &batch.effects {
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
