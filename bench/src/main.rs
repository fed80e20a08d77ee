//! `cargo xtask bench`: the gateway against the bare limit, one run, one table.
//!
//! ```text
//!  load ──POST──▶ gateway, or the bare limit ──POST──▶ loopback WAHA ──▶ load: this one is replied to
//! ```
//!
//! [`load`] sends and receives, [`bare`] is the least program that does the same commits,
//! [`server`] starts and ends what is measured, [`rounds`] takes turns and medians, [`measure`] is
//! the list of what is measured, [`table`] writes it down. Everything stays on loopback, and what
//! was started or written is gone when the run ends.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};

mod bare;
mod load;
mod machine;
mod measure;
mod rounds;
mod server;
mod table;

use load::sink::Sink;
use machine::Machine;
use measure::{Bench, Section};
use rounds::Pace;
use server::Programs;

/// The gateway's own, so that the bare limit is compared with it on equal terms.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
use table::Row;

#[derive(Parser)]
#[command(name = "switchboard-bench", about = "Measures the gateway against the bare limit.")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure everything, or parts of it, and write the table.
    Run(Run),
    /// Measure the bare limit alone.
    Limit(Common),
    /// Serve as the bare limit: the gateway's commits and nothing else.
    Bare(bare::Bare),
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    common: Common,
    /// Only these parts; the table is printed and not written.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Section>,
    /// The page whose table is replaced.
    #[arg(long, default_value = "docs/benchmarks.md")]
    page: PathBuf,
    /// Printed above the table.
    #[arg(long)]
    date: Option<String>,
}

#[derive(Args)]
struct Common {
    /// Fewer and shorter rounds, fewer swaps, no million of contacts: about four minutes instead of
    /// about fourteen.
    #[arg(long)]
    quick: bool,
    /// The gateway, built in release.
    #[arg(long, default_value = "target/release/switchboard")]
    gateway: PathBuf,
    /// The package whose brain replies.
    #[arg(long, default_value = "plugins/echo")]
    echo: PathBuf,
    /// A package whose brain spins when it is told to.
    #[arg(long, default_value = "target/bench/spinning")]
    spinning: PathBuf,
    /// Where the servers' data is put while they run. The disk under it is what is measured.
    #[arg(long, default_value = "target/bench/data")]
    data: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Bare(bare) => tokio::runtime::Runtime::new()?.block_on(bare.serve()),
        Task::Limit(common) => local(async move {
            let bench = common.bench().await?;
            let rows = bench.bare_alone().await?;
            print!("{}", common.table(&rows, None)?);
            Ok(())
        }),
        Task::Run(run) => local(run.run()),
    }
}

/// One thread for load, WAHA and orders; ends early, and tidily, on a signal.
fn local(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

impl Common {
    async fn bench(&self) -> Result<Bench> {
        let sink = Sink::open().await?;
        let programs = Programs {
            gateway: self.gateway.clone(),
            echo: self.echo.clone(),
            spinning: self.spinning.clone(),
            data: self.data.clone(),
            waha: sink.address(),
        };
        Ok(Bench { programs, pace: self.pace(), sink })
    }

    fn pace(&self) -> Pace {
        if self.quick { Pace::QUICK } else { Pace::FULL }
    }

    fn table(&self, rows: &[Row], date: Option<&str>) -> Result<String> {
        Ok(table::block(rows, &Machine::look(&self.data)?, &self.pace(), date))
    }
}

impl Run {
    async fn run(self) -> Result<()> {
        let bench = self.common.bench().await?;
        let sections = if self.only.is_empty() { Section::ALL.to_vec() } else { self.only.clone() };
        let mut rows = Vec::new();
        let mut broken = Vec::new();
        for section in sections {
            eprintln!("measuring: {section:?}");
            match section.run(&bench).await {
                Ok(measured) => rows.extend(measured),
                // One part that cannot be measured does not take the others with it.
                Err(error) => {
                    eprintln!("{section:?} could not be measured: {error:#}");
                    broken.push(format!("{section:?}"));
                }
            }
        }
        let table = self.common.table(&rows, self.date.as_deref())?;
        print!("{table}");
        if !broken.is_empty() {
            bail!("not measured: {}; the page was left as it is", broken.join(", "));
        }
        if self.only.is_empty() {
            table::write(&self.page, &table).context("the table was not written")?;
        }
        Ok(())
    }
}
