//! What is measured: sections of rows, each with servers of its own, started fresh and gone after.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;

use crate::load::sink::Sink;
use crate::load::{Target, Until};
use crate::rounds::{self, Load, Pace};
use crate::server::{BareLimit, Installation, Programs, Server, Setup};
use crate::table::{self, Row};

mod backup;
mod memory;
mod reload;
mod scale;
mod spinning;

/// Where the gateway takes WAHA's webhooks.
const GATEWAY_PATH: &str = "/api/gateway/waha";

const CONNECTIONS: [u64; 4] = [1, 16, 64, 256];

/// Where only one number of connections is measured.
const USUAL: u64 = 64;

const TENANTS: u64 = 10;
const CONTACTS: u64 = 1_000;

const SIGNING_KEY: &str = "the-key-of-the-benchmark";

/// The parts of a run, by the names that `--only` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Section {
    /// Accept only, against the bare limit.
    Accept,
    /// The whole turn, against the bare limit.
    Turn,
    /// Signed webhooks against unsigned ones.
    Signed,
    /// From few contacts to many.
    Contacts,
    /// From few tenants to many.
    Tenants,
    /// Resident memory, idle and loaded.
    Memory,
    /// New versions under load.
    Reload,
    /// A tenant beside one that spins.
    Spinning,
    /// Webhooks beside a backup.
    Backup,
}

impl Section {
    pub const ALL: [Section; 9] = [
        Section::Accept,
        Section::Turn,
        Section::Signed,
        Section::Contacts,
        Section::Tenants,
        Section::Memory,
        Section::Reload,
        Section::Spinning,
        Section::Backup,
    ];

    pub async fn run(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Section::Accept => bench.against_bare(Until::Answered).await,
            Section::Turn => bench.against_bare(Until::Replied).await,
            Section::Signed => bench.signed().await,
            Section::Contacts => scale::contacts(bench).await,
            Section::Tenants => scale::tenants(bench).await,
            Section::Memory => memory::rows(bench).await,
            Section::Reload => reload::rows(bench).await,
            Section::Spinning => spinning::rows(bench).await,
            Section::Backup => backup::rows(bench).await,
        }
    }
}

/// Everything a section needs.
pub struct Bench {
    pub programs: Programs,
    pub pace: Pace,
    pub sink: Rc<Sink>,
}

impl Bench {
    /// At each number of connections, fresh servers: none starts with what another row left.
    async fn against_bare(&self, until: Until) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for connections in CONNECTIONS {
            let bare = BareLimit::start(&self.programs).await?;
            let installation = Installation::new(&self.programs, &usual())?;
            let gateway = installation.start(until == Until::Answered).await?;
            let loads = [self.bare(&bare, until, connections), gateway_load(&gateway, until, connections)];
            let rounds = rounds::run(&loads, &self.pace, &self.sink).await?;
            let ratio = rounds[1].ratio_to(&rounds[0], |round| round.per_second);
            let least = if until == Until::Answered { 0.6 } else { 0.35 };
            rows.push(Row {
                what: format!("{}, {}", named(until), connected(connections)),
                against: format!("bare limit: {}", table::rate(&rounds[0])),
                gateway: table::rate(&rounds[1]),
                ratio: Some(ratio),
                target: table::Target::at_least(least, ratio),
            });
        }
        Ok(rows)
    }

    /// The bare limit alone, for working on it and on the load.
    pub async fn bare_alone(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for until in [Until::Answered, Until::Replied] {
            for connections in CONNECTIONS {
                let bare = BareLimit::start(&self.programs).await?;
                let rounds =
                    rounds::run(&[self.bare(&bare, until, connections)], &self.pace, &self.sink).await?;
                let what = format!("{}, {}", named(until), connected(connections));
                rows.push(Row { what, against: table::rate(&rounds[0]), ..Row::default() });
            }
        }
        Ok(rows)
    }

    /// What checking WAHA's HMAC-SHA512 of every body costs. The load generator signs on the same
    /// cores, so a part of the cost is its own.
    async fn signed(&self) -> Result<Vec<Row>> {
        let unsigned = Installation::new(&self.programs, &usual())?;
        let key = Some(SIGNING_KEY.to_owned());
        let signed = Installation::new(&self.programs, &Setup { hmac_key: key.clone(), ..usual() })?;
        let (unsigned, signed) = (unsigned.start(true).await?, signed.start(true).await?);
        let loads = [
            gateway_load(&unsigned, Until::Answered, USUAL),
            Load { hmac_key: key, ..gateway_load(&signed, Until::Answered, USUAL) },
        ];
        let rounds = rounds::run(&loads, &self.pace, &self.sink).await?;
        Ok(vec![Row {
            what: format!("accept only, signed with HMAC-SHA512, {}", connected(USUAL)),
            against: format!("unsigned: {}", table::rate(&rounds[0])),
            gateway: table::rate(&rounds[1]),
            ratio: Some(rounds[1].ratio_to(&rounds[0], |round| round.per_second)),
            target: None,
        }])
    }

    fn bare(&self, bare: &BareLimit, until: Until, connections: u64) -> Load {
        let path = if until == Until::Answered { "/accept" } else { "/turn" };
        let target = Target { address: bare.server.address, path };
        let process = bare.server.process();
        Load { target, process, connections, contacts: CONTACTS, until, hmac_key: None }
    }
}

fn usual() -> Setup {
    Setup { tenants: TENANTS, contacts: CONTACTS, spinning: false, hmac_key: None }
}

fn gateway_load(gateway: &Server, until: Until, connections: u64) -> Load {
    let target = Target { address: gateway.address, path: GATEWAY_PATH };
    Load { target, process: gateway.process(), connections, contacts: CONTACTS, until, hmac_key: None }
}

fn named(until: Until) -> &'static str {
    match until {
        Until::Answered => "accept only",
        Until::Replied => "whole turn with delivery",
    }
}

fn connected(connections: u64) -> String {
    if connections == 1 { "1 connection".into() } else { format!("{connections} connections") }
}

/// Lets what was started settle: background work after a start, pages given back.
async fn settle(time: Duration) {
    tokio::time::sleep(time).await;
}
