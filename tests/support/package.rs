//! Brain packages for the tests: copies of the bundled ones with the components that were built of
//! them, and components that differ in nothing but their digest.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A component's file: `target/wasm32-wasip2/brain/echo.wasm`.
pub fn component(name: &str) -> Result<PathBuf> {
    let target = profile_dir()?.parent().context("the profile lies in the target directory")?.to_path_buf();
    let file = target.join("wasm32-wasip2/brain").join(format!("{}.wasm", name.replace('-', "_")));
    if !file.is_file() {
        bail!("{} is not there; run `cargo xtask test`", file.display());
    }
    Ok(file)
}

/// A built component's bytes.
pub fn built(name: &str) -> Vec<u8> {
    let file = component(name).unwrap_or_else(|error| panic!("{error:#}"));
    std::fs::read(file).expect("the component is readable")
}

/// The same component with another digest: a custom section at its end.
pub fn relabelled(component: &[u8], label: &str) -> Vec<u8> {
    let name = b"label";
    let content = [&[name.len() as u8][..], name, label.as_bytes()].concat();
    assert!(content.len() < 128, "its length is one LEB128 byte");
    [component, &[0, content.len() as u8], &content].concat()
}

/// Writes beside it and renames, as a careful hand does.
pub fn replace(file: &Path, content: &[u8]) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, content).expect("a file in a temporary directory");
    std::fs::rename(beside, file).expect("renamed in its own directory");
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Copies a package's files without its sources, and the component that was built of them.
pub fn copy(name: &str, to: &Path) {
    let root = workspace();
    let from = [root.join("plugins").join(name), root.join("tests/guests").join(name)]
        .into_iter()
        .find(|dir| dir.join("plugin.toml").is_file())
        .unwrap_or_else(|| panic!("there is no package {name}"));
    copy_tree(&from, to);
    let component = component(name).unwrap_or_else(|error| panic!("{error:#}"));
    std::fs::copy(component, to.join("brain.wasm")).expect("the component is copied");
}

pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory in a temporary directory");
    for entry in std::fs::read_dir(from).expect("the package is readable").flatten() {
        let name = entry.file_name();
        if ["src", "tests", "Cargo.toml", "brain.wasm"].iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file is copied");
        }
    }
}

/// `target/debug`, where programs lie; tests lie in its `deps`.
pub fn profile_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding the own executable")?;
    let folder = program.parent().context("it lies in target/PROFILE, or in its deps")?;
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    Ok(folder.context("deps lies in target/PROFILE")?.to_path_buf())
}
