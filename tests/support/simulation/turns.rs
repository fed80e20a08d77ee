//! Turns are claimed, run, and come to something.

use rand::Rng as _;
use switchboard::conversation::{TimerChange, Trigger};
use switchboard::message::{Outbound, Timestamp};
use switchboard::store::{Error, TurnClaim, TurnFate};

use super::{Holds, World};
use crate::cast::{self, Answer};

impl World {
    pub async fn turns_are_claimed(&mut self) -> Holds {
        let n = self.random.random_range(1..4);
        let claims = self.store.claim_turns(n, self.present()).await;
        let claims = claims.map_err(|error| self.broken(4, format!("no turn can be claimed: {error}")))?;
        for claim in claims {
            self.tell(|| format!("claimed: {:?} {:?}", claim.key, heard(&claim.trigger)));
            self.is_next(&claim)?;
            self.running.push(claim);
        }
        Ok(())
    }

    /// Nobody else runs it, it is its tenant's, and nothing that was written before it waits.
    fn is_next(&mut self, claim: &TurnClaim) -> Holds {
        if self.model.blurred.contains(&claim.key.contact) {
            // What was merged is run again under its new key, and comes to nothing under the old one.
            self.running.retain(|other| other.key != claim.key);
        }
        if self.running.iter().any(|other| other.key == claim.key) {
            return Err(self.broken(4, format!("{} runs two turns at a time", claim.key)));
        }
        for id in heard(&claim.trigger) {
            let Some(told) = self.model.messages.get(&id) else {
                return Err(self.broken(5, format!("{id} was never told, and makes a turn of {}", claim.key)));
            };
            let of = match &told.answer {
                switchboard::route::Answer::Routed { tenant, .. } => Some(*tenant),
                switchboard::route::Answer::Ignored(_) => None,
            };
            if of != Some(claim.key.tenant) {
                return Err(self.broken(5, format!("{id} was {of:?}'s, and makes a turn of {}", claim.key)));
            }
            if self.model.blurred.contains(&claim.key.contact) {
                continue;
            }
            let waiting = self.model.waiting.get(&claim.key);
            let known = waiting.filter(|waiting| waiting.values().any(|waits| *waits == id));
            let first = known.and_then(|waiting| waiting.first_key_value());
            if let Some((place, before)) = first.filter(|(_, first)| **first != id) {
                let what = format!("{id} is answered before {before}, written at {}", place.0);
                return Err(self.broken(4, what));
            }
        }
        Ok(())
    }

    pub async fn a_turn_ends(&mut self) -> Holds {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = self.random.random_range(0..self.running.len());
        let claim = self.running.swap_remove(at);
        let now = self.present();
        let (ended, uses_up) = match self.random.random_range(0..10) {
            0 => {
                self.store.release_turn(&claim.key);
                return Ok(());
            }
            1 => {
                let fate = TurnFate::Retry { at: self.at(self.now + 2_000) };
                (self.store.fail_turn(cast::failure(&claim, fate, now)).await, false)
            }
            2 => {
                let says = self.random.random_bool(0.5).then(|| self.model.says(&claim.key));
                let fate = TurnFate::Dead { fallback: says.as_ref().map(Outbound::text) };
                let ended = self.store.fail_turn(cast::failure(&claim, fate, now)).await;
                // A contact is told when a turn dies first, however often it dies.
                let first = claim.entries[0].seq;
                self.unsaid_if_refused(
                    ended.is_err() || self.model.died.contains(&first),
                    says.iter().count(),
                );
                if ended.is_ok() {
                    self.model.died.insert(first);
                }
                (ended, true)
            }
            _ => (self.commit(&claim, now).await, true),
        };
        self.tell(|| {
            format!(
                "ended: {:?} {:?}: {ended:?}, {} replies",
                claim.key,
                heard(&claim.trigger),
                self.model.replies.len()
            )
        });
        match ended {
            Ok(()) if uses_up => self.is_used_up(&claim),
            Ok(()) => {}
            // Its entries are another contact's by now, or a human's.
            Err(Error::Conflict(_)) => self.store.release_turn(&claim.key),
            Err(error) => return Err(self.broken(7, format!("a turn of {} cannot end: {error}", claim.key))),
        }
        Ok(())
    }

    async fn commit(&mut self, claim: &TurnClaim, now: Timestamp) -> Result<(), Error> {
        let says: Vec<String> =
            (0..self.random.random_range(0..3)).map(|_| self.model.says(&claim.key)).collect();
        let mut turn = cast::turn(claim, Answer::default(), now);
        turn.sends = says.iter().map(Outbound::text).collect();
        if self.random.random_bool(0.1) {
            let in_ms = self.random.random_range(0..60_000);
            let at = self.at(self.now + in_ms);
            turn.timers = vec![TimerChange::Set { key: "again".into(), at, payload: String::new() }];
        }
        let ended = self.store.commit_turn(turn).await;
        self.unsaid_if_refused(ended.is_err(), says.len());
        ended
    }

    /// What was not kept was not said.
    fn unsaid_if_refused(&mut self, refused: bool, count: usize) {
        for _ in 0..if refused { count } else { 0 } {
            self.model.replies.pop_last();
        }
    }

    fn is_used_up(&mut self, claim: &TurnClaim) {
        let used = heard(&claim.trigger);
        if let Some(waiting) = self.model.waiting.get_mut(&claim.key) {
            waiting.retain(|_, id| !used.contains(id));
        }
    }
}

/// The messages that a turn is for.
pub fn heard(trigger: &Trigger) -> Vec<String> {
    match trigger {
        Trigger::Started { message, .. } => vec![message.id.clone()],
        Trigger::Messages { messages } => messages.iter().map(|message| message.id.clone()).collect(),
        _ => Vec::new(),
    }
}
