//! The store's side of the word on what is listed.

use async_trait::async_trait;

use crate::message::Timestamp;
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::listed::Listed;
use crate::store::rows::{Fault, Rows, Step};
use crate::store::rules::{dead_turns, sends};
use crate::store::{Error, Result, SendId};

/// So many are settled in one commit, in which nobody else's is.
const SLICE: usize = 100;

#[async_trait]
impl<E: Engine> Listed for E {
    async fn retry_turn(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let turn = SendId::parse(id).ok_or_else(|| no_turn(id))?;
        let by = entry(actor, "retry turn", id, serde_json::Value::Null, now);
        self.submit(move |rows| {
            dead_turns::retry(rows, &turn, now)?;
            rows.audit(&by)
        })
        .await
    }

    async fn retry_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = SendId::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "retry send", id, serde_json::Value::Null, now);
        self.submit(move |rows| {
            sends::retry(rows, &send, now)?;
            rows.audit(&by)
        })
        .await
    }

    async fn drop_send(&self, id: &str, actor: &str, now: Timestamp) -> Result<()> {
        let send = SendId::parse(id).ok_or_else(|| no_send(id))?;
        let by = entry(actor, "drop send", id, serde_json::Value::Null, now);
        self.submit(move |rows| {
            sends::drop_it(rows, &send, now)?;
            rows.audit(&by)
        })
        .await
    }

    async fn retry_turns(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        each(self, ids, (actor, "retry turns"), now, |rows, id, now| dead_turns::retry(rows, id, now)).await
    }

    async fn retry_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        each(self, ids, (actor, "retry sends"), now, |rows, id, now| sends::retry(rows, id, now)).await
    }

    async fn drop_sends(&self, ids: &[SendId], actor: &str, now: Timestamp) -> Result<usize> {
        each(self, ids, (actor, "drop sends"), now, |rows, id, now| sends::drop_it(rows, id, now)).await
    }
}

/// Does this to each, a slice in a commit. What cannot be done to one of them is left out.
async fn each<E: Engine>(
    engine: &E,
    ids: &[SendId],
    (actor, what): (&str, &str),
    now: Timestamp,
    act: impl Fn(&mut E::Transaction<'_>, &SendId, Timestamp) -> Step<()> + Copy + Send + 'static,
) -> Result<usize> {
    let mut all = 0;
    for slice in ids.chunks(SLICE) {
        let (slice, by) = (slice.to_vec(), entry(actor, what, slice.len(), serde_json::Value::Null, now));
        let done = engine.submit(move |rows| {
            let mut done = 0;
            for id in &slice {
                match act(rows, id, now) {
                    Ok(()) => done += 1,
                    Err(Fault::Refused(_)) => {}
                    Err(other) => return Err(other),
                }
            }
            if done > 0 {
                rows.audit(&by)?;
            }
            Ok(done)
        });
        all += done.await?;
    }
    Ok(all)
}

fn no_turn(id: &str) -> Error {
    Error::NotFound(format!("{id:?} names no turn; ids look like 2-971501234567-17"))
}

fn no_send(id: &str) -> Error {
    Error::NotFound(format!("{id:?} names no send; ids look like 2-971501234567-17"))
}
