//! What is looked up when the metrics are asked for: what the store keeps and what waits there, how sessions
//! stand, how old the newest backup is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::few::Few;
use crate::event::session::Status;
use crate::message::Timestamp;
use crate::policy::quota::Level;
use crate::store::Counters;
use crate::store::housekeeping::Housekeeping;
use crate::store::quotas::{Accounts, Shelf};
use crate::store::registry::Registry;
use crate::store::sessions::Sessions;
use crate::store::upkeep::{FileBytes, Oldest, Room, StoreFile, Upkeep};
use crate::tenant::Sender;

/// Of what waits, so many rows are looked at: those that wait longest.
const LOOKED_AT: usize = 20_000;

/// What the metrics ask of the store.
pub trait KeptStore: Accounts + Housekeeping + Registry + Sessions + Upkeep {}

impl<T: Accounts + Housekeeping + Registry + Sessions + Upkeep> KeptStore for T {}

/// What the store takes, and how many tenants are at their quotas: summed up over tenants, of which there
/// may be any number.
#[derive(Debug, Default)]
pub struct Kept {
    counters: Counters,
    room: Room,
    file: FileBytes,
    tables: BTreeMap<&'static str, u64>,
    over: BTreeMap<&'static str, u64>,
    late_refusals: u64,
    commits: u64,
    oldest: Oldest,
    /// By server and status.
    sessions: BTreeMap<(String, String), u64>,
    /// Of WAHA's senders that are to work, does each?
    working: Vec<(String, bool)>,
    pub backup_age: Option<Duration>,
    /// Senders whose key is refused.
    pub keys_refused: usize,
    /// Parts of the gateway that have ended; see [`crate::vitals`].
    pub dead_parts: usize,
    now: Timestamp,
}

impl Kept {
    pub async fn of(store: &dyn KeptStore, file: &dyn StoreFile, now: Timestamp) -> Self {
        let (mut tables, mut over) = (BTreeMap::new(), BTreeMap::new());
        for (tenant, usage) in store.usage() {
            for shelf in Shelf::ALL {
                *tables.entry(shelf.name()).or_default() += usage.of(shelf).bytes;
            }
            for gauge in store.gauges(tenant, now) {
                *over.entry(gauge.name).or_default() += u64::from(gauge.level == Level::Over);
            }
        }
        let (mut sessions, mut working) = (BTreeMap::<_, u64>::new(), Vec::new());
        let directory = store.directory();
        let mut senders = directory.with_sessions();
        senders.sort_by(|one, other| one.name.cmp(&other.name));
        for sender in senders.into_iter().filter(|sender| sender.active) {
            let status = store.session(&sender.name).await.ok().flatten().map(|change| change.status);
            working.push((sender.name.to_string(), status == Some(Status::Working)));
            let status = status.map_or_else(|| "unheard".into(), String::from);
            *sessions.entry((server_of(sender), status)).or_default() += 1;
        }
        Kept {
            counters: store.counters(),
            room: file.room(),
            file: file.file_bytes().await.unwrap_or_default(),
            tables,
            over,
            late_refusals: store.late_refusals(),
            commits: store.commits(),
            oldest: store.oldest(LOOKED_AT).await.unwrap_or_default(),
            sessions,
            working,
            backup_age: None,
            keys_refused: 0,
            dead_parts: 0,
            now,
        }
    }

    /// One of everything, for tests.
    #[cfg(test)]
    pub(super) fn full() -> Self {
        let oldest = Oldest {
            replies: BTreeMap::from([(crate::message::SenderName::new("main"), Timestamp::ZERO)]),
            turns: BTreeMap::from([(crate::message::TenantId::from_stored(2), Timestamp::ZERO)]),
        };
        Kept {
            oldest,
            tables: BTreeMap::from([("history", 1)]),
            over: BTreeMap::from([("turns", 1)]),
            sessions: BTreeMap::from([(("http://waha:3000".into(), "WORK\"ING".into()), 1)]),
            working: vec![("main".into(), true)],
            backup_age: Some(Duration::from_secs(5)),
            now: Timestamp::from_ms(1500),
            ..Kept::default()
        }
    }

    pub(super) fn render(&self, text: &mut String, named: &Named<'_>) {
        let Named { senders, tenants, servers } = *named;
        for (name, help, value) in [
            ("users", "Contacts locked to a tenant", self.counters.users),
            ("inbox", "Messages and timers that wait for their turn", self.counters.inbox),
            ("outbox_waiting", "Replies that wait to be sent", self.counters.outbox_waiting),
            ("outbox_dead", "Replies refused for good", self.counters.outbox_dead),
            ("outbox_unknown", "Replies that may have gone out or not", self.counters.outbox_unknown),
            ("dead_turns", "Turns given up", self.counters.dead_turns),
            (
                "lock_conflicts",
                "Contacts that came with another tenant's link, or that a tenant's own number called somebody else's",
                self.counters.conflicts,
            ),
            (
                "dead_parts",
                "Parts of the gateway that ended and do not run; `/health` names them",
                self.dead_parts as u64,
            ),
            ("keys_refused", "Senders whose key their provider refuses", self.keys_refused as u64),
            ("store_file_bytes", "What the store's file takes of its disk", self.file.bytes),
            ("store_spare_bytes", "What a compaction would give back, about", self.file.spare),
            ("disk_free_bytes", "What is left of the disk", self.room.free.unwrap_or_default()),
            ("disk_reserve_bytes", "What of it is kept in reserve", self.room.reserve),
        ] {
            gauge(text, name, help, [(Vec::new(), value)]);
        }
        for (name, help, value) in [
            ("messages_accepted_total", "Messages accepted, over all time", self.counters.accepted),
            ("store_commits_total", "Commits since the start", self.commits),
            (
                "store_late_refusals_total",
                "Operations that were refused after they had written; each is a bug",
                self.late_refusals,
            ),
        ] {
            counter(text, name, help, [(Vec::new(), value)]);
        }
        let by = |label, values: &BTreeMap<&'static str, u64>| {
            values.iter().map(|(name, value)| (vec![(label, (*name).to_owned())], *value)).collect::<Vec<_>>()
        };
        let tables = by("table", &self.tables);
        gauge(text, "kept_bytes", "What all tenants keep, by table", tables);
        let over = by("quota", &self.over);
        gauge(text, "tenants_over_quota", "Tenants that have used up a quota", over);
        self.render_ages(text, senders, tenants);
        self.render_sessions(text, senders, servers);
    }

    fn render_ages(&self, text: &mut String, senders: &Few, tenants: &Few) {
        let age = |at: &Timestamp| {
            Duration::from_millis(self.now.as_ms().saturating_sub(at.as_ms()).max(0).unsigned_abs())
                .as_secs_f64()
        };
        let mut replies = BTreeMap::new();
        for (sender, at) in &self.oldest.replies {
            longest(&mut replies, senders.label(sender.as_str()), age(at));
        }
        let mut turns = BTreeMap::new();
        for (tenant, at) in &self.oldest.turns {
            longest(&mut turns, tenants.label(&tenant.to_string()), age(at));
        }
        let labelled = |label, ages: BTreeMap<String, f64>| {
            ages.into_iter().map(move |(name, age)| (vec![(label, name)], age)).collect::<Vec<_>>()
        };
        let help = "How long the reply has waited that waits longest, by sender";
        gauge(text, "outbox_oldest_seconds", help, labelled("sender", replies));
        let help = "How long the message has waited that waits longest for its turn, by tenant";
        gauge(text, "inbox_oldest_seconds", help, labelled("tenant", turns));
        let backup = self.backup_age.map(|age| (Vec::new(), age.as_secs_f64()));
        gauge(text, "backup_age_seconds", "Since the newest backup was made", backup);
    }

    fn render_sessions(&self, text: &mut String, senders: &Few, servers: &Few) {
        let mut by_status: BTreeMap<_, u64> = BTreeMap::new();
        for ((server, status), count) in &self.sessions {
            *by_status.entry((servers.label(server), status.clone())).or_default() += count;
        }
        let by_status = by_status
            .into_iter()
            .map(|((server, status), count)| (vec![("server", server), ("status", status)], count));
        let help =
            "WhatsApp sessions of senders that are switched on, by WAHA and by what was heard of them last";
        gauge(text, "sessions", help, by_status);
        let mut working: BTreeMap<String, u64> = BTreeMap::new();
        for (name, works) in &self.working {
            let value = working.entry(senders.label(name)).or_insert(1);
            *value = (*value).min(u64::from(*works));
        }
        let working = working.into_iter().map(|(name, works)| (vec![("sender", name)], works));
        let help = "Does a sender's WhatsApp session work? Of those that are not named: do all of them?";
        gauge(text, "session_working", help, working.collect::<Vec<_>>());
    }
}

fn longest(ages: &mut BTreeMap<String, f64>, name: String, age: f64) {
    let known = ages.entry(name).or_default();
    *known = known.max(age);
}

/// Where WAHA is, without a password that may stand in it.
fn server_of(sender: &Sender) -> String {
    let url = sender.base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    url.map_or_else(String::new, |url| url.origin().ascii_serialization())
}

/// Who is named in labels.
pub(super) struct Named<'a> {
    pub senders: &'a Few,
    pub tenants: &'a Few,
    pub servers: &'a Few,
}

type Labels = Vec<(&'static str, String)>;

/// What goes up and down.
fn gauge<V: std::fmt::Display>(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, V)>,
) {
    family(text, &Metric { name, kind: "gauge", help }, values);
}

/// What only goes up.
fn counter<V: std::fmt::Display>(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, V)>,
) {
    family(text, &Metric { name, kind: "counter", help }, values);
}

struct Metric<'a> {
    name: &'a str,
    kind: &'static str,
    help: &'a str,
}

/// One metric in OpenMetrics' text; nothing where it has no values. Writing to a string cannot fail.
fn family<V: std::fmt::Display>(
    text: &mut String,
    metric: &Metric<'_>,
    values: impl IntoIterator<Item = (Labels, V)>,
) {
    let Metric { name, kind, help } = *metric;
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    // A counter's samples end so, and its name does not.
    let family = name.strip_suffix("_total").unwrap_or(name);
    let _ = writeln!(text, "# HELP switchboard_{family} {help}.\n# TYPE switchboard_{family} {kind}");
    for (labels, value) in values {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(text, "switchboard_{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
