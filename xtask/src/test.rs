//! Everything that must hold, in one command.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use crate::{brains, shell};

#[derive(Args)]
pub struct Test {
    /// How often the crash test kills the gateway.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Passed to the tests: a name to filter by, `--nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

impl Test {
    pub fn run(&self, root: &Path) -> Result<()> {
        let lacks = shell::lacks();
        for lack in &lacks {
            eprintln!("LACKING on this machine: {lack}");
        }
        if !lacks.is_empty() {
            bail!("this machine lacks what the build needs; see above");
        }
        brains::build(root)?;
        shell::step("building the gateway");
        shell::run(shell::cargo(root).args(["build", "--package", "switchboard"]))?;
        shell::step("testing");
        let mut command = shell::cargo(root);
        command.args(["test", "--workspace"]);
        command.env("SWITCHBOARD_TEST_KILLS", self.kills.to_string());
        if !self.filter.is_empty() {
            command.arg("--").args(&self.filter);
        }
        shell::run(&mut command)
    }
}
