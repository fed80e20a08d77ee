//! What a gateway does beside the way of a message, by the clock: it prunes, compacts, backs up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::backup::{self, By, Places};
use crate::brain::Brains;
use crate::clock;
use crate::config::Config;
use crate::message::TenantId;
use crate::metrics::Metrics;
use crate::repeats;
use crate::store::housekeeping::Housekeeping;
use crate::store::packages::{OwnPackage, OwnPackages};
use crate::store::upkeep::{StoreFile, Upkeep};
use crate::store::wakes::Waking;
use crate::store::{self, Retention};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Pruned in slices of this many, so that no message waits long behind housekeeping.
const PRUNE_SLICE: usize = 2_000;

/// Says once a minute what strangers would have had said for each of their tries.
pub async fn sum_up(metrics: Arc<Metrics>) {
    loop {
        tokio::time::sleep(repeats::EVERY).await;
        metrics.repeats.sum_up();
    }
}

/// What pruning asks of the store.
pub trait PruneStore: Housekeeping + Upkeep + Waking {}

impl<T: Housekeeping + Upkeep + Waking> PruneStore for T {}

/// Removes what is past its time, and what tenants keep beyond their quotas, a slice at a time, for as
/// long as the gateway runs.
pub async fn prune(store: Arc<dyn PruneStore>, retention: Retention) {
    loop {
        let slice = async {
            let removed = store.prune(retention, clock::now(), PRUNE_SLICE).await?;
            Ok::<_, store::Error>(removed.max(store.trim(PRUNE_SLICE).await?))
        };
        let pause = match slice.await {
            // A full slice: there is more, and what else is to be written comes in between.
            Ok(done) if done >= PRUNE_SLICE => Duration::ZERO,
            Ok(_) => Duration::from_secs(60),
            Err(error) => {
                tracing::warn!(%error, "what is past its time or beyond a quota could not be removed; trying again");
                Duration::from_secs(60)
            }
        };
        if pause.is_zero() {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = store.wakes().trims.notified() => {}
        }
    }
}

/// Nothing was written for so long.
const QUIET: Duration = Duration::from_secs(30);

/// Less is not worth it.
const WORTH_BYTES: u64 = 64 << 20;

/// Gives back to the disk what the file does not need, in the hour that is named for it, when nobody waits
/// and it is worth it.
pub async fn compact(store: Arc<dyn Upkeep>, file: Arc<dyn StoreFile>, config: Arc<Config>) {
    let settings = &config.store;
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let hour = clock::now().as_ms().rem_euclid(DAY_MS) / HOUR_MS;
        if hour != i64::from(settings.compact_hour) || !store.is_idle(QUIET) {
            continue;
        }
        let Ok(bytes) = file.file_bytes().await else { continue };
        let most = settings.compact_at_most_bytes;
        let small = most == 0 || bytes.bytes <= most;
        if !small || bytes.spare < WORTH_BYTES.max(bytes.bytes / 4) {
            continue;
        }
        if let Err(error) = file.compact().await {
            tracing::warn!(%error, "the store's file could not be compacted; trying again");
        }
        // What it could not give back now it cannot in a minute.
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// How often it is looked whether the packages are as they were, beside whenever they change.
const PACKAGES: Duration = Duration::from_secs(60);

/// Keeps in the store which tenants have a package of their own, and says at the start which of them are
/// missing. What is taken away while this runs is taken away on purpose.
pub async fn remember_packages(store: Arc<dyn OwnPackages>, brains: Arc<Brains>) {
    let (mut had, mut told) = (HashMap::new(), HashSet::new());
    loop {
        let changed = brains.changed(PACKAGES);
        if let Err(error) = remember(&*store, &brains, &mut had, &mut told).await {
            tracing::warn!(%error, "which tenants have a package of their own could not be kept; trying again");
        }
        changed.await;
    }
}

/// `had`: the packages of this process, with what they held last. `told`: who was said to lack one.
async fn remember(
    store: &dyn OwnPackages,
    brains: &Brains,
    had: &mut HashMap<TenantId, OwnPackage>,
    told: &mut HashSet<TenantId>,
) -> store::Result<()> {
    let (known, here) = (store.own_packages().await?, brains.list());
    let missing: HashMap<TenantId, &str> = backup::missing(&known, &here).into_iter().collect();
    for (tenant, what) in &missing {
        let held_brain = had.get(tenant).is_some_and(|own| own.brain.is_some());
        let on_purpose = held_brain || (had.contains_key(tenant) && known[tenant].brain.is_none());
        if !on_purpose && told.insert(*tenant) {
            tracing::error!(
                %tenant,
                what,
                "a tenant's own package is missing: its contacts are answered by another brain, or by none"
            );
        }
        if on_purpose {
            let left = here.iter().find(|status| status.tenant == Some(*tenant)).and_then(backup::remembered);
            store.put_own_package(*tenant, left).await?;
            had.remove(tenant);
        }
    }
    for status in &here {
        let (Some(tenant), Some(own)) = (status.tenant, backup::remembered(status)) else { continue };
        if missing.contains_key(&tenant) {
            continue;
        }
        told.remove(&tenant);
        if known.get(&tenant) != Some(&own) {
            store.put_own_package(tenant, Some(own.clone())).await?;
        }
        had.insert(tenant, own);
    }
    Ok(())
}

/// Backs up every so often and keeps the newest few.
pub async fn back_up(file: Arc<dyn StoreFile>, config: Arc<Config>) {
    if config.backup.every_hours == 0 {
        // Off.
        return std::future::pending().await;
    }
    let every = Duration::from_secs(u64::from(config.backup.every_hours) * 3600);
    let backups = config.backups();
    loop {
        tokio::time::sleep(backup::due_in(&backups, every)).await;
        let to = backups.join(backup::file_name(clock::now(), By::Clock));
        match backup::make(&*file, Places::of(&config), config.backup.files, &to).await {
            Ok(made) => {
                let (file, bytes, packages) = (made.file.display(), made.bytes, made.packages);
                tracing::info!(%file, bytes, packages, "backed up");
                backup::keep_newest(&backups, By::Clock, config.backup.keep);
            }
            Err(error) => tracing::error!(%error, "the backup failed; trying again in ten minutes"),
        }
        // Also where the disk's clock says that it is due at once.
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}
