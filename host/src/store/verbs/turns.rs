//! Turns are claimed, and come to something.

use async_trait::async_trait;

use crate::message::{ConversationKey, Timestamp};
use crate::store::Result;
use crate::store::claims::turns::{Found, Held};
use crate::store::engine::Engine;
use crate::store::rules::{timers, turns};
use crate::store::turns::{InboxId, TurnClaim, TurnCommit, TurnFailure, Turns};
use crate::store::upkeep::Mark;
use crate::way;

#[async_trait]
impl<E: Engine> Turns for E {
    async fn claim_turns(&self, n: usize, now: Timestamp) -> Result<Vec<TurnClaim>> {
        if nothing_is_claimed(self) {
            return Ok(Vec::new());
        }
        if self.index().next_timer() <= now {
            self.submit(move |rows| timers::ring(rows, now)).await?;
        }
        let mut held = Held::claim(self.index(), n, now);
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let (mut held, found) =
            self.read_fresh(move |rows| held.read(rows).map(|found| (held, found))).await?;
        let (mut claims, mut humans) = (Vec::with_capacity(found.len()), Vec::new());
        for found in found {
            match found {
                Found::Turn(claim) => claims.push(*claim),
                Found::Asleep(key, first, of) => held.put_to_sleep(key, &first, of, now),
                Found::Nothing => {}
                Found::ForHuman(key, entries) => humans.push((key, entries)),
            }
        }
        held.hand_over(&claims);
        if !humans.is_empty() {
            let taken_in = take_in(self, &mut held, humans);
            match claims.is_empty() {
                true => taken_in.await?,
                // Nobody's turn waits for it.
                false => drop(tokio::spawn(taken_in)),
            }
        }
        Ok(claims)
    }

    async fn commit_turn(&self, turn: TurnCommit) -> Result<()> {
        let outcome = turns::Outcome::new(turn, self.index());
        self.submit(move |rows| turns::commit(rows, &outcome)).await
    }

    async fn fail_turn(&self, failure: TurnFailure) -> Result<()> {
        let failed = turns::Failed::new(failure, self.index());
        self.submit(move |rows| turns::fail(rows, &failed)).await
    }

    fn release_turn(&self, key: &ConversationKey) {
        self.index().turns().release(key);
        self.index().wakes.turns.notify_one();
    }

    fn postpone_turn(&self, key: &ConversationKey, first: InboxId, until: Timestamp) {
        self.index().turns().postpone(key, &first, until);
    }

    fn next_turn_at(&self) -> Option<Timestamp> {
        if nothing_is_claimed(self) {
            return None;
        }
        let timer = Some(self.index().next_timer()).filter(|at| at.as_ms() < i64::MAX);
        let turn = self.index().turns().next_at();
        turn.into_iter().chain(timer).min()
    }
}

/// They wait until it is over.
fn nothing_is_claimed(engine: &impl Engine) -> bool {
    engine.is_paused() || engine.check(Mark::Messages).is_err()
}

/// What came for a human is taken in, in one commit, which ends the claims of it.
fn take_in<E: Engine>(
    engine: &E,
    held: &mut Held,
    humans: Vec<(ConversationKey, Vec<InboxId>)>,
) -> impl Future<Output = Result<()>> + Send + use<E> {
    let (held, humans) = held.for_humans(humans);
    let now = engine.now();
    let done = engine.submit(move |rows| turns::taken_in::all(rows, &humans, now));
    async move {
        let taken_in = done.await?;
        held.ended();
        taken_in.iter().for_each(|(message, key)| way::for_human(*message, key));
        Ok(())
    }
}
