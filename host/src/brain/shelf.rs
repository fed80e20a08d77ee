//! Earlier versions: components by digest, and per package a short list of what was live since when
//! and by whose hand. What a rollback returns to, and what answers when the newest version traps.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cache::write_atomically;
use super::package::{Files, PERSONALITY_BYTES};
use super::preflight::COMPONENT_BYTES;
use crate::message::Timestamp;
use crate::regular_file;

/// The live version and nine before it.
const KEPT: usize = 10;

/// What it is called in the cache of brains.
pub const DIRECTORY: &str = "versions";

/// A list of so many is far smaller.
const LIST_BYTES: usize = 1 << 20;

/// Three texts, written as JSON.
const GOOD_BYTES: usize = 8 * PERSONALITY_BYTES;

/// The directory `versions`.
#[derive(Clone, Debug)]
pub struct Shelf {
    directory: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub digest: String,
    pub live_since: Timestamp,
    /// `tenant 2`, `operator`, `plugins directory`.
    pub actor: String,
    /// Somebody went back from it, so it is not what stands in for the one after it.
    #[serde(default)]
    pub withdrawn: bool,
}

/// The texts of a package.
#[derive(Serialize, Deserialize)]
struct Good {
    manifest: Option<String>,
    personality: Option<String>,
    schema: Option<String>,
}

impl Shelf {
    pub fn open(directory: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        Ok(Shelf { directory })
    }

    /// Newest first. A list that cannot be read is an empty one: it is a convenience, and the package
    /// itself is in the plugins directory.
    pub fn list(&self, package: &str) -> Vec<Entry> {
        let path = self.list_path(package);
        let text = match regular_file::read(&path, LIST_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the list of earlier versions cannot be read");
                return Vec::new();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the list of earlier versions is damaged; it begins anew");
            Vec::new()
        })
    }

    /// Puts a version on top, and what falls off the end away. A version that was there moves up;
    /// `withdrawn` stays where it is, marked.
    pub fn put(
        &self,
        package: &str,
        entry: Entry,
        component: &[u8],
        withdrawn: Option<&str>,
    ) -> io::Result<Vec<Entry>> {
        let path = self.component_path(&entry.digest);
        if !path.exists() {
            write_atomically(&path, &[component])?;
        }
        let mut list = self.list(package);
        if list.first().is_some_and(|live| live.digest == entry.digest) {
            return Ok(list);
        }
        list.retain(|earlier| earlier.digest != entry.digest);
        for earlier in &mut list {
            earlier.withdrawn |= Some(earlier.digest.as_str()) == withdrawn;
        }
        list.insert(0, entry);
        list.truncate(KEPT);
        let text = serde_json::to_vec_pretty(&list).map_err(io::Error::other)?;
        write_atomically(&self.list_path(package), &[&text])?;
        self.sweep();
        Ok(list)
    }

    /// The texts that run now, for when their files are damaged one day. Not where they were kept already.
    pub fn put_good(&self, package: &str, texts: &Files) -> io::Result<()> {
        let good = Good {
            manifest: texts.manifest.clone(),
            personality: texts.personality.clone(),
            schema: texts.schema.clone(),
        };
        let text = serde_json::to_vec(&good).map_err(io::Error::other)?;
        let path = self.good_path(package);
        match regular_file::read(&path, GOOD_BYTES) {
            Ok(there) if there == text => Ok(()),
            _ => write_atomically(&path, &[&text]),
        }
    }

    /// What [`Shelf::put_good`] kept last.
    pub fn good(&self, package: &str) -> Option<Files> {
        let text = regular_file::read(&self.good_path(package), GOOD_BYTES).ok()?;
        let Good { manifest, personality, schema } = serde_json::from_slice(&text).ok()?;
        Some(Files { manifest, personality, schema, ..Files::default() })
    }

    pub fn component(&self, digest: &str) -> io::Result<Vec<u8>> {
        let component = regular_file::read(&self.component_path(digest), COMPONENT_BYTES)?;
        if super::package::digest(&component) == digest {
            return Ok(component);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("the kept component {digest} is damaged")))
    }

    /// Every digest that a list names.
    pub fn digests(&self) -> HashSet<String> {
        let files = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        files
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
            .flat_map(|package| self.list(&package))
            .map(|entry| entry.digest)
            .collect()
    }

    /// Removes components that no list names any more.
    fn sweep(&self) {
        let named = self.digests();
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix(".wasm"));
            if digest.is_some_and(|digest| !named.contains(digest))
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), %error, "an old version could not be removed");
            }
        }
    }

    fn list_path(&self, package: &str) -> PathBuf {
        self.directory.join(format!("{package}.json"))
    }

    fn good_path(&self, package: &str) -> PathBuf {
        self.directory.join(format!("{package}.good"))
    }

    fn component_path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::package::digest;
    use super::*;

    fn entry(component: &[u8], at: i64) -> Entry {
        Entry {
            digest: digest(component),
            live_since: Timestamp::from_ms(at),
            actor: "operator".into(),
            withdrawn: false,
        }
    }

    #[test]
    fn the_list_is_bounded_and_what_falls_off_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let shelf = Shelf::open(directory.path().to_owned()).expect("opens");
        let component = |n: u8| vec![n; 4];
        for n in 0..12 {
            shelf.put("echo", entry(&component(n), n.into()), &component(n), None).expect("kept");
        }
        let list = shelf.list("echo");
        assert_eq!(list.len(), KEPT);
        assert_eq!(list[0].digest, digest(&component(11)));
        assert!(shelf.component(&digest(&component(1))).is_err(), "the twelfth newest is gone");
        assert_eq!(shelf.component(&digest(&component(2))).expect("kept"), component(2));

        let live = digest(&component(11));
        shelf.put("echo", entry(&component(5), 99), &component(5), Some(&live)).expect("kept");
        let list = shelf.list("echo");
        assert_eq!((list.len(), &list[0].digest), (KEPT, &digest(&component(5))), "an old one moves up");
        let withdrawn: Vec<&str> =
            list.iter().filter(|entry| entry.withdrawn).map(|entry| entry.digest.as_str()).collect();
        assert_eq!(withdrawn, [live.as_str()]);
        shelf.put("echo", entry(&component(11), 100), &component(11), None).expect("kept");
        assert!(!shelf.list("echo")[0].withdrawn, "brought again, it counts again");
    }
}
