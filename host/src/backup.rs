//! Backups: the store and what tenants uploaded beside it, in one file.
//!
//! ```text
//! switchboard.redb              the store, as of one moment
//! plugins/PACKAGE/FILE          packages: brains, texts, schemas, as of then or later
//! versions/FILE                 earlier versions of brains, to go back to
//! media/TENANT/HANDLE           files, where they are wanted
//! contents.json                 what is in it, with a digest of each; last, so that a cut file is found out
//! ```
//!
//! It is a tar, so that anybody can look into one. The store lies in it as it is: it is written, verified and
//! checked there, without a second copy. The keys of secrets are never in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::brain::{PackageStatus, kept};
use crate::clock;
use crate::config::Config;
use crate::message::{TenantId, Timestamp};
use crate::store::embedded::backup::STORE;
use crate::store::packages::OwnPackage;

mod draft;
mod put_back;
mod restoring;
mod write;

pub use put_back::{Failed, Outcome, restore};
pub use restoring::refuse_half_restored;
pub use write::{Made, make};

/// Where everything lies that a backup is made of.
#[derive(Clone, Debug)]
pub struct Places {
    pub data: PathBuf,
    pub store: PathBuf,
    pub plugins: PathBuf,
    pub versions: PathBuf,
    pub media: PathBuf,
}

impl Places {
    pub fn of(config: &Config) -> Self {
        Places {
            data: config.data.clone(),
            store: config.data.join(STORE),
            plugins: config.plugins.clone(),
            versions: kept::versions(&config.brains_dir()),
            media: config.media_dir(),
        }
    }
}

/// The last entry of a backup.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    format: u32,
    program: String,
    made_at: String,
    /// Are files in it that contacts sent and tenants uploaded?
    files: bool,
    /// What could not be read when it was made.
    left_out: Vec<String>,
    /// Of every entry but the store, which has its own, and this one.
    sha256: BTreeMap<String, String>,
}

const FORMAT: u32 = 1;
const CONTENTS: &str = "contents.json";

/// What an entry of a backup is. There are no others.
#[derive(Debug, PartialEq, Eq)]
enum Inside<'n> {
    Store,
    Package(&'n str, &'n str),
    Version(&'n str),
    File(TenantId, &'n str),
    Contents,
}

impl<'n> Inside<'n> {
    /// Only names that we write ourselves are read, so that no entry leads anywhere else.
    fn parse(name: &'n str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        match parts[..] {
            [STORE] => Some(Inside::Store),
            [CONTENTS] => Some(Inside::Contents),
            ["plugins", package, file] if kept::is_file(package, file) => {
                Some(Inside::Package(package, file))
            }
            ["versions", file] if kept::version(file).is_some() => Some(Inside::Version(file)),
            ["media", tenant, handle] if crate::channel::media::is_handle(handle) => {
                let tenant = tenant.parse().ok().and_then(TenantId::new)?;
                Some(Inside::File(tenant, handle))
            }
            _ => None,
        }
    }
}

/// The tenants whose own package was there and is not any more, and what of it.
pub fn missing(
    known: &BTreeMap<TenantId, OwnPackage>,
    here: &[PackageStatus],
) -> Vec<(TenantId, &'static str)> {
    let lacks = |tenant: TenantId, own: &OwnPackage| {
        let Some(status) = here.iter().find(|status| status.tenant == Some(tenant)) else {
            return Some("its own package is not in the plugins directory any more");
        };
        // One that is refused or being compiled has its files.
        let without = status.digest.is_none() && status.refused.is_none() && status.compiling_since.is_none();
        (without && own.brain.is_some()).then_some("its own package has no brain.wasm any more")
    };
    known.iter().filter_map(|(tenant, own)| Some((*tenant, lacks(*tenant, own)?))).collect()
}

/// What the store is to remember of a package, as soon as it is known how it fares.
pub fn remembered(status: &PackageStatus) -> Option<OwnPackage> {
    let settled = status.refused.is_none() && status.compiling_since.is_none();
    settled.then(|| OwnPackage { brain: status.digest.clone() })
}

/// Who made a backup decides how long it is kept: many by hand must not push out those by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Clock,
    Hand,
}

impl By {
    fn end(self) -> &'static str {
        match self {
            By::Clock => ".tar",
            By::Hand => "-by-hand.tar",
        }
    }
}

/// What a backup is called: named by their time, they sort by it.
pub fn file_name(now: Timestamp, by: By) -> String {
    format!("switchboard-{}{}", stamp(now), by.end())
}

fn stamp(at: Timestamp) -> String {
    at.to_string().replace(['-', ':', '.'], "")
}

/// Those named by [`file_name`], oldest first. Those that are named after a time which has not come, because the
/// clock was wrong then or is now, are left alone until it has: they would pass for the newest.
fn backups(directory: &Path, by: By) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let now = stamp(clock::now());
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stamp = name.strip_prefix("switchboard-").and_then(|rest| rest.strip_suffix(by.end()));
        let is_one = |stamp: &str| stamp.bytes().all(|byte| byte.is_ascii_alphanumeric()) && *stamp <= *now;
        stamp.is_some_and(is_one)
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(ours).collect();
    paths.sort();
    paths
}

/// How long until the next backup is due, if the newest by the clock is to be no older than `every`. At once
/// where there is none.
pub fn due_in(directory: &Path, every: Duration) -> Duration {
    let newest = backups(directory, By::Clock).pop();
    newest.and_then(|newest| age_of(&newest)).map_or(Duration::ZERO, |age| every.saturating_sub(age))
}

/// Of the newest, whoever made it; `None`: there is none.
pub fn age(directory: &Path) -> Option<Duration> {
    let newest = [By::Clock, By::Hand].map(|by| backups(directory, by).pop());
    newest.into_iter().flatten().filter_map(|backup| age_of(&backup)).min()
}

/// A disk's clock may be so much ahead of ours.
const AHEAD: Duration = Duration::from_secs(600);

fn age_of(backup: &Path) -> Option<Duration> {
    let made = backup.metadata().ok()?.modified().ok()?;
    match made.elapsed() {
        Ok(age) => Some(age),
        // Another machine's disk has its own clock.
        Err(ahead) if ahead.duration() < AHEAD => Some(Duration::ZERO),
        // Of one from a time that has not come it is not known.
        Err(_) => None,
    }
}

/// Removes all but the newest `keep` of those made so. Files with other names are nobody's business here.
pub fn keep_newest(directory: &Path, by: By, keep: usize) {
    for old in backups(directory, by).iter().rev().skip(keep) {
        if let Err(error) = std::fs::remove_file(old) {
            tracing::warn!(file = %old.display(), %error, "an old backup could not be removed");
        }
    }
}

/// Removes the halves of backups that a process before this one did not come to the end of. Whoever has the
/// store to itself may do so: nobody else writes backups of it there.
pub fn remove_unfinished(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().contains(draft::UNFINISHED) {
            continue;
        }
        let file = entry.path();
        match std::fs::remove_file(&file) {
            Ok(()) => tracing::info!(file = %file.display(), "removed a backup that was not finished"),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a backup that was not finished cannot be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_by_hand_push_out_none_by_the_clock() {
        let directory = tempfile::tempdir().expect("a directory");
        let make = |day: i64, by: By| {
            let name = file_name(Timestamp::from_ms(day * 86_400_000), by);
            std::fs::write(directory.path().join(name), "x").expect("written");
        };
        (0..9).for_each(|day| make(day, By::Clock));
        (0..9).for_each(|day| make(day, By::Hand));
        std::fs::write(directory.path().join("switchboard-mine.tar.old"), "x").expect("written");
        keep_newest(directory.path(), By::Hand, 3);
        assert_eq!(
            (backups(directory.path(), By::Clock).len(), backups(directory.path(), By::Hand).len()),
            (9, 3)
        );
        keep_newest(directory.path(), By::Clock, 7);
        let left = backups(directory.path(), By::Clock);
        assert_eq!((left.len(), backups(directory.path(), By::Hand).len()), (7, 3));
        assert!(left[6].ends_with(file_name(Timestamp::from_ms(8 * 86_400_000), By::Clock)));
        assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 11);
    }

    #[test]
    fn one_from_a_time_that_has_not_come_is_neither_the_newest_nor_in_the_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let (now, day) = (clock::now(), 86_400_000);
        for at in [now.plus_ms(-2 * day), now.plus_ms(-day), now.plus_ms(day)] {
            std::fs::write(directory.path().join(file_name(at, By::Clock)), "x").expect("written");
        }
        keep_newest(directory.path(), By::Clock, 1);
        let left: Vec<_> = backups(directory.path(), By::Clock);
        assert_eq!(left, [directory.path().join(file_name(now.plus_ms(-day), By::Clock))]);
        assert!(directory.path().join(file_name(now.plus_ms(day), By::Clock)).exists(), "left alone");
        let ahead = std::time::SystemTime::now() + Duration::from_secs(86_400);
        std::fs::File::open(&left[0]).and_then(|file| file.set_modified(ahead)).expect("its time is set");
        assert_eq!(age(directory.path()), None, "not known");
        assert_eq!(due_in(directory.path(), Duration::from_secs(60)), Duration::ZERO);
    }

    #[test]
    fn no_entry_leads_anywhere_else() {
        let handle = format!("file-{}", "0".repeat(32));
        let file = format!("media/2/{handle}");
        assert_eq!(Inside::parse(&file), Some(Inside::File(TenantId::from_stored(2), &handle)));
        assert_eq!(
            Inside::parse("plugins/tenant-2/brain.wasm"),
            Some(Inside::Package("tenant-2", "brain.wasm"))
        );
        for name in [
            "",
            "/etc/passwd",
            "../switchboard.redb",
            "./switchboard.redb",
            "plugins/../../etc/brain.wasm",
            "plugins/../brain.wasm",
            "plugins/tenant-2/../../x",
            "plugins/tenant-2/other",
            "plugins//brain.wasm",
            "/plugins/tenant-2/brain.wasm",
            "versions/../x.json",
            "media/2/../x",
            "media/../../x",
            "media/0/file-1",
            "secret.key",
        ] {
            assert_eq!(Inside::parse(name), None, "{name:?}");
        }
    }
}
