//! How far the passes have come that look at everything a little at a time. A start begins anew.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::quotas::Shelf;

/// A dead turn, or a reply that has ended.
type Ended = Mutex<Option<(ConversationKey, u64)>>;

#[derive(Debug, Default)]
pub struct Cursors {
    /// Where those are trimmed who keep too much.
    pub trims: Mutex<Trims>,
    /// Pruning, among the tenants' sent templates,
    pub template_tenant: Mutex<u32>,
    /// among the dead turns,
    pub dead_turns: Ended,
    /// among the replies that have ended,
    pub ended_sends: Ended,
    /// among the strangers,
    pub stranger: Mutex<Option<ContactKey>>,
    /// and among the hidden ids that were asked for.
    pub lookup: Mutex<Option<ContactKey>>,
}

/// How far tenants are trimmed that keep more than their quotas allow.
#[derive(Debug, Default)]
pub struct Trims(pub HashMap<(Shelf, TenantId), Trim>);

impl Trims {
    pub fn extend(&mut self, come: Trims) {
        self.0.extend(come.0);
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Trim {
    /// Nothing of the tenant lies before this.
    pub from: u64,
    /// So many bytes are to go.
    pub left: u64,
}

impl Trim {
    pub fn went(&mut self, seq: u64, size: u64) {
        (self.left, self.from) = (self.left.saturating_sub(size), seq);
    }
}
