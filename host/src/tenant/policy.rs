//! What a tenant says about how much is said, when, and what instead. The rules themselves are in
//! `policy`; these are the settings as they are written in `[tenant.policy]`.

use serde::{Deserialize, Serialize};

/// `None`: as the gateway's `[policy]` says, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Replies a second, over all senders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Turns of a contact that answers quicker than people do, before a human is asked to look. 0: any
    /// number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_turns: Option<u32>,
    /// When nobody is written to who has not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// What goes out in place of a brain's words once the 24-hour window is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_template: Option<FallbackTemplate>,
    /// What becomes of a reply of which nobody knows whether it went out; without it, it stays and is listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// Once no evidence has settled it for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    pub after_minutes: u32,
    pub then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// Again, though it may arrive twice.
    Send,
    /// Not at all, though it may never have arrived.
    Drop,
}

impl Policy {
    pub fn is_default(&self) -> bool {
        *self == Policy::default()
    }
}

/// In the tenant's time zone, over midnight where `until` is the smaller one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// `22:00`.
    pub from: String,
    /// `08:00`.
    pub until: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackTemplate {
    pub name: String,
    pub language: String,
    /// The placeholder that takes the words; none: the template stands for whatever was to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}
