//! Builds the gateway, the bare limit and the load generator in release and has them measured.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{brains, shell};

#[derive(Args)]
pub struct Bench {
    /// Passed to the benchmark; see `cargo xtask bench -- --help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Bench {
    pub fn run(&self, root: &Path) -> Result<()> {
        brains::build(root)?;
        shell::step("building in release");
        shell::run(shell::cargo(root).args([
            "build",
            "--release",
            "--package",
            "switchboard",
            "--package",
            "switchboard-bench",
        ]))?;
        shell::step("measuring");
        let binary = shell::target_dir(root).join("release").join("switchboard-bench");
        shell::run(std::process::Command::new(binary).args(&self.arguments).current_dir(root))
    }
}
