//! The keys that senders' secrets are sealed with: read from their file and from the environment, made
//! at the first start, rotated and retired.
//!
//! The file has a line a key, in base64, with a comment behind it if one likes; the last one is the
//! current one. It is changed by writing another beside it and renaming, so that it is whole at any
//! time. What the environment gives comes after the file's keys. Each step of a rotation can be the
//! last one before the power goes: the next start, or the next `switchboard keys rotate`, ends it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::clock;
use crate::config::Config;
use crate::regular_file;
use crate::seal::{KEY_BYTES, Key, KeyId, NoKey, Ring};
use crate::store;
use crate::store::secrets::Secrets;

/// Where the environment may give keys, with commas between them.
pub const VARIABLE: &str = "SWITCHBOARD_SECRET_KEY";

/// Senders that are sealed anew in one commit.
const SLICE: usize = 128;

const HEADING: &str = "# Switchboard seals what its senders prove themselves by with these keys; the last one is the\n\
    # current one. Keep a copy elsewhere: without it the secrets in the store and in its backups are lost.\n";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {what}: {source}", path.display())]
    Io { path: PathBuf, what: &'static str, source: io::Error },
    #[error("{}: line {line} {source}", path.display())]
    Line { path: PathBuf, line: usize, source: NoKey },
    #[error("{VARIABLE}: part {part} {source}")]
    Variable { part: usize, source: NoKey },
    #[error("the system gives no random numbers: {0}")]
    NoRandomNumbers(getrandom::Error),
    #[error("the keys are being changed by somebody else at this moment")]
    Busy,
    #[error("the current key comes from the environment ({VARIABLE}) and is rotated there")]
    InEnvironment,
    #[error("there is none, where there was one")]
    Nothing,
    #[error("there is no key {0}")]
    NotFound(KeyId),
    #[error("key {0} is the current one")]
    Current(KeyId),
    #[error(transparent)]
    Store(#[from] store::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// The keys there are, and where they were looked for, for whoever misses one.
#[derive(Debug)]
pub struct Found {
    pub ring: Ring,
    pub told: String,
}

/// What a rotation came to.
#[derive(Debug)]
pub struct Rotation {
    pub current: KeyId,
    /// An earlier one had been broken off, and this one ended it instead of making yet another key.
    pub resumed: bool,
    /// Senders that were sealed anew.
    pub resealed: usize,
}

/// Reads the keys; none is no error.
pub fn read(config: &Config) -> Result<Found> {
    let path = config.key_file();
    let text = text_of(&path)?;
    let mut keys = match &text {
        Some(text) => parse(&path, text)?,
        None => Vec::new(),
    };
    let in_file = match (&text, keys.len()) {
        (None, _) => "is not there".to_owned(),
        (Some(_), found) => format!("holds {found} of them"),
    };
    let given = environment(config)?;
    let in_environment = match given.len() {
        0 => "is not set".to_owned(),
        found => format!("holds {found} of them"),
    };
    keys.extend(given);
    let told = format!(
        "keys are looked for in {}, which {in_file}, and in {VARIABLE}, which {in_environment}",
        path.display()
    );
    Ok(Found { ring: Ring::new(keys), told })
}

/// Room for hundreds of keys and their comments.
const KEYS_BYTES: usize = 64 << 10;

fn text_of(path: &Path) -> Result<Option<Zeroizing<String>>> {
    let failed = |source| Error::Io { path: path.to_owned(), what: "the keys cannot be read", source };
    let text = match regular_file::read_text(path, KEYS_BYTES) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = path.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others may read the keys of all secrets; chmod 600 it");
    }
    Ok(Some(text))
}

/// A line without its comment.
fn bare(line: &str) -> &str {
    line.split('#').next().unwrap_or("").trim()
}

fn parse(path: &Path, text: &str) -> Result<Vec<Key>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !bare(line).is_empty());
    lines
        .map(|(at, line)| {
            Key::parse(bare(line)).map_err(|source| Error::Line {
                path: path.to_owned(),
                line: at + 1,
                source,
            })
        })
        .collect()
}

fn environment(config: &Config) -> Result<Vec<Key>> {
    let given = config.secrets.keys.as_ref().map_or("", |keys| keys.expose());
    let parts = given.split(',').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(at, part)| Key::parse(part).map_err(|source| Error::Variable { part: at + 1, source }))
        .collect()
}

/// At every start: the first key is made where there is none, and what is in clear or sealed with an
/// old key is sealed with the current one.
pub async fn settle(config: &Config, store: &dyn Secrets, found: Ring) -> Result<()> {
    if found.current().is_none() {
        let ring = add(config)?;
        store.use_keys(ring).await?;
        tracing::warn!(
            file = %config.key_file().display(),
            "made the key that secrets are sealed with; keep a copy elsewhere: a backup without it \
             cannot be opened"
        );
    }
    let resealed = reseal(store).await?;
    if resealed > 0 {
        tracing::info!(senders = resealed, "sealed the secrets of senders with the current key");
    }
    Ok(())
}

/// Whether the keys are others now: how many there are. Nothing is made here, and a key that something is
/// sealed with is not let go.
pub async fn take_up(store: &dyn Secrets, found: Ring) -> Result<Option<usize>> {
    if found.current().is_none() {
        return Err(Error::Nothing);
    }
    let ids = |ring: &Ring| ring.keys().map(|key| key.id().clone()).collect::<Vec<_>>();
    if ids(&found) == ids(&store.keys()) {
        return Ok(None);
    }
    let count = found.keys().count();
    store.use_keys(found).await?;
    reseal(store).await?;
    Ok(Some(count))
}

async fn reseal(store: &dyn Secrets) -> Result<usize> {
    let mut resealed = 0;
    loop {
        match store.reseal(SLICE).await? {
            0 => return Ok(resealed),
            some => resealed += some,
        }
    }
}

/// Makes a new current key and seals everything with it, or ends a rotation that was broken off. The
/// old keys stay, for backups, until they are retired.
pub async fn rotate(config: &Config, store: &dyn Secrets) -> Result<Rotation> {
    let _held = hold(config)?;
    if config.secrets.keys.is_some() {
        return Err(Error::InEnvironment);
    }
    let found = read(config)?.ring;
    let current = found.current().map(|key| key.id().clone());
    let resumed = store.sealed().await?.keys().any(|id| *id != current);
    let ring = if resumed && current.is_some() { found } else { add(config)? };
    store.use_keys(ring.clone()).await?;
    let resealed = reseal(store).await?;
    let current = ring.current().map(|key| key.id().clone());
    Ok(Rotation { current: current.expect("a key was found or made"), resumed, resealed })
}

/// Forgets a key that seals nothing in the store any more. A backup that it seals opens no more.
pub async fn retire(config: &Config, store: &dyn Secrets, id: &KeyId) -> Result<()> {
    let _held = hold(config)?;
    let found = read(config)?.ring;
    if !found.keys().any(|key| key.id() == id) {
        return Err(Error::NotFound(id.clone()));
    }
    if found.current().is_some_and(|key| key.id() == id) {
        return Err(Error::Current(id.clone()));
    }
    if environment(config)?.iter().any(|key| key.id() == id) {
        return Err(Error::InEnvironment);
    }
    // The store first: it refuses while the key is in use, and from then on nothing can need it.
    store.use_keys(found.without(id)).await?;
    let path = config.key_file();
    let text = text_of(&path)?.unwrap_or_default();
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines() {
        if Key::parse(bare(line)).is_ok_and(|key| key.id() == id) {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    write(&path, &kept)
}

/// One change of the keys at a time, whoever makes it. Ends with the handle.
fn hold(config: &Config) -> Result<File> {
    let path = directory_of(&config.key_file()).to_owned();
    let failed = |source| Error::Io { path: path.clone(), what: "cannot be locked", source };
    let directory = File::open(&path).map_err(failed)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Busy),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Puts a new key behind the others; all of them.
fn add(config: &Config) -> Result<Ring> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::NoRandomNumbers)?;
    let key = Key::new(bytes);
    let path = config.key_file();
    let known = text_of(&path)?;
    let known = known.as_ref().map_or(HEADING, |text| text.as_str());
    let end = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
    let line = key.text();
    // Made at its full length: a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(known.len() + line.len() + 128));
    for part in [known, end, &line, "  # ", key.id().as_str(), ", made ", &clock::now().to_string(), "\n"] {
        text.push_str(part);
    }
    write(&path, &text)?;
    Ok(read(config)?.ring)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces the file as a whole.
fn write(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("key.unfinished");
    let work = || -> io::Result<()> {
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        File::open(directory_of(path))?.sync_all()
    };
    work().map_err(|source| Error::Io { path: path.to_owned(), what: "the keys cannot be written", source })
}
