//! A tenant beside one whose brain never returns: what does the first notice?

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, gateway_load, usual};
use crate::load::{self, Contacts, Plan, Target, Until};
use crate::rounds::{Round, Rounds};
use crate::server::{Installation, SPINNING_CONTACTS, Setup};
use crate::table::{self, Row};

/// The normal tenants' load: steady, well below what the machine can do.
const CONNECTIONS: u64 = 16;
const EVERY: Duration = Duration::from_millis(20);

/// What makes the hostile guest spin.
const SPIN: &str = "spin";

/// The spinning tenant's: there is always more to spin on.
const SPINNING_CONNECTIONS: u64 = 4;
const SPINNING_EVERY: Duration = Duration::from_millis(200);

/// The p99 may move by a tenth.
const MOST: f64 = 1.1;

pub async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let setup = Setup { spinning: true, ..usual() };
    let installation = Installation::new(&bench.programs, &setup)?;
    let gateway = installation.start(false).await?;
    let mut normal = gateway_load(&gateway, Until::Replied, CONNECTIONS).plan(&bench.pace);
    normal.every = Some(EVERY);
    let (mut alone, mut beside) = (Rounds::default(), Rounds::default());
    for _ in 0..bench.pace.rounds {
        alone.push(Round::run(&normal, gateway.process(), &bench.sink).await?);
        let spinning = spinning(&setup, normal.target, &bench.pace.measured);
        let stop = spinning.stop.clone();
        let sink = bench.sink.clone();
        let spin = tokio::task::spawn_local(async move { load::run(&spinning, &sink).await });
        beside.push(Round::run(&normal, gateway.process(), &bench.sink).await?);
        stop.set(true);
        spin.await.context("the load panicked")??;
        drained(bench).await;
    }
    let ratio = beside.ratio_to(&alone, |round| round.p99.as_secs_f64());
    let every = 1000 * CONNECTIONS / EVERY.as_millis() as u64;
    Ok(vec![Row {
        what: format!(
            "whole turn beside a tenant whose brain spins, {every} messages/s; the ratio is of p99"
        ),
        against: format!("alone: {}", table::rate(&alone)),
        gateway: table::rate(&beside),
        ratio: Some(ratio),
        target: Some(table::Target { text: format!("≤ {MOST}"), met: ratio <= MOST }),
    }])
}

fn spinning(setup: &Setup, target: Target, measured: &Duration) -> Plan {
    Plan {
        target,
        connections: SPINNING_CONNECTIONS,
        contacts: Contacts { first: setup.contacts, count: SPINNING_CONTACTS },
        text: SPIN,
        until: Until::Answered,
        hmac_key: None,
        every: Some(SPINNING_EVERY),
        warm_up: Duration::ZERO,
        measured: *measured * 4,
        stop: Rc::new(Cell::new(false)),
    }
}

/// Until the fallback texts of the last spinning turns have come, and no more do.
async fn drained(bench: &Bench) {
    const QUIET: Duration = Duration::from_secs(2);
    for _ in 0..30 {
        let before = bench.sink.unexpected.get();
        tokio::time::sleep(QUIET).await;
        if bench.sink.unexpected.get() == before {
            return;
        }
    }
}
