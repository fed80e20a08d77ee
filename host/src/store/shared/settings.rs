//! What the rules go by that is set for the whole gateway.

use crate::schedule::Limits;
use crate::tenant::quotas::Quotas;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Deep-link prefixes.
    pub prefixes: Vec<String>,
    /// What a contact that nobody has claimed is told on a shared sender; `None`: nothing.
    pub notice: Option<String>,
    /// The same contact is told again after this time at the earliest.
    pub notice_every_ms: i64,
    /// Where a tenant does not say; see `tenant::Limits::coalesce_ms`.
    pub coalesce_ms: u64,
    /// What a tenant may use where it does not say.
    pub quotas: Quotas,
    /// A timer rings after this at the earliest.
    pub timer_floor_ms: i64,
    /// Turns of one tenant that may be claimed at the same time.
    pub turns_per_tenant: usize,
    /// Sends that may be claimed at the same time; a group is a sender.
    pub sends: Limits,
    /// Files that may be fetched at the same time; a group is a sender.
    pub fetches: Limits,
}
