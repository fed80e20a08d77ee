//! Collections on their way to guests. Parsing one is work of milliseconds that no instruction of the
//! guest's shows: it is done where guests compute, at a low priority and on the tenant's own time, and a
//! tenant has a few collections in use at once at most, so that what they take in memory has an end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::brain::Sources;
use crate::brain::executor::Executor;
use crate::message::TenantId;

/// Searches of one tenant's turns that go on at once; further ones wait for them.
const AT_ONCE: usize = 4;

pub struct Reading {
    executor: Arc<Executor>,
    /// Of tenants that search.
    seats: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
}

/// A collection while it is searched.
pub struct InUse {
    pub records: Arc<Vec<Value>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Reading {
    pub fn new(executor: Arc<Executor>) -> Self {
        Reading { executor, seats: Mutex::default() }
    }

    /// `None` where the tenant has no such collection.
    pub async fn collection(
        &self,
        tenant: TenantId,
        sources: Arc<dyn Sources>,
        name: String,
    ) -> Result<Option<InUse>, String> {
        // Never closed.
        let seat = self.seats_of(tenant).acquire_owned().await.ok();
        let records = match sources.parsed_collection(&name) {
            Some(records) => Some(records),
            None => {
                self.executor.run_patiently(tenant, async move { sources.collection(&name).await }).await?
            }
        };
        Ok(records.map(|records| InUse { records, _seat: seat }))
    }

    fn seats_of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = seats.get(&tenant).and_then(Weak::upgrade) {
            return there;
        }
        seats.retain(|_, other| other.strong_count() > 0);
        let new = Arc::new(Semaphore::new(AT_ONCE));
        seats.insert(tenant, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conversation::HistoryEntry;

    /// Names the thread that reads.
    struct Named;

    #[async_trait::async_trait]
    impl Sources for Named {
        async fn history(&self, _limit: usize) -> Result<Vec<HistoryEntry>, String> {
            Ok(Vec::new())
        }

        async fn collection(&self, _name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
            Ok(Some(Arc::new(vec![std::thread::current().name().unwrap_or_default().into()])))
        }
    }

    #[tokio::test]
    async fn it_is_parsed_at_a_low_priority_and_few_are_in_use_at_once() {
        let executor = Arc::new(Executor::new(&Arc::default(), || {}).expect("threads"));
        let reading = Reading::new(executor);
        let (two, three) = (TenantId::from_stored(2), TenantId::from_stored(3));
        let read = async |tenant| {
            let found = reading.collection(tenant, Arc::new(Named), "homes".into()).await;
            found.expect("it is read").expect("it is there")
        };
        let mut in_use = Vec::new();
        for _ in 0..AT_ONCE {
            let found = read(two).await;
            assert!(found.records[0].as_str().is_some_and(|name| name.starts_with("patient-")));
            in_use.push(found);
        }
        let waits = tokio::time::timeout(Duration::from_millis(20), read(two));
        assert!(waits.await.is_err(), "one more waits");
        read(three).await;
        in_use.pop();
        read(two).await;
    }
}
