//! A package directory as tests read it: `personality.toml`, `tests/*.chat` and the collections in
//! `tests/collections/*.json`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde_json::{Map, Value};

use crate::collection::Collections;
use crate::conversation::Conversation;

#[derive(Clone, Debug)]
pub struct Package {
    pub directory: PathBuf,
    pub personality: Arc<Value>,
    pub collections: Arc<Collections>,
    /// In the order of their names.
    pub scripts: Vec<PathBuf>,
}

impl Package {
    /// Files that are missing are empty; a file that does not read is an error naming it.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        let tests = directory.join("tests");
        let mut collections = Collections::new();
        for path in files(&tests.join("collections"), "json")? {
            collections.insert(stem(&path), read_collection(&path)?);
        }
        Ok(Package {
            personality: Arc::new(read_personality(&directory.join("personality.toml"))?),
            scripts: files(&tests, "chat")?,
            collections: Arc::new(collections),
            directory,
        })
    }

    /// A conversation with this package's personality and collections.
    pub fn conversation(&self) -> Conversation {
        let mut conversation = Conversation::default();
        conversation.personality = Arc::clone(&self.personality);
        conversation.collections = Arc::clone(&self.collections);
        conversation
    }
}

/// The records of a JSON file: a list of objects.
pub fn read_collection(path: &Path) -> io::Result<Vec<Value>> {
    serde_json::from_str(&fs::read_to_string(path).map_err(|error| named(path, error))?)
        .map_err(|error| named(path, error))
}

fn read_personality(path: &Path) -> io::Result<Value> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| named(path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::Object(Map::new())),
        Err(error) => Err(named(path, error)),
    }
}

fn files(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(named(directory, error)),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn named(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}
