//! What the gateway holds in memory: fresh and idle, and under load.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, USUAL, connected, gateway_load, settle, usual};
use crate::load::{self, Until};
use crate::server::Installation;
use crate::table::{self, Row, Target};

const IDLE_FOR: Duration = Duration::from_secs(10);
const LOADED_FOR: Duration = Duration::from_secs(10);
const IDLE_LIMIT: u64 = 50 << 20;

pub async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let installation = Installation::new(&bench.programs, &usual())?;
    let gateway = installation.start(false).await?;
    settle(IDLE_FOR).await;
    let idle = gateway.memory()?.resident;
    let mut plan = gateway_load(&gateway, Until::Replied, USUAL).plan(&bench.pace);
    plan.measured = LOADED_FOR;
    let loaded = load::run(&plan, &bench.sink).await?;
    let memory = gateway.memory()?;
    Ok(vec![
        Row {
            what: format!("resident memory, idle for {} s after the start", IDLE_FOR.as_secs()),
            gateway: table::mib(idle),
            target: Some(Target { text: "< 50 MiB".into(), met: idle < IDLE_LIMIT }),
            ..Row::default()
        },
        Row {
            what: format!(
                "resident memory, the most in {} s of whole turns, {}",
                LOADED_FOR.as_secs(),
                connected(USUAL)
            ),
            gateway: format!(
                "{} after {} turns",
                table::mib(memory.most),
                table::thousands(loaded.sent as f64)
            ),
            ..Row::default()
        },
    ])
}
