//! Who is next: of the turns, of the replies, and of the files.

use super::fetches::Fetches;
use super::settings::Settings;
use crate::message::{ConversationKey, SenderName};
use crate::schedule::{Limits, Schedule};
use crate::store::InboxId;

/// All in one group.
pub type Turns = Schedule<ConversationKey, (), InboxId>;
/// In groups of one sender each.
pub type Sends = Schedule<ConversationKey, SenderName, u64>;

/// With nobody in them yet.
pub fn schedules(settings: &Settings) -> (Turns, Sends, Fetches) {
    // How many turns run at the same time their loop knows.
    let turns = Limits { in_all: usize::MAX, per_group: usize::MAX, per_tenant: settings.turns_per_tenant };
    (Schedule::new(turns), Schedule::new(settings.sends), Fetches::new(settings.fetches))
}
