//! Replies that are handed out, until what became of them is settled.

use std::sync::Arc;

use crate::message::{ConversationKey, Timestamp};
use crate::store::rows::place::Place;
use crate::store::rows::{ReadRows, Step};
use crate::store::rules::references;
use crate::store::rules::sends::{self, Claimed};
use crate::store::shared::index::Index;
use crate::store::{Paced, SendClaim, SendId};

/// The claims of one call. Those that are not handed over are given back when this is dropped, be it
/// because the caller went away.
pub struct Held {
    index: Arc<Index>,
    pub ids: Vec<SendId>,
}

impl Held {
    pub fn claim(index: &Arc<Index>, n: usize, now: Timestamp, pace: &mut Paced<'_>) -> Self {
        let mut sends = index.sends();
        let keys = sends.claim(n, now, pace);
        let id = |key: Arc<ConversationKey>| {
            let seq = sends.items(&key).next().copied()?;
            Some(SendId { key: Arc::unwrap_or_clone(key), seq })
        };
        let ids = keys.into_iter().filter_map(id).collect();
        drop(sends);
        Held { index: index.clone(), ids }
    }

    /// Of claims that are out already.
    pub fn again(index: &Arc<Index>, ids: &[SendId]) -> Self {
        Held { index: index.clone(), ids: ids.to_vec() }
    }

    /// What was claimed, as it is kept.
    pub fn read(&self, rows: &impl ReadRows) -> Step<Vec<Claimed>> {
        self.ids.iter().map(|id| sends::find(rows, id)).collect()
    }

    /// Makes the claims the caller's. One that cannot be read waits for the next start, out of the way
    /// of the others: asked again it would fail again.
    pub fn hand_over(&mut self, found: Vec<Claimed>) -> Vec<SendClaim> {
        let mut claims = Vec::with_capacity(found.len());
        let mut gone = Vec::new();
        for (id, found) in std::mem::take(&mut self.ids).into_iter().zip(found) {
            let entry = match found {
                Claimed::Gone => {
                    gone.push(id);
                    continue;
                }
                Claimed::Reply(reply) => reply.entry(),
                Claimed::Unreadable(error) => Err(error),
            };
            match entry {
                Ok(entry) => {
                    let place = Place::new(id.seq, id.key.tenant);
                    let reference = references::name(&self.index.secret, place, entry.attempts);
                    claims.push(SendClaim { id, entry, reference });
                }
                Err(error) => {
                    tracing::error!(conversation = %id.key, reply = id.seq, %error, "a reply cannot be read and waits for the next start");
                    self.index.sends().postpone(&id.key, &id.seq, Timestamp::from_ms(i64::MAX));
                }
            }
        }
        self.ids = gone;
        claims
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let mut sends = self.index.sends();
        for id in self.ids.drain(..) {
            sends.release_claim(&id.key, &id.seq);
        }
    }
}
