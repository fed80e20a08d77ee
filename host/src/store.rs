//! What is kept. [`Store`] is the list of everything the gateway asks of its storage, each verb the
//! size of a commit: after `Ok` it is durable as a whole, after `Err` nothing of it happened.
//!
//! Two kinds of verbs: those on the way of a message (`accept`, `claim_turns`, `commit_turn`,
//! `fail_turn`, `claim_sends`, `settle_send`), and those of the operator (`put_tenant`, `unlock`,
//! `turns`, ...). Claims live in memory and end with the process; what was claimed and not
//! committed is claimed again after a start. A send is marked in the store when it begins, between its
//! claim and its request, so that one interrupted by a crash is known to be of unknown outcome, and
//! one that had not begun is simply sent.

pub use self::api_keys::ApiKey;
pub use self::arrivals::{Accepted, Arrival};
pub use self::audit::AuditEntry;
pub use self::error::{Error, Limit};
pub use self::handover::Handover;
pub use self::housekeeping::{Counters, Retention};
pub use self::locks::ImportReport;
pub use self::receipts::Moved;
pub use self::send_id::SendId;
pub use self::sends::{
    OutboxEntry, OutboxState, Paced, SendClaim, SendSummary, Settlement, template_reference,
};
pub use self::turns::{InboxId, TurnClaim, TurnCommit, TurnFailure, TurnFate, TurnState, TurnSummary};
pub use self::wakes::Wakes;
use crate::message::{ContactKey, Provider, SenderName, TenantId, Timestamp};

pub mod api_keys;
pub mod arrivals;
mod audit;
mod claims;
pub mod collections;
pub mod contacts;
pub mod conversations;
pub mod embedded;
pub mod engine;
mod error;
mod frames;
mod handover;
pub mod housekeeping;
pub mod listed;
pub mod locks;
pub mod media;
pub mod memory;
pub mod numbers;
pub mod packages;
pub mod pages;
pub mod prelude;
pub mod quotas;
pub mod receipts;
pub mod registry;
pub mod rows;
pub mod rules;
pub mod secrets;
mod send_id;
pub mod sends;
pub mod sessions;
pub mod shared;
pub mod templates;
mod told;
pub mod turns;
pub mod unread;
pub mod upkeep;
mod verbs;
pub mod wakes;
pub mod watchers;
pub mod ways;

pub type Result<T> = std::result::Result<T, Error>;

/// Narrow a listing. `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub tenant: Option<TenantId>,
    pub contact: Option<ContactKey>,
    pub sender: Option<SenderName>,
    /// As [`OutboxState::name`] and [`TurnState::name`] say it.
    pub state: Option<String>,
    /// A part of its error.
    pub error: Option<String>,
    /// What is older than this.
    pub before: Option<Timestamp>,
    /// Only what has given up: dead turns; dead and unknown sends.
    pub ended: bool,
    pub limit: usize,
    /// Goes on where a page ended: its `next`.
    pub after: Option<String>,
}

/// The whole of it. Whoever uses a part asks for that part; whoever uses several says which, in a trait of its own.
pub trait Store:
    api_keys::ApiKeys
    + arrivals::Arrivals
    + collections::Collections
    + contacts::Contacts
    + conversations::Conversations
    + housekeeping::Housekeeping
    + listed::Listed
    + locks::Locks
    + media::MediaShelf
    + numbers::Numbers
    + packages::OwnPackages
    + pages::Pages
    + quotas::Accounts
    + receipts::Receipts
    + registry::Registry
    + secrets::Secrets
    + sends::Sends
    + sessions::Sessions
    + templates::Templates
    + turns::Turns
    + unread::Unread
    + upkeep::Upkeep
    + wakes::Waking
    + ways::Ways
    + 'static
{
}

impl<T> Store for T where
    T: api_keys::ApiKeys
        + arrivals::Arrivals
        + collections::Collections
        + contacts::Contacts
        + conversations::Conversations
        + housekeeping::Housekeeping
        + listed::Listed
        + locks::Locks
        + media::MediaShelf
        + numbers::Numbers
        + packages::OwnPackages
        + pages::Pages
        + quotas::Accounts
        + receipts::Receipts
        + registry::Registry
        + secrets::Secrets
        + sends::Sends
        + sessions::Sessions
        + templates::Templates
        + turns::Turns
        + unread::Unread
        + upkeep::Upkeep
        + wakes::Waking
        + ways::Ways
        + 'static
{
}

/// For keys in URLs and listings.
pub fn provider_key(provider: Provider, account: &str, id: &str) -> String {
    format!("{provider}\u{0}{account}\u{0}{id}")
}
