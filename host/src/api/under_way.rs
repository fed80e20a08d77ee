//! How many requests of one tenant's keys are under way: beyond a number of them its next one is refused, so
//! that no tenant takes all the threads and connections that others need as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::message::TenantId;

/// Those that wait for news count too.
pub const MOST: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<Mutex<HashMap<TenantId, usize>>>);

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub struct Begun {
    of: UnderWay,
    tenant: TenantId,
}

impl UnderWay {
    /// None: there are as many as there may be.
    pub fn begin(&self, tenant: TenantId) -> Option<Begun> {
        let mut counts = self.counts();
        let count = counts.entry(tenant).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Begun { of: self.clone(), tenant })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut counts = self.of.counts();
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own_and_gets_them_back() {
        let under_way = UnderWay::default();
        let (busy, other) = (TenantId::from_stored(66), TenantId::from_stored(1));
        let mut begun: Vec<Begun> = (0..MOST).filter_map(|_| under_way.begin(busy)).collect();
        assert_eq!(begun.len(), MOST);
        assert!(under_way.begin(busy).is_none());
        assert!(under_way.begin(other).is_some());
        begun.pop();
        assert!(under_way.begin(busy).is_some());
        drop(begun);
        assert!(under_way.counts().is_empty(), "nobody is remembered");
    }
}
