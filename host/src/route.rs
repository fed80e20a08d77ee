//! Which tenant a message belongs to. Pure: arrival, directory and lock in, decision out.

use std::fmt;

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
    /// A link, a lock or a dedicated sender that names a tenant that is not there; a link, also one that is
    /// not active.
    UnknownTenant,
}

/// The provider's and the operator's wording; the contact never sees it.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NoTenant => "user not associated with any tenant",
            Reason::UnknownTenant => "the link names no active tenant",
        })
    }
}

/// By what a message found its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// It came to the tenant's own number.
    OwnNumber,
    /// Its contact was the tenant's already.
    Lock,
    /// Its deep link made its contact the tenant's.
    Link,
    /// The webhook's address named the tenant.
    Address,
    /// No contact sent it: a timer rang, a receipt came, a human gave the conversation back.
    Inside,
}

impl Via {
    pub const fn name(self) -> &'static str {
        match self {
            Via::OwnNumber => "own_number",
            Via::Lock => "lock",
            Via::Link => "link",
            Via::Address => "address",
            Via::Inside => "inside",
        }
    }
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
    /// As far as the lock can tell; on a dedicated sender, which makes none, whether the conversation
    /// is new is known to the store alone.
    pub first: bool,
    pub attribution: Option<String>,
}

/// Why a sender does not carry a tenant's words to a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// The sender is another tenant's own.
    Sender(SenderName),
    /// On this shared sender the contact is another tenant's.
    Contact(SenderName),
}

/// Said to the tenant, which learns of no other by it.
impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unserved::Sender(name) => write!(f, "the sender {name} does not serve this tenant any more"),
            Unserved::Contact(name) => {
                write!(f, "the contact is not this tenant's any more on the shared sender {name}")
            }
        }
    }
}

/// May this tenant's words leave through this sender to the contact with this lock? On a dedicated
/// sender the owner alone speaks; on a shared one whoever has the contact's lock, and while nobody has
/// it, whoever has a conversation with the contact. The gateway's own notices belong to no lock.
pub fn carries(sender: &Sender, tenant: TenantId, lock: Option<&Lock>) -> Result<(), Unserved> {
    if !sender.serves(tenant) {
        return Err(Unserved::Sender(sender.name.clone()));
    }
    let is_another = |lock: &&Lock| lock.tenant != tenant;
    if sender.tenant.is_none() && tenant != TenantId::GATEWAY && lock.filter(is_another).is_some() {
        return Err(Unserved::Contact(sender.name.clone()));
    }
    Ok(())
}

/// Decides for one message. `link` is what [`crate::deep_link::parse`] found in its text; `lock` is
/// the contact's.
///
/// A dedicated sender decides by itself. On a shared one the lock wins over every link, and nothing
/// in the decision lets the contact learn about another tenant. Only tenants that are there make a
/// conflict, so that a stranger cannot fill the audit log with invented numbers.
pub fn decide(
    directory: &Directory,
    sender: &Sender,
    link: Option<&Link>,
    lock: Option<&Lock>,
    now: Timestamp,
) -> Decision {
    // What is for a tenant that is not active is kept until it is.
    let known = |id| directory.tenant(id).is_some();
    let start_of = |tenant, first| {
        link.filter(|link| link.tenant == tenant)
            .map(|link| Start { first, attribution: link.attribution.clone() })
    };
    if let Some(tenant) = sender.tenant {
        if !known(tenant) {
            return Decision::Ignored(Reason::UnknownTenant);
        }
        let known = lock.is_some_and(|lock| lock.tenant == tenant);
        return Decision::Routed { tenant, new_lock: None, start: start_of(tenant, !known), conflict: None };
    }
    if let Some(Lock { tenant, .. }) = lock {
        if !known(*tenant) {
            return Decision::Ignored(Reason::UnknownTenant);
        }
        let other = link.map(|link| link.tenant).filter(|other| other != tenant);
        return Decision::Routed {
            tenant: *tenant,
            new_lock: None,
            start: start_of(*tenant, false),
            conflict: other.filter(|other| directory.tenant(*other).is_some()),
        };
    }
    let Some(Link { tenant, attribution }) = link else {
        return Decision::Ignored(Reason::NoTenant);
    };
    // It is told to use a link that leads somewhere; nobody is bound to a tenant that may never be back.
    if !directory.tenant(*tenant).is_some_and(|tenant| tenant.active) {
        return Decision::Ignored(Reason::UnknownTenant);
    }
    let lock = Lock {
        tenant: *tenant,
        since: now,
        attribution: attribution.clone(),
        sender: Some(sender.name.clone()),
    };
    Decision::Routed { tenant: *tenant, new_lock: Some(lock), start: start_of(*tenant, true), conflict: None }
}

/// What becomes of what is routed to this tenant by this sender, in words.
pub fn routed(directory: &Directory, sender: &Sender, tenant: TenantId) -> &'static str {
    if !sender.active {
        "routed; it waits until the sender is switched on"
    } else if directory.tenant(tenant).is_some_and(|tenant| !tenant.active) {
        "routed; it waits until the tenant is active"
    } else {
        "routed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{OrganizationId, Provider};
    use crate::tenant::Tenant;

    const NOW: Timestamp = Timestamp::from_ms(1_772_366_400_000);

    fn id(id: u32) -> TenantId {
        TenantId::new(id).expect("not 0")
    }

    /// Tenants 1 and 2 are active, 3 is not.
    fn directory() -> Directory {
        let mut directory = Directory::default();
        for (number, active) in [(1, true), (2, true), (3, false)] {
            let tenant: Tenant = serde_json::from_value(serde_json::json!({
                "id": number, "name": "Homes", "organization": OrganizationId(1), "brain": "echo", "active": active,
            }))
            .expect("a tenant");
            directory.put_tenant(tenant);
        }
        directory
    }

    fn sender(tenant: Option<u32>) -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": "main", "provider": Provider::Waha, "account": "default", "tenant": tenant,
        }))
        .expect("a sender")
    }

    fn link(tenant: u32) -> Option<Link> {
        Some(Link { tenant: id(tenant), attribution: Some("ad".into()) })
    }

    fn lock(tenant: u32) -> Option<Lock> {
        Some(Lock { tenant: id(tenant), since: Timestamp::ZERO, attribution: None, sender: None })
    }

    fn routed(tenant: u32, locks: bool, first: Option<bool>, conflict: Option<u32>) -> Decision {
        let attribution = Some("ad".to_owned());
        let sender = Some(SenderName::new("main"));
        Decision::Routed {
            tenant: id(tenant),
            new_lock: locks.then(|| Lock {
                tenant: id(tenant),
                since: NOW,
                attribution: attribution.clone(),
                sender,
            }),
            start: first.map(|first| Start { first, attribution: attribution.clone() }),
            conflict: conflict.map(id),
        }
    }

    #[test]
    fn shared_sender() {
        let ignored = Decision::Ignored;
        for (case, link, lock, expected) in [
            ("a stranger without a link", None, None, ignored(Reason::NoTenant)),
            ("a stranger's first link", link(2), None, routed(2, true, Some(true), None)),
            ("a link of nobody", link(9), None, ignored(Reason::UnknownTenant)),
            ("a link of an inactive tenant", link(3), None, ignored(Reason::UnknownTenant)),
            ("a locked contact", None, lock(2), routed(2, false, None, None)),
            ("the same link again", link(2), lock(2), routed(2, false, Some(false), None)),
            ("another tenant's link", link(1), lock(2), routed(2, false, None, Some(1))),
            ("an inactive other's link", link(3), lock(2), routed(2, false, None, Some(3))),
            ("nobody's link, when locked", link(9), lock(2), routed(2, false, None, None)),
            ("locked to an inactive tenant", None, lock(3), routed(3, false, None, None)),
            ("and no link frees from it", link(2), lock(3), routed(3, false, None, Some(2))),
            ("locked to a tenant that is gone", None, lock(9), ignored(Reason::UnknownTenant)),
        ] {
            let decision = decide(&directory(), &sender(None), link.as_ref(), lock.as_ref(), NOW);
            assert_eq!(decision, expected, "{case}");
        }
    }

    #[test]
    fn dedicated_sender() {
        for (case, owner, link, lock, expected) in [
            ("the destination decides", 2, None, None, routed(2, false, None, None)),
            ("its own link starts", 2, link(2), None, routed(2, false, Some(true), None)),
            ("again, for one who is locked to it", 2, link(2), lock(2), routed(2, false, Some(false), None)),
            ("another's link is just text", 2, link(1), None, routed(2, false, None, None)),
            ("another's lock is not asked", 2, None, lock(1), routed(2, false, None, None)),
            (
                "another's lock does not make it known",
                2,
                link(2),
                lock(1),
                routed(2, false, Some(true), None),
            ),
            ("an inactive owner", 3, link(2), lock(2), routed(3, false, None, None)),
            ("an owner that is gone", 9, None, None, Decision::Ignored(Reason::UnknownTenant)),
        ] {
            let decision = decide(&directory(), &sender(Some(owner)), link.as_ref(), lock.as_ref(), NOW);
            assert_eq!(decision, expected, "{case}");
        }
    }

    #[test]
    fn who_speaks_through_a_sender() {
        for (case, owner, tenant, lock_of, expected) in [
            ("its owner", Some(2), 2, None, true),
            ("its owner, to another's contact elsewhere", Some(2), 2, lock(1), true),
            ("another tenant", Some(2), 1, lock(1), false),
            ("the gateway, on a tenant's own", Some(2), 0, None, false),
            ("whoever has the lock", None, 2, lock(2), true),
            ("whoever has a conversation", None, 2, None, true),
            ("whoever lost the contact", None, 2, lock(1), false),
            ("the gateway, to whom it told of links", None, 0, lock(1), true),
        ] {
            let carried = carries(&sender(owner), TenantId::from_stored(tenant), lock_of.as_ref());
            assert_eq!(carried.is_ok(), expected, "{case}: {carried:?}");
        }
    }
}
