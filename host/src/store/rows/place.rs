//! Where a row lies that came in order of arrival.

use crate::message::TenantId;

/// Arrival number, then tenant: what comes lands beside what came last, whoever it is for, and another tenant's number
/// misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub seq: u64,
    pub tenant: TenantId,
}

impl Place {
    pub fn new(seq: u64, tenant: TenantId) -> Self {
        Place { seq, tenant }
    }
}
