//! Follows the plugins directory. The kernel tells that something changed, a timer finds what it did
//! not tell, and a package is landed when its files have stood still for a moment. What does not
//! build while it was changed a moment ago may be half-written: it is given a second before it is
//! called refused. Several packages are landed at the same time, so that one that is compiled for
//! long keeps no other.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::deploy::{Deployer, Obstacle, is_name};
use super::manifest::tenant_of;
use super::package::{FILES, Stamp};

/// Texts are written in one go; compilers write for longer.
const TEXT_SETTLES: Duration = Duration::from_millis(50);
const COMPONENT_SETTLES: Duration = Duration::from_millis(150);

/// So long a package that does not build may still be half-written.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// How often packages that change are looked at, and how often all are.
const LOOK: Duration = Duration::from_millis(20);
const SCAN: Duration = Duration::from_secs(2);

/// So many packages are landed at the same time; each holds its component in memory.
const LANDING: usize = 8;

/// A package whose files changed.
struct Pending {
    stamp: Stamp,
    /// Since when it looks like this.
    since: Instant,
    state: State,
}

/// How far it has come.
enum State {
    /// Its files may still change.
    Settling,
    Landing,
    /// Why it did not build as it looks now.
    Failed(String),
    /// Nothing is wrong with it, as far as is known.
    Again(Instant),
}

/// A package on its way, which comes back with its name.
type Landing<'d> = BoxFuture<'d, (String, Result<(), Obstacle>)>;

/// Names of packages that the kernel told of.
#[derive(Default)]
struct Told {
    names: Mutex<HashSet<String>>,
    wake: Notify,
}

/// Runs until dropped.
pub async fn watch(deployer: &Deployer) {
    let told = Arc::new(Told::default());
    let mut watcher = Watched::new(&deployer.settings.plugins, told.clone());
    let mut pending = HashMap::new();
    let mut landing: FuturesUnordered<Landing<'_>> = FuturesUnordered::new();
    let mut scanned = Instant::now();
    watcher.follow();
    scan(deployer, &mut pending);
    loop {
        let settling = pending.values().any(|waiting| !matches!(waiting.state, State::Landing));
        let pause = if settling { LOOK } else { SCAN.saturating_sub(scanned.elapsed()) };
        tokio::select! {
            () = told.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
            Some((name, landed)) = landing.next() => ended(deployer, &mut pending, name, landed),
        }
        let names = std::mem::take(&mut *told.names.lock().unwrap_or_else(PoisonError::into_inner));
        if !names.is_empty() {
            watcher.follow();
        }
        for name in names {
            note(deployer, &mut pending, name);
        }
        if scanned.elapsed() >= SCAN {
            scanned = Instant::now();
            watcher.follow();
            scan(deployer, &mut pending);
        }
        settle(deployer, &mut pending, &mut landing);
    }
}

/// Compares every package with how it was last landed or refused.
fn scan(deployer: &Deployer, pending: &mut HashMap<String, Pending>) {
    let mut names: HashSet<String> = match deployer.directories() {
        Ok(names) => names.into_iter().collect(),
        Err(error) => {
            let plugins = deployer.settings.plugins.display();
            tracing::error!(%plugins, %error, "the plugins directory cannot be read, every brain stays as it is");
            return;
        }
    };
    names.extend(deployer.packages.load().iter().map(|package| package.name.to_string()));
    for name in names {
        note(deployer, pending, name);
    }
}

fn note(deployer: &Deployer, pending: &mut HashMap<String, Pending>, name: String) {
    if pending.contains_key(&name) {
        return;
    }
    let stamp = Stamp::of(&deployer.settings.plugins.join(&name));
    if stamp != deployer.seen(&name) {
        pending.insert(name, Pending { stamp, since: Instant::now(), state: State::Settling });
    }
}

/// Begins to land what has stood still for long enough. A tenant's own package lies on another, which
/// therefore comes first.
fn settle<'d>(
    deployer: &'d Deployer,
    pending: &mut HashMap<String, Pending>,
    landing: &mut FuturesUnordered<Landing<'d>>,
) {
    let mut names: Vec<String> = pending.keys().cloned().collect();
    names.sort_by_key(|name| (tenant_of(name).is_some(), name.clone()));
    for name in names {
        let Some(waiting) = pending.get_mut(&name) else { continue };
        if matches!(waiting.state, State::Landing) {
            continue;
        }
        let stamp = Stamp::of(&deployer.settings.plugins.join(&name));
        if stamp != waiting.stamp {
            *waiting = Pending { stamp, since: Instant::now(), state: State::Settling };
            continue;
        }
        let still = waiting.since.elapsed();
        match &waiting.state {
            State::Landing => continue,
            State::Failed(reason) => {
                if still >= PATIENCE {
                    deployer.refuse(&name, reason.clone());
                    pending.remove(&name);
                }
                continue;
            }
            State::Again(at) if *at > Instant::now() => continue,
            State::Again(_) | State::Settling => {}
        }
        if still >= settles(stamp, deployer.seen(&name)) && landing.len() < LANDING {
            waiting.state = State::Landing;
            landing.push(Box::pin(async move {
                let landed = deployer.land(&name).await;
                (name, landed)
            }));
        }
    }
}

/// How long files must have stood still.
fn settles(stamp: Stamp, seen: Stamp) -> Duration {
    // A directory that vanishes may be on its way back: a checkout, an rsync.
    if stamp.is_empty() {
        PATIENCE
    } else if stamp.other_component(&seen) {
        COMPONENT_SETTLES
    } else {
        TEXT_SETTLES
    }
}

fn ended(
    deployer: &Deployer,
    pending: &mut HashMap<String, Pending>,
    name: String,
    landed: Result<(), Obstacle>,
) {
    let Some(waiting) = pending.get_mut(&name) else { return };
    match landed {
        Ok(()) => {
            pending.remove(&name);
            // It may have changed meanwhile.
            note(deployer, pending, name);
        }
        Err(Obstacle::NotNow { why, retry_after }) => {
            deployer.refuse(&name, why);
            waiting.state = State::Again(Instant::now() + retry_after);
        }
        Err(obstacle) => waiting.state = State::Failed(obstacle.to_string()),
    }
}

/// The kernel's watch on the plugins directory and on each package in it, not on what lies below:
/// packages may bring their sources and whatever their compilers leave there.
struct Watched {
    watcher: Option<RecommendedWatcher>,
    /// The plugins directory, absolute: the kernel's word names absolute paths, and the configuration
    /// may not.
    root: PathBuf,
    /// With their inodes.
    directories: HashMap<String, u64>,
}

impl Watched {
    fn new(plugins: &Path, told: Arc<Told>) -> Self {
        let absolute = std::path::absolute(plugins).unwrap_or_else(|_| plugins.to_owned());
        let root = absolute.clone();
        let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            let mut names = told.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.extend(event.paths.iter().filter_map(|path| package_of(&root, path)));
            if !names.is_empty() {
                told.wake.notify_one();
            }
        })
        .and_then(|mut watcher| watcher.watch(&absolute, RecursiveMode::NonRecursive).map(|()| watcher));
        let watcher = made
            .inspect_err(|error| {
                tracing::warn!(
                    %error,
                    plugins = %plugins.display(),
                    every_s = SCAN.as_secs(),
                    "the kernel does not tell of changes in the plugins directory; they are looked for"
                );
            })
            .ok();
        Watched { watcher, root: absolute, directories: HashMap::new() }
    }

    /// Watches the directories that are there now. One that was replaced by another of the same name
    /// is watched anew: the kernel's watch went with the old one.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let plugins = &self.root;
        let entries = std::fs::read_dir(plugins).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let there: HashMap<String, u64> = names
            .filter(|name| is_name(name))
            .filter_map(|name| {
                let metadata = std::fs::metadata(plugins.join(&name)).ok().filter(Metadata::is_dir)?;
                Some((name, metadata.ino()))
            })
            .collect();
        for (name, inode) in &there {
            let before = self.directories.get(name);
            if before == Some(inode) {
                continue;
            }
            let path = plugins.join(name);
            if before.is_some() {
                // Fails where the kernel has dropped it already, which is as good.
                watcher.unwatch(&path).ok();
            }
            if let Err(error) = watcher.watch(&path, RecursiveMode::NonRecursive) {
                tracing::debug!(package = name, %error, "not watched; the timer finds its changes");
            }
        }
        self.directories = there;
    }
}

/// The package that a changed path belongs to; none for files that make no package.
fn package_of(plugins: &Path, path: &Path) -> Option<String> {
    let mut inside = path.strip_prefix(plugins).ok()?.components();
    let name = inside.next()?.as_os_str().to_str()?;
    let file = inside.next().map(|file| file.as_os_str());
    let concerns = file.is_none_or(|file| FILES.iter().any(|known| file == *known));
    (is_name(name) && concerns).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the working directory up to the root and down again.
    fn relative(path: &Path) -> PathBuf {
        let here = std::env::current_dir().expect("there is a working directory");
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        up.join(path.strip_prefix("/").expect("it is absolute"))
    }

    #[tokio::test]
    async fn the_kernel_tells_of_packages_below_a_relative_path() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("echo")).expect("a package");
        let told = Arc::new(Told::default());
        let mut watched = Watched::new(&relative(dir.path()), told.clone());
        watched.follow();
        std::fs::write(dir.path().join("echo/personality.toml"), "welcome = \"hi\"").expect("written");
        let woken = tokio::time::timeout(Duration::from_secs(10), told.wake.notified()).await;
        woken.expect("the kernel told of it");
        assert!(told.names.lock().expect("whole").contains("echo"));
    }
}
