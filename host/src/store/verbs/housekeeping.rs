//! Counters, the audit log, and what is past its time.

use async_trait::async_trait;

use crate::message::Timestamp;
use crate::store::engine::Engine;
use crate::store::housekeeping::{Counters, Housekeeping, Retention};
use crate::store::rows::Rows as _;
use crate::store::rules::{load, probe, prune};
use crate::store::shared::lock::lock;
use crate::store::upkeep::Mark;
use crate::store::{AuditEntry, Result};

#[async_trait]
impl<E: Engine> Housekeeping for E {
    fn counters(&self) -> Counters {
        self.index().counters()
    }

    async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.submit(move |rows| rows.audit(&entry)).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp, limit: usize) -> Result<usize> {
        let from = lock(&self.index().cursors.prunes).clone();
        let pruned = self.submit(move |rows| prune::prune(rows, &from, &retention, now, limit));
        let (removed, come) = pruned.await?;
        *lock(&self.index().cursors.prunes) = come;
        Ok(removed)
    }

    async fn recount(&self) -> Result<Counters> {
        self.read(load::recount).await
    }

    async fn probe(&self) -> Result<()> {
        self.check(Mark::Messages)?;
        self.submit(|rows| probe::write(rows)).await
    }
}
