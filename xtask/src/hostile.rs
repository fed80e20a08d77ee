//! Builds what the hostile suite needs and has it go round.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{brains, shell};

#[derive(Args)]
pub struct Hostile {
    /// How long the suite goes round; every case is tried once at least.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Build without optimisation: quicker to build; its times say nothing.
    #[arg(long)]
    debug: bool,
    /// Only the cases with this in their name.
    filter: Option<String>,
}

impl Hostile {
    pub fn run(&self, root: &Path) -> Result<()> {
        let programs = programs(root, self.debug, "switchboard-hostile")?;
        shell::step("going round the hostile suite; keep the machine quiet");
        let mut command = std::process::Command::new(programs.join("switchboard-hostile"));
        command.args(["--minutes", &self.minutes.to_string()]).args(&self.filter).current_dir(root);
        shell::run(&mut command)
    }
}

/// Builds the brains, the gateway and one of the tests' programs; returns where they are.
pub fn programs(root: &Path, debug: bool, program: &str) -> Result<std::path::PathBuf> {
    brains::build(root)?;
    shell::step("building the gateway and the suite");
    let profile: &[&str] = if debug { &[] } else { &["--release"] };
    shell::run(shell::cargo(root).args(["build", "--package", "switchboard"]).args(profile))?;
    let tests = ["build", "--package", "switchboard-tests", "--bin", program];
    shell::run(shell::cargo(root).args(tests).args(profile))?;
    Ok(shell::target_dir(root).join(if debug { "debug" } else { "release" }))
}
