//! What is wrong with a gateway that runs, or soon will be: it asks the providers whether they know
//! our numbers and take our keys, and looks at what waits, what died and what is missing. It changes
//! nothing and sends no message.

use std::sync::Arc;

use serde::Serialize;

use crate::brain::Brains;
use crate::config::Config;
use crate::egress::Egress;
use crate::message::{SenderName, Timestamp};
use crate::refused_keys::RefusedKeys;
use crate::store::Store;

mod declared;
mod queues;
mod senders;
mod tenants;

/// What is looked at.
pub struct Patient<'a> {
    pub config: &'a Config,
    pub store: &'a Arc<dyn Store>,
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
}

/// From nothing to do to do it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Good,
    Warning,
    Error,
}

impl Finding {
    fn good(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Good,
            subject: subject.into(),
            what: what.into(),
            action: String::new(),
        }
    }

    fn warning(subject: impl Into<String>, what: impl Into<String>, action: impl Into<String>) -> Self {
        let (subject, what, action) = (subject.into(), what.into(), action.into());
        Finding { severity: Severity::Warning, subject, what, action }
    }

    fn error(subject: impl Into<String>, what: impl Into<String>, action: impl Into<String>) -> Self {
        let (subject, what, action) = (subject.into(), what.into(), action.into());
        Finding { severity: Severity::Error, subject, what, action }
    }
}

/// Everything there is to say, the worst first.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = tenants::examine(patient);
    findings.extend(declared::examine(patient));
    findings.extend(queues::examine(patient).await);
    findings.extend(senders::examine(patient).await);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
