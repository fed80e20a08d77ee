//! One road for every package, whether it was dropped into the plugins directory or uploaded: read,
//! build (preflight, compile, selftest), swap. A package that does not get to the end leaves the one
//! that runs untouched. One deployment of a package at a time; turns never wait for one. At a start,
//! what was compiled before goes live at once, and the rest is landed like anything that is dropped.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, OwnedMutexGuard};

use super::cache::Cache;
use super::compiler::{self, Compiler, Lane};
use super::engine::{Engine, Version};
use super::manifest;
use super::package::{self, Component, Files, Package, Packages, Stamp};
use super::shelf::{self, Entry, Shelf};
use super::{PackageStatus, Settings, preflight};
use crate::clock;
use crate::glyph::Shown;
use crate::message::{TenantId, Timestamp};
use compiled::Coming;
use upload::Room;

mod build;
mod compiled;
mod stand_in;
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
    compiler: Arc<Compiler>,
    /// Packages whose component is being compiled, or waits to be, and since when.
    making: Mutex<BTreeMap<String, Timestamp>>,
    /// What is being built, so that its compiled code is not swept away meanwhile.
    coming: Mutex<Vec<String>>,
    /// Held while a version is put on the shelf or the cache is swept.
    shelving: tokio::sync::Mutex<()>,
    /// What uploads hold.
    room: Mutex<Room>,
    brain_of: BrainOf,
    /// What runs has changed.
    pub changed: Notify,
}

/// On which terms a package is built.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub lane: Lane,
    /// Whose compiling it counts as.
    pub pays: Option<TenantId>,
    /// Else only what was compiled before is built.
    pub compile: bool,
}

impl Terms {
    /// Of what lies in the plugins directory: nobody asked for it just now.
    pub fn of_directory(name: &str) -> Self {
        let lane = manifest::tenant_of(name).map_or(Lane::Operator, Lane::Tenant);
        Terms { lane, pays: None, compile: true }
    }
}

/// Why a package was not built.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    #[error("{0}")]
    Wrong(String),
    #[error("{why}")]
    NotNow { why: String, retry_after: Duration },
    #[error("its compiled code is not there yet")]
    Uncompiled,
}

impl Obstacle {
    /// With the file that it is about.
    fn at(self, place: &str) -> Self {
        match self {
            Obstacle::Wrong(why) => Obstacle::Wrong(format!("{place}: {why}")),
            Obstacle::NotNow { why, retry_after } => {
                Obstacle::NotNow { why: format!("{place}: {why}"), retry_after }
            }
            Obstacle::Uncompiled => Obstacle::Uncompiled,
        }
    }
}

impl From<compiler::Failure> for Obstacle {
    fn from(failure: compiler::Failure) -> Self {
        match failure {
            compiler::Failure::Wrong(why) => Obstacle::Wrong(why),
            compiler::Failure::NotNow { why, retry_after } => Obstacle::NotNow { why, retry_after },
        }
    }
}

impl From<String> for Obstacle {
    fn from(reason: String) -> Self {
        Obstacle::Wrong(reason)
    }
}

/// A package that passed, with the component it was made of.
pub struct Built {
    pub package: Package,
    component: Option<Component>,
    /// What its texts were read from.
    texts: Files,
    checked: Vec<String>,
}

impl Deployer {
    pub fn open(settings: Settings, engine: Arc<Engine>, brain_of: BrainOf) -> io::Result<Self> {
        let cache = Cache::open(settings.cache.join("compiled"), engine.wasmtime())?;
        let compiler = Compiler::new(
            engine.clone(),
            settings.program.clone(),
            settings.compiling.clone(),
            cache.clone(),
        );
        let shelf = Shelf::open(settings.cache.join(shelf::DIRECTORY))?;
        Ok(Deployer {
            settings,
            engine,
            cache,
            shelf,
            packages: ArcSwap::default(),
            refused: Mutex::default(),
            seen: Mutex::default(),
            landing: Mutex::default(),
            compiler,
            making: Mutex::default(),
            coming: Mutex::default(),
            shelving: tokio::sync::Mutex::default(),
            room: Mutex::default(),
            brain_of,
            changed: Notify::new(),
        })
    }

    /// The right to deploy one package.
    async fn landing(&self, name: &str) -> OwnedMutexGuard<()> {
        let of_package = lock(&self.landing).entry(name.to_owned()).or_default().clone();
        of_package.lock_owned().await
    }

    /// Lands everything that was compiled before; what cannot be landed is listed as refused. Of the rest
    /// the texts are there at once, and the brain when [`Deployer::land`] has landed it.
    pub async fn land_compiled(&self) -> io::Result<()> {
        for name in self.directories()? {
            match self.land_one(&name, Terms { compile: false, ..Terms::of_directory(&name) }).await {
                Ok(()) => {}
                Err(Obstacle::Uncompiled) => {
                    lock(&self.making).insert(name, clock::now());
                }
                Err(obstacle) => self.refuse(&name, obstacle.to_string()),
            }
        }
        self.sweep().await;
        Ok(())
    }

    /// Lands what the start left to be compiled.
    pub async fn land_rest(&self) {
        for name in self.directories().unwrap_or_default() {
            if lock(&self.making).contains_key(&name)
                && let Err(obstacle) = self.land(&name).await
            {
                self.refuse(&name, obstacle.to_string());
            }
        }
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
    pub async fn land(&self, name: &str) -> Result<(), Obstacle> {
        let landed = self.land_one(name, Terms::of_directory(name)).await;
        lock(&self.making).remove(name);
        self.sweep().await;
        landed
    }

    async fn land_one(&self, name: &str, terms: Terms) -> Result<(), Obstacle> {
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
        match self.build_from(name, directory, stamp, terms).await {
            Ok((built, _coming)) => {
                lock(&self.seen).insert(name.to_owned(), stamp);
                self.go_live(built, DROPPED, None).await;
                Ok(())
            }
            Err(Obstacle::Uncompiled) => Err(Obstacle::Uncompiled),
            Err(obstacle) => {
                // What stands in may have to be compiled first, too.
                self.stand_in(name, terms, &obstacle).await?;
                lock(&self.seen).insert(name.to_owned(), stamp);
                Err(obstacle)
            }
        }
    }

    async fn build_from(
        &self,
        name: &str,
        directory: PathBuf,
        stamp: Stamp,
        terms: Terms,
    ) -> Result<(Built, Coming<'_>), Obstacle> {
        let again = directory.clone();
        let files = blocking(move || Files::read(&directory)).await??;
        // What is not compiled yet counts as not seen yet.
        if terms.compile {
            lock(&self.seen).insert(name.to_owned(), stamp);
        }
        if Stamp::of(&again) != stamp {
            return Err(format!("{name}: the files changed while they were read").into());
        }
        let coming = Coming::new(&self.coming, &files);
        let prepared = self.prepare(name, files).await?;
        if !terms.compile && prepared.package.tenant.is_none() {
            self.publish(prepared.texts());
        }
        Ok((self.build(prepared, terms).await?, coming))
    }

    fn publish(&self, package: Package) {
        let package = Arc::new(package);
        self.packages.rcu(|packages| {
            let mut packages = Packages::clone(packages);
            packages.put(package.clone());
            packages
        });
        self.changed.notify_waiters();
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
            None => {
                tracing::error!(package = name, %reason, "refused");
                // Of one that was still to be compiled only the texts were there.
                if manifest::tenant_of(name).is_none() {
                    self.remove(name);
                }
            }
        }
    }

    /// Was it there?
    fn remove(&self, name: &str) -> bool {
        let before = self.packages.rcu(|packages| {
            let mut packages = Packages::clone(packages);
            packages.remove(name);
            packages
        });
        self.changed.notify_waiters();
        before.get(name).is_some()
    }

    fn forget(&self, name: &str) {
        lock(&self.refused).remove(name);
        lock(&self.seen).remove(name);
        if self.remove(name) {
            if name.starts_with("tenant-") {
                tracing::warn!(
                    package = name,
                    "gone from the plugins directory; the shared package answers for its tenant now"
                );
            } else {
                tracing::warn!(
                    package = name,
                    "gone from the plugins directory; its tenants have no brain now"
                );
            }
        }
    }

    /// `withdrawn`: the version that ran until now and is no good.
    async fn go_live(&self, built: Built, actor: &str, withdrawn: Option<String>) {
        let Built { mut package, component, texts, .. } = built;
        let name = package.name.clone();
        let (shelf, of) = (self.shelf.clone(), name.clone());
        let kept = blocking(move || shelf.put_good(&of, &texts).map_err(|error| error.to_string())).await;
        if let Err(error) = kept.and_then(|kept| kept) {
            tracing::warn!(package = %name, error, "the texts could not be kept for when their files are damaged");
        }
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
                let list = shelf.put(&list_of, entry, &component.bytes, withdrawn.as_deref());
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
        self.publish(package);
    }

    /// The last good version before this package's, if it can still run. One whose compiled code is
    /// gone, as after an upgrade, is there for a later turn: this one does not wait for it.
    pub async fn previous(self: &Arc<Self>, package: &Package) -> Option<Arc<Version>> {
        let digest = package.fallback.clone()?;
        let told = |obstacle: Obstacle| {
            if matches!(obstacle, Obstacle::Uncompiled) {
                self.compile_again(package, &digest);
            }
            tracing::warn!(package = %package.name, error = %obstacle, "no earlier version to fall back on");
        };
        let load = async || {
            let shelf = self.shelf.clone();
            let wanted = digest.clone();
            let read = blocking(move || shelf.component(&wanted).map_err(|error| error.to_string()));
            let component = Component { bytes: read.await??.into(), digest: digest.clone() };
            preflight::examine(&component.bytes, &digest)?.check(
                &package.manifest.grants,
                &digest,
                package::MANIFEST,
            )?;
            let terms = Terms { compile: false, ..Terms::of_directory(&package.name) };
            let loaded = self.load(&package.name, &component, &package.manifest, terms, None);
            Ok(Arc::new(loaded.await?.0))
        };
        match package.previous.get_or_try_init(load).await {
            Ok(version) => Some(version.clone()),
            Err(obstacle) => {
                told(obstacle);
                None
            }
        }
    }

    fn compile_again(self: &Arc<Self>, package: &Package, digest: &str) {
        let (this, name, digest) = (self.clone(), package.name.clone(), digest.to_owned());
        let manifest = package.manifest.clone();
        tokio::spawn(async move {
            let Ok(bytes) = this.shelf.component(&digest) else { return };
            let component = Component { bytes: bytes.into(), digest };
            let terms = Terms::of_directory(&name);
            if let Err(error) = this.load(&name, &component, &manifest, terms, None).await {
                tracing::warn!(package = %name, %error, "an earlier version cannot be compiled");
            }
        });
    }

    pub fn list(&self) -> Vec<PackageStatus> {
        let (refused, making) = (lock(&self.refused).clone(), lock(&self.making).clone());
        let packages = self.packages.load();
        let mut list: BTreeMap<String, PackageStatus> = BTreeMap::new();
        for package in packages.iter() {
            let live = package.brain.is_some() || package.tenant.is_some();
            let status = status(&mut list, &package.name);
            status.digest = package.brain.as_ref().map(|version| version.digest.clone());
            status.personality_version = package.personality.as_ref().map(|layer| layer.version.clone());
            status.live_since = live.then_some(package.live_since);
            status.earlier.clone_from(&package.earlier);
        }
        for (name, reason) in refused {
            status(&mut list, &name).refused = Some(reason);
        }
        for (name, since) in making {
            status(&mut list, &name).compiling_since = Some(since);
        }
        list.into_values().collect()
    }

    /// Since when a package's component is being compiled, or waits to be.
    pub fn compiling_since(&self, name: &str) -> Option<Timestamp> {
        lock(&self.making).get(name).copied()
    }

    pub fn refusal(&self, name: &str) -> Option<Shown> {
        lock(&self.refused).get(name).cloned()
    }
}

fn status<'l>(list: &'l mut BTreeMap<String, PackageStatus>, name: &str) -> &'l mut PackageStatus {
    list.entry(name.to_owned()).or_insert_with(|| PackageStatus {
        package: name.to_owned(),
        digest: None,
        personality_version: None,
        live_since: None,
        compiling_since: None,
        refused: None,
        tenant: manifest::tenant_of(name),
        earlier: Vec::new(),
    })
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
