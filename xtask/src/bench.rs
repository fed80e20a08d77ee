//! Builds the gateway, the bare limit and the load generator in release and has them measured.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{brains, shell};

/// The brain that misbehaves when it is told to, as a package for one of the tenants measured.
const SPINNING: &str = "\
name = \"spinning\"
version = \"0.1.0\"
description = \"Spins when it is told to.\"
contract = \"0.1.0\"
grants = [\"log\", \"personality\", \"history\", \"records\"]
receipts = false
";

#[derive(Args)]
pub struct Bench {
    /// Passed on: `--quick`, `--only accept,turn`, `--date 2026-03-01`; all of them with `--help`
    /// after `--`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Bench {
    pub fn run(&self, root: &Path) -> Result<()> {
        brains::build(root)?;
        shell::step("building in release (several minutes the first time)");
        shell::run(shell::cargo(root).args([
            "build",
            "--release",
            "--package",
            "switchboard",
            "--package",
            "switchboard-bench",
        ]))?;
        let target = shell::target_dir(root);
        spinning_package(&target)?;
        shell::step("measuring; keep the machine quiet");
        let mut command = std::process::Command::new(target.join("release/switchboard-bench"));
        command
            .arg("run")
            .arg("--gateway")
            .arg(target.join("release/switchboard"))
            .arg("--spinning")
            .arg(target.join("bench/spinning"))
            .arg("--data")
            .arg(target.join("bench/data"))
            .args(&self.arguments)
            .current_dir(root);
        shell::run(&mut command)
    }
}

fn spinning_package(target: &Path) -> Result<()> {
    let package = target.join("bench/spinning");
    fs::create_dir_all(&package).with_context(|| format!("cannot create {}", package.display()))?;
    fs::write(package.join("plugin.toml"), SPINNING)?;
    let component = target.join(shell::BRAIN_TARGET).join("brain/hostile.wasm");
    fs::copy(&component, package.join("brain.wasm"))
        .with_context(|| format!("cannot copy {}", component.display()))?;
    Ok(())
}
