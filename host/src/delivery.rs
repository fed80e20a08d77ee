//! The delivery loop: claim the replies that are due, make the provider's request of each, send it,
//! settle what came of it. In order per conversation; a provider that is down delays its own sender
//! only. What may have gone out is never sent again by itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::{self, Outcome, Outgoing};
use crate::clock;
use crate::config;
use crate::egress::Egress;
use crate::message::{Fate, Provider};
use crate::metrics::Metrics;
use crate::retry::Backoff;
use crate::store::{self, OutboxEntry, SendClaim, Settlement, Store};
use crate::tenant::Sender;

const TICK: Duration = Duration::from_secs(1);
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// Sends replies until it is told to stop.
pub struct DeliveryLoop {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    settings: config::Delivery,
    egress: Egress,
    slots: Arc<Semaphore>,
    freed: Notify,
}

impl DeliveryLoop {
    pub fn new(
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        settings: config::Delivery,
        egress: Egress,
    ) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(settings.concurrent));
        Arc::new(DeliveryLoop { store, metrics, settings, egress, slots, freed: Notify::new() })
    }

    /// Claims until `stop`; then returns when every send that had begun is settled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let running = TaskTracker::new();
        while !stop.is_cancelled() {
            let free = self.slots.available_permits();
            let claims = if free == 0 { Vec::new() } else { self.claim(free).await };
            if claims.is_empty() {
                self.rest(&stop).await;
                continue;
            }
            for claim in claims {
                let slots = self.slots.clone();
                let this = self.clone();
                running.spawn(async move {
                    // The semaphore is never closed; a claim beyond the free slots waits here.
                    let _permit = slots.acquire_owned().await;
                    this.deliver(claim).await;
                    this.freed.notify_one();
                });
            }
        }
        running.close();
        running.wait().await;
    }

    async fn claim(&self, n: usize) -> Vec<SendClaim> {
        match self.store.claim_sends(n, clock::now()).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(%error, "replies cannot be claimed; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        }
    }

    async fn rest(&self, stop: &CancellationToken) {
        let nap = clock::nap(self.store.next_send_at(), TICK);
        tokio::select! {
            () = self.store.wakes().sends.notified() => {}
            () = self.freed.notified() => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn deliver(&self, claim: SendClaim) {
        let began = Instant::now();
        let directory = self.store.directory();
        let (provider, settlement) = match directory.senders.get(&claim.entry.sender) {
            None => {
                (None, Settlement::Dead { error: format!("there is no sender named {}", claim.entry.sender) })
            }
            Some(sender) if !sender.active => {
                (Some(sender.provider), self.later(&claim.entry, None, "the sender is switched off".into()))
            }
            Some(sender) => {
                // A panic of ours says nothing about whether the request went out.
                let outcome =
                    AssertUnwindSafe(self.attempt(sender, &claim)).catch_unwind().await.unwrap_or_else(
                        |_| Outcome::failed(Fate::Unknown, "the gateway panicked while it sent; see its log"),
                    );
                (Some(sender.provider), self.settlement(&claim.entry, outcome))
            }
        };
        self.report(&claim, provider, &settlement, began.elapsed());
        self.settle(&claim, settlement).await;
    }

    async fn attempt(&self, sender: &Sender, claim: &SendClaim) -> Outcome {
        let adapter = channel::adapter(sender.provider);
        let to = claim.entry.to.as_str();
        let outgoing = Outgoing {
            sender,
            to,
            outbound: &claim.entry.outbound,
            reference: &claim.reference,
            template: None,
            template_id: None,
            media: None,
        };
        let request = match adapter.encode(&outgoing) {
            Err(error) => return Outcome::failed(Fate::Permanent, error.to_string()),
            Ok(None) => return Outcome::sent(None),
            Ok(Some(request)) => request,
        };
        match self.egress.send(request).await {
            Ok(answer) => adapter.outcome(answer.status, &answer.headers, &answer.body, to),
            Err(outcome) => outcome,
        }
    }

    fn settlement(&self, entry: &OutboxEntry, outcome: Outcome) -> Settlement {
        match outcome {
            Outcome::Sent { provider_id, .. } => Settlement::Sent { provider_id },
            Outcome::Failed { fate: Fate::Retry, after_ms, error } => self.later(entry, after_ms, error),
            Outcome::Failed { fate: Fate::Unknown, error, .. } => Settlement::Unknown { error },
            Outcome::Failed {
                fate: Fate::Permanent | Fate::OptedOut | Fate::WindowClosed, error, ..
            } => Settlement::Dead { error },
        }
    }

    /// Again later, unless it has waited for too long already.
    fn later(&self, entry: &OutboxEntry, hint_ms: Option<u64>, error: String) -> Settlement {
        let now = clock::now();
        let waited_ms = now.as_ms().saturating_sub(entry.created_at.as_ms());
        let give_up_ms = i64::from(self.settings.give_up_after_minutes) * 60_000;
        if waited_ms >= give_up_ms {
            return Settlement::Dead {
                error: format!(
                    "{error}; given up after {} minutes (delivery.give_up_after_minutes)",
                    waited_ms / 60_000
                ),
            };
        }
        let backoff = Backoff { base_ms: self.settings.backoff_ms, max_ms: self.settings.backoff_max_ms };
        let delay = backoff.delay_ms(entry.attempts, hint_ms, rand::random());
        Settlement::Later { at: now.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX)), error }
    }

    fn report(&self, claim: &SendClaim, provider: Option<Provider>, settlement: &Settlement, took: Duration) {
        let conversation = &claim.id.key;
        let (sender, seq) = (&claim.entry.sender, claim.id.seq);
        let outcome = match settlement {
            Settlement::Sent { .. } => {
                tracing::debug!(%conversation, %sender, seq, "reply sent");
                "sent"
            }
            Settlement::Later { error, .. } => {
                tracing::warn!(%conversation, %sender, seq, attempt = claim.entry.attempts, error, "a reply waits for another attempt");
                "later"
            }
            Settlement::Dead { error } => {
                tracing::error!(%conversation, %sender, seq, error, "a reply was given up; see `switchboard outbox list`");
                "dead"
            }
            Settlement::Unknown { error } => {
                tracing::error!(%conversation, %sender, seq, error, "a reply may have gone out or not; see `switchboard outbox list`");
                "unknown"
            }
        };
        if let Some(provider) = provider {
            self.metrics.send(provider, outcome, took);
        }
    }

    /// Writes the outcome down. It is known only here, so it is tried until the store takes it or
    /// the process ends; after a restart the entry counts as unknown.
    async fn settle(&self, claim: &SendClaim, settlement: Settlement) {
        loop {
            match self.store.settle_send(&claim.id, settlement.clone(), clock::now()).await {
                Ok(()) => return,
                Err(error @ (store::Error::NotFound(_) | store::Error::Conflict(_))) => {
                    tracing::error!(conversation = %claim.id.key, %error, "a reply's outcome has no place in the store any more");
                    return;
                }
                Err(error) => {
                    tracing::error!(conversation = %claim.id.key, %error, "a reply's outcome could not be written down; trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }
}
