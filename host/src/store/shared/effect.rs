//! What a commit changed of what the store keeps in memory.

use super::fetches::FileKey;
use super::moved::Moved;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::schedule::{Class, Item, SET_BACK_MS};
use crate::seal::Ring;
use crate::store::InboxId;
use crate::tenant::{HouseWaha, Organization, Sender, Tenant};

/// When something is due, and when that was decided.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub at: Timestamp,
    pub decided_at: Timestamp,
}

impl Due {
    /// Where the clock was set back since, an answer keeps its distance from now, as in the schedules.
    pub fn item<G>(
        self,
        (group, tenant): (G, TenantId),
        class: Class,
        alone: bool,
        now: Timestamp,
    ) -> Item<G> {
        let back_ms = self.decided_at.as_ms().saturating_sub(now.as_ms());
        let shifts = class == Class::Answer && back_ms > SET_BACK_MS;
        let due = if shifts { self.at.plus_ms(back_ms.saturating_neg()) } else { self.at };
        Item { group, tenant, due, class, alone }
    }
}

/// Something that a commit changed and a index shows.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large ones are rare, and each lives for one commit")]
pub enum Effect {
    Organization(Organization),
    Tenant(Tenant),
    Sender(Sender),
    SenderGone(SenderName),
    /// These keys open from now on, and the last of them seals.
    Keys(Ring),
    /// Senders that name no WAHA have this one from now on.
    Waha(HouseWaha),
    /// This tenant's collection of this name is another one now.
    Collection(TenantId, String),
    /// An entry came, or came back with another due time.
    Waits {
        key: ConversationKey,
        id: InboxId,
        due: Due,
        class: Class,
        alone: bool,
    },
    /// The claim of a turn ends; these entries are gone.
    TurnDone {
        key: ConversationKey,
        gone: Vec<InboxId>,
    },
    /// A reply waits, or waits for another time.
    Queued {
        key: ConversationKey,
        seq: u64,
        sender: SenderName,
        due: Due,
        class: Class,
    },
    /// A reply no longer waits.
    Unqueued {
        key: ConversationKey,
        seq: u64,
    },
    /// The claim of this reply ends.
    SendDone {
        key: ConversationKey,
        seq: u64,
    },
    /// A human took the conversation over, or gave it back.
    Human {
        key: ConversationKey,
        answers: bool,
    },
    /// What waits in a conversation waits under another key.
    Moved(Box<Moved>),
    /// So many contacts more, or fewer, want no messages.
    OptedOut(i64),
    /// A conversation's history changed, and nothing else did.
    Line(ConversationKey),
    /// A file is to be fetched then, through this sender; `None`: no longer.
    File {
        key: FileKey,
        waits: Option<(SenderName, Timestamp)>,
    },
}
