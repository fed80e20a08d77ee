//! Is it flat? The same load with few and with many contacts, and with few and with many tenants.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, CONTACTS, TENANTS, USUAL, connected, gateway_load, named, settle, usual};
use crate::load::Until;
use crate::rounds::{self, Load, Rounds};
use crate::server::{Installation, Server, Setup};
use crate::table::{self, Row, Target};

const FLAT: f64 = 0.8;

/// Enough that 10,000 tenants have some each.
const CONTACTS_OF_TENANTS: u64 = 100_000;

pub async fn contacts(bench: &Bench) -> Result<Vec<Row>> {
    let sizes: Vec<u64> =
        [CONTACTS, 100_000, 1_000_000].into_iter().filter(|&size| size <= bench.pace.most_contacts).collect();
    let mut sites = Vec::new();
    for &contacts in &sizes {
        sites.push(Site::new(bench, Setup { contacts, ..usual() })?);
    }
    let mut rows = compare(bench, &sites, Until::Replied, "contacts", |setup| setup.contacts).await?;
    rows.extend(compare(bench, &sites, Until::Answered, "contacts", |setup| setup.contacts).await?);
    if let Some(site) = sites.last() {
        let seconds = site.installation.imported_in.as_secs_f64();
        rows.push(Row {
            what: format!(
                "`switchboard import mapping`, {} contacts",
                table::thousands(site.setup.contacts as f64)
            ),
            gateway: format!("{seconds:.1} s"),
            ..Row::default()
        });
    }
    Ok(rows)
}

pub async fn tenants(bench: &Bench) -> Result<Vec<Row>> {
    let mut sites = Vec::new();
    for tenants in [TENANTS, 1_000, 10_000] {
        sites.push(Site::new(bench, Setup { tenants, contacts: CONTACTS_OF_TENANTS, ..usual() })?);
    }
    let mut rows = compare(bench, &sites, Until::Replied, "tenants", |setup| setup.tenants).await?;
    rows.extend(compare(bench, &sites, Until::Answered, "tenants", |setup| setup.tenants).await?);
    Ok(rows)
}

struct Site {
    installation: Installation,
    setup: Setup,
}

impl Site {
    fn new(bench: &Bench, setup: Setup) -> Result<Self> {
        Ok(Site { installation: Installation::new(&bench.programs, &setup)?, setup })
    }
}

/// Each of the sites against the first.
async fn compare(
    bench: &Bench,
    sites: &[Site],
    until: Until,
    of: &str,
    size: impl Fn(&Setup) -> u64,
) -> Result<Vec<Row>> {
    let mut servers: Vec<Server> = Vec::new();
    for site in sites {
        servers.push(site.installation.start(until == Until::Answered).await?);
    }
    settle(Duration::from_secs(1)).await;
    let loads: Vec<Load> = sites
        .iter()
        .zip(&servers)
        .map(|(site, server)| Load { contacts: site.setup.contacts, ..gateway_load(server, until, USUAL) })
        .collect();
    let rounds = rounds::run(&loads, &bench.pace, &bench.sink).await?;
    for server in servers {
        server.stop().await?;
    }
    let sized = |index: usize| format!("{} {of}", table::thousands(size(&sites[index].setup) as f64));
    let row = |index: usize, measured: &Rounds| {
        let ratio = measured.ratio_to(&rounds[0], |round| round.per_second);
        Row {
            what: format!("{}, {}, {}", named(until), sized(index), connected(USUAL)),
            against: format!("{}: {}", sized(0), table::rate(&rounds[0])),
            gateway: table::rate(measured),
            ratio: Some(ratio),
            target: Target::at_least(FLAT, ratio),
        }
    };
    Ok(rounds.iter().enumerate().skip(1).map(|(index, measured)| row(index, measured)).collect())
}
