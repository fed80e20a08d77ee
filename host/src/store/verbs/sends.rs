//! Replies are claimed, begun and settled.

use async_trait::async_trait;

use crate::message::{SenderName, Timestamp};
use crate::store::claims::sends::Held;
use crate::store::engine::Engine;
use crate::store::rows::place::Place;
use crate::store::rules::{references, sends};
use crate::store::sends::{Paced, SendClaim, Sends, Settlement};
use crate::store::{Result, SendId};

#[async_trait]
impl<E: Engine> Sends for E {
    async fn claim_sends(&self, n: usize, now: Timestamp, pace: &mut Paced<'_>) -> Result<Vec<SendClaim>> {
        if self.is_paused() {
            return Ok(Vec::new());
        }
        let held = Held::claim(self.index(), n, now, pace);
        if held.ids.is_empty() {
            return Ok(Vec::new());
        }
        let (mut held, found) =
            self.read_fresh(move |rows| held.read(rows).map(|found| (held, found))).await?;
        Ok(held.hand_over(found))
    }

    async fn begin_sends(&self, ids: &[SendId]) -> Result<Vec<SendClaim>> {
        let mut held = Held::again(self.index(), ids);
        let (ids, now) = (held.ids.clone(), self.now());
        match self.submit(move |rows| sends::begin(rows, &ids, now)).await {
            Ok(begun) => Ok(held.hand_over(begun)),
            Err(error) => {
                // They stay the caller's.
                held.ids.clear();
                Err(error)
            }
        }
    }

    fn postpone_send(&self, id: &SendId, until: Timestamp) {
        self.index().sends().postpone(&id.key, &id.seq, until);
    }

    fn hurry_sends(&self, sender: &SenderName, now: Timestamp) {
        self.index().sends().hurry(sender, now);
        self.index().wakes.sends.notify_one();
    }

    fn resume_sends(&self, sender: &SenderName) {
        self.index().sends().resume(sender);
        self.index().wakes.sends.notify_one();
    }

    async fn settle_send(&self, id: &SendId, settlement: Settlement, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.submit(move |rows| sends::settle(rows, &id, &settlement, now)).await
    }

    fn next_send_at(&self) -> Option<Timestamp> {
        if self.is_paused() { None } else { self.index().sends().next_at() }
    }

    fn reference_of(&self, id: &SendId, attempts: u32) -> String {
        references::name(&self.index().secret, Place::new(id.seq, id.key.tenant), attempts)
    }
}
