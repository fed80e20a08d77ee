//! Runs a tenant's brain on one trigger: `handle(ask) -> answer`. Everything WebAssembly is below
//! this file. It knows no store: what a brain may read comes through [`Sources`], and what it wants
//! done is returned.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conversation::{
    Conversation, Cost, HistoryEntry, HostCall, Lead, LeadChange, Mode, TimerChange, Trigger,
};
use crate::message::{ConversationKey, Outbound, TenantId, Timestamp};
use crate::tenant::{Organization, ResolvedLimits, Tenant};

mod abi;
mod budget;
mod cache;
mod engine;
mod grants;
mod journal;
mod outcome;
mod personality;
mod preflight;
mod sandbox;

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
pub trait Sources: Send + Sync {
    /// The newest entries of this conversation, oldest first.
    fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, String>;
    /// The records of one of the tenant's collections; `None` where there is no such collection.
    fn collection(&self, name: &str) -> Result<Option<Arc<Vec<serde_json::Value>>>, String>;
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
}

/// A turn that came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// `trap`, `fuel`, `wall-time`, `memory`, `actions`, `text`, `state`, `host-calls`, `no-brain`,
    /// or the brain's own fault code.
    pub code: String,
    /// Says what, where, limit, used and where to raise it.
    pub message: String,
    pub retryable: bool,
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
}

/// A package in the plugins directory, and how it fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageStatus {
    pub package: String,
    /// Hex SHA-256 of the component that runs; `None` while none does.
    pub digest: Option<String>,
    pub personality_version: Option<String>,
    pub live_since: Option<Timestamp>,
    /// Why the newest files are not the ones that run.
    pub refused: Option<String>,
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
    /// What, where, limit, used, the line to write.
    pub reason: String,
}

/// Every brain there is, by package; swaps them while turns run.
pub struct Brains {}

impl Brains {
    /// Loads every package in the plugins directory. A package that cannot be loaded is listed as
    /// refused; only a directory that cannot be read is an error.
    pub async fn open(settings: Settings) -> std::io::Result<Arc<Self>> {
        let _ = settings;
        Ok(Arc::new(Brains {}))
    }

    /// Runs one turn on the version that is live now; after a trap, on the last good version.
    pub async fn handle(&self, ask: Ask) -> Result<Answer, Failure> {
        let _ = ask;
        unimplemented!()
    }

    /// Follows the plugins directory until dropped or aborted.
    pub async fn watch(self: Arc<Self>) {}

    pub fn list(&self) -> Vec<PackageStatus> {
        Vec::new()
    }

    pub async fn put_brain(
        &self,
        tenant: TenantId,
        component: Vec<u8>,
        actor: &str,
    ) -> Result<Uploaded, Refused> {
        let _ = (tenant, component, actor);
        unimplemented!()
    }

    pub async fn put_personality(
        &self,
        tenant: TenantId,
        toml: String,
        actor: &str,
    ) -> Result<Uploaded, Refused> {
        let _ = (tenant, toml, actor);
        unimplemented!()
    }

    /// To `digest`, or to the version before the live one.
    pub async fn rollback(
        &self,
        package: &str,
        digest: Option<&str>,
        actor: &str,
    ) -> Result<Uploaded, Refused> {
        let _ = (package, digest, actor);
        unimplemented!()
    }
}
