//! Builds the bundled brains to components and puts each beside its package.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::shell;

/// Package directory and crate have one name; the component has underscores in its own.
const BUNDLED: [&str; 2] = ["echo", "real-estate"];

/// Only tests run it; it stays out of the plugins directory.
const GUESTS: [&str; 1] = ["hostile"];

/// Builds all of them; a package whose component did not change is left alone, so that a running
/// gateway reloads only what is new.
pub fn build(root: &Path) -> Result<()> {
    shell::ensure_brain_target(root)?;
    shell::step("building the brains");
    let mut command = shell::cargo(root);
    command.args(["build", "--profile", "brain", "--target", shell::BRAIN_TARGET]);
    for name in BUNDLED.into_iter().chain(GUESTS) {
        command.args(["--package", name]);
    }
    shell::run(&mut command)?;
    for name in BUNDLED {
        place(root, name)?;
    }
    Ok(())
}

fn place(root: &Path, name: &str) -> Result<()> {
    let file = format!("{}.wasm", name.replace('-', "_"));
    let built = shell::target_dir(root).join(shell::BRAIN_TARGET).join("brain").join(file);
    let component = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let package = root.join("plugins").join(name);
    let placed = package.join("brain.wasm");
    if fs::read(&placed).is_ok_and(|old| old == component) {
        return Ok(());
    }
    // A rename is seen whole or not at all.
    let beside = package.join(".brain.wasm.new");
    fs::write(&beside, component).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, &placed).with_context(|| format!("cannot rename to {}", placed.display()))?;
    shell::step(&format!("plugins/{name}/brain.wasm is new"));
    Ok(())
}
