//! A sender that is given to another owner.

use serde::{Deserialize, Serialize};

use crate::message::{SenderName, TenantId};
use crate::tenant::Sender;

/// A change of a sender's owner: what is the old one's there. As shown before, or as it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    pub sender: SenderName,
    /// `None`: shared.
    pub from: Option<TenantId>,
    pub to: Option<TenantId>,
    /// Whose words the sender carries no more. They are kept, and speak to nobody.
    pub conversations: u64,
    /// Turns of theirs that wait. They run; what they say is dead at once.
    pub turns: u64,
    /// Timers of theirs. They ring; what is said then is dead at once.
    pub timers: u64,
    /// Replies that wait. They are dead, each with the reason.
    pub waiting: u64,
    /// Replies that are on their way this very moment, which nobody can stop.
    pub sending: u64,
    pub applied: bool,
}

impl Handover {
    pub fn of(sender: &Sender, to: Option<TenantId>) -> Self {
        Handover {
            sender: sender.name.clone(),
            from: sender.tenant,
            to,
            conversations: 0,
            turns: 0,
            timers: 0,
            waiting: 0,
            sending: 0,
            applied: false,
        }
    }
}
