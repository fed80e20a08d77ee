//! Runs a tenant's brain on one trigger: `handle(ask) -> answer`. Everything WebAssembly is below
//! this file. It knows no store: what a brain may read comes through [`Sources`], and what it wants
//! done is returned.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::conversation::{
    Conversation, Cost, HistoryEntry, HostCall, Lead, LeadChange, Mode, TimerChange, Trigger,
};
use crate::glyph::{self, Shown};
use crate::message::{ConversationKey, Outbound, TenantId, Timestamp};
use crate::tenant::{Organization, ResolvedLimits, Tenant};
use crate::vitals::Vitals;

use deploy::Deployer;
use engine::{Engine, Turn, Version};
use package::Package;
use personality::Personality;

mod abi;
mod budget;
mod cache;
mod compiler;
mod deploy;
mod engine;
mod executor;
mod grants;
mod journal;
pub mod kept;
mod manifest;
mod outcome;
mod package;
mod personality;
mod preflight;
mod reading;
mod rehearsal;
mod sandbox;
pub mod script;
mod shelf;
mod watch;
mod work;

/// One turn to run.
pub struct Ask {
    pub tenant: Arc<Tenant>,
    pub organization: Option<Arc<Organization>>,
    pub key: ConversationKey,
    pub trigger: Trigger,
    pub conversation: Conversation,
    pub lead: Option<Lead>,
    /// Our number or session, as the context names it.
    pub sender: String,
    /// `None` where the provider has no 24-hour window.
    pub window_open_until: Option<Timestamp>,
    pub seed: u64,
    pub now: Timestamp,
    /// What this brain may read.
    pub sources: Arc<dyn Sources>,
}

/// What a brain may read of its own tenant and conversation, and of no other.
#[async_trait]
pub trait Sources: Send + Sync {
    /// The newest entries of this conversation, oldest first.
    async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, String>;
    /// The records of one of the tenant's collections; `None` where there is no such collection. May
    /// take some time.
    async fn collection(&self, name: &str) -> Result<Option<Arc<Vec<serde_json::Value>>>, String>;

    /// The same at once, where they lie ready.
    fn parsed_collection(&self, _name: &str) -> Option<Arc<Vec<serde_json::Value>>> {
        None
    }

    /// May the tenant's brain write so many bytes to the log now? Then they are counted.
    fn may_log(&self, _bytes: u64) -> bool {
        true
    }

    /// Does this name a file of the tenant's?
    async fn has_file(&self, _handle: &str) -> bool {
        false
    }

    /// What is known of a file of the tenant's; one that is still being fetched is waited for.
    async fn describe_file(&self, handle: &str) -> Result<FileInfo, FileRefused> {
        Err(FileRefused::unknown(handle))
    }

    /// Up to `length` bytes of it from `offset` on.
    async fn read_file(&self, handle: &str, _offset: u64, _length: u32) -> Result<Vec<u8>, FileRefused> {
        Err(FileRefused::unknown(handle))
    }
}

/// A file that a brain may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
}

/// Why a brain may not, or not now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRefused {
    /// `unknown-file`, `not-ready`, `failed`, `gone`, `unavailable`.
    pub code: &'static str,
    pub message: String,
    pub retryable: bool,
}

impl FileRefused {
    /// Said of other tenants' files too: they do not exist for this one.
    pub fn unknown(handle: &str) -> Self {
        let message = format!("the tenant has no file `{}`", glyph::shown(handle, 200));
        FileRefused { code: "unknown-file", message, retryable: false }
    }
}

/// What the brain wants, checked against the tenant's limits.
#[derive(Debug)]
pub struct Answer {
    pub sends: Vec<Outbound>,
    pub timers: Vec<TimerChange>,
    pub leads: Vec<LeadChange>,
    pub mode: Option<Mode>,
    pub hand_off_reason: Option<String>,
    /// `None`: keep.
    pub memory: Option<String>,
    /// The digest of the version that ran.
    pub version: String,
    /// The actions as JSON, for the journal.
    pub outcome: serde_json::Value,
    pub host_calls: Vec<HostCall>,
    pub cost: Cost,
    /// Does the package ask for a turn when a message that it sent changes its delivery state?
    pub wants_receipts: bool,
}

/// A turn that came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// `trap`, `fuel`, `wall-time`, `memory`, `actions`, `text`, `state`, `host-calls`, `no-brain`,
    /// or the brain's own fault code.
    pub code: String,
    /// Says what, where, limit, used and where to raise it; may hold the brain's own words.
    pub message: Shown,
    pub retryable: bool,
    /// Did it hold its place until its time was over?
    pub out_of_time: bool,
    pub version: String,
    pub host_calls: Vec<HostCall>,
    pub cost: Cost,
}

/// How the engine and the packages are set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The plugins directory.
    pub plugins: PathBuf,
    /// Compiled code and earlier versions live here.
    pub cache: PathBuf,
    /// What a turn may cost where the tenant does not say.
    pub limits: ResolvedLimits,
    /// Turns that run at the same time.
    pub concurrent: usize,
    pub compiling: config::brains::Brains,
    /// The gateway's own program, which compiles in processes of its own.
    pub program: PathBuf,
    /// Where the engine's threads are entered.
    pub vitals: Arc<Vitals>,
}

/// This very program, also where its file was replaced since it was started.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// A package in the plugins directory, and how it fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageStatus {
    pub package: String,
    /// Hex SHA-256 of the component that runs; `None` while none does.
    pub digest: Option<String>,
    pub personality_version: Option<String>,
    pub live_since: Option<Timestamp>,
    /// Since when the newest component is being compiled, or waits to be.
    pub compiling_since: Option<Timestamp>,
    /// Why the newest files are not the ones that run.
    pub refused: Option<Shown>,
    /// Tenant packages name the tenant they are for.
    pub tenant: Option<TenantId>,
    /// Earlier digests that can be rolled back to, newest first.
    pub earlier: Vec<String>,
}

/// What an upload was checked for, and what is live now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Uploaded {
    pub package: String,
    /// The digest that is live.
    pub digest: String,
    /// `component`, `imports`, `exports`, `selftest`.
    pub checked: Vec<String>,
}

/// An upload that was not taken. What ran before still runs.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// What, where, limit, used, the line to write; may hold what the upload calls its parts.
    pub reason: Shown,
    /// The same may be taken after this; none where it must be mended.
    pub retry_after: Option<Duration>,
}

/// By whom something is sent.
#[derive(Clone, Debug)]
pub struct By {
    /// `tenant 2`, `operator`.
    pub actor: String,
    /// Cancelled when nobody waits for the outcome any more. What was not built by then is given up.
    pub gone: CancellationToken,
}

impl From<&str> for By {
    /// Somebody who waits to the end.
    fn from(actor: &str) -> Self {
        By { actor: actor.to_owned(), gone: CancellationToken::new() }
    }
}

/// The life of a process that compiles a component; see [`compiler`]. The command line gives it nothing else
/// to do.
pub fn compile_in_this_process(memory_bytes: u64, cpu_seconds: u64) -> ExitCode {
    compiler::child::run(compiler::confine::Bounds { memory_bytes, cpu_seconds })
}

/// What [`compile_in_this_process`] is asked for with.
pub const COMPILE: &str = compiler::COMMAND;

/// Every brain there is, by package; swaps them while turns run.
pub struct Brains {
    engine: Arc<Engine>,
    deployer: Arc<Deployer>,
}

/// Which version answers a tenant, and what it is shown.
struct Plan {
    /// The package that the brain comes from.
    package: Arc<Package>,
    version: Arc<Version>,
    personality: Personality,
}

impl Brains {
    /// Loads every package in the plugins directory whose component was compiled before; the rest is
    /// compiled by [`Brains::watch`], or by [`Brains::complete`]. A package that cannot be loaded is listed
    /// as refused; only a directory that cannot be read is an error. `brain_of` tells which package a
    /// tenant names as its brain: a tenant's own package is held against that one before it goes live.
    pub async fn open(
        settings: Settings,
        brain_of: impl Fn(TenantId) -> Option<String> + Send + Sync + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let engine = Engine::new(settings.concurrent, &settings.vitals)
            .map_err(|error| std::io::Error::other(format!("{error:#}")))?;
        let engine = Arc::new(engine);
        let deployer = Arc::new(Deployer::open(settings, engine.clone(), Box::new(brain_of))?);
        deployer.land_compiled().await?;
        Ok(Arc::new(Brains { engine, deployer }))
    }

    /// Compiles what was not compiled before, and returns when everything is live or refused.
    pub async fn complete(&self) {
        self.deployer.land_rest().await;
    }

    /// Does a brain run for this tenant?
    pub fn answers(&self, tenant: &Tenant) -> bool {
        let packages = self.deployer.packages.load();
        packages.brain_of(tenant).is_some()
    }

    /// Returns when other brains run than when this was called, or after `at_most`.
    pub fn changed(&self, at_most: Duration) -> impl Future<Output = ()> + use<'_> {
        // Hears of everything from here on, before it is awaited as well.
        let changed = self.deployer.changed.notified();
        async move {
            tokio::time::timeout(at_most, changed).await.ok();
        }
    }

    /// Runs one turn on the version that is live now; after a trap, on the last good version.
    pub async fn handle(&self, ask: Ask) -> Result<Answer, Failure> {
        let Some(plan) = self.plan(&ask) else { return Err(self.no_brain(&ask.tenant)) };
        let ask = Arc::new(ask);
        let mut stopped = match self.engine.turn(&plan.version, self.turn(&ask, &plan, &plan.version)).await {
            Ok(answer) => return Ok(answer),
            Err(stopped) => stopped,
        };
        if stopped.fault {
            return Err(*stopped.failure);
        }
        let Some(previous) = self.deployer.previous(&plan.package).await else {
            return Err(*stopped.failure);
        };
        // The live version's failure is the one to mend, whatever comes of the older one.
        let mut answer = match self.engine.turn(&previous, self.turn(&ask, &plan, &previous)).await {
            Ok(answer) => answer,
            Err(other) => {
                stopped.failure.cost.add(&other.failure.cost);
                return Err(*stopped.failure);
            }
        };
        tracing::warn!(
            tenant = %ask.key.tenant,
            contact = %ask.key.contact.masked(),
            package = %plan.package.name,
            version = &plan.version.digest[..12],
            answered_by = &previous.digest[..12],
            error = %stopped.failure,
            "the live version failed, the one before it answered"
        );
        answer.cost.add(&stopped.failure.cost);
        Ok(answer)
    }

    fn plan(&self, ask: &Ask) -> Option<Plan> {
        let packages = self.deployer.packages.load();
        let (own, base) = packages.layers(&ask.tenant);
        let (package, version) = packages.brain_of(&ask.tenant)?;
        Some(Plan {
            package: package.clone(),
            version: version.clone(),
            personality: Personality {
                package: base.and_then(|base| base.personality.clone()),
                organization: ask.organization.clone(),
                tenant: Some(ask.tenant.clone()),
                own: own.and_then(|own| own.personality.clone()),
            },
        })
    }

    fn no_brain(&self, tenant: &Tenant) -> Failure {
        let packages = self.deployer.packages.load();
        let name = packages.base_name(tenant);
        let plugins = self.deployer.settings.plugins.display();
        let why = match (self.deployer.refusal(name), self.deployer.compiling_since(name)) {
            (_, Some(since)) => format!("it is being compiled since {since}"),
            (Some(reason), None) => format!("it was refused: {reason}"),
            (None, None) => format!(
                "there is no package {plugins}/{name}; `switchboard brain list` shows those there are"
            ),
        };
        Failure {
            code: "no-brain".into(),
            message: Shown::new(format_args!("tenant {}: the brain `{name}` does not run: {why}", tenant.id)),
            // It runs as soon as the package is there.
            retryable: true,
            out_of_time: false,
            version: String::new(),
            host_calls: Vec::new(),
            cost: Cost::default(),
        }
    }

    fn turn(&self, ask: &Arc<Ask>, plan: &Plan, version: &Version) -> Turn {
        let wrote = ask.conversation.brain_version.as_ref();
        // An older version that stands in for the live one is not asked to migrate what that wrote.
        let migrate_from = wrote.filter(|wrote| **wrote != version.digest && **wrote != plan.version.digest);
        Turn {
            ask: ask.clone(),
            personality: plan.personality.clone(),
            package: plan.package.name.clone(),
            limits: self.deployer.settings.limits.with(&ask.tenant.limits),
            contact_language: ask.lead.as_ref().and_then(language),
            receipts: plan.package.manifest.receipts,
            migrate_from: migrate_from.cloned(),
        }
    }

    /// Follows the plugins directory until dropped or aborted.
    pub async fn watch(self: Arc<Self>) {
        watch::watch(&self.deployer).await;
    }

    /// How long one turn of this tenant may take.
    pub fn wall_time(&self, tenant: &Tenant) -> Duration {
        Duration::from_millis(self.deployer.settings.limits.with(&tenant.limits).wall_time_ms)
    }

    /// By package.
    /// Is any brain live?
    pub fn has_any(&self) -> bool {
        self.deployer.packages.load().iter().any(|package| package.brain.is_some())
    }

    pub fn list(&self) -> Vec<PackageStatus> {
        self.deployer.list()
    }

    /// Versions held in memory: the live ones, and those on which a turn has not ended yet.
    pub fn versions_in_memory(&self) -> usize {
        self.engine.versions_in_memory()
    }

    /// Lands a component as the tenant's own package.
    pub async fn put_brain(
        &self,
        tenant: TenantId,
        component: impl Into<Bytes>,
        by: impl Into<By>,
    ) -> Result<Uploaded, Refused> {
        self.deployer.put_brain(tenant, component.into(), by.into()).await
    }

    /// Lands texts and settings as the tenant's own package.
    pub async fn put_personality(
        &self,
        tenant: TenantId,
        toml: String,
        by: impl Into<By>,
    ) -> Result<Uploaded, Refused> {
        self.deployer.put_personality(tenant, toml, by.into()).await
    }

    /// To `digest`, or to the version before the live one.
    pub async fn rollback(
        &self,
        package: &str,
        digest: Option<&str>,
        by: impl Into<By>,
    ) -> Result<Uploaded, Refused> {
        self.deployer.rollback(package, digest, by.into()).await
    }
}

/// The language a contact chose, which a brain notes in the lead's field of this name.
fn language(lead: &Lead) -> Option<String> {
    lead.fields.get("language")?.as_str().map(str::to_owned)
}
