//! What the gateway counts, for `/metrics`. One registry, made by the gateway and handed to those
//! who count; labels are few and bounded: never a contact, never a tenant's text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::event::Topic;
use crate::message::{Provider, Timestamp};
use crate::policy::quota::Level;
use crate::repeats::Repeats;
use crate::store::quotas::Shelf;
use crate::store::upkeep::{FileBytes, Room};
use crate::store::{Counters, Store};

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
    turn_seconds: Histogram,
    sends: Family<SendLabels, Counter>,
    send_seconds: Histogram,
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
            turn_seconds: seconds(),
            sends: Family::default(),
            send_seconds: seconds(),
            signals: Family::default(),
            files: Family::default(),
            sessions: Family::default(),
            repeats: Repeats::default(),
            log_lines_lost: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("webhook_events", "What webhooks brought", metrics.webhooks.clone());
        registry.register(
            "webhook_seconds",
            "From a webhook's last byte to its answer",
            metrics.webhook_seconds.clone(),
        );
        registry.register(
            "unreadable",
            "Events of webhooks that should be readable and are not, by what they are about",
            metrics.unreadable.clone(),
        );
        registry.register("turns", "Turns by what became of them", metrics.turns.clone());
        registry.register(
            "turn_seconds",
            "From claim to commit, the brain's time included",
            metrics.turn_seconds.clone(),
        );
        registry.register("sends", "Attempts at replies by what became of them", metrics.sends.clone());
        registry.register(
            "send_seconds",
            "From a reply's request to the provider's answer",
            metrics.send_seconds.clone(),
        );
        registry.register("signals", "Read receipts and typing shown", metrics.signals.clone());
        registry.register(
            "files",
            "Attempts at received files by what became of them",
            metrics.files.clone(),
        );
        registry.register(
            "session_alerts",
            "WhatsApp sessions that the watchdog mended or could not look at, by why",
            metrics.sessions.clone(),
        );
        registry.register(
            "refused_callers",
            "Connections, webhooks and requests that were turned away, by why",
            metrics.repeats.counted.clone(),
        );
        registry.register(
            "log_lines_lost",
            "Lines of the log that could not be written",
            metrics.log_lines_lost.clone(),
        );
        Metrics { registry, ..metrics }
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
    pub fn turn(&self, outcome: &'static str, took: Duration) {
        self.turns.get_or_create(&OutcomeLabels { outcome }).inc();
        self.turn_seconds.observe(took.as_secs_f64());
    }

    /// A reply that went out, and did not arrive as we are told later.
    pub fn returned(&self, provider: Provider) {
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome: "returned" }).inc();
    }

    /// A reply that is not sent, or not yet, by the rules.
    pub fn held_back(&self, provider: Provider, outcome: &'static str) {
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome }).inc();
    }

    pub fn send(&self, provider: Provider, outcome: &'static str, took: Duration) {
        self.sends.get_or_create(&SendLabels { provider: provider.name(), outcome }).inc();
        self.send_seconds.observe(took.as_secs_f64());
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

    /// Everything in Prometheus' text format, with what the store keeps count of.
    /// `dead_parts`: of the gateway; see [`crate::vitals`].
    pub fn render(&self, counters: &Counters, kept: &Kept, dead_parts: usize) -> String {
        let mut text = String::with_capacity(8 << 10);
        kept.render(&mut text);
        for (name, help, value) in [
            ("users", "Contacts locked to a tenant", counters.users),
            ("inbox", "Messages and timers that wait for their turn", counters.inbox),
            ("outbox_waiting", "Replies that wait to be sent", counters.outbox_waiting),
            ("outbox_dead", "Replies refused for good", counters.outbox_dead),
            ("outbox_unknown", "Replies that may have gone out or not", counters.outbox_unknown),
            ("dead_turns", "Turns given up", counters.dead_turns),
            (
                "lock_conflicts",
                "Contacts that came with another tenant's link, or that a tenant's own number called somebody else's",
                counters.conflicts,
            ),
            ("messages_accepted", "Messages accepted, over all time", counters.accepted),
            (
                "dead_parts",
                "Parts of the gateway that ended and do not run; `/health` names them",
                dead_parts as u64,
            ),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "# HELP switchboard_{name} {help}.\n# TYPE switchboard_{name} gauge\nswitchboard_{name} {value}"
            );
        }
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string cannot fail");
        text
    }
}

/// What the store takes, and how many tenants are at their quotas: summed up over tenants, of which there
/// may be any number.
#[derive(Debug, Default)]
pub struct Kept {
    room: Room,
    file: FileBytes,
    tables: BTreeMap<&'static str, u64>,
    over: BTreeMap<&'static str, u64>,
    late_refusals: u64,
    commits: u64,
}

impl Kept {
    pub fn of(store: &dyn Store, now: Timestamp) -> Self {
        let (mut tables, mut over) = (BTreeMap::new(), BTreeMap::new());
        for (tenant, usage) in store.usage() {
            for shelf in Shelf::ALL {
                *tables.entry(shelf.name()).or_default() += usage.of(shelf).bytes;
            }
            for gauge in store.gauges(tenant, now) {
                *over.entry(gauge.name).or_default() += u64::from(gauge.level == Level::Over);
            }
        }
        Kept {
            room: store.room(),
            file: store.file_bytes().unwrap_or_default(),
            tables,
            over,
            late_refusals: store.late_refusals(),
            commits: store.commits(),
        }
    }

    fn render(&self, text: &mut String) {
        let one = |value| vec![(String::new(), value)];
        let by = |label: &str, values: &BTreeMap<&'static str, u64>| {
            values.iter().map(|(name, value)| (format!("{{{label}=\"{name}\"}}"), *value)).collect()
        };
        for (name, help, values) in [
            ("store_file_bytes", "What the store's file takes of its disk", one(self.file.bytes)),
            ("store_spare_bytes", "What a compaction would give back, about", one(self.file.spare)),
            ("disk_free_bytes", "What is left of the disk", one(self.room.free.unwrap_or_default())),
            ("disk_reserve_bytes", "What of it is kept in reserve", one(self.room.reserve)),
            ("store_commits", "Commits since the start", one(self.commits)),
            (
                "store_late_refusals",
                "Operations that were refused after they had written; each is a bug",
                one(self.late_refusals),
            ),
            ("kept_bytes", "What all tenants keep, by table", by("table", &self.tables)),
            ("tenants_over_quota", "Tenants that have used up a quota", by("quota", &self.over)),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP switchboard_{name} {help}.\n# TYPE switchboard_{name} gauge");
            for (labels, value) in values {
                let _ = writeln!(text, "switchboard_{name}{labels} {value}");
            }
        }
    }
}
