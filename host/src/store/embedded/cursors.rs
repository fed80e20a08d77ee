//! How far the passes have come that look at everything a little at a time. A start begins anew.

use std::sync::Mutex;

use super::trim::Trims;
use crate::message::ContactKey;

#[derive(Debug, Default)]
pub struct Cursors {
    /// Where those are trimmed who keep too much.
    pub trims: Mutex<Trims>,
    /// Pruning, among the tenants' sent templates,
    pub template_tenant: Mutex<u32>,
    /// among the dead turns, and among the replies that have ended,
    pub ended: (Mutex<Vec<u8>>, Mutex<Vec<u8>>),
    /// among the strangers,
    pub stranger: Mutex<Vec<u8>>,
    /// and among the hidden ids that were asked for.
    pub lookup: Mutex<Option<ContactKey>>,
}
