//! Stores under everything that can happen to them, seed by seed.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::shell;

#[derive(Args)]
pub struct Simulate {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This one alone, and what happens in it is printed.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Of each seed.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
}

impl Simulate {
    pub fn run(&self, root: &Path) -> Result<()> {
        let steps = self.steps.to_string();
        let which = match self.seed {
            Some(seed) => vec!["--seed".to_owned(), seed.to_string()],
            None => ["--seeds", &self.seeds.to_string(), "--from", &self.from.to_string()]
                .map(str::to_owned)
                .into(),
        };
        let mut command = shell::cargo(root);
        command.args([
            "run",
            "--release",
            "--package",
            "switchboard-tests",
            "--bin",
            "switchboard-simulate",
            "--",
        ]);
        shell::run(command.args(which).args(["--steps", &steps]))
    }
}
