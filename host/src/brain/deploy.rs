//! One road for every package, whether it was dropped into the plugins directory or uploaded: read,
//! build (preflight, compile, selftest), swap. A package that does not get to the end leaves the one
//! that runs untouched. One deployment of a package at a time, one compilation at a time; turns never
//! wait for either.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{OnceCell, OwnedMutexGuard, Semaphore};

use super::cache::Cache;
use super::engine::{Engine, Turn, Version};
use super::manifest::{self, Manifest};
use super::package::{self, COMPONENT, Files, PERSONALITY, Package, Packages, Stamp};
use super::personality::{Layer, Personality};
use super::shelf::{Entry, Shelf};
use super::{PackageStatus, Settings, preflight, rehearsal};
use crate::clock;
use crate::glyph::Shown;
use crate::message::TenantId;
use compiled::Coming;

mod compiled;
mod upload;

/// The hand that lands what was dropped into the directory.
pub const DROPPED: &str = "plugins directory";

/// Tells which package a tenant names as its brain.
pub type BrainOf = Box<dyn Fn(TenantId) -> Option<String> + Send + Sync>;

pub struct Deployer {
    pub settings: Settings,
    engine: Arc<Engine>,
    cache: Cache,
    shelf: Shelf,
    pub packages: ArcSwap<Packages>,
    /// Why a package's newest files do not run.
    refused: Mutex<BTreeMap<String, Shown>>,
    /// How each directory looked when it was last landed or refused.
    seen: Mutex<HashMap<String, Stamp>>,
    /// By package; held for the length of a deployment of it.
    landing: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// The compiler runs once at a time and on one thread, so that turns keep the others.
    compiler: Arc<Semaphore>,
    /// What is being built, so that its compiled code is not swept away meanwhile.
    coming: Mutex<Vec<String>>,
    /// Held while a version is put on the shelf or the cache is swept.
    shelving: tokio::sync::Mutex<()>,
    brain_of: BrainOf,
}

/// A package that passed, with the component it was made of.
pub struct Built {
    pub package: Package,
    component: Option<Vec<u8>>,
    checked: Vec<String>,
}

impl Deployer {
    pub fn open(settings: Settings, engine: Arc<Engine>, brain_of: BrainOf) -> io::Result<Self> {
        let cache = Cache::open(settings.cache.join("compiled"))?;
        let shelf = Shelf::open(settings.cache.join("versions"))?;
        Ok(Deployer {
            settings,
            engine,
            cache,
            shelf,
            packages: ArcSwap::default(),
            refused: Mutex::default(),
            seen: Mutex::default(),
            landing: Mutex::default(),
            compiler: Arc::new(Semaphore::new(1)),
            coming: Mutex::default(),
            shelving: tokio::sync::Mutex::default(),
            brain_of,
        })
    }

    /// The right to deploy one package.
    async fn landing(&self, name: &str) -> OwnedMutexGuard<()> {
        let of_package = lock(&self.landing).entry(name.to_owned()).or_default().clone();
        of_package.lock_owned().await
    }

    /// Lands everything there is; what cannot be landed is listed as refused.
    pub async fn land_all(&self) -> io::Result<()> {
        for name in self.directories()? {
            if let Err(reason) = self.land_one(&name).await {
                self.refuse(&name, reason);
            }
        }
        self.sweep().await;
        Ok(())
    }

    /// The directories that hold a file of a package, by name.
    pub fn directories(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.settings.plugins)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if is_name(&name) && !Stamp::of(&self.settings.plugins.join(&name)).is_empty() {
                names.push(name);
            }
        }
        // A tenant's own package is held against the one below it, which therefore comes first.
        names.sort_by_key(|name| (manifest::tenant_of(name).is_some(), name.clone()));
        Ok(names)
    }

    pub fn seen(&self, name: &str) -> Stamp {
        lock(&self.seen).get(name).copied().unwrap_or_default()
    }

    /// Puts what lies in a package's directory in place of what runs. An error leaves that as it is,
    /// and is the caller's to tell.
    pub async fn land(&self, name: &str) -> Result<(), String> {
        let landed = self.land_one(name).await;
        self.sweep().await;
        landed
    }

    async fn land_one(&self, name: &str) -> Result<(), String> {
        let _one = self.landing(name).await;
        let directory = self.settings.plugins.join(name);
        let stamp = Stamp::of(&directory);
        if stamp == self.seen(name) && !lock(&self.refused).contains_key(name) {
            return Ok(());
        }
        if stamp.is_empty() {
            self.forget(name);
            return Ok(());
        }
        lock(&self.seen).insert(name.to_owned(), stamp);
        let files = blocking(move || Files::read(&directory)).await??;
        if Stamp::of(&self.settings.plugins.join(name)) != stamp {
            return Err(format!("{name}: the files changed while they were read"));
        }
        let _coming = Coming::new(&self.coming, &files);
        let built = self.build(name, files).await?;
        self.go_live(built, DROPPED, None).await;
        Ok(())
    }

    /// Notes why a package's newest files do not run; told once, where it is found out.
    pub fn refuse(&self, name: &str, reason: String) {
        let reason = Shown::from(reason);
        let before = lock(&self.refused).insert(name.to_owned(), reason.clone());
        if before.as_ref() == Some(&reason) {
            return;
        }
        let runs =
            self.packages.load().get(name).and_then(|package| Some(package.brain.as_ref()?.digest.clone()));
        match runs {
            Some(digest) => {
                let running = &digest[..12];
                tracing::error!(package = name, running, %reason, "refused, the running version stays");
            }
            None => tracing::error!(package = name, %reason, "refused"),
        }
    }

    fn forget(&self, name: &str) {
        lock(&self.refused).remove(name);
        lock(&self.seen).remove(name);
        let before = self.packages.rcu(|packages| {
            let mut packages = Packages::clone(packages);
            packages.remove(name);
            packages
        });
        if before.get(name).is_some() {
            tracing::warn!(package = name, "gone from the plugins directory; its tenants have no brain now");
        }
    }

    /// Everything that can be found out before a package runs.
    pub async fn build(&self, name: &str, files: Files) -> Result<Built, String> {
        let tenant = manifest::tenant_of(name);
        let place = files.path(COMPONENT).display().to_string();
        let examined =
            files.component.as_deref().map(|bytes| preflight::examine(bytes, &place)).transpose()?;
        let built_in = examined.as_ref().and_then(|examined| examined.manifest.as_deref());
        let manifest = files.parse_manifest(tenant, built_in)?;
        let schema = files.parse_schema()?.map(Arc::new);
        let personality = files.parse_personality()?.map(Arc::new);
        let base = tenant.and_then(|tenant| self.base_of(tenant, &manifest));
        let mut checked = Vec::new();
        if let (Some(layer), Some(text)) = (&personality, &files.personality) {
            checked.push("toml".to_owned());
            if self.check_personality(layer, text, &files, schema.as_ref(), base.as_deref())? {
                checked.push("schema".to_owned());
            }
        }
        let brain = match (&files.component, examined) {
            (Some(component), Some(examined)) => {
                let manifest_place = files.path(package::MANIFEST).display().to_string();
                examined.check(&manifest.grants, &place, &manifest_place)?;
                checked.extend(["component", "imports", "exports"].map(str::to_owned));
                let personality = Personality {
                    package: base.as_ref().and_then(|base| base.personality.clone()),
                    own: personality.clone(),
                    ..Personality::default()
                };
                let (version, tested) = self.version(name, component, &manifest, personality, &place).await?;
                if tested {
                    checked.push("selftest".to_owned());
                }
                Some(version)
            }
            _ if tenant.is_some() && personality.is_some() => {
                if let Some(base) = &base
                    && let Some(version) = &base.brain
                {
                    let texts = Personality {
                        package: base.personality.clone(),
                        own: personality.clone(),
                        ..Personality::default()
                    };
                    let place = files.path(PERSONALITY).display().to_string();
                    if self.rehearse(name, version, texts, &place).await? {
                        checked.push("selftest".to_owned());
                    }
                }
                None
            }
            _ => {
                return Err(format!(
                    "{place}: not there; build it and copy it here (the bundled brains: `cargo xtask brains`)"
                ));
            }
        };
        let package = Package {
            name: name.into(),
            tenant,
            manifest,
            brain,
            personality,
            schema,
            live_since: clock::now(),
            earlier: Vec::new(),
            fallback: None,
            previous: OnceCell::new(),
        };
        Ok(Built { package, component: files.component, checked })
    }

    /// `true` when a schema was there to hold it against. A tenant's texts lie on those of its base.
    fn check_personality(
        &self,
        layer: &Layer,
        text: &str,
        files: &Files,
        schema: Option<&Arc<package::Schema>>,
        base: Option<&Package>,
    ) -> Result<bool, String> {
        let Some(schema) = schema.or(base.and_then(|base| base.schema.as_ref())) else { return Ok(false) };
        let lower = base.and_then(|base| base.personality.as_ref()).map(|layer| &layer.values);
        schema.check(lower, &layer.values, text, &files.path(PERSONALITY))?;
        Ok(true)
    }

    /// The package below a tenant's own.
    fn base_of(&self, tenant: TenantId, manifest: &Manifest) -> Option<Arc<Package>> {
        let name = match &manifest.extends {
            Some(name) => name.clone(),
            None => (self.brain_of)(tenant)?,
        };
        self.packages.load().named.get(&name).cloned()
    }

    /// The component ready to run, and whether it has a selftest, which it then passed. The version that
    /// runs is taken again where neither component nor grants changed.
    async fn version(
        &self,
        name: &str,
        component: &[u8],
        manifest: &Manifest,
        personality: Personality,
        place: &str,
    ) -> Result<(Arc<Version>, bool), String> {
        let digest = package::digest(component);
        let running = self.packages.load().get(name).and_then(|running| {
            let same = running.manifest.grants == manifest.grants;
            running.brain.clone().filter(|version| same && version.digest == digest)
        });
        let version = match running {
            Some(version) => version,
            None => {
                let loaded = self.load(digest, component.to_vec(), manifest).await;
                Arc::new(loaded.map_err(|why| format!("{place}: {why}"))?)
            }
        };
        let tested = self.rehearse(name, &version, personality, place).await?;
        Ok((version, tested))
    }

    /// Starts a version and runs its selftest with these texts; `true` where it has one.
    async fn rehearse(
        &self,
        name: &str,
        version: &Arc<Version>,
        personality: Personality,
        place: &str,
    ) -> Result<bool, String> {
        let turn = Turn {
            ask: Arc::new(rehearsal::ask(clock::now())),
            personality,
            package: name.into(),
            limits: self.settings.limits,
            contact_language: None,
            receipts: false,
            migrate_from: None,
        };
        self.engine.probe(version, turn).await.map_err(|stopped| {
            let what = match (place.ends_with(COMPONENT), stopped.fault) {
                (true, true) => "its selftest failed",
                (true, false) => "it cannot be started",
                (false, true) => "the brain's selftest failed with it",
                (false, false) => "the brain cannot be started with it",
            };
            format!("{place}: {what}: {}", stopped.failure)
        })
    }

    /// `withdrawn`: the version that ran until now and is no good.
    async fn go_live(&self, built: Built, actor: &str, withdrawn: Option<String>) {
        let Built { mut package, component, .. } = built;
        let name = package.name.clone();
        if let (Some(version), Some(component)) = (&package.brain, component) {
            let entry = Entry {
                digest: version.digest.clone(),
                live_since: package.live_since,
                actor: actor.into(),
                withdrawn: false,
            };
            let _one = self.shelving.lock().await;
            let (shelf, list_of) = (self.shelf.clone(), name.clone());
            let kept = blocking(move || {
                let list = shelf.put(&list_of, entry, &component, withdrawn.as_deref());
                list.map_err(|error| error.to_string())
            });
            match kept.await.and_then(|kept| kept) {
                Ok(list) => {
                    package.live_since = list.first().map_or(package.live_since, |live| live.live_since);
                    package.fallback =
                        list.iter().skip(1).find(|entry| !entry.withdrawn).map(|entry| entry.digest.clone());
                    package.earlier = list.into_iter().skip(1).map(|entry| entry.digest).collect();
                }
                Err(error) => {
                    tracing::warn!(package = %name, error, "the version could not be kept for a rollback");
                }
            }
        }
        tracing::info!(
            package = %name,
            digest = package.brain.as_ref().map_or("", |version| &version.digest[..12]),
            personality = package.personality.as_ref().map_or("", |layer| &layer.version),
            actor,
            "live"
        );
        lock(&self.refused).remove(&*name);
        let package = Arc::new(package);
        self.packages.rcu(|packages| {
            let mut packages = Packages::clone(packages);
            packages.put(package.clone());
            packages
        });
    }

    /// The last good version before this package's, if it can still run.
    pub async fn previous(&self, package: &Package) -> Option<Arc<Version>> {
        let load = async {
            let digest = package.fallback.clone()?;
            let shelf = self.shelf.clone();
            let wanted = digest.clone();
            let read = blocking(move || shelf.component(&wanted).map_err(|error| error.to_string()));
            let loaded = async {
                let component = read.await??;
                preflight::examine(&component, &digest)?.check(
                    &package.manifest.grants,
                    &digest,
                    package::MANIFEST,
                )?;
                self.load(digest.clone(), component, &package.manifest).await
            };
            loaded
                .await
                .map(Arc::new)
                .inspect_err(|error| tracing::warn!(package = %package.name, error, "no earlier version to fall back on"))
                .ok()
        };
        package.previous.get_or_init(|| load).await.clone()
    }

    pub fn list(&self) -> Vec<PackageStatus> {
        let refused = lock(&self.refused).clone();
        let packages = self.packages.load();
        let mut list: BTreeMap<String, PackageStatus> = packages
            .iter()
            .map(|package| {
                let status = PackageStatus {
                    package: package.name.to_string(),
                    digest: package.brain.as_ref().map(|version| version.digest.clone()),
                    personality_version: package.personality.as_ref().map(|layer| layer.version.clone()),
                    live_since: Some(package.live_since),
                    refused: None,
                    tenant: package.tenant,
                    earlier: package.earlier.clone(),
                };
                (status.package.clone(), status)
            })
            .collect();
        for (name, reason) in refused {
            let status = list.entry(name.clone()).or_insert_with(|| PackageStatus {
                tenant: manifest::tenant_of(&name),
                package: name,
                digest: None,
                personality_version: None,
                live_since: None,
                refused: None,
                earlier: Vec::new(),
            });
            status.refused = Some(reason);
        }
        list.into_values().collect()
    }

    pub fn refusal(&self, name: &str) -> Option<Shown> {
        lock(&self.refused).get(name).cloned()
    }
}

/// A directory's name that can be a package's: it becomes part of other files' names.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fits)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing under these locks can leave them half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work that blocks, away from the threads that run turns. A panic there is an error here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("a worker failed: {error}"))
}
