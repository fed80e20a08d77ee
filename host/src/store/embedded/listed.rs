//! The store's side of the word on what is listed.

use async_trait::async_trait;

use super::batch::{Batch, Fault, Step};
use super::{Embedded, no_send, no_turn};
use crate::message::Timestamp;
use crate::store::audit::entry;
use crate::store::listed::Listed;
use crate::store::rows::Rows as _;
use crate::store::rules::{dead_turns, sends};
use crate::store::{Result, SendId};

/// So many are settled in one commit, in which nobody else's is.
const SLICE: usize = 100;

#[async_trait]
impl Listed for Embedded {
    async fn retry_turn(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let turn = SendId::parse(id).ok_or_else(|| no_turn(id))?;
        let by = entry(actor, "retry turn", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            dead_turns::retry(batch, &turn, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn retry_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = SendId::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "retry send", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            sends::retry(batch, &send, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn drop_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = SendId::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "drop send", id, serde_json::Value::Null, now);
        self.write(move |batch| {
            sends::drop_it(batch, &send, now)?;
            batch.audit(&by)
        })
        .await
    }

    async fn retry_turns(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "retry turns"), now, |batch, id, now| dead_turns::retry(batch, id, now)).await
    }

    async fn retry_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "retry sends"), now, |batch, id, now| sends::retry(batch, id, now)).await
    }

    async fn drop_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        self.each(ids, (actor, "drop sends"), now, |batch, id, now| sends::drop_it(batch, id, now)).await
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
