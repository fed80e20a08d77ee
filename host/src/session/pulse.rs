//! When each sender's provider was last heard. In memory: a gateway that has just started has heard
//! nobody, and begins to count then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::message::{SenderName, Timestamp};

#[derive(Debug, Default)]
pub struct Pulse(Mutex<HashMap<SenderName, Timestamp>>);

impl Pulse {
    /// A proven webhook of any kind came for this sender.
    pub fn heard(&self, sender: &SenderName, now: Timestamp) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Every webhook passes here; only the first of a sender needs a name of its own.
        match heard.get_mut(sender) {
            Some(at) => *at = now.max(*at),
            None => drop(heard.insert(sender.clone(), now)),
        }
    }

    pub fn last(&self, sender: &SenderName) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sender).copied()
    }
}
