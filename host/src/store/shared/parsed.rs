//! Tenants' collections, parsed once and kept parsed within a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::lock::lock;
use crate::message::TenantId;

/// Memory, about, of the parsed collections that are kept,
const PARSED_BYTES: usize = 256 << 20;

/// and of one tenant's among them: a tenant that reads many pushes out its own. No collection takes more.
pub const TENANT_BYTES: usize = PARSED_BYTES / 4;

pub type Records = Arc<Vec<Value>>;

/// Parsed collections by use.
#[derive(Default)]
pub struct Parsed {
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    kept: HashMap<(TenantId, String), Entry>,
    bytes: usize,
    uses: u64,
    /// Grows with every change, so that what was read before one is not kept after it.
    generation: u64,
}

struct Entry {
    records: Records,
    bytes: usize,
    used: u64,
}

impl Parsed {
    pub fn find(&self, tenant: TenantId, name: &str) -> (Option<Records>, u64) {
        let mut cache = lock(&self.cache);
        cache.uses += 1;
        let now = cache.uses;
        let generation = cache.generation;
        // A borrowed pair cannot look up an owned pair; the name is short.
        let found = cache.kept.get_mut(&(tenant, name.to_owned())).map(|entry| {
            entry.used = now;
            entry.records.clone()
        });
        (found, generation)
    }

    pub fn keep(&self, tenant: TenantId, name: &str, records: &Records, bytes: usize, generation: u64) {
        let mut cache = lock(&self.cache);
        if cache.generation != generation || bytes > TENANT_BYTES {
            return;
        }
        let used = cache.uses;
        let entry = Entry { records: records.clone(), bytes, used };
        cache.bytes += bytes;
        if let Some(old) = cache.kept.insert((tenant, name.to_owned()), entry) {
            cache.bytes -= old.bytes;
        }
        while cache.held_by(tenant) > TENANT_BYTES && cache.drop_oldest(|owner| owner == tenant) {}
        while cache.bytes > PARSED_BYTES && cache.drop_oldest(|_| true) {}
    }

    pub fn forget(&self, tenant: TenantId, name: &str) {
        let mut cache = lock(&self.cache);
        cache.generation += 1;
        if let Some(old) = cache.kept.remove(&(tenant, name.to_owned())) {
            cache.bytes -= old.bytes;
        }
    }

    pub fn clear(&self) {
        let mut cache = lock(&self.cache);
        let generation = cache.generation + 1;
        *cache = Cache { generation, ..Cache::default() };
    }
}

impl Cache {
    fn held_by(&self, tenant: TenantId) -> usize {
        self.kept.iter().filter(|((owner, _), _)| *owner == tenant).map(|(_, entry)| entry.bytes).sum()
    }

    /// Drops the one that was not used for longest; `false` where there is none.
    fn drop_oldest(&mut self, of: impl Fn(TenantId) -> bool) -> bool {
        let candidates = self.kept.iter().filter(|((owner, _), _)| of(*owner));
        let oldest = candidates.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
        let Some(dropped) = oldest.and_then(|key| self.kept.remove(&key)) else { return false };
        self.bytes -= dropped.bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_by_what_it_takes() {
        let parsed = Parsed::default();
        let records: Records = Arc::new(vec![Value::Null]);
        let tenant = TenantId::GATEWAY;
        for n in 0..10 {
            assert!(parsed.find(tenant, &n.to_string()).0.is_none());
            parsed.keep(tenant, &n.to_string(), &records, TENANT_BYTES / 4, 0);
        }
        assert!(parsed.find(tenant, "5").0.is_none(), "the oldest are gone");
        for n in 6..10 {
            assert!(parsed.find(tenant, &n.to_string()).0.is_some(), "{n}");
        }
        for id in 1..=8 {
            assert!(parsed.find(TenantId::from_stored(id), "homes").0.is_none());
            parsed.keep(TenantId::from_stored(id), "homes", &records, TENANT_BYTES, 0);
        }
        assert!(lock(&parsed.cache).bytes <= PARSED_BYTES);
        assert!(parsed.find(TenantId::from_stored(8), "homes").0.is_some());
        parsed.keep(tenant, "huge", &records, TENANT_BYTES + 1, 0);
        assert!(parsed.find(tenant, "huge").0.is_none(), "more than a tenant's share is not kept");
    }

    #[test]
    fn a_tenant_that_reads_many_pushes_out_its_own() {
        let parsed = Parsed::default();
        let records: Records = Arc::new(Vec::new());
        let (busy, other) = (TenantId::from_stored(66), TenantId::from_stored(1));
        parsed.keep(other, "homes", &records, 1 << 20, 0);
        for n in 0..100 {
            assert!(parsed.find(busy, &n.to_string()).0.is_none());
            parsed.keep(busy, &n.to_string(), &records, 8 << 20, 0);
        }
        assert!(parsed.find(other, "homes").0.is_some());
        assert!(parsed.find(busy, "99").0.is_some() && parsed.find(busy, "0").0.is_none());
    }
}
