//! What the gateway counts, for `/metrics`. One registry, made by the gateway and handed to those
//! who count; labels are few and bounded: never a contact, never a tenant's text. Senders and tenants are
//! named as far as [`few`] goes.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::event::Topic;
use crate::message::{Fate, Provider, SenderName, TenantId};
use crate::repeats::Repeats;

use self::few::Few;
pub use self::kept::{Kept, KeptStore};

mod few;
mod kept;

/// So many senders and tenants are told apart, and so many kinds of failures.
const NAMED: usize = 200;
const CODES: usize = 50;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WebhookLabels {
    pub provider: &'static str,
    /// `routed`, `ignored`, `duplicate`, `receipt`, `session`, `unknown_account`, `unverified`,
    /// `malformed`, `unavailable`, `tenant_unknown`, `tenant_disputed`, `unreadable`.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct UnreadableLabels {
    pub provider: &'static str,
    /// What it was about: `message`, `receipt`, `consent`, `template`, `session`, `person`, `item`.
    pub event: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SendLabels {
    pub provider: &'static str,
    /// `sent`, `later`, `dead`, `unknown`; without an attempt `paced`, `postponed`, `refused`; `key_refused`
    /// once for each key that the provider does not take;
    /// after `sent`, `returned`: the provider told later that it did not arrive.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SenderLabels {
    sender: String,
    /// As above.
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TenantLabels {
    tenant: String,
    /// `done`, `retried`, `dead`.
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FateLabels {
    provider: &'static str,
    /// `retry`, `key_refused`, `permanent`, `opted_out`, `window_closed`, `unknown`.
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SignalLabels {
    pub provider: &'static str,
    /// `sent`, `failed`, `left_out`.
    pub outcome: &'static str,
}

/// Every counter there is.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    webhooks: Family<WebhookLabels, Counter>,
    webhook_seconds: Histogram,
    unreadable: Family<UnreadableLabels, Counter>,
    turns: Family<OutcomeLabels, Counter>,
    tenant_turns: Family<TenantLabels, Counter>,
    turn_failures: Family<CodeLabels, Counter>,
    turn_seconds: Histogram,
    sends: Family<SendLabels, Counter>,
    sender_sends: Family<SenderLabels, Counter>,
    send_failures: Family<FateLabels, Counter>,
    send_seconds: Histogram,
    message_seconds: Histogram,
    few_senders: Few,
    few_tenants: Few,
    few_servers: Few,
    few_codes: Few,
    signals: Family<SignalLabels, Counter>,
    files: Family<SendLabels, Counter>,
    sessions: Family<OutcomeLabels, Counter>,
    /// Who was turned away, and whether to say so.
    pub repeats: Repeats,
    /// Lines of the log that could not be written.
    pub log_lines_lost: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("switchboard");
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 18));
        let metrics = Metrics {
            webhooks: Family::default(),
            webhook_seconds: seconds(),
            unreadable: Family::default(),
            turns: Family::default(),
            tenant_turns: Family::default(),
            turn_failures: Family::default(),
            turn_seconds: seconds(),
            sends: Family::default(),
            sender_sends: Family::default(),
            send_failures: Family::default(),
            send_seconds: seconds(),
            // From a hundredth of a second to a quarter of an hour.
            message_seconds: Histogram::new(exponential_buckets(0.01, 2.0, 18)),
            few_senders: Few::new(NAMED),
            few_tenants: Few::new(NAMED),
            few_servers: Few::new(NAMED),
            few_codes: Few::new(CODES),
            signals: Family::default(),
            files: Family::default(),
            sessions: Family::default(),
            repeats: Repeats::default(),
            log_lines_lost: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register_the_way(&mut registry);
        metrics.register_the_rest(&mut registry);
        Metrics { registry, ..metrics }
    }

    /// What happens to messages on their way.
    fn register_the_way(&self, registry: &mut Registry) {
        registry.register("webhook_events", "What webhooks brought", self.webhooks.clone());
        registry.register(
            "webhook_seconds",
            "From a webhook's last byte to its answer",
            self.webhook_seconds.clone(),
        );
        registry.register(
            "unreadable",
            "Events of webhooks that should be readable and are not, by what they are about",
            self.unreadable.clone(),
        );
        registry.register("turns", "Turns by what became of them", self.turns.clone());
        registry.register(
            "turn_seconds",
            "From claim to commit, the brain's time included",
            self.turn_seconds.clone(),
        );
        registry.register("sends", "Attempts at replies by what became of them", self.sends.clone());
        registry.register(
            "send_seconds",
            "From a reply's request to the provider's answer",
            self.send_seconds.clone(),
        );
        registry.register(
            "message_seconds",
            "From a message's arrival to its provider's taking of each reply to it, retries included",
            self.message_seconds.clone(),
        );
        registry.register(
            "tenant_turns",
            "Turns by tenant and what became of them",
            self.tenant_turns.clone(),
        );
        registry.register(
            "turn_failures",
            "Turns that failed, each time that they did, by the failure's code",
            self.turn_failures.clone(),
        );
        registry.register(
            "sender_sends",
            "Attempts at replies by sender and what became of them",
            self.sender_sends.clone(),
        );
        registry.register(
            "send_failures",
            "Attempts at replies that failed, by what the provider's answer comes to",
            self.send_failures.clone(),
        );
    }

    /// And beside it.
    fn register_the_rest(&self, registry: &mut Registry) {
        registry.register("signals", "Read receipts and typing shown", self.signals.clone());
        registry.register("files", "Attempts at received files by what became of them", self.files.clone());
        registry.register(
            "session_alerts",
            "WhatsApp sessions that the watchdog mended or could not look at, by why",
            self.sessions.clone(),
        );
        registry.register(
            "refused_callers",
            "Connections, webhooks and requests that were turned away, by why",
            self.repeats.counted.clone(),
        );
        registry.register(
            "log_lines_lost",
            "Lines of the log that could not be written",
            self.log_lines_lost.clone(),
        );
    }

    pub fn webhook(&self, provider: Provider, outcome: &'static str) {
        self.webhooks.get_or_create(&WebhookLabels { provider: provider.name(), outcome }).inc();
    }

    pub fn unreadable(&self, provider: Provider, topic: Topic) {
        let labels = UnreadableLabels { provider: provider.name(), event: topic.name() };
        self.unreadable.get_or_create(&labels).inc();
        self.webhook(provider, "unreadable");
    }

    pub fn webhook_took(&self, time: Duration) {
        self.webhook_seconds.observe(time.as_secs_f64());
    }

    /// `done`, `retried`, `dead`.
    pub fn turn(&self, tenant: TenantId, outcome: &'static str, took: Duration) {
        let tenant = self.few_tenants.label(&tenant.to_string());
        self.tenant_turns.get_or_create(&TenantLabels { tenant, outcome }).inc();
        self.turns.get_or_create(&OutcomeLabels { outcome }).inc();
        self.turn_seconds.observe(took.as_secs_f64());
    }

    pub fn turn_failed(&self, code: &str) {
        self.turn_failures.get_or_create(&CodeLabels { code: self.few_codes.label(code) }).inc();
    }

    /// A reply that went out, and did not arrive as we are told later.
    pub fn returned(&self, provider: Provider) {
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome: "returned" }).inc();
    }

    /// A reply that is not sent, or not yet, by the rules.
    pub fn held_back(&self, provider: Provider, outcome: &'static str) {
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome }).inc();
    }

    pub fn send(&self, (name, provider): (&SenderName, Provider), outcome: &'static str, took: Duration) {
        let sender = self.few_senders.label(name.as_str());
        self.sender_sends.get_or_create(&SenderLabels { sender, outcome }).inc();
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome }).inc();
        self.send_seconds.observe(took.as_secs_f64());
    }

    pub fn send_failed(&self, provider: Provider, fate: Fate) {
        let labels = FateLabels { provider: provider.name(), kind: fate.name() };
        self.send_failures.get_or_create(&labels).inc();
    }

    /// From the message's arrival to the provider's taking of a reply to it.
    pub fn whole_way(&self, took: Duration) {
        self.message_seconds.observe(took.as_secs_f64());
    }

    pub fn signal(&self, provider: Provider, outcome: &'static str) {
        self.signals.get_or_create(&SignalLabels { provider: provider.name(), outcome }).inc();
    }

    /// `stored`, `later`, `failed`.
    pub fn file(&self, provider: Provider, outcome: &'static str) {
        self.files.get_or_create(&SendLabels { provider: provider.name(), outcome }).inc();
    }

    /// `settings`: put right; `stopped`: started; `failed`, `starting`, `unheard`, `deaf`, `silent`: restarted;
    /// `unset`, `unwatched`.
    pub fn session(&self, why: &'static str) {
        self.sessions.get_or_create(&OutcomeLabels { outcome: why }).inc();
    }

    /// Everything in OpenMetrics' text format, with what is looked up at this moment.
    pub fn render(&self, kept: &Kept) -> String {
        let mut text = String::with_capacity(16 << 10);
        let named = kept::Named {
            senders: &self.few_senders,
            tenants: &self.few_tenants,
            servers: &self.few_servers,
        };
        kept.render(&mut text, &named);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests;
