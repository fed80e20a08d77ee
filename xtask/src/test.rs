//! Everything that must hold, in one command. Its last lines say what was run, how it ended and how long it took.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use crate::tally::Tally;
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
        let mut tally = Tally::new();
        tally.step("building the brains", || brains::build(root))?;
        tally.step("building the gateway", || {
            shell::run(shell::cargo(root).args(["build", "--package", "switchboard"]))
        })?;
        let mut command = shell::cargo(root);
        // However many fail, all are run, and counted.
        command.args(["test", "--workspace", "--no-fail-fast"]);
        command.env("SWITCHBOARD_TEST_KILLS", self.kills.to_string());
        if !self.filter.is_empty() {
            command.arg("--").args(&self.filter);
        }
        tally.tests("testing", &mut command)
    }
}
