//! What tenants use of what is counted by the clock.

use std::collections::HashMap;

use crate::message::{TenantId, Timestamp};
use crate::policy::quota::{Meter, Steady};

/// What tenants used within minutes and hours. A restart forgets it.
#[derive(Default)]
pub struct Meters {
    steady: Steady,
    pub last: Option<Timestamp>,
    tenants: HashMap<TenantId, Meter>,
}

impl Meters {
    pub fn at(&mut self, tenant: TenantId, now: Timestamp) -> (&mut Meter, u64) {
        (self.tenants.entry(tenant).or_default(), self.steady.at(now))
    }
}
