//! `cargo xtask`: build the brains, run the gateway with its demo data, test everything, measure.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

mod bench;
mod brains;
mod deny;
mod fuzz;
mod hostile;
mod run;
mod shell;
mod simulate;
mod tally;
mod test;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build the brains, run the gateway, test everything, measure.")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and start the gateway on 127.0.0.1:8000 with the demo data.
    Run(run::Run),
    /// Build the bundled brains and put them into the plugins directory; a running gateway takes
    /// them up by itself.
    Brains,
    /// Run every test: unit, integration, store conformance, crash, brains, tidy.
    Test(test::Test),
    /// Throw random bytes at the decoders, the deep links and the addresses, and random guests at the
    /// engine, for a short while.
    Fuzz(fuzz::Fuzz),
    /// Go round the hostile guests, uploads and callers beside an honest tenant, and print what it noticed.
    Hostile(hostile::Hostile),
    /// Run the store through everything that can happen to it, as each of many seeds decides.
    Simulate(simulate::Simulate),
    /// Look at what the build is made of: licences, bans, sources, known weaknesses.
    Deny,
    /// Measure the gateway against the bare limit and write docs/benchmarks.md.
    Bench(bench::Bench),
}

fn main() -> Result<()> {
    let task = Xtask::parse().task;
    let root = root()?;
    match task {
        Task::Run(run) => run.run(&root),
        Task::Brains => brains::build(&root),
        Task::Test(test) => test.run(&root),
        Task::Fuzz(fuzz) => fuzz.run(&root),
        Task::Hostile(hostile) => hostile.run(&root),
        Task::Simulate(simulate) => simulate.run(&root),
        Task::Deny => deny::run(&root),
        Task::Bench(bench) => bench.run(&root),
    }
}

/// The workspace, wherever the command was given.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask lies in the workspace's directory")
}
