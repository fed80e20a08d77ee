//! Which tenant a message belongs to. Pure: arrival, directory and lock in, decision out.

use serde::{Deserialize, Serialize};

use crate::deep_link::Link;
use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::tenant::{Directory, Sender};

/// Contact -> tenant on shared senders. The first contact wins; only an administrator unlocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub tenant: TenantId,
    pub since: Timestamp,
    pub attribution: Option<String>,
    pub sender: Option<SenderName>,
}

/// What the provider is told. Kept with the deduplication record: a duplicate gets it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Routed { tenant: TenantId, contact: ContactKey, is_new_session: bool },
    Ignored(Reason),
}

/// Why a message finds no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A shared sender, no lock, no valid link.
    NoTenant,
    /// A link that names a tenant that is not there or not active.
    UnknownTenant,
    /// The lock's or the dedicated sender's tenant is not active.
    InactiveTenant,
}

/// Where the message goes, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Routed {
        tenant: TenantId,
        /// The lock to make.
        new_lock: Option<Lock>,
        /// The message carried this tenant's deep link: the turn is a `started`.
        start: Option<Start>,
        /// The other tenant whose link a locked contact sent.
        conflict: Option<TenantId>,
    },
    Ignored(Reason),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub first: bool,
    pub attribution: Option<String>,
}

/// Decides for one message. `link` is what [`crate::deep_link::parse`] found in its text; `lock` is
/// the contact's.
pub fn decide(
    directory: &Directory,
    sender: &Sender,
    link: Option<&Link>,
    lock: Option<&Lock>,
    now: Timestamp,
) -> Decision {
    let _ = (directory, sender, link, lock, now);
    unimplemented!()
}
