//! What of the waiting rows goes first.

use super::{Reply, Waiting, WaitingKind};
use crate::conversation::Occasion;
use crate::schedule::Class;

impl Waiting<'_> {
    /// A contact, or whoever gives a conversation back, waits for its turn.
    pub fn class(&self) -> Class {
        match self.kind {
            WaitingKind::Message | WaitingKind::Started { .. } | WaitingKind::Handback => Class::Answer,
            WaitingKind::Timer | WaitingKind::Receipt => Class::Reminder,
        }
    }
}

impl Reply<'_> {
    pub fn class(&self) -> Class {
        match self.occasion {
            Occasion::Answer => Class::Answer,
            Occasion::Timer | Occasion::Receipt => Class::Reminder,
        }
    }
}
