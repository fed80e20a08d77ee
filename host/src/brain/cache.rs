//! Compiled brains on disk, by the component's digest and the engine's compatibility hash: what one
//! start compiled, the next one reads. A file is our own or it is not used: it begins with the
//! SHA-256 of the rest, so that a cut or damaged file is noticed, removed and compiled anew.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Begins every file; the digest and the code follow.
const MAGIC: &[u8; 8] = b"SWBRAIN1";
const HEADER: usize = 8 + 32;

/// The directory `compiled`.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    /// Other engines' code is not ours.
    compatibility: u64,
}

impl Cache {
    pub fn open(directory: PathBuf, engine: &Engine) -> io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        Ok(Cache { directory, compatibility: compatibility.finish() })
    }

    /// The component, where it was compiled before.
    pub fn find(&self, engine: &Engine, digest: &str) -> Option<Component> {
        deserialize(engine, &read(&self.path(digest))?).ok()
    }

    /// Keeps compiled code, durably.
    pub fn keep(&self, digest: &str, code: &[u8]) -> io::Result<()> {
        let proof: [u8; 32] = Sha256::digest(code).into();
        write_atomically(&self.path(digest), &[MAGIC, &proof, code])
    }

    /// Removes what belongs to none of these digests, or to another engine.
    pub fn keep_only(&self, digests: &[String]) {
        let wanted: Vec<PathBuf> = digests.iter().map(|digest| self.path(digest)).collect();
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if !wanted.contains(&entry.path()) {
                remove(&entry.path());
            }
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }
}

/// The code in a cache file; none where there is no file or it is not as it was written.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut file = std::fs::read(path).ok()?;
    let intact = file.len() > HEADER
        && file.starts_with(MAGIC)
        && Sha256::digest(&file[HEADER..]).as_slice() == &file[MAGIC.len()..HEADER];
    if !intact {
        tracing::warn!(path = %path.display(), "a damaged file of compiled code is removed and compiled anew");
        remove(path);
        return None;
    }
    Some(file.split_off(HEADER))
}

/// Code of our own that is held in memory.
pub fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "the engine's documented way to load its own compiled code")]
    // SAFETY: the bytes were made by `precompile_component`, either a moment ago in this process or in the
    // one that compiles for the gateway, which runs nothing of the component before it has handed them
    // over; they were written with their digest, which `read` has checked. The directory is the gateway's
    // own, as its executable is.
    unsafe {
        Component::deserialize(engine, code)
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file of the brains' cache could not be removed");
    }
}

/// Writes beside the file and renames: a reader sees the old file or the new one, whole. The name
/// beside begins with a dot, which the plugins watcher passes over.
pub fn write_atomically(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = directory.join(format!(".{name}.{}-{number}", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&beside)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The new name is durable with the directory.
        std::fs::File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        remove(&beside);
    }
    written
}
