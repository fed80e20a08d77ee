//! What is wrong with a gateway that runs, or soon will be: it asks the providers whether they know
//! our numbers and take our keys, and looks at what waits, what died and what is missing. It changes
//! nothing and sends no message.

use serde::{Deserialize, Serialize};

use crate::brain::Brains;
use crate::config::Config;
use crate::egress::Egress;
use crate::message::{SenderName, Timestamp};
use crate::refused_keys::RefusedKeys;
use crate::store::collections::Collections;
use crate::store::housekeeping::Housekeeping;
use crate::store::numbers::Numbers;
use crate::store::packages::OwnPackages;
use crate::store::pages::Pages;
use crate::store::quotas::Accounts;
use crate::store::registry::Registry;
use crate::store::sessions::Sessions;
use crate::store::unread::Unread;
use crate::store::upkeep::StoreFile;
use together::Kin;

mod declared;
mod queues;
mod senders;
mod tenants;
mod together;

/// What an examination asks of the store.
pub trait DoctorStore:
    Accounts + Collections + Housekeeping + Numbers + OwnPackages + Pages + Registry + Sessions + Unread
{
}

impl<T: Accounts + Collections + Housekeeping + Numbers + OwnPackages + Pages + Registry + Sessions + Unread>
    DoctorStore for T
{
}

/// What is looked at.
pub struct Patient<'a> {
    pub config: &'a Config,
    pub store: &'a dyn DoctorStore,
    pub file: &'a dyn StoreFile,
    pub brains: &'a Brains,
    pub egress: &'a Egress,
    pub refused_keys: &'a RefusedKeys,
    /// Did this sender's provider call since the gateway began?
    pub heard: &'a (dyn Fn(&SenderName) -> bool + Sync),
    pub now: Timestamp,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// `sender marina`, `replies`.
    pub subject: String,
    pub what: String,
    /// Empty where there is nothing to do.
    pub action: String,
    /// So many things it is about.
    pub count: usize,
    /// What it may have in common with others.
    #[serde(skip)]
    kin: Option<Kin>,
}

/// From nothing to do to do it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Good,
    Warning,
    Error,
}

impl Finding {
    fn good(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Finding::new(Severity::Good, subject, what, "")
    }

    fn warning(subject: impl Into<String>, what: impl Into<String>, action: impl Into<String>) -> Self {
        Finding::new(Severity::Warning, subject, what, action)
    }

    fn error(subject: impl Into<String>, what: impl Into<String>, action: impl Into<String>) -> Self {
        Finding::new(Severity::Error, subject, what, action)
    }

    fn new(
        severity: Severity,
        subject: impl Into<String>,
        what: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        let (subject, what, action) = (subject.into(), what.into(), action.into());
        Finding { severity, subject, what, action, count: 1, kin: None }
    }

    /// One of several of which the same may be found. Its action may say [`together::NAME`] for its name.
    fn among(self, things: &'static str, place: impl Into<String>, name: impl std::fmt::Display) -> Self {
        Finding { kin: Some(Kin { place: place.into(), things, name: name.to_string() }), ..self }
    }
}

/// Everything there is to say, the worst first. What is found of many is said once.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = tenants::examine(patient).await;
    findings.extend(declared::examine(patient).await);
    findings.extend(queues::examine(patient).await);
    findings.extend(senders::examine(patient).await);
    together::together(findings)
}
