//! The delivery loop: claim the replies that are due, ask the policy ([`gate`]), and of each that may
//! go: fetch its file, begin it, make the provider's request, send that, settle what came of it. In order
//! per conversation; a provider that is down, and a sender that must be slow, delay their own replies
//! only. A reply begins when its own request is about to leave, so that what is in doubt after a crash is
//! what was on the wire. What may have gone out is never sent again by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::media::Source;
use crate::channel::{self, Outcome, Outgoing};
use crate::clock;
use crate::config;
use crate::egress::circuits::{Call, Circuits, Flight, Lane};
use crate::egress::{self, Egress};
use crate::event::{SameBecause, SamePerson};
use crate::identity;
use crate::media::Media;
use crate::message::{Fate, Outbound, OutboundContent, SenderName};
use crate::metrics::Metrics;
use crate::policy::circuit::Came;
use crate::refused_keys::RefusedKeys;
use crate::repeats::Lasting;
use crate::retry::Backoff;
use crate::schedule::{Candidate, Pace};
use crate::store::contacts::{Contacts, OptOut};
use crate::store::registry::Registry;
use crate::store::sends::Sends;
use crate::store::wakes::Waking;
use crate::store::{self, OutboxEntry, SendClaim, Settlement};
use crate::tenant::Sender;
use crate::vitals;
use crate::way;

use gate::{Decision, Gate, GateStore, Packed, Parcel};
use patience::Patience;

mod gate;
mod pace;
mod patience;

const TICK: Duration = Duration::from_secs(1);
const STORE_PAUSE: Duration = Duration::from_millis(250);
const PANIC_PAUSE_MS: i64 = 60_000;

/// What the delivery asks of the store.
pub trait DeliveryStore: GateStore + Contacts + Registry + Sends + Waking {}

impl<T: GateStore + Contacts + Registry + Sends + Waking> DeliveryStore for T {}

/// Sends replies until it is told to stop.
pub struct DeliveryLoop {
    store: Arc<dyn DeliveryStore>,
    metrics: Arc<Metrics>,
    settings: config::Delivery,
    policy: config::Policy,
    egress: Egress,
    media: Arc<Media>,
    circuits: Arc<Circuits>,
    /// Does the store refuse what becomes of replies?
    store_failed: Lasting,
    refused_keys: Arc<RefusedKeys>,
}

impl DeliveryLoop {
    pub fn new(
        store: Arc<dyn DeliveryStore>,
        metrics: Arc<Metrics>,
        settings: config::Delivery,
        policy: config::Policy,
        egress: Egress,
        media: Arc<Media>,
    ) -> Arc<Self> {
        let (circuits, refused_keys) = (egress.circuits().clone(), egress.refused_keys().clone());
        let store_failed = Lasting::default();
        Arc::new(DeliveryLoop {
            store,
            metrics,
            settings,
            policy,
            egress,
            media,
            refused_keys,
            circuits,
            store_failed,
        })
    }

    /// Claims until `stop`; then returns when every send that had begun is settled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let running = TaskTracker::new();
        let holds = (self.circuits.clone(), self.refused_keys.clone());
        let mut gate = Gate::new(self.store.clone(), self.policy, self.patience(), holds);
        while !stop.is_cancelled() {
            let claims = self.claim(&mut gate).await;
            if claims.is_empty() {
                self.rest(&stop).await;
                continue;
            }
            for (claim, parcel) in self.pass(claims, &mut gate, &running).await {
                let of = gate::of(&parcel.sender);
                let (this, flight) = (self.clone(), self.circuits.begin(Lane::Replies, &of));
                running.spawn(Box::pin(async move { this.deliver(claim, parcel, flight).await }));
            }
        }
        running.close();
        running.wait().await;
    }

    fn patience(&self) -> Patience {
        Patience::minutes(self.settings.give_up_after_minutes)
    }

    /// No more than may be on their way: that is the store's count.
    async fn claim(&self, gate: &mut Gate) -> Vec<SendClaim> {
        let (directory, now) = (self.store.directory(), clock::now());
        self.circuits.round(Lane::Replies);
        let mut pace = |candidate: &Candidate<'_, SenderName>| {
            let pace = gate.pace(candidate, &directory, now);
            let sender = directory.senders.get(candidate.group).filter(|sender| sender.active);
            if let (Pace::GroupWaits(_) | Pace::TenantWaits(_), Some(sender)) = (pace, sender) {
                self.metrics.held_back(sender.provider(), "paced");
            }
            pace
        };
        let claimed = self.store.claim_sends(self.settings.concurrent, now, &mut pace).await;
        for (hold, sender) in gate.held_up() {
            let store = self.store.clone();
            self.circuits.when_free(&hold, Call::new(move || store.resume_sends(&sender)));
        }
        match claimed {
            Ok(claims) => claims,
            Err(error) => {
                self.store_fails("the claim", &error);
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Those that may go out now. The others wait, or have come to their end without an attempt.
    async fn pass(
        self: &Arc<Self>,
        claims: Vec<SendClaim>,
        gate: &mut Gate,
        running: &TaskTracker,
    ) -> Vec<(SendClaim, Parcel)> {
        let (directory, now) = (self.store.directory(), clock::now());
        let mut passed = Vec::with_capacity(claims.len());
        for claim in claims {
            let provider = directory.senders.get(&claim.entry.sender).map(|sender| sender.provider());
            let settlement = match gate.decide(&claim, &directory, now).await {
                Decision::Send(parcel) => {
                    passed.push((claim, *parcel));
                    continue;
                }
                Decision::Wait(at) => {
                    self.store.postpone_send(&claim.id, at);
                    provider.inspect(|provider| self.metrics.held_back(*provider, "paced"));
                    continue;
                }
                Decision::Settle(settlement) => settlement,
            };
            let outcome = hold_back(&claim, &settlement);
            provider.inspect(|provider| self.metrics.held_back(*provider, outcome));
            let this = self.clone();
            running.spawn(async move { this.settle(&claim, settlement).await });
        }
        passed
    }

    /// Marks it as being sent: whatever happens from here on, it is known that it may have gone out.
    /// `None`: it does not go out now.
    async fn begin(&self, claim: &SendClaim) -> Option<SendClaim> {
        match self.store.begin_sends(std::slice::from_ref(&claim.id)).await {
            Ok(begun) => {
                self.store_works();
                begun.into_iter().next()
            }
            Err(error) => {
                self.store_fails("the mark that it is being sent", &error);
                // Claimed again at once it would only fail again.
                self.store.postpone_send(&claim.id, clock::now().plus_ms(STORE_PAUSE.as_millis() as i64));
                None
            }
        }
    }

    fn store_fails(&self, what: &str, error: &store::Error) {
        if self.store_failed.begins() {
            tracing::error!(%error, what, "the store refuses what becomes of replies; it is tried again");
        }
    }

    fn store_works(&self) {
        if self.store_failed.ends() {
            tracing::info!("the store takes what becomes of replies again");
        }
    }

    async fn rest(&self, stop: &CancellationToken) {
        let nap = clock::nap(self.store.next_send_at(), TICK);
        tokio::select! {
            () = self.store.wakes().sends.notified() => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn deliver(&self, claim: SendClaim, parcel: Parcel, flight: Flight) {
        let (id, msg) = (claim.id.clone(), claim.entry.message);
        // A file takes its time, and nothing leaves meanwhile.
        let begun = vitals::survived(async {
            let file = self.file(&claim, &parcel).await;
            self.begin(&claim).await.map(|claim| (claim, file))
        });
        let (claim, file) = match begun.await {
            Some(Some(begun)) => begun,
            Some(None) => return,
            None => {
                tracing::error!(msg, conversation = %id.key, reply = id.seq, "the gateway panicked over a reply; it is tried again later");
                return self.store.postpone_send(&id, clock::now().plus_ms(PANIC_PAUSE_MS));
            }
        };
        if vitals::survived(self.send(claim, parcel, file, flight)).await.is_none() {
            // Whatever had gone out is not known any more.
            tracing::error!(msg, conversation = %id.key, reply = id.seq, "the gateway panicked over a reply that had begun");
            let error = "the gateway panicked over it; see its log".into();
            self.store.settle_send(&id, Settlement::Unknown { error }, clock::now()).await.ok();
        }
    }

    async fn send(
        &self,
        claim: SendClaim,
        parcel: Parcel,
        file: Result<Option<Source>, Outcome>,
        mut flight: Flight,
    ) {
        let began = Instant::now();
        let sender = parcel.sender.clone();
        let (outcome, instead) = self.attempt(&claim, parcel, file, &mut flight).await;
        if let Outcome::Failed { fate, .. } = &outcome {
            self.metrics.send_failed(sender.provider(), *fate);
            if *fate == Fate::OptedOut {
                self.opt_out(&claim).await;
            }
        }
        self.hear_of_key(&sender, &outcome);
        let same = same_person(&claim, &sender, &outcome);
        let settlement = self.settlement(&claim.entry, outcome, instead);
        self.report(&claim, &sender, &settlement, began.elapsed());
        self.settle(&claim, settlement).await;
        if flight.end() {
            self.hurry(&egress::host_of(&sender));
        }
        if let Some(same) = same
            && let Err(error) = self.store.learn(same, clock::now()).await
        {
            tracing::warn!(conversation = %claim.id.key, %error, "another address of a contact could not be kept");
        }
    }

    /// A key that is refused is told once and pauses its sender; that it is taken again, once too.
    fn hear_of_key(&self, sender: &Sender, outcome: &Outcome) {
        let name = &sender.name;
        match outcome {
            Outcome::Failed { fate: Fate::KeyRefused, error, .. } => {
                if self.refused_keys.refuse(sender, error, clock::now(), rand::random()) {
                    self.metrics.held_back(sender.provider(), "key_refused");
                    let host = egress::host_of(sender);
                    if !self.metrics.repeats.alike.is_first(&host, "the key is refused", name.as_str()) {
                        return;
                    }
                    tracing::error!(sender = %name, error, "the provider refuses the sender's key: its replies wait until it takes one");
                }
            }
            Outcome::Sent { .. } => {
                if self.refused_keys.take(sender) {
                    tracing::info!(sender = %name, "the provider takes the sender's key again: its replies go out");
                    self.store.hurry_sends(name, clock::now());
                }
            }
            // Whether anybody looked at the key is not said.
            Outcome::Failed { .. } => {}
        }
    }

    /// One request, or a second one where the provider says that only a template may go out. What went
    /// out in place of the reply is told with the outcome.
    async fn attempt(
        &self,
        claim: &SendClaim,
        parcel: Parcel,
        file: Result<Option<Source>, Outcome>,
        flight: &mut Flight,
    ) -> (Outcome, Option<Outbound>) {
        let outcome = self.request(claim, &parcel, file, flight).await;
        let closed = matches!(outcome, Outcome::Failed { fate: Fate::WindowClosed, .. });
        if !closed || matches!(said(claim, &parcel).content, OutboundContent::Template(_)) {
            return (outcome, parcel.instead);
        }
        let directory = self.store.directory();
        let policy = directory.tenant(claim.id.key.tenant).map(|tenant| &tenant.policy);
        match gate::fallback(&*self.store, claim, &parcel.sender, policy).await {
            Ok(Packed::Whole(parcel)) => {
                let file = self.file(claim, &parcel).await;
                (self.request(claim, &parcel, file, flight).await, parcel.instead)
            }
            Ok(Packed::Lacks(why)) => (Outcome::failed(Fate::WindowClosed, why), None),
            Err(error) => {
                (Outcome::retry(None, format!("the fallback template cannot be read: {error}")), None)
            }
        }
    }

    /// The file that it shows, if it shows one.
    async fn file(&self, claim: &SendClaim, parcel: &Parcel) -> Result<Option<Source>, Outcome> {
        match handle(claim, parcel) {
            None => Ok(None),
            Some(handle) => self.media.source(&parcel.sender, claim.id.key.tenant, handle).await.map(Some),
        }
    }

    async fn request(
        &self,
        claim: &SendClaim,
        parcel: &Parcel,
        file: Result<Option<Source>, Outcome>,
        flight: &mut Flight,
    ) -> Outcome {
        let file = match file {
            Ok(file) => file,
            Err(outcome) => return outcome,
        };
        let adapter = channel::adapter(parcel.sender.provider());
        let to = claim.entry.to.as_str();
        let outbound = said(claim, parcel);
        let outgoing = Outgoing {
            sender: &parcel.sender,
            to,
            outbound,
            reference: &name_of(claim, outbound),
            template: parcel.template.as_ref().map(|known| &known.template),
            template_id: parcel.template.as_ref().and_then(|known| known.provider_id.as_deref()),
            media: file.as_ref(),
        };
        let request = match adapter.encode(&outgoing) {
            Err(error) => return Outcome::failed(Fate::Permanent, error.to_string()),
            Ok(None) => {
                flight.told(Came::Answer);
                return Outcome::sent(None);
            }
            Ok(Some(request)) => request,
        };
        let outcome = match self.egress.send_on(flight, request).await {
            Ok(answer) => adapter.outcome(answer.status, &answer.headers, &answer.body, to),
            Err(outcome) => outcome,
        };
        if let (Some(handle), Outcome::Failed { fate: Fate::Permanent, .. }) =
            (handle(claim, parcel), &outcome)
        {
            self.media.refused(&parcel.sender, handle);
        }
        outcome
    }

    /// What is there answers again: what waits for its next attempt need not wait for it.
    fn hurry(&self, host: &str) {
        let (directory, now) = (self.store.directory(), clock::now());
        for sender in directory.senders.values().filter(|sender| egress::host_of(sender) == host) {
            self.store.hurry_sends(&sender.name, now);
        }
    }

    /// The contact has told the provider, not us. Kept before the reply is settled: those behind it
    /// are to find it.
    async fn opt_out(&self, claim: &SendClaim) {
        let now = clock::now();
        let opt_out = OptOut::by_provider(now);
        if let Err(error) = self.store.set_opt_out(&claim.id.key, Some(opt_out), "gateway", now).await {
            tracing::error!(conversation = %claim.id.key, %error, "an opt-out could not be kept; the provider will refuse again");
        }
    }

    fn settlement(&self, entry: &OutboxEntry, outcome: Outcome, instead: Option<Outbound>) -> Settlement {
        match (outcome, instead) {
            (Outcome::Sent { provider_id, .. }, None) => Settlement::Sent { provider_id },
            (Outcome::Sent { provider_id, .. }, Some(by)) => Settlement::Replaced { provider_id, by },
            (Outcome::Failed { fate: Fate::Retry | Fate::KeyRefused, after_ms, error }, _) => {
                self.later(entry, after_ms, error)
            }
            (Outcome::Failed { fate: Fate::Unknown, error, .. }, None) => Settlement::Unknown { error },
            (Outcome::Failed { fate: Fate::Unknown, error, .. }, Some(by)) => {
                let error = format!("{error}; it was the tenant's fallback template");
                Settlement::PerhapsReplaced { error, by }
            }
            (
                Outcome::Failed {
                    fate: Fate::Permanent | Fate::OptedOut | Fate::WindowClosed, error, ..
                },
                _,
            ) => Settlement::Dead { error },
        }
    }

    /// Again later, unless it has waited for too long already, since it was said or an operator asked
    /// for it.
    fn later(&self, entry: &OutboxEntry, hint_ms: Option<u64>, error: String) -> Settlement {
        let now = clock::now();
        if let Some(end) = self.patience().end(entry, &error, now) {
            return end;
        }
        let backoff = Backoff { base_ms: self.settings.backoff_ms, max_ms: self.settings.backoff_max_ms };
        let delay = backoff.delay_ms(entry.attempts, hint_ms, rand::random());
        Settlement::Later { at: now.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX)), error }
    }

    fn report(&self, claim: &SendClaim, sender: &Sender, settlement: &Settlement, took: Duration) {
        let (conversation, provider) = (&claim.id.key, sender.provider());
        let (sender, seq, msg) = (&claim.entry.sender, claim.id.seq, claim.entry.message);
        let sent = |id: &Option<String>| {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let id = id.as_deref().map(|id| channel::adapter(provider).bare_id(id));
            let sent = way::Sent { seq, sender, provider, id, attempt: claim.entry.attempts, took_ms };
            way::sent(msg, conversation, &sent);
        };
        let outcome = match settlement {
            Settlement::Replaced { provider_id, .. } => {
                tracing::info!(msg, %conversation, %sender, reply = seq, "the 24-hour window is closed: the tenant's fallback template went out");
                sent(provider_id);
                "sent"
            }
            Settlement::Sent { provider_id } => {
                sent(provider_id);
                "sent"
            }
            Settlement::Later { error, .. } | Settlement::Postponed { why: error, .. } => {
                tracing::warn!(msg, %conversation, %sender, reply = seq, attempt = claim.entry.attempts, error, "a reply waits for another attempt");
                "later"
            }
            Settlement::Dead { error } => {
                tracing::error!(msg, %conversation, %sender, reply = seq, error, "a reply was given up; see `switchboard outbox list`");
                "dead"
            }
            Settlement::Unknown { error } | Settlement::PerhapsReplaced { error, .. } => {
                tracing::error!(msg, %conversation, %sender, reply = seq, error, "a reply may have gone out or not; see `switchboard outbox list`");
                "unknown"
            }
        };
        self.metrics.send((sender, provider), outcome, took);
        // What an operator asked for again took as long as nobody looked.
        let went_out = matches!(settlement, Settlement::Sent { .. } | Settlement::Replaced { .. });
        if let Some(heard_at) = claim.entry.heard_at.filter(|_| claim.entry.retried_at.is_none() && went_out)
        {
            let took_ms = clock::now().as_ms().saturating_sub(heard_at.as_ms()).max(0).unsigned_abs();
            self.metrics.whole_way(Duration::from_millis(took_ms));
        }
    }

    /// Writes the outcome down. It is known only here, so it is tried until the store takes it or
    /// the process ends; after a restart the entry counts as unknown.
    async fn settle(&self, claim: &SendClaim, settlement: Settlement) {
        loop {
            match self.store.settle_send(&claim.id, settlement.clone(), clock::now()).await {
                Ok(()) => return self.store_works(),
                Err(error @ (store::Error::NotFound(_) | store::Error::Conflict(_))) => {
                    tracing::error!(msg = claim.entry.message, conversation = %claim.id.key, reply = claim.id.seq, %error, "a reply's outcome has no place in the store any more");
                    return;
                }
                Err(error) => {
                    self.store_fails("the outcome", &error);
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }
}

/// What goes out.
fn said<'a>(claim: &'a SendClaim, parcel: &'a Parcel) -> &'a Outbound {
    parcel.instead.as_ref().unwrap_or(&claim.entry.outbound)
}

/// Where files go no way, nothing is called: the contact reads the history.
fn handle<'a>(claim: &'a SendClaim, parcel: &'a Parcel) -> Option<&'a str> {
    let takes_files = channel::adapter(parcel.sender.provider()).media().is_some();
    channel::media::handle_in(said(claim, parcel)).filter(|_| takes_files)
}

fn name_of(claim: &SendClaim, outbound: &Outbound) -> String {
    match outbound.content {
        OutboundContent::Template(_) => store::template_reference(&claim.reference),
        _ => claim.reference.clone(),
    }
}

/// Says once why a reply does not go out, and what that counts as.
fn hold_back(claim: &SendClaim, settlement: &Settlement) -> &'static str {
    let (conversation, sender, seq) = (&claim.id.key, &claim.entry.sender, claim.id.seq);
    let msg = claim.entry.message;
    match settlement {
        Settlement::Later { at, error: why } | Settlement::Postponed { until: at, why } => {
            tracing::info!(msg, %conversation, %sender, reply = seq, until = %at, why, "a reply waits");
            "postponed"
        }
        Settlement::Dead { error } => {
            tracing::warn!(msg, %conversation, %sender, reply = seq, reason = error, "a reply may not go out; see `switchboard outbox list`");
            "refused"
        }
        Settlement::Sent { .. }
        | Settlement::Replaced { .. }
        | Settlement::Unknown { .. }
        | Settlement::PerhapsReplaced { .. } => "sent",
    }
}

/// Another address of the contact, where the provider's answer tells one.
fn same_person(claim: &SendClaim, sender: &Sender, outcome: &Outcome) -> Option<SamePerson> {
    let Outcome::Sent { provider_id, known_as: Some(known_as) } = outcome else { return None };
    let also = identity::contact(known_as).ok().filter(|also| *also != claim.id.key.contact)?;
    Some(SamePerson {
        provider: sender.provider(),
        account: sender.account.clone(),
        known: claim.id.key.contact.clone(),
        also,
        message_id: provider_id.clone(),
        at: clock::now(),
        because: SameBecause::NumberForm,
    })
}
