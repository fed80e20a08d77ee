//! Trimming, and how the store fares.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::message::Timestamp;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::rules::{oldest, trim};
use crate::store::shared::lock::lock;
use crate::store::upkeep::{Mark, Oldest, Upkeep};

#[async_trait]
impl<E: Engine> Upkeep for E {
    fn room_on_disk(&self) -> Result<()> {
        self.check(Mark::Stored)
    }

    async fn trim(&self, limit: usize) -> Result<usize> {
        let (looked, come) = self.submit(move |rows| trim::trim(rows, limit)).await?;
        lock(&self.index().cursors.trims).extend(come);
        Ok(looked)
    }

    async fn oldest(&self, rows: usize) -> Result<Oldest> {
        self.read(move |snapshot| oldest::of(snapshot, rows)).await
    }

    fn is_idle(&self, quiet: Duration) -> bool {
        let (now, index) = (self.now(), self.index());
        let since_ms = now.as_ms().saturating_sub(index.state().last_updated.as_ms());
        let quiet_ms = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let turns = due(index.turns().next_at()) || index.turns().claimed().next().is_some();
        let sends = due(index.sends().next_at()) || index.sends().claimed().next().is_some();
        // A clock that was set back makes it wait for another look.
        since_ms >= quiet_ms && !turns && !sends
    }

    fn late_refusals(&self) -> u64 {
        self.index().late_refusals.load(Ordering::Relaxed)
    }

    fn commits(&self) -> u64 {
        self.index().commits.load(Ordering::Relaxed)
    }
}
