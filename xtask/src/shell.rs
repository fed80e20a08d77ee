//! Runs other programs, visibly, and says which one failed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The target that brains are built for.
pub const BRAIN_TARGET: &str = "wasm32-wasip2";

/// A cargo command in the workspace; its progress goes to the terminal.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

pub fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// A step that takes a while, announced.
pub fn step(what: &str) {
    eprintln!("==> {what}");
}

/// Where cargo puts what it builds.
pub fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}

/// Adds the target that brains are built for, if it is missing.
pub fn ensure_brain_target(root: &Path) -> Result<()> {
    if has_brain_target(root)? {
        return Ok(());
    }
    step(&format!("adding the Rust target {BRAIN_TARGET}"));
    run(Command::new("rustup").args(["target", "add", BRAIN_TARGET]).current_dir(root)).with_context(|| {
        format!(
            "brains are built for {BRAIN_TARGET}, which this toolchain lacks, and rustup could not add it; \
             install the target's standard library beside your rustc"
        )
    })
}

fn has_brain_target(root: &Path) -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", BRAIN_TARGET])
        .current_dir(root)
        .stderr(Stdio::null())
        .output()
        .context("cannot start rustc; install Rust with rustup")?;
    let libdir = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(libdir.trim()).is_dir())
}

/// What this machine lacks of what the build needs.
pub fn lacks() -> Vec<&'static str> {
    let mut lacks = Vec::new();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let found = Command::new(compiler).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        lacks.push("a C compiler (`cc`, or the one that CC names); on Debian: apt-get install gcc");
    }
    lacks
}
