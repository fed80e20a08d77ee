//! Reads what files declare at the start, and anew when it is asked for: organizations, tenants, senders,
//! collections, and the keys that lie in files. All is read and checked before anything is changed; where a
//! file is broken what runs stays as it is. What only a start can change is named.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::brain::Brains;
use crate::clock;
use crate::config::Config;
use crate::config::document::Problem;
use crate::declared::apply::{self, Applied, DeclaredStore};
use crate::declared::standing::{self, Standing};
use crate::declared::{self, Declared, Environment, Surroundings};
use crate::keyring;
use crate::store::housekeeping::Housekeeping;
use crate::store::registry::Registry;
use crate::store::secrets::Secrets;
use crate::store::{self, AuditEntry};
use crate::tenant::{Directory, HouseWaha};

/// Where the configuration is read from again.
pub struct Source {
    /// What it is read from; none: there is no file.
    pub file: Option<PathBuf>,
    pub config: Box<dyn Fn() -> Result<Config, Vec<Problem>> + Send + Sync>,
    pub environment: fn(&str) -> Option<String>,
}

/// Why nothing was read, or not all of it applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} in the files; nothing was changed", mistakes(.0.len()))]
    Problems(Vec<Problem>),
    #[error("the keys that secrets are sealed with: {0}; nothing was changed")]
    Keys(#[from] keyring::Error),
    #[error("what is declared could not be kept: {0}; do it again once that is mended")]
    Store(#[from] store::Error),
    #[error("this gateway was started without files to read again")]
    NoSource,
}

fn mistakes(count: usize) -> String {
    format!("{count} mistake{}", if count == 1 { "" } else { "s" })
}

/// What reading anew came to.
#[derive(Debug, Default)]
pub struct Report {
    pub applied: Applied,
    /// Whether WAHA's key is another one now.
    pub waha_key: bool,
    /// Keys that secrets are sealed with, if they are others now.
    pub sealing_keys: Option<usize>,
    /// Settings that are otherwise in the file and wait for a start.
    pub needs_restart: Vec<String>,
}

impl Report {
    pub fn told(&self) -> Value {
        let changes = self.applied.changes.iter().map(|change| {
            json!({
                "what": change.what, "file": change.file, "fields": change.fields, "took_back_from": change.undoes,
            })
        });
        json!({
            "changed": self.applied.changed,
            "unchanged": self.applied.unchanged,
            "changes": changes.collect::<Vec<_>>(),
            "waha_api_key": self.waha_key,
            "sealing_keys": self.sealing_keys,
            "needs_restart": self.needs_restart,
        })
    }
}

/// What reading the files again asks of the store.
pub trait ReloadStore: DeclaredStore + Housekeeping + Registry + Secrets {}

impl<T: DeclaredStore + Housekeeping + Registry + Secrets> ReloadStore for T {}

pub struct Reload {
    /// What runs.
    config: Arc<Config>,
    store: Arc<dyn ReloadStore>,
    brains: Arc<Brains>,
    source: OnceLock<Source>,
    /// What the files said when they were read last.
    standing: ArcSwap<Standing>,
    alone: Mutex<()>,
}

impl Reload {
    pub fn new(config: Arc<Config>, store: Arc<dyn ReloadStore>, brains: Arc<Brains>) -> Self {
        let (source, standing) = (OnceLock::new(), ArcSwap::default());
        Reload { config, store, brains, source, standing, alone: Mutex::default() }
    }

    /// From now on it can be read again.
    pub fn set_source(&self, source: Source) {
        self.source.set(source).ok();
    }

    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// Brings the store to what the configuration's directories declare; their mistakes otherwise.
    pub async fn declare(&self, environment: Environment<'_>) -> Result<Applied, Error> {
        let declared = self.load(&self.config, (*self.store.directory()).clone(), environment).await?;
        for problem in &declared.damaged {
            tracing::error!(%problem, "the file of a collection is damaged, its records stay as they were");
        }
        self.apply(declared).await
    }

    /// Reads what is declared and applies nothing: for a command that has opened the store itself. Mistakes
    /// are told by the next start, or by `switchboard check`.
    pub async fn look(&self, environment: Environment<'_>) {
        if let Ok(declared) = self.load(&self.config, (*self.store.directory()).clone(), environment).await {
            self.standing.store(Arc::new(declared.standing));
        }
    }

    /// Reads everything again. `actor`: who asked for it.
    pub async fn again(&self, actor: &str) -> Result<Report, Error> {
        let _alone = self.alone.lock().await;
        let done = self.read_again().await;
        match &done {
            Ok(report) => {
                let detail = report.told();
                let (subject, at) = ("declared data".into(), clock::now());
                let entry = AuditEntry { at, actor: actor.into(), action: "reload".into(), subject, detail };
                self.store.audit(entry).await?;
                tracing::info!(
                    changed = report.applied.changed,
                    unchanged = report.applied.unchanged,
                    waha_api_key = report.waha_key,
                    sealing_keys = report.sealing_keys,
                    "read again what is declared"
                );
                if !report.needs_restart.is_empty() {
                    let settings = report.needs_restart.join(", ");
                    tracing::warn!(
                        settings,
                        "these settings are others in the file now; a restart takes them up"
                    );
                }
            }
            Err(error) => {
                if let Error::Problems(problems) = error {
                    for problem in problems {
                        tracing::error!(%problem, "a file that was to be read again is broken");
                    }
                }
                tracing::error!(%error, "what is declared was not read again; what runs stays as it is");
            }
        }
        done
    }

    async fn read_again(&self) -> Result<Report, Error> {
        let Source { file, config, environment } = self.source.get().ok_or(Error::NoSource)?;
        let config = config().map_err(Error::Problems)?;
        let api_key = declared::secret(&config.waha.api_key, environment)
            .map_err(|(what, action)| Error::Problems(vec![waha_key(file.as_deref(), what, action)]))?;
        let mut directory = (*self.store.directory()).clone();
        // A key is for the address that it was given with, and the address is read at a start.
        let api_key = if self.same_waha(&config) { api_key } else { directory.waha().api_key.clone() };
        let waha = HouseWaha { base_url: self.config.waha.base_url.clone(), api_key };
        let waha_key = *directory.waha() != waha;
        directory.set_waha(waha.clone());
        let ring = keyring::read(&self.config)?.ring;
        let declared = self.load_away(&config, directory, *environment).await?;
        // Refused as a whole where a key that is still needed is gone, so it comes first.
        let sealing_keys = keyring::take_up(&*self.store, ring).await?;
        if waha_key {
            self.store.lend_waha(waha).await?;
        }
        let applied = self.apply(declared).await?;
        let needs_restart = self.needs_restart(&config);
        Ok(Report { applied, waha_key, sealing_keys, needs_restart })
    }

    fn same_waha(&self, config: &Config) -> bool {
        config.waha.base_url == self.config.waha.base_url
    }

    fn packages(&self) -> Vec<String> {
        self.brains.list().into_iter().map(|package| package.package).collect()
    }

    /// Away from the threads that answer: files may be many and long.
    async fn load_away(
        &self,
        config: &Config,
        directory: Directory,
        environment: fn(&str) -> Option<String>,
    ) -> Result<Declared, Error> {
        let (private, packages) = (self.config.is_private(), self.packages());
        let directories = config.declared.clone();
        let work = tokio::task::spawn_blocking(move || {
            let (packages, environment) = (Some(packages.as_slice()), Some(&environment as Environment<'_>));
            // A file that somebody has just written is mended, and not put up with.
            let has_collection = None;
            declared::load(
                &directories,
                Surroundings { private, packages, directory, environment, has_collection },
            )
        });
        let loaded = work.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        loaded.map_err(Error::Problems)
    }

    async fn load(
        &self,
        config: &Config,
        directory: Directory,
        environment: Environment<'_>,
    ) -> Result<Declared, Error> {
        let packages = self.packages();
        let around = Surroundings {
            private: self.config.is_private(),
            packages: Some(&packages),
            directory,
            environment: Some(environment),
            has_collection: None,
        };
        declared::load_over(&*self.store, &config.declared, around).await.map_err(Error::Problems)
    }

    async fn apply(&self, mut declared: Declared) -> Result<Applied, Error> {
        let standing = Arc::new(std::mem::take(&mut declared.standing));
        self.standing.store(standing.clone());
        Ok(apply::apply(declared, &standing, &*self.store).await?)
    }

    /// What is read at a start only, and is not what runs.
    fn needs_restart(&self, config: &Config) -> Vec<String> {
        let fields = standing::fields(config, &*self.config);
        let at_once = |name: &str| name == "declared" || name == "waha.api_key" && self.same_waha(config);
        fields.into_iter().map(|field| field.name).filter(|name| !at_once(name)).collect()
    }
}

fn waha_key(file: Option<&Path>, what: String, action: String) -> Problem {
    let file = file.unwrap_or(Path::new("(the configuration)")).to_owned();
    Problem { file, place: None, key: "waha.api_key".into(), what, action }
}
