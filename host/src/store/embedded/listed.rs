//! The store's side of the word on what is listed.

use async_trait::async_trait;

use super::admin::entry;
use super::batch::{Batch, Fault, Step};
use super::{Embedded, listing, no_send, no_turn, sends};
use crate::message::Timestamp;
use crate::store::listed::Listed;
use crate::store::{Result, SendId};

/// So many are settled in one commit, in which nobody else's is.
const SLICE: usize = 100;

#[async_trait]
impl Listed for Embedded {
    async fn retry_turn(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let turn = listing::parse(id).ok_or_else(|| no_turn(id))?;
        let by = entry(actor, "retry turn", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            listing::retry_turn(batch, &turn, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn retry_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = listing::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "retry send", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            sends::retry(batch, &send, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn drop_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = listing::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "drop send", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            sends::drop_it(batch, &send, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn retry_turns(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "retry turns"), now, listing::retry_turn).await
    }

    async fn retry_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "retry sends"), now, sends::retry).await
    }

    async fn drop_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "drop sends"), now, sends::drop_it).await
    }
}

impl Embedded {
    /// Does this to each, a slice in a commit. What cannot be done to one of them is left out.
    async fn each(
        &self,
        ids: &[SendId],
        (actor, what): (&str, &str),
        now: Timestamp,
        act: fn(&mut Batch<'_>, &SendId, Timestamp) -> Step<()>,
    ) -> Result<usize> {
        let mut all = 0;
        for slice in ids.chunks(SLICE) {
            let (slice, by) = (slice.to_vec(), entry(actor, what, slice.len(), serde_json::Value::Null, now));
            all += self
                .write(move |batch| {
                    let mut done = 0;
                    for id in &slice {
                        match act(batch, id, now) {
                            Ok(()) => done += 1,
                            Err(Fault::Refused(_)) => {}
                            Err(other) => return Err(other),
                        }
                    }
                    if done > 0 {
                        batch.audit(&by)?;
                    }
                    Ok(done)
                })
                .await?;
        }
        Ok(all)
    }
}
