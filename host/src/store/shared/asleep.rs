//! Conversations whose turns wait because their number is switched off, and which number that is: what
//! changes it calls them, and nobody else.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock::lock;
use super::schedules::Turns;
use crate::message::{ConversationKey, SenderName, Timestamp};

/// It is looked at again after this time. It need not be: what switches its number on, or takes it away,
/// calls it.
pub const AGAIN_MS: i64 = 30 * 60_000;

#[derive(Debug, Default)]
pub struct Asleep(Mutex<HashMap<ConversationKey, SenderName>>);

impl Asleep {
    /// To be called while the turns are locked, as the others are.
    pub fn put(&self, key: ConversationKey, of: SenderName) {
        lock(&self.0).insert(key, of);
    }

    /// Its number was switched on or changed, or is gone.
    pub fn call_of(&self, sender: &SenderName, turns: &mut Turns, now: Timestamp) {
        lock(&self.0).retain(|key, of| {
            let stays = of != sender;
            if !stays {
                turns.call(key, now);
            }
            stays
        });
    }

    /// Something came for it, by another number perhaps, or it is another contact's now: `at`.
    pub fn call(&self, key: &ConversationKey, at: &ConversationKey, turns: &mut Turns, now: Timestamp) {
        if lock(&self.0).remove(key).is_some() {
            turns.call(at, now);
        }
    }
}
