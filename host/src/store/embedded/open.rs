//! Opening: whose file it is, whether it is sound and of our format, and how a new one is made.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableTable};

use super::batch::Fault;
use super::disk::{Disk, Maker};
use super::flaw::Flaw;
use super::opened::Shared;
use super::space::Space;
use super::tables::{FORMAT, create_all, define};
use super::verify::{check_format, file, verify, whatever_it_holds};
use super::writer::apply_now;
use super::{Settings, backup};
use crate::clock;
use crate::message::SenderName;
use crate::seal::{KeyId, Ring};
use crate::store::rules::{load, secrets};
use crate::store::shared::index::Index;

/// Why the store is not opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another gateway runs on this file: {}", path.display())]
    Locked { path: PathBuf },
    #[error("{} is damaged: {what}\n{advice}", path.display())]
    Damaged { path: PathBuf, what: String, advice: String },
    #[error("{} is of format {found}; this program reads formats up to {FORMAT}. Use the newer program.\n{advice}", path.display())]
    Newer { path: PathBuf, found: u32, advice: String },
    #[error("{} is of format {found}, of before the first release; this program reads format {FORMAT} alone. Use the program that wrote it, or begin anew with an empty data directory.\n{advice}", path.display())]
    Older { path: PathBuf, found: u32, advice: String },
    #[error("{}: the {field} of sender {sender} is sealed with key {key}, which is not here; here are: {}", path.display(), listed(here))]
    NoKey { path: PathBuf, sender: SenderName, field: &'static str, key: KeyId, here: Ring },
    #[error("{} cannot be opened", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The ids of keys.
fn listed(keys: &Ring) -> String {
    let ids: Vec<&str> = keys.keys().map(|key| key.id().as_str()).collect();
    if ids.is_empty() { "none".into() } else { ids.join(", ") }
}

/// A path as it can be typed.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Names the way back, for the errors.
fn advice(settings: &Settings) -> String {
    match backup::newest_good_backup(&settings.backups) {
        Some(backup) => format!(
            "The newest good backup is {}. To go back to it: switchboard restore {}{}",
            backup.display(),
            shell_word(&backup),
            settings.called
        ),
        None => format!("There is no good backup in {}.", settings.backups.display()),
    }
}

pub fn explain(flaw: Flaw, settings: &Settings) -> OpenError {
    let path = settings.path.clone();
    match flaw {
        Flaw::Locked => OpenError::Locked { path },
        Flaw::Io(source) => OpenError::Io { path, source },
        Flaw::NoKey { sender, field, key } => {
            OpenError::NoKey { path, sender, field, key, here: settings.keys.clone() }
        }
        Flaw::Damaged(what) => OpenError::Damaged { path, what, advice: advice(settings) },
        Flaw::Newer(found) => OpenError::Newer { path, found, advice: advice(settings) },
        Flaw::Older(found) => OpenError::Older { path, found, advice: advice(settings) },
    }
}

/// Does a process have the store of this file open?
pub fn is_held(path: &Path) -> bool {
    use std::ops::Bound::Unbounded;
    let Ok(backend) = file(path) else { return false };
    let held = matches!(backend.try_lock_range(Unbounded, Unbounded), Ok(false));
    // What was locked to find out is free again with the file in any case.
    let _ = backend.close();
    held
}

/// Makes sure that there is a file: a new one is finished under another name first, so that power
/// lost in between leaves none rather than half of one.
pub fn create(path: &Path) -> Result<(), Flaw> {
    if path.metadata().is_ok_and(|there| there.len() > 0) {
        return Ok(());
    }
    let make = || -> io::Result<()> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        let unfinished = path.with_extension("new");
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        drop(Database::create(&unfinished).map_err(io::Error::other)?);
        File::open(&unfinished)?.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        File::open(parent)?.sync_all()
    };
    make().map_err(Flaw::Io)
}

/// Opens, checks, and reads what is kept in memory.
pub fn open(settings: &Settings, make: Maker) -> Result<Arc<Shared>, Flaw> {
    if settings.verify {
        verify(&make)?;
    }
    whatever_it_holds(|| open_checked(settings, make))
}

fn open_checked(settings: &Settings, make: Maker) -> Result<Arc<Shared>, Flaw> {
    let disk = Disk::open(make, settings.cache_bytes)?;
    disk.with(check_format).transpose()?;
    let secret = prepare(&disk)?;
    let index = Arc::new(Index::new(settings.rules.clone(), settings.keys.clone(), secret));
    let snapshot = disk.snapshot().map_err(Fault::from)?;
    secrets::closed(&snapshot, &settings.keys)?.map_or(Ok(()), |closed| Err(Flaw::from(closed)))?;
    index.replace(load::load(&snapshot, &index, clock::now())?);
    let interrupted = load::interrupted(&snapshot)?;
    drop(snapshot);
    let shared = Arc::new(Shared {
        disk,
        space: Space::new(settings.reserve.clone()),
        index,
        path: settings.path.clone(),
    });
    if !interrupted.is_empty() {
        tracing::warn!(
            replies = interrupted.len(),
            "replies were being sent when the gateway stopped; whether they went out is unknown"
        );
        apply_now(&shared, move |batch| load::declare_unknown(batch, &interrupted, clock::now()))
            .map_err(Fault::from)?;
    }
    Ok(shared)
}

/// Gives a new file its tables, its format and its secret, and an older one the tables that came
/// after it; returns the secret.
fn prepare(disk: &Disk) -> Result<[u8; 32], Flaw> {
    let work = |database: &Database| -> Result<[u8; 32], redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        let meta = transaction.open_table(define::meta)?;
        let known = meta.get("secret")?.and_then(|row| row.value().first_chunk::<32>().copied());
        let formatted = meta.get("format")?.is_some();
        drop(meta);
        create_all(&transaction)?;
        if let Some(secret) = known.filter(|_| formatted) {
            transaction.commit()?;
            return Ok(secret);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| redb::Error::Io(io::Error::other(error.to_string())))?;
        let mut meta = transaction.open_table(define::meta)?;
        meta.insert("secret", secret.as_slice())?;
        meta.insert("format", FORMAT.to_be_bytes().as_slice())?;
        drop(meta);
        transaction.commit()?;
        Ok(secret)
    };
    match disk.with(work) {
        Some(secret) => secret.map_err(|error| Flaw::from(Fault::from(error))),
        None => Err(Flaw::Damaged("it was closed".into())),
    }
}

#[cfg(test)]
mod tests;
