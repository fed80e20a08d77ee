//! What a backup takes along of packages, and what a restore may put back: their files as they lie in the
//! plugins directory, and the earlier versions.

use std::io;
use std::path::{Path, PathBuf};

use super::deploy::is_name;
use super::package::{self, FILES, Stamp};
use super::preflight::COMPONENT_BYTES;
use super::shelf;
use crate::message::TenantId;
use crate::regular_file;

/// How often files that change while they are read are read again.
const TRIES: usize = 20;

/// A package that there is a file of, by name.
pub fn names(plugins: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(plugins)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_there(plugins, &name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Is there a file of this package?
pub fn is_there(plugins: &Path, name: &str) -> bool {
    is_name(name) && !Stamp::of(&plugins.join(name)).is_empty()
}

/// A package's files as they were at one moment, whatever is in them.
pub fn files(plugins: &Path, name: &str) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let directory = plugins.join(name);
    for _ in 0..TRIES {
        let stamp = Stamp::of(&directory);
        let mut files = Vec::new();
        for file in FILES {
            if let Some(bytes) = package::bytes(&directory, file, COMPONENT_BYTES)? {
                files.push((file, bytes));
            }
        }
        if Stamp::of(&directory) == stamp {
            return Ok(files);
        }
    }
    Err(format!("{}: the files change all the time", directory.display()))
}

/// Is this what a file of a package is called? No other name leads anywhere.
pub fn is_file(package: &str, file: &str) -> bool {
    is_name(package) && FILES.contains(&file)
}

/// The files of a package that are there, whatever they are.
pub fn present(directory: &Path) -> Vec<&'static str> {
    FILES.into_iter().filter(|file| directory.join(file).symlink_metadata().is_ok()).collect()
}

/// What a tenant's own package is called.
pub fn name_of(tenant: TenantId) -> String {
    super::manifest::package_of(tenant)
}

/// Whose own package it is.
pub fn tenant_of(package: &str) -> Option<TenantId> {
    super::manifest::tenant_of(package)
}

/// Where earlier versions lie below the cache of brains.
pub fn versions(cache: &Path) -> PathBuf {
    cache.join(shelf::DIRECTORY)
}

/// What a file among the versions is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'n> {
    /// A component, named by its digest: whatever it holds, it is not another one.
    Component,
    /// What was live of this package, and its texts.
    Of(&'n str),
}

/// `None`: no file of ours.
pub fn version(file: &str) -> Option<Kept<'_>> {
    if let Some(digest) = file.strip_suffix(".wasm") {
        let hex = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        return (digest.len() == 64 && hex).then_some(Kept::Component);
    }
    let package = file.strip_suffix(".json").or_else(|| file.strip_suffix(".good"))?;
    is_name(package).then_some(Kept::Of(package))
}

/// Does a component hold what its name says?
pub fn is_whole(file: &str, bytes: &[u8]) -> bool {
    file.strip_suffix(".wasm").is_some_and(|digest| package::digest(bytes) == digest)
}

/// The files among the versions, by name; of what is not ours nothing is told.
pub fn version_files(versions: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(versions) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries?,
    };
    for entry in entries {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if version(&name).is_some() {
            files.push(name);
        }
    }
    // Lists last, so that what they name is there before them.
    files.sort_by_key(|name| (version(name) != Some(Kept::Component), name.clone()));
    Ok(files)
}

/// One of them.
pub fn version_file(versions: &Path, name: &str) -> io::Result<Vec<u8>> {
    regular_file::read(&versions.join(name), COMPONENT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_files_of_ours() {
        let digest = "0".repeat(64);
        assert_eq!(version(&format!("{digest}.wasm")), Some(Kept::Component));
        assert_eq!(version("tenant-2.json"), Some(Kept::Of("tenant-2")));
        assert_eq!(version("tenant-2.good"), Some(Kept::Of("tenant-2")));
        for other in ["x.wasm", ".json", "../x.json", "a/b.json", "tenant-2.json.tmp", ".tenant-2.json"] {
            assert_eq!(version(other), None, "{other}");
        }
        for (package, file) in
            [("..", "brain.wasm"), ("a/b", "brain.wasm"), ("a", "../x"), ("a", "x"), ("", "plugin.toml")]
        {
            assert!(!is_file(package, file), "{package}/{file}");
        }
        assert!(is_file("tenant-2", "brain.wasm"));
    }
}
