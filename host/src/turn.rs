//! The turn loop: claim what is due, ask the tenant's brain, commit what it wants as a whole. One
//! conversation runs one turn at a time; tenants take turns. A brain's failure costs one turn.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::brain::{Answer, Ask, Brains, Failure, Sources};
use crate::channel::Signal;
use crate::clock;
use crate::config;
use crate::conversation::{Cost, Heard, JournalEntry, Trigger};
use crate::glyph::Shown;
use crate::media::Media;
use crate::message::{ConversationKey, Outbound, Timestamp};
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::retry::Backoff;
use crate::store::contacts::Contacts;
use crate::store::housekeeping::Housekeeping;
use crate::store::registry::Registry;
use crate::store::turns::Turns;
use crate::store::wakes::Waking;
use crate::store::{self, InboxId, TurnClaim, TurnCommit, TurnFailure, TurnFate};
use crate::tenant::{Directory, Sender, Tenant};
use crate::way;
use loops::{LoopStore, Loops};
use readable::{Readable, ReadableStore};
use refusal::{Refusal, fault};
use running::Running;

mod loops;
mod readable;
mod refusal;
pub mod running;
mod typed;

/// The loop looks anew at least this often, whatever signals it missed.
const TICK: Duration = Duration::from_secs(1);

/// Whether there is a brain by now is looked at this often, whatever was not told.
const BRAIN_TICK: Duration = Duration::from_secs(5);

/// After the store refused a commit the turn waits this long before it is claimed again.
const STORE_PAUSE: Duration = Duration::from_millis(250);
const PANIC_PAUSE_MS: i64 = 60_000;

/// An answer that is there sooner needs no word that it is being written.
const A_MOMENT: Duration = Duration::from_millis(300);

/// What running turns asks of the store.
pub trait TurnStore: LoopStore + ReadableStore + Contacts + Housekeeping + Registry + Turns + Waking {}

impl<T: LoopStore + ReadableStore + Contacts + Housekeeping + Registry + Turns + Waking> TurnStore for T {}

/// Runs turns until it is told to stop.
pub struct TurnLoop {
    store: Arc<dyn TurnStore>,
    brains: Arc<Brains>,
    media: Arc<Media>,
    metrics: Arc<Metrics>,
    settings: config::Turns,
    presence: Arc<Presence>,
    loops: Loops,
    slots: Arc<Semaphore>,
    freed: Notify,
}

impl TurnLoop {
    pub fn new(
        store: Arc<dyn TurnStore>,
        brains: Arc<Brains>,
        media: Arc<Media>,
        metrics: Arc<Metrics>,
        settings: config::Turns,
        policy: config::Policy,
        presence: Arc<Presence>,
    ) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(settings.concurrent));
        let loops = Loops::new(store.clone(), policy);
        let freed = Notify::new();
        Arc::new(TurnLoop { store, brains, media, metrics, settings, presence, loops, slots, freed })
    }

    /// Claims until `stop`; then returns when every turn that had begun has ended. `running` knows which
    /// turns an earlier process died in.
    pub async fn run(self: Arc<Self>, running: Arc<Running>, stop: CancellationToken) {
        if self.settings.paused {
            tracing::warn!("turns are paused (turns.paused): messages are accepted and wait");
            return stop.cancelled().await;
        }
        let tasks = TaskTracker::new();
        while !stop.is_cancelled() {
            let free = self.slots.available_permits();
            let claims = if free == 0 { Vec::new() } else { self.claim(free).await };
            if claims.is_empty() {
                self.rest(&stop).await;
                continue;
            }
            for claim in claims {
                // Only this loop takes permits, so those that were free still are.
                let Ok(permit) = self.slots.clone().try_acquire_owned() else {
                    self.store.release_turn(&claim.key);
                    continue;
                };
                let (this, running, stop) = (self.clone(), running.clone(), stop.clone());
                // In a box: a task that is moved on its way to a thread is copied each time.
                tasks.spawn(Box::pin(async move {
                    let guard = Release::of(this.store.clone(), &claim);
                    if !this.has_brain(&claim) {
                        drop(permit);
                        this.freed.notify_one();
                        return this.wait_for_a_brain(&stop, guard).await;
                    }
                    let mark = running.begin(&claim).await;
                    this.turn(claim, mark.deaths(), guard).await;
                    drop(mark);
                    drop(permit);
                    this.freed.notify_one();
                }));
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// A tenant that is not there is told of elsewhere.
    fn has_brain(&self, claim: &TurnClaim) -> bool {
        let directory = self.store.directory();
        directory.tenant(claim.key.tenant).is_none_or(|tenant| self.brains.answers(tenant))
    }

    /// A brain that is being compiled, or that the operator has yet to mend, is no failure of this turn:
    /// it is claimed again when other brains run. It holds no place meanwhile, and is one of the few that
    /// its tenant may have at the same time.
    async fn wait_for_a_brain(&self, stop: &CancellationToken, guard: Release) {
        tokio::select! {
            () = self.brains.changed(BRAIN_TICK) => {}
            () = stop.cancelled() => {}
        }
        drop(guard);
    }

    async fn claim(&self, n: usize) -> Vec<TurnClaim> {
        match self.store.claim_turns(n, clock::now()).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(%error, "turns cannot be claimed; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        }
    }

    async fn rest(&self, stop: &CancellationToken) {
        let nap = clock::nap(self.store.next_turn_at(), TICK);
        tokio::select! {
            () = self.store.wakes().turns.notified() => {}
            () = self.freed.notified() => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn turn(&self, mut claim: TurnClaim, deaths: u8, guard: Release) {
        let began = Instant::now();
        let directory = self.store.directory();
        let Some(tenant) = directory.tenant(claim.key.tenant).cloned() else {
            let failure = refused(&claim, "no-tenant", "there is no such tenant");
            return self.fail(failure, "dead", guard, began).await;
        };
        let now = clock::now();
        if deaths >= self.settings.process_deaths {
            let outcome = self.failed(&tenant, claim, deadly(deaths), now);
            return self.fail(outcome, "dead", guard, began).await;
        }
        if self.loops.is_one(&claim, &tenant) {
            // Its messages are taken up again, for the human.
            return self.loops.stop(&claim.key, now, guard).await;
        }
        let sender = claim.conversation.sender.as_ref().and_then(|name| directory.senders.get(name));
        if let Some(sender) = sender {
            typed::choose(&*self.store, sender, &mut claim).await;
        }
        let patience = self.media.patience(self.brains.wall_time(&tenant));
        let sources = Readable::new(self.store.clone(), self.media.clone(), claim.key.clone(), patience);
        let ask = ask(Arc::new(sources), &directory, &tenant, &claim, now);
        let answer = self.think(ask, sender, &claim).await;
        match answer {
            Ok(answer) => {
                if !answer.sends.is_empty() {
                    self.loops.answered(&claim.key, clock::now());
                }
                if let Some(reason) = &answer.hand_off_reason {
                    tracing::info!(tenant = %tenant.id, conversation = %claim.key, reason, "handed to a human");
                }
                let failures = claim.failures;
                self.commit(&tenant, (commit(claim, answer, now), failures), guard, began).await;
            }
            Err(failure) => {
                let outcome = self.failed(&tenant, claim, failure, now);
                let label = label(&outcome.fate);
                self.fail(outcome, label, guard, began).await;
            }
        }
    }

    /// Asks the brain. The contact sees that its message was read, and, if the brain needs its time,
    /// that somebody writes.
    async fn think(
        &self,
        ask: Ask,
        sender: Option<&Arc<Sender>>,
        claim: &TurnClaim,
    ) -> Result<Answer, Failure> {
        // A panic of ours costs this turn like any failure of the brain: counted, and with an end.
        let thinking = AssertUnwindSafe(self.brains.handle(ask)).catch_unwind();
        // Who has opted out of this tenant is shown nothing; neither is one of whom that cannot be read.
        let is_shown = self.store.opt_out(&claim.key).await.is_ok_and(|opt_out| opt_out.is_none());
        let heard = newest(&claim.trigger).zip(sender).filter(|_| is_shown);
        let show = |signal| {
            if let Some((heard, sender)) = heard {
                self.presence.show(sender, &claim.conversation.reply_to, &heard.id, signal);
            }
        };
        show(Signal::Read);
        tokio::pin!(thinking);
        let answer = match tokio::time::timeout(A_MOMENT, &mut thinking).await {
            Ok(answer) => answer,
            Err(_) => {
                show(Signal::Typing);
                thinking.await
            }
        };
        match answer {
            Ok(answer) => answer,
            Err(panic) => Err(panicked(&*panic)),
        }
    }

    fn failed(&self, tenant: &Tenant, claim: TurnClaim, failure: Failure, now: Timestamp) -> TurnFailure {
        let about = (&claim.key, claim.entries.as_slice(), &claim.trigger);
        let fate = self.fate(tenant, about, claim.failures, &failure, now);
        let journal = JournalEntry {
            turn: claim.conversation.turns + 1,
            at: now,
            brain_version: failure.version,
            seed: claim.seed,
            trigger: claim.trigger.clone(),
            memory_before: claim.conversation.memory.clone(),
            host_calls: failure.host_calls,
            outcome: fault(&failure.code, &failure.message),
            cost: failure.cost,
        };
        TurnFailure {
            key: claim.key,
            entries: claim.entries,
            trigger: claim.trigger,
            code: failure.code,
            message: failure.message,
            fate,
            journal: Some(journal),
            now,
        }
    }

    /// Decides what a failure costs, and says so once. `failures`: of this turn so far.
    fn fate(
        &self,
        tenant: &Tenant,
        (key, entries, trigger): (&ConversationKey, &[InboxId], &Trigger),
        failures: u32,
        failure: &Failure,
        now: Timestamp,
    ) -> TurnFate {
        let (attempt, msg) = (failures + 1, entries.first().map(|first| first.seq));
        // A brain that takes too long holds a place each time; once more is enough.
        let attempts = if failure.out_of_time { 2 } else { self.settings.attempts };
        if !failure.retryable || attempt >= attempts.min(self.settings.attempts) {
            tracing::error!(
                msg, tenant = %tenant.id, conversation = %key, version = failure.version,
                code = failure.code, error = %failure.message, attempt,
                "a turn failed for good; see `switchboard turns list`"
            );
            return TurnFate::Dead { fallback: apology(tenant, trigger) };
        }
        let delay = self.backoff().delay_ms(attempt, None, rand::random());
        tracing::warn!(
            msg, tenant = %tenant.id, conversation = %key, version = failure.version,
            code = failure.code, error = %failure.message, attempt, retry_in_ms = delay,
            "a turn failed and is tried again"
        );
        TurnFate::Retry { at: now.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX)) }
    }

    fn backoff(&self) -> Backoff {
        Backoff { base_ms: self.settings.backoff_ms, max_ms: self.settings.backoff_max_ms }
    }

    /// `failures`: of this turn so far.
    async fn commit(
        &self,
        tenant: &Tenant,
        (turn, failures): (TurnCommit, u32),
        mut guard: Release,
        began: Instant,
    ) {
        let (refusal, replies) = (Refusal::of(&turn), turn.sends.len());
        let error = match self.store.commit_turn(turn).await {
            Ok(()) => {
                guard.settled();
                tell(&refusal, replies, began.elapsed());
                return self.metrics.turn(tenant.id, "done", began.elapsed());
            }
            Err(error) => error,
        };
        let Some(failure) = refusal.failure(&error, self.is_alone(&error).await) else {
            return self.store_is_away(&error, guard).await;
        };
        let fate = self.fate(
            tenant,
            (&refusal.key, &refusal.entries, &refusal.journal.trigger),
            failures,
            &failure,
            refusal.now,
        );
        let label = label(&fate);
        self.fail(refusal.failed(failure, fate), label, guard, began).await;
    }

    async fn fail(&self, failure: TurnFailure, label: &'static str, mut guard: Release, began: Instant) {
        let (tenant, code) = (failure.key.tenant, failure.code.clone());
        let error = match self.store.fail_turn(failure).await {
            Ok(()) => {
                guard.settled();
                self.metrics.turn_failed(&code);
                return self.metrics.turn(tenant, label, began.elapsed());
            }
            Err(error) => error,
        };
        if self.is_alone(&error).await {
            tracing::error!(
                msg = guard.msg(), conversation = guard.conversation(), %error,
                "a turn can be neither committed nor failed and waits for the next start; see `switchboard check`"
            );
            return guard.settled();
        }
        self.store_is_away(&error, guard).await;
    }

    /// Does the store commit others, and fails at this turn alone?
    async fn is_alone(&self, error: &store::Error) -> bool {
        matches!(error, store::Error::Failed(_)) && self.store.probe().await.is_ok()
    }

    /// The turn happened nowhere, for no fault of its own; it is claimed again after a pause. So is one
    /// whose contact was merged into another one meanwhile, if there is anything left of it here.
    async fn store_is_away(&self, error: &store::Error, guard: Release) {
        tracing::error!(msg = guard.msg(), conversation = guard.conversation(), %error, "a turn could not be committed; it runs again");
        tokio::time::sleep(STORE_PAUSE).await;
        drop(guard);
    }
}

fn label(fate: &TurnFate) -> &'static str {
    match fate {
        TurnFate::Retry { .. } => "retried",
        TurnFate::Dead { .. } => "dead",
    }
}

/// Of each message that a committed turn used up. The first is the turn's name.
fn tell(done: &Refusal, replies: usize, took: Duration) {
    let turn = way::Turn {
        number: done.journal.turn,
        kind: done.journal.trigger.kind(),
        brain: way::short(&done.journal.brain_version),
        replies,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    let first = done.entries.first().map(|first| first.seq);
    for InboxId { seq, .. } in &done.entries {
        way::answered(*seq, first.filter(|first| first != seq), &done.key, &turn);
    }
}

/// Gives the claim back if the turn ends without a commit. After a panic of ours it waits: at once it would
/// only come to it again.
struct Release {
    store: Arc<dyn Turns>,
    key: Option<ConversationKey>,
    first: Option<InboxId>,
}

impl Release {
    fn of(store: Arc<dyn Turns>, claim: &TurnClaim) -> Self {
        Release { store, key: Some(claim.key.clone()), first: claim.entries.first().copied() }
    }

    /// For the log: the turn's name.
    fn msg(&self) -> Option<u64> {
        self.first.map(|first| first.seq)
    }

    fn conversation(&self) -> Option<impl tracing::Value + use<>> {
        self.key.clone().map(tracing::field::display)
    }

    /// The store has taken the turn's end; there is nothing to give back.
    fn settled(&mut self) {
        self.key = None;
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        match self.first.filter(|_| std::thread::panicking()) {
            Some(first) => {
                tracing::error!(msg = first.seq, conversation = %key, "the gateway panicked over a turn; it runs again later");
                self.store.postpone_turn(&key, first, clock::now().plus_ms(PANIC_PAUSE_MS));
            }
            None => self.store.release_turn(&key),
        }
    }
}

fn ask(
    sources: Arc<dyn Sources>,
    directory: &Directory,
    tenant: &Arc<Tenant>,
    claim: &TurnClaim,
    now: Timestamp,
) -> Ask {
    let sender = claim.conversation.sender.as_ref().and_then(|name| directory.senders.get(name));
    let conversation = claim.conversation.clone();
    Ask {
        tenant: tenant.clone(),
        organization: directory.organizations.get(&tenant.organization).cloned(),
        key: claim.key.clone(),
        trigger: claim.trigger.clone(),
        lead: claim.lead.clone(),
        sender: sender.map(|sender| sender_address(sender)).unwrap_or_default(),
        window_open_until: sender
            .and_then(|sender| sender.provider().window_ms())
            .map(|window_ms| conversation.wrote_at.plus_ms(window_ms)),
        conversation,
        seed: claim.seed,
        now,
        sources,
    }
}

/// What the contact said last, where this turn is about that.
fn newest(trigger: &Trigger) -> Option<&Heard> {
    match trigger {
        Trigger::Started { message, .. } => Some(message),
        Trigger::Messages { messages } => messages.last(),
        Trigger::Timer { .. } | Trigger::Handback { .. } | Trigger::Receipt { .. } => None,
    }
}

/// What the contact is told of a turn that failed for good. Nobody waits for an answer to a timer or a
/// receipt: the words would come at night, and their own receipts would make the next such turn.
fn apology(tenant: &Tenant, trigger: &Trigger) -> Option<Outbound> {
    match trigger {
        Trigger::Timer { .. } | Trigger::Receipt { .. } => None,
        Trigger::Started { .. } | Trigger::Messages { .. } | Trigger::Handback { .. } => {
            Some(Outbound::text(tenant.fallback_text.clone()))
        }
    }
}

fn sender_address(sender: &Sender) -> String {
    sender.number.clone().unwrap_or_else(|| sender.account.clone())
}

fn commit(claim: TurnClaim, answer: Answer, now: Timestamp) -> TurnCommit {
    TurnCommit {
        journal: JournalEntry {
            turn: claim.conversation.turns + 1,
            at: now,
            brain_version: answer.version.clone(),
            seed: claim.seed,
            trigger: claim.trigger.clone(),
            memory_before: claim.conversation.memory,
            host_calls: answer.host_calls,
            outcome: answer.outcome,
            cost: answer.cost,
        },
        key: claim.key,
        entries: claim.entries,
        memory: answer.memory,
        brain_version: answer.version,
        sends: answer.sends,
        timers: answer.timers,
        leads: answer.leads,
        mode: answer.mode,
        wants_receipts: answer.wants_receipts,
        now,
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)");
    Failure {
        code: "panic".into(),
        message: Shown::new(format_args!("the gateway panicked in this turn: {message}")),
        retryable: true,
        out_of_time: false,
        version: String::new(),
        host_calls: Vec::new(),
        cost: Cost::default(),
    }
}

/// A turn in which the gateway's own process ended again and again.
fn deadly(deaths: u8) -> Failure {
    Failure {
        code: "process-died".into(),
        message: format!(
            "the gateway's process died {deaths} times while this turn ran; it is not begun again. See the \
             system's log for what ended it; `switchboard turns retry` tries it once more"
        )
        .into(),
        retryable: false,
        out_of_time: false,
        version: String::new(),
        host_calls: Vec::new(),
        cost: Cost::default(),
    }
}

fn refused(claim: &TurnClaim, code: &str, message: &str) -> TurnFailure {
    TurnFailure {
        key: claim.key.clone(),
        entries: claim.entries.clone(),
        trigger: claim.trigger.clone(),
        code: code.into(),
        message: message.into(),
        fate: TurnFate::Dead { fallback: None },
        journal: None,
        now: clock::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_no_answer_gets_no_apology() {
        let tenant: Tenant = serde_json::from_value(serde_json::json!({
            "id": 2, "name": "Second", "organization": 1, "brain": "echo", "fallback_text": "sorry",
        }))
        .expect("a tenant");
        let timer = Trigger::Timer { key: "k".into(), payload: String::new() };
        let state = crate::message::DeliveryState::Read;
        let receipt = Trigger::Receipt { message_id: "m".into(), state, reason: None };
        for (trigger, apologizes) in
            [(timer, false), (receipt, false), (Trigger::Messages { messages: Vec::new() }, true)]
        {
            let expected = apologizes.then(|| Outbound::text("sorry"));
            assert_eq!(apology(&tenant, &trigger), expected, "{trigger:?}");
        }
    }
}
