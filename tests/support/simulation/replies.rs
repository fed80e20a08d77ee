//! Replies begin, and a provider takes them, refuses them or falls silent.

use std::collections::HashSet;

use rand::Rng as _;
use switchboard::event::Receipt;
use switchboard::message::DeliveryState;
use switchboard::schedule::Pace;
use switchboard::store::{Filter, SendClaim, Settlement};

use super::model::{Fate, number_of};
use super::{Holds, World};
use crate::cast;

impl World {
    pub async fn replies_begin(&mut self) -> Holds {
        let n = self.random.random_range(1..4);
        let claims = self.store.claim_sends(n, self.present(), &mut |_| Pace::Go).await;
        let claims = claims.map_err(|error| self.broken(6, format!("no reply can be claimed: {error}")))?;
        let mut ids = Vec::new();
        for claim in &claims {
            if self.random.random_bool(0.1) {
                self.store.postpone_send(&claim.id, self.at(self.now + 1_000));
            } else {
                ids.push(claim.id.clone());
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        let begun = self.store.begin_sends(&ids).await;
        let begun = begun.map_err(|error| self.broken(6, format!("no reply can begin: {error}")))?;
        for claim in claims.iter().filter(|claim| ids.contains(&claim.id)) {
            // What its number does not carry any more is dead.
            if !begun.iter().any(|begun| begun.id == claim.id) {
                self.model.torn_off(claim);
            }
        }
        for claim in begun {
            self.forget_what_has_ended(&claim).await?;
            self.tell(|| format!("leaves: {:?} {}", claim.id, cast::text_of(&claim.entry.outbound)));
            self.may_leave(&claim)?;
            self.leaving.push(claim);
        }
        Ok(())
    }

    /// Replies end beside us too: their number was given away, their contact became another tenant's, an operator
    /// dropped them.
    async fn forget_what_has_ended(&mut self, claim: &SendClaim) -> Holds {
        let Some((number, reply)) = self.model.reply(claim) else { return Ok(()) };
        let key = reply.key.clone();
        let before = self.model.replies.range(..number).filter(|(_, other)| other.key == key);
        if !before.into_iter().any(|(_, other)| other.fate == Fate::Waits) {
            return Ok(());
        }
        let filter = Filter { tenant: Some(key.tenant), ..cast::all() };
        let listed = self.store.outbox(&filter).await.map_err(|error| self.broken(6, error.to_string()))?;
        let waits: HashSet<u64> = listed
            .iter()
            .filter(|send| send.entry.state.is_under_way())
            .filter_map(|send| number_of(cast::text_of(&send.entry.outbound)))
            .collect();
        for (number, reply) in self.model.replies.iter_mut().filter(|(_, reply)| reply.key == key) {
            if reply.fate == Fate::Waits && !waits.contains(number) {
                reply.fate = Fate::Over;
            }
        }
        Ok(())
    }

    /// It is its tenant's, it has not gone out, and nothing that was said before it waits.
    fn may_leave(&mut self, claim: &SendClaim) -> Holds {
        let (step, blurred) = (self.step, self.model.blurred.contains(&claim.id.key.contact));
        let broken = |guarantee, what| Err(super::Broken { guarantee, step, what });
        let Some((number, reply)) = self.model.reply(claim) else { return Ok(()) };
        if reply.key.tenant != claim.id.key.tenant {
            return broken(
                5,
                format!("reply {number} is of {}, and leaves as {}'s", reply.key, claim.id.key),
            );
        }
        if reply.fate == Fate::Leaves {
            return broken(6, format!("reply {number} leaves twice at a time"));
        }
        if reply.taken >= reply.granted {
            return broken(6, format!("reply {number} goes out again, and nobody asked for it"));
        }
        if reply.fate == Fate::Over {
            return broken(6, format!("reply {number} was given up, and goes out"));
        }
        reply.fate = Fate::Leaves;
        let key = reply.key.clone();
        if blurred {
            return Ok(());
        }
        let before = self.model.replies.range(..number).rev().find(|(_, other)| {
            other.key == key && matches!(other.fate, Fate::Waits | Fate::Leaves) && other.granted == 1
        });
        match before {
            Some((before, _)) => broken(4, format!("reply {number} leaves before reply {before}")),
            None => Ok(()),
        }
    }

    pub async fn a_reply_comes_to_something(&mut self) -> Holds {
        if self.leaving.is_empty() {
            return Ok(());
        }
        let at = self.random.random_range(0..self.leaving.len());
        let claim = self.leaving.swap_remove(at);
        let (settlement, fate, taken) = match self.random.random_range(0..10) {
            0 => (Settlement::Dead { error: "refused".into() }, Fate::Over, false),
            1 => {
                (Settlement::Unknown { error: "no answer".into() }, Fate::Over, self.random.random_bool(0.5))
            }
            2 => {
                let at = self.at(self.now + 1_000);
                (Settlement::Later { at, error: "busy".into() }, Fate::Waits, false)
            }
            _ => {
                let provider_id = Some(format!("p{}", claim.id.seq));
                (Settlement::Sent { provider_id }, Fate::Sent, true)
            }
        };
        if let Some((_, reply)) = self.model.reply(&claim) {
            reply.fate = fate;
            reply.taken += usize::from(taken);
        }
        self.tell(|| format!("settled: {} {settlement:?}", cast::text_of(&claim.entry.outbound)));
        // The process may die before it can be written down.
        if self.random.random_bool(0.02) {
            self.model.torn_off(&claim);
            return self.the_process_dies().await;
        }
        let settled = self.store.settle_send(&claim.id, settlement, self.present()).await;
        settled.map_err(|error| self.broken(6, format!("a reply cannot be settled: {error}")))
    }

    /// Of something that went out, or of nothing.
    pub async fn a_receipt_comes(&mut self) -> Holds {
        let id = format!("p{}", self.random.random_range(0..self.step.max(1) * 2));
        let state = *self.one_of(&[DeliveryState::Delivered, DeliveryState::Read]);
        let told = Receipt { at: self.present(), ..cast::receipt(&id, state) };
        let recorded = self.store.record_receipt(told).await;
        recorded.map(drop).map_err(|error| self.broken(6, format!("a receipt cannot be kept: {error}")))
    }
}
