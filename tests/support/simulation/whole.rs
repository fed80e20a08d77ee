//! The whole, against what must be so.

use std::collections::{BTreeMap, HashMap, HashSet};

use switchboard::conversation::Line;
use switchboard::message::{DeliveryState, TenantId};
use switchboard::route::Answer;
use switchboard::schedule::Pace;
use switchboard::store::{Settlement, TurnState};
use switchboard::tenant::{Sender, Tenant};

use super::contacts::conversations;
use super::model::number_of;
use super::operators::ACTOR;
use super::turns::heard;
use super::{Holds, World};
use crate::cast;

/// Everything that is listed, whatever there is.
const ALL: usize = 1_000_000;

/// What tenants keep.
#[derive(Default)]
struct Found {
    /// Messages that stand in the history, and how often.
    heard: HashMap<(TenantId, String), usize>,
    /// Messages that wait or died.
    waiting: HashSet<(TenantId, String)>,
    /// Replies, and how far they have come.
    said: BTreeMap<u64, (TenantId, Option<DeliveryState>)>,
}

impl World {
    pub async fn look_at_the_whole(&self) -> Holds {
        self.counters_are_true().await?;
        let found = self.find().await?;
        self.nothing_is_anothers(&found)?;
        self.nothing_is_lost(&found)?;
        self.deeds_are_written_down().await
    }

    async fn counters_are_true(&self) -> Holds {
        let (counters, usage) = (self.store.counters(), self.store.usage());
        let recounted = self.store.recount().await.map_err(|error| self.broken(9, error.to_string()))?;
        if counters != recounted {
            return Err(self.broken(9, format!("it counts {counters:?}, and has {recounted:?}")));
        }
        let recounted =
            self.store.recount_usage().await.map_err(|error| self.broken(9, error.to_string()))?;
        if usage != recounted {
            return Err(self.broken(9, format!("tenants are said to keep {usage:?}, and keep {recounted:?}")));
        }
        match self.store.late_refusals() {
            0 => Ok(()),
            late => Err(self.broken(9, format!("{late} operations were refused after they had written"))),
        }
    }

    async fn find(&self) -> Result<Found, super::Broken> {
        let mut found = Found::default();
        let filter = switchboard::store::Filter { limit: ALL, ..cast::all() };
        let turns = self.store.turns(&filter).await.map_err(|error| self.broken(1, error.to_string()))?;
        for turn in turns {
            if turn.state == TurnState::Waiting || turn.state == TurnState::Dead {
                found.waiting.extend(heard(&turn.trigger).into_iter().map(|id| (turn.tenant, id)));
            }
        }
        for key in conversations() {
            let lines = self.store.history(&key, None, ALL).await;
            let lines = lines.map_err(|error| self.broken(1, error.to_string()))?;
            self.tell(|| format!("{key:?} has {:?}", lines.iter().map(|(seq, _)| *seq).collect::<Vec<_>>()));
            for (_, entry) in lines {
                match &entry.line {
                    Line::Heard(message) => {
                        *found.heard.entry((key.tenant, message.id.clone())).or_default() += 1
                    }
                    Line::Said(outbound) => {
                        if let Some(number) = number_of(cast::text_of(outbound)) {
                            found.said.insert(number, (key.tenant, entry.state));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// What was acknowledged waits, or stands in the history, once.
    fn nothing_is_lost(&self, found: &Found) -> Holds {
        for (id, told) in &self.model.messages {
            let Answer::Routed { tenant, .. } = &told.answer else { continue };
            let name = (*tenant, id.clone());
            let times = found.heard.get(&name).copied().unwrap_or(0);
            if times == 0 && !found.waiting.contains(&name) {
                return Err(self.broken(1, format!("{id} was acknowledged for {tenant}, and is nowhere")));
            }
            if times > 1 {
                return Err(self.broken(2, format!("{id} stands {times} times in the history of {tenant}")));
            }
        }
        for (number, reply) in &self.model.replies {
            if !found.said.contains_key(number) {
                return Err(
                    self.broken(1, format!("reply {number} of {} was committed, and is nowhere", reply.key))
                );
            }
        }
        Ok(())
    }

    fn nothing_is_anothers(&self, found: &Found) -> Holds {
        for (tenant, id) in found.heard.keys().chain(&found.waiting) {
            let answer = self.model.messages.get(id).map(|told| &told.answer);
            if !matches!(answer, Some(Answer::Routed { tenant: of, .. }) if of == tenant) {
                return Err(self.broken(5, format!("{id} was answered {answer:?}, and {tenant} has it")));
            }
        }
        for (number, (tenant, _)) in &found.said {
            let of = self.model.replies.get(number).map(|reply| reply.key.tenant);
            if of != Some(*tenant) {
                return Err(self.broken(5, format!("reply {number} is {of:?}'s, and {tenant} has it")));
            }
        }
        Ok(())
    }

    async fn deeds_are_written_down(&self) -> Holds {
        let audit = self.store.audit_log(ALL).await.map_err(|error| self.broken(10, error.to_string()))?;
        let mut written: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in audit.iter().filter(|entry| entry.actor == ACTOR) {
            *written.entry(entry.action.as_str()).or_default() += 1;
        }
        let deeds: BTreeMap<&str, usize> =
            self.model.deeds.iter().map(|(deed, times)| (*deed, *times)).collect();
        if written == deeds {
            return Ok(());
        }
        Err(self.broken(10, format!("operators did {deeds:?}, and the log has {written:?}")))
    }

    /// Nobody writes any more: everything comes to its end.
    pub async fn settle_down(&mut self) -> Holds {
        self.running.clear();
        self.the_process_dies().await?;
        self.everybody_is_back().await;
        for _ in 0..2_000 {
            self.now += 60_000;
            self.clock.store(self.present().as_ms(), std::sync::atomic::Ordering::Relaxed);
            let now = self.present();
            let turns =
                self.store.claim_turns(100, now).await.map_err(|error| self.broken(4, error.to_string()))?;
            tokio::task::yield_now().await;
            for claim in &turns {
                let ended = self.store.commit_turn(cast::turn(claim, cast::Answer::default(), now)).await;
                ended.map_err(|error| {
                    self.broken(7, format!("a turn of {} cannot end: {error}", claim.key))
                })?;
            }
            let sends = self.store.claim_sends(100, now, &mut |_| Pace::Go).await;
            let sends = sends.map_err(|error| self.broken(6, error.to_string()))?;
            let ids: Vec<_> = sends.iter().map(|claim| claim.id.clone()).collect();
            let begun = if ids.is_empty() { Ok(Vec::new()) } else { self.store.begin_sends(&ids).await };
            for claim in begun.map_err(|error| self.broken(6, error.to_string()))? {
                let sent = Settlement::Sent { provider_id: None };
                let settled = self.store.settle_send(&claim.id, sent, now).await;
                settled.map_err(|error| self.broken(6, error.to_string()))?;
            }
            let counters = self.store.counters();
            if (counters.inbox, counters.outbox_waiting) == (0, 0) {
                return self.every_reply_has_its_fate().await;
            }
        }
        let counters = self.store.counters();
        let what =
            format!("{} messages and {} replies wait for ever", counters.inbox, counters.outbox_waiting);
        Err(self.broken(6, what))
    }

    /// Who is switched off is switched on, and humans give back what they took over.
    async fn everybody_is_back(&mut self) {
        let directory = self.store.directory();
        for tenant in directory.tenants.values().filter(|tenant| !tenant.active) {
            self.store.put_tenant(Tenant { active: true, ..(**tenant).clone() }, "test").await.expect("put");
        }
        for sender in directory.senders.values().filter(|sender| !sender.active) {
            self.store.put_sender(Sender { active: true, ..(**sender).clone() }, "test").await.expect("put");
        }
    }

    async fn every_reply_has_its_fate(&self) -> Holds {
        let found = self.find().await?;
        for (number, (tenant, state)) in &found.said {
            if matches!(state, None | Some(DeliveryState::Queued)) {
                return Err(
                    self.broken(6, format!("reply {number} of {tenant} has come to nothing: {state:?}"))
                );
            }
        }
        Ok(())
    }
}
