//! How far the passes have come that look at everything a little at a time. A start begins anew.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::quotas::Shelf;

#[derive(Debug, Default)]
pub struct Cursors {
    /// Where those are trimmed who keep too much.
    pub trims: Mutex<Trims>,
    pub prunes: Mutex<Prunes>,
}

/// A dead turn, or a reply that has ended.
pub type Ended = (ConversationKey, u64);

/// How far pruning has come. `None`: it begins anew.
#[derive(Clone, Debug, Default)]
pub struct Prunes {
    /// Among the tenants' sent templates,
    pub template_tenant: u32,
    /// among the dead turns,
    pub dead_turn: Option<Ended>,
    /// among the replies that have ended,
    pub ended_send: Option<Ended>,
    /// among the strangers,
    pub stranger: Option<ContactKey>,
    /// and among the hidden ids that were asked for.
    pub lookup: Option<ContactKey>,
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
