//! Webhooks beside a backup of a large store: how long until they are acknowledged?

use std::process::Child;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Bench, gateway_load, usual};
use crate::load::{Plan, Until};
use crate::rounds::{Round, Rounds, median};
use crate::server::{Installation, Process, Setup};
use crate::table::{self, Row};

/// In the quick run too: a small store is copied before anybody notices.
const CONTACTS: u64 = 1_000_000;

/// Steady, well below what the machine can do, so that what is measured is not a queue of our own.
const CONNECTIONS: u64 = 16;
const EVERY: Duration = Duration::from_millis(20);

/// A backup that takes longer will not end.
const PATIENCE: Duration = Duration::from_secs(300);

const LOOK: Duration = Duration::from_millis(5);

pub async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let installation = Installation::new(&bench.programs, &Setup { contacts: CONTACTS, ..usual() })?;
    let gateway = installation.start(true).await?;
    let mut steady = gateway_load(&gateway, Until::Answered, CONNECTIONS).plan(&bench.pace);
    steady.every = Some(EVERY);
    let (mut alone, mut beside) = (Rounds::default(), Rounds::default());
    let (mut took, mut bytes) = (Vec::new(), 0);
    for _ in 0..bench.pace.rounds {
        alone.push(Round::run(&steady, gateway.process(), &bench.sink).await?);
        let to = installation.beside("backup.tar");
        let began = Instant::now();
        beside.push(round(&steady, installation.back_up(&to)?, gateway.process(), bench).await?);
        took.push(began.elapsed().as_secs_f64());
        bytes = std::fs::metadata(&to).context("there is no backup")?.len();
        std::fs::remove_file(&to)?;
    }
    let every = 1000 * CONNECTIONS / EVERY.as_millis() as u64;
    Ok(vec![Row {
        what: format!(
            "accept beside a backup, {} contacts, {every} messages/s; the ratio is of p99",
            table::thousands(CONTACTS as f64)
        ),
        against: format!("alone: {}", table::rate(&alone)),
        gateway: format!(
            "{} · a backup of {} took {:.1} s",
            table::rate(&beside),
            table::mib(bytes),
            median(took.into_iter())
        ),
        ratio: Some(beside.ratio_to(&alone, |round| round.p99.as_secs_f64())),
        target: None,
    }])
}

/// From the backup's beginning to its end.
async fn round(steady: &Plan, backup: Child, process: Process, bench: &Bench) -> Result<Round> {
    let mut plan = steady.clone();
    plan.warm_up = Duration::ZERO;
    plan.measured = PATIENCE;
    plan.stop = Rc::default();
    let stop = plan.stop.clone();
    let ending = tokio::task::spawn_local(async move {
        let ended = ended(backup).await;
        stop.set(true);
        ended
    });
    let round = Round::run(&plan, process, &bench.sink).await?;
    ending.await.context("the wait for the backup panicked")??;
    Ok(round)
}

async fn ended(mut backup: Child) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = backup.try_wait()? {
            if !status.success() {
                bail!("the backup ended with {status}");
            }
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    // It may have ended by itself.
    let _ = backup.kill();
    let _ = backup.wait();
    bail!("the backup had not ended after {PATIENCE:?}")
}
