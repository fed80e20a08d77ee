//! Operators interfere, and everything that they do is written down.

use rand::Rng as _;
use switchboard::message::{ConversationKey, SenderName};
use switchboard::store::contacts::OptOut;
use switchboard::store::{Filter, OutboxState, Retention};

use super::model::{Fate, number_of};
use super::{Holds, World};
use crate::cast::{self, contact, tenant_id};

pub const ACTOR: &str = "simulation";

/// Longer than anything here takes: what must be there must be there.
const RETENTION: Retention = Retention {
    dedup_ms: i64::MAX / 4,
    history_ms: i64::MAX / 4,
    ended_ms: i64::MAX / 4,
    journal_ms: 3_600_000,
    audit_ms: i64::MAX / 4,
    template_log_ms: 3_600_000,
};

impl World {
    pub async fn an_operator_interferes(&mut self) -> Holds {
        let (who, now) = (contact(&self.somebody()), self.present());
        let key = ConversationKey { tenant: tenant_id(self.random.random_range(1..4)), contact: who.clone() };
        // Whatever is refused leaves everything as it was, which the look at the whole tells.
        let deed = match self.random.random_range(0..9) {
            0 => self.store.unlock(&who, ACTOR, now).await.is_ok().then_some("unlock"),
            1 => self.store.take_over(&key, ACTOR, now).await.is_ok().then_some("take over"),
            2 => self.store.hand_back(&key, ACTOR, now).await.is_ok().then_some("hand back"),
            3 => {
                let other = contact(&self.somebody());
                self.tell(|| format!("{who} is {other} too"));
                let merged = self.store.merge_contacts(&who, &other, ACTOR, now).await.is_ok();
                if merged {
                    self.model.join(&who, &other);
                }
                merged.then_some("merge")
            }
            4 => self.store.unmerge_contact(&who, ACTOR, now).await.is_ok().then_some("unmerge"),
            5 => {
                let wish = Some(OptOut::by_operator(now, "asked on the phone"));
                self.store.set_opt_out(&key, wish, ACTOR, now).await.is_ok().then_some("opt out")
            }
            6 => {
                let to = [None, Some(1), Some(2), Some(3)][self.random.random_range(0..4)].map(tenant_id);
                let before = self.store.directory().senders[&SenderName::new("own")].tenant;
                let given = self.store.give_sender(&SenderName::new("own"), to, false, ACTOR, now).await;
                // What it was made to serve before is not carried any more, and what it hears is another's.
                (given.is_ok() && before != to).then_some("give sender")
            }
            7 => return self.something_is_sent_again().await,
            _ => return self.a_dead_turn_is_run_again().await,
        };
        self.tell(|| format!("{key:?}: {deed:?}"));
        let touched = ["unlock", "merge", "unmerge", "take over", "hand back", "give sender"];
        if let Some(deed) = deed {
            self.model.did(deed);
            if touched.contains(&deed) {
                self.model.blur(&who);
            }
        }
        Ok(())
    }

    async fn something_is_sent_again(&mut self) -> Holds {
        let ended = Filter { ended: true, ..cast::all() };
        let listed = self.store.outbox(&ended).await;
        let listed = listed.map_err(|error| self.broken(6, error.to_string()))?;
        if listed.is_empty() {
            return Ok(());
        }
        let send = self.one_of(&listed).clone();
        let (again, now) = (self.random.random_bool(0.7), self.present());
        let done = match again {
            true => self.store.retry_send(&send.id, ACTOR, now).await,
            false => self.store.drop_send(&send.id, ACTOR, now).await,
        };
        self.tell(|| format!("again {again}: {} {:?} {done:?}", send.id, send.entry.state));
        if done.is_ok() {
            self.model.did(if again { "retry send" } else { "drop send" });
            let number = number_of(cast::text_of(&send.entry.outbound));
            if let Some(reply) = number.and_then(|number| self.model.replies.get_mut(&number)) {
                let doubt = send.entry.state == OutboxState::Unknown;
                reply.granted += usize::from(again && (doubt || reply.taken == 0));
                reply.fate = if again { Fate::Waits } else { Fate::Over };
                // It goes out behind what has overtaken it.
                self.model.blurred.insert(send.contact.clone());
            }
        }
        Ok(())
    }

    async fn a_dead_turn_is_run_again(&mut self) -> Holds {
        let listed = self.store.turns(&Filter { ended: true, ..cast::all() }).await;
        let listed = listed.map_err(|error| self.broken(7, error.to_string()))?;
        if listed.is_empty() {
            return Ok(());
        }
        let turn = self.one_of(&listed).clone();
        if self.store.retry_turn(&turn.id, ACTOR, self.present()).await.is_ok() {
            self.model.did("retry turn");
            self.model.blurred.insert(turn.contact.clone());
        }
        Ok(())
    }

    pub async fn old_things_are_removed(&mut self) -> Holds {
        let pruned = self.store.prune(RETENTION, self.present(), 50).await;
        pruned.map(drop).map_err(|error| self.broken(9, format!("nothing can be removed: {error}")))
    }
}
