//! One typed configuration, read once at start and checked whole: every mistake is reported with its
//! file, line, column and key, and what to do about it. Every key has a default. The environment is
//! not read here; the command line does that and lays it over what the file says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::brains::Brains;
use crate::config::document::{Document, Problem};
use crate::internet;
use crate::tenant::quotas::Quotas;
use crate::tenant::{ResolvedLimits, Secret};

mod advice;
pub mod brains;
mod callback;
mod check;
pub mod document;

/// `switchboard.toml`. Paths are relative to the file's own directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub listen: SocketAddr,
    /// The store, backups, compiled brains and the control socket live here.
    pub data: PathBuf,
    /// The plugins directory: one package a folder.
    pub plugins: PathBuf,
    /// Directories of declared data (organizations, tenants, senders, collections), applied at start.
    pub declared: Vec<PathBuf>,
    /// When the gateway stops, what has begun (requests, turns, deliveries) has this long to end.
    pub drain_timeout_ms: u64,
    pub log: Log,
    pub routing: Routing,
    pub http: Http,
    pub store: StoreConfig,
    pub secrets: Secrets,
    pub retention: RetentionConfig,
    pub templates: Templates,
    pub turns: Turns,
    pub brains: Brains,
    pub delivery: Delivery,
    pub policy: Policy,
    pub media: Media,
    pub waha: Waha,
    /// What a turn may cost where the tenant does not say.
    pub limits: ResolvedLimits,
    /// How much of everything a tenant may use where it does not say.
    pub quotas: Quotas,
    pub backup: Backup,
    /// What a command says to mean this gateway: ` --config /etc/switchboard/switchboard.toml`. By the
    /// command line, never in the file.
    #[serde(skip)]
    pub called: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: PathBuf::from("data/run"),
            plugins: PathBuf::from("plugins"),
            declared: Vec::new(),
            drain_timeout_ms: 15_000,
            log: Log::default(),
            routing: Routing::default(),
            http: Http::default(),
            store: StoreConfig::default(),
            secrets: Secrets::default(),
            retention: RetentionConfig::default(),
            templates: Templates::default(),
            turns: Turns::default(),
            brains: Brains::default(),
            delivery: Delivery::default(),
            policy: Policy::default(),
            media: Media::default(),
            waha: Waha::default(),
            limits: ResolvedLimits::default(),
            quotas: Quotas::default(),
            backup: Backup::default(),
            called: String::new(),
        }
    }
}

impl Config {
    /// Can only this machine reach the gateway, as far as its settings tell? A proxy that nobody wrote
    /// down shows in the requests.
    pub fn is_private(&self) -> bool {
        let public = self.http.public_url.as_ref();
        let elsewhere = public.is_some_and(|url| {
            let url = url::Url::parse(url);
            !url.is_ok_and(|url| url.host_str().is_some_and(internet::is_this_machine))
        });
        self.listen.ip().is_loopback() && !elsewhere
    }

    /// Reads and checks a file. Relative paths in it start at its own directory.
    pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
        let document = Document::read(path).map_err(|problem| vec![problem])?;
        Config::parse(&document)
    }

    /// Where one `key` of the document does not fit, all are told.
    pub fn parse(document: &Document) -> Result<Config, Vec<Problem>> {
        let tree = document.parse()?;
        let places = Document::places(&tree, "");
        let mut problems = Vec::new();
        let config: Option<Config> = document.decode("", &tree, &mut problems);
        if let Some(config) = &config {
            check::check(config, &mut |key, what, action| {
                problems.push(document.problem(&places, key, what, action));
            });
        }
        match config {
            Some(mut config) if problems.is_empty() => {
                config.resolve(document.path().parent().unwrap_or(Path::new("")));
                Ok(config)
            }
            _ => {
                problems.sort_by_key(|problem| problem.place);
                Err(problems)
            }
        }
    }

    fn resolve(&mut self, directory: &Path) {
        for path in [&mut self.data, &mut self.plugins].into_iter().chain(&mut self.declared) {
            *path = tidy(&directory.join(&path));
        }
        if let Some(file) = &mut self.secrets.key_file {
            *file = tidy(&directory.join(&file));
        }
        if let Some(path) = self.waha.api_key.expose().strip_prefix("file:") {
            let path = tidy(&directory.join(path));
            self.waha.api_key = Secret::new(format!("file:{}", path.display()));
        }
    }

    /// Where the gateway's own process listens for its command line, on this machine only.
    pub fn control_socket(&self) -> PathBuf {
        self.data.join("control.sock")
    }

    /// The bytes of received files lie here.
    pub fn media_dir(&self) -> PathBuf {
        self.data.join("media")
    }

    /// Compiled brains, and earlier versions of brains.
    pub fn brains_dir(&self) -> PathBuf {
        self.data.join("brains")
    }

    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }

    /// The keys that senders' secrets are sealed with.
    pub fn key_file(&self) -> PathBuf {
        self.secrets.key_file.clone().unwrap_or_else(|| self.data.join("secret.key"))
    }
}

/// `a/demo/../run` as `a/run`: the path is shown to people. A `..` behind a symbolic link would mean
/// another place, so only those behind plain directories are folded.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if tidied.file_name().is_some_and(|name| name != "..") && !tidied.is_symlink() =>
            {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    if tidied.as_os_str().is_empty() { PathBuf::from(".") } else { tidied }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    /// As `RUST_LOG`: `info`, `switchboard=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Human, level: "info".into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
    /// What deep links begin with.
    pub prefixes: Vec<String>,
    /// What a contact that no tenant has is told on a shared sender. Empty: nothing.
    pub notice: String,
    pub notice_every_hours: u32,
}

impl Default for Routing {
    fn default() -> Self {
        Routing {
            prefixes: vec!["start_realty_".into()],
            notice: "Hello! To talk to an agent, please open the link that the agent sent you.".into(),
            notice_every_hours: 24,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// How the world reaches this gateway: `https://gateway.example.com`. Providers that take files by
    /// their address fetch them there; without it they cannot be sent files.
    pub public_url: Option<String>,
    /// Origins whose pages may use the API with a key of theirs: `https://crm.example.com`. None by itself.
    pub cors_origins: Vec<String>,
    /// One more takes the place of one on which nothing is being answered, or is closed at once.
    pub max_connections: usize,
    /// The same of one peer, an IPv6 network of 64 bits being one.
    pub connections_per_peer: usize,
    /// Peers that many others come through: a proxy on this machine. They are held to no number of their
    /// own.
    pub trusted_proxies: Vec<IpAddr>,
    /// Requests with a key that is none, of one peer; further ones wait and are answered 429.
    pub failed_keys_per_minute: u32,
    /// A request's headers must be there within this time, counted from the connection's begin or
    /// from the answer before: an idle connection is closed after it.
    pub header_timeout_ms: u64,
    /// And its body within this.
    pub body_timeout_ms: u64,
    /// A peer that takes nothing of an answer for this long is cut off.
    pub write_timeout_ms: u64,
    /// What webhooks may take together that have not proved yet where they come from; one more large one
    /// is answered 503.
    pub unproven_memory_bytes: usize,
    /// The same of those that have, with what is made of them.
    pub webhook_memory_bytes: usize,
    /// The same of the API's requests. A tenant's take a quarter of it at most.
    pub upload_memory_bytes: usize,
    pub webhook_body_bytes: usize,
    /// Brains are larger than messages.
    pub upload_body_bytes: usize,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            public_url: None,
            cors_origins: Vec::new(),
            max_connections: 4096,
            connections_per_peer: 1024,
            trusted_proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            failed_keys_per_minute: 60,
            header_timeout_ms: 10_000,
            body_timeout_ms: 15_000,
            write_timeout_ms: 15_000,
            unproven_memory_bytes: 32 << 20,
            webhook_memory_bytes: 256 << 20,
            upload_memory_bytes: 256 << 20,
            webhook_body_bytes: 8 << 20,
            upload_body_bytes: 64 << 20,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// redb's page cache.
    pub cache_bytes: usize,
    /// Operations that may wait for the writer; one more is answered 503.
    pub queue: usize,
    /// Check every page at start; refuses a damaged file before it does harm.
    pub verify_at_start: bool,
    /// Of the disk, at most a twentieth of it: messages are refused before less is left, and what tenants
    /// store before twice as much is.
    pub reserve_bytes: u64,
    /// In this hour of the day, in UTC, the file gives back what it does not need, if nobody waits.
    pub compact_hour: u8,
    /// A larger file is compacted by command only. 0: every file.
    pub compact_at_most_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            cache_bytes: 256 << 20,
            queue: 16_384,
            verify_at_start: false,
            reserve_bytes: 64 << 20,
            compact_hour: 2,
            compact_at_most_bytes: 1 << 30,
        }
    }
}

/// What senders' secrets are sealed with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// `secret.key` in the data directory where it is left out. Made at the first start.
    pub key_file: Option<PathBuf>,
    /// From the environment: keys in base64 with commas between them, the last one seals. Never in
    /// the file.
    #[serde(skip)]
    pub keys: Option<Secret>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    pub dedup_days: u32,
    pub history_days: u32,
    /// Dead turns, and replies that are dead or of unknown outcome.
    pub ended_days: u32,
    pub journal_days: u32,
    pub audit_days: u32,
    /// Which templates were sent to whom, and what became of them.
    pub template_log_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        RetentionConfig {
            dedup_days: 8,
            history_days: 365,
            ended_days: 90,
            journal_days: 30,
            audit_days: 730,
            template_log_days: 730,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// The list of templates at each provider's account is looked at this often; 0: only when asked.
    pub sync_minutes: u32,
}

impl Default for Templates {
    fn default() -> Self {
        Templates { sync_minutes: 60 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turns {
    /// For maintenance: messages are accepted and wait, no brain is asked.
    pub paused: bool,
    /// At the same time.
    pub concurrent: usize,
    /// Of one tenant at the same time.
    pub per_tenant: usize,
    /// Attempts at a turn that faults retryably, the first included.
    pub attempts: u32,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
    /// A timer rings after this at the earliest, whenever its brain wants it to.
    pub timer_floor_ms: u64,
    /// A turn that was running when so many of the gateway's processes died is not begun again.
    pub process_deaths: u8,
}

impl Default for Turns {
    fn default() -> Self {
        Turns {
            paused: false,
            concurrent: 128,
            per_tenant: 16,
            attempts: 5,
            backoff_ms: 1_000,
            backoff_max_ms: 60_000,
            timer_floor_ms: 1_000,
            process_deaths: 3,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// At the same time.
    pub concurrent: usize,
    /// By one sender at the same time.
    pub per_sender: usize,
    /// For one tenant at the same time, by all its senders.
    pub per_tenant: usize,
    /// A reply that could not be sent for this long is given up.
    pub give_up_after_minutes: u32,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
    pub connect_timeout_ms: u64,
    pub timeout_ms: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Delivery {
            concurrent: 256,
            per_sender: 128,
            per_tenant: 128,
            give_up_after_minutes: 24 * 60,
            backoff_ms: 1_000,
            backoff_max_ms: 600_000,
            connect_timeout_ms: 5_000,
            timeout_ms: 30_000,
        }
    }
}

/// How much is said, to whom and how fast, where a tenant or a sender does not say.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Replies of one tenant a second, over all its senders. 0: as many as its senders may send.
    pub tenant_per_second: u32,
    /// On WhatsApp's business platform a number may write to one contact once in this time,
    pub pair_every_ms: u64,
    /// after so many at once.
    pub pair_burst: u32,
    /// Turns in which a contact answered quicker than people do, before a human is asked to look.
    /// 0: any number.
    pub loop_turns: u32,
    /// Within this time.
    pub loop_minutes: u32,
    /// An answer is quick when it comes within this time of what it answers.
    pub loop_answer_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            tenant_per_second: 0,
            pair_every_ms: 6_000,
            pair_burst: 45,
            loop_turns: 60,
            loop_minutes: 15,
            loop_answer_ms: 10_000,
        }
    }
}

/// Files: what contacts sent, and what tenants stored to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// A larger file is not fetched.
    pub max_bytes: u64,
    /// Files are removed after this.
    pub keep_days: u32,
    /// Fetched at the same time.
    pub concurrent: usize,
    /// Fetched from one sender's provider at the same time.
    pub per_sender: usize,
    /// A file must have come whole within this time.
    pub timeout_ms: u64,
    /// A file that is not there after this is given up and not asked for any more.
    pub give_up_after_minutes: u32,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
    /// A brain that asks for a file that is still being fetched waits this long, and at most half of
    /// its turn.
    pub wait_ms: u64,
    /// A larger file is not put into a request to a provider that takes files in no other way.
    pub inline_bytes: u64,
    /// An address that a file is handed out under is good for this long.
    pub link_minutes: u32,
}

impl Default for Media {
    fn default() -> Self {
        Media {
            // WhatsApp's own limit for a document.
            max_bytes: 100 << 20,
            keep_days: 90,
            concurrent: 16,
            per_sender: 4,
            timeout_ms: 120_000,
            give_up_after_minutes: 24 * 60,
            backoff_ms: 2_000,
            backoff_max_ms: 600_000,
            wait_ms: 2_000,
            inline_bytes: 16 << 20,
            link_minutes: 60,
        }
    }
}

/// Where tenants' own numbers are logged in, and how they are looked after.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Waha {
    /// The WAHA of all numbers whose sender names no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// `env:NAME` or `file:PATH`.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub api_key: Secret,
    /// The gateway's address as WAHA sees it; by itself the one it listens on, which serves a WAHA on
    /// the same machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Between two looks at every session; 0: they are not looked after.
    pub watch_every_ms: u64,
    /// A session that works is looked at more closely when nothing was heard of it for this long.
    pub silent_ms: u64,
    /// A session that starts for this long is restarted.
    pub starting_ms: u64,
    /// Before the same session is restarted again; doubled each time.
    pub restart_backoff_ms: u64,
    pub restart_backoff_max_ms: u64,
}

impl Default for Waha {
    fn default() -> Self {
        Waha {
            base_url: None,
            api_key: Secret::default(),
            webhook_url: None,
            watch_every_ms: 60_000,
            silent_ms: 30 * 60_000,
            starting_ms: 5 * 60_000,
            restart_backoff_ms: 60_000,
            restart_backoff_max_ms: 3_600_000,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// 0: only when asked.
    pub every_hours: u32,
    /// Of those made by the clock; older ones are removed.
    pub keep: usize,
    /// Of those made by command in the backups directory.
    pub keep_by_hand: usize,
    /// With the files that contacts sent and tenants uploaded.
    pub files: bool,
}

impl Default for Backup {
    fn default() -> Self {
        Backup { every_hours: 24, keep: 7, keep_by_hand: 7, files: false }
    }
}
