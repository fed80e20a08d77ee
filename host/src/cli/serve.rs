//! `switchboard serve`: runs the gateway until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::api::auth;
use crate::cli::failure::counted;
use crate::cli::log::{self, Log};
use crate::cli::{Place, Result, screen, setup};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::reload::{Reload, Source};

pub const EXAMPLES: &str = "Examples:
  switchboard serve --config data/demo/switchboard.toml
  SWITCHBOARD_LISTEN=0.0.0.0:8000 switchboard serve

The first start prints the operator's token, once. Ctrl-C or SIGTERM stops it in order: what has
begun is brought to its end; a second signal stops it at once, and nothing acknowledged is lost.
SIGHUP reads again what is declared, as `switchboard reload` does.";

pub async fn serve(place: &Place, listen: Option<SocketAddr>) -> Result<()> {
    let (config, file) = setup::config(place, listen)?;
    let log = log::start(&config.log)?;
    let place = place.clone();
    let source = Source {
        file: file.clone(),
        config: Box::new(move || setup::config_again(&place, listen)),
        environment: setup::environment,
    };
    let ended = run(config, file, source, &log).await;
    log.flush();
    ended
}

async fn run(config: Config, file: Option<PathBuf>, source: Source, log: &Log) -> Result<()> {
    // Before anything else: one that comes while the store is being opened waits.
    let hangup = signal(SignalKind::hangup())?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; if another program does, choose another with --listen", config.listen)
    })?;
    let address = listener.local_addr()?;
    let gateway = Gateway::open(config).await?;
    log.lost.count_in(gateway.metrics.log_lines_lost.clone());
    gateway.reload.set_source(source);
    let applied = gateway.reload.declare(&setup::environment).await?;
    let token = auth::first_operator_token(&*gateway.store).await.map_err(anyhow::Error::from)?;
    let directory = gateway.store.directory();
    let packages = gateway.brains.list();
    let live = packages.iter().filter(|package| package.digest.is_some()).count();
    let coming = packages.iter().filter(|package| package.compiling_since.is_some()).count();
    tracing::info!(
        config = file.as_ref().map_or("(defaults)".into(), |file| file.display().to_string()),
        data = %gateway.config.data.display(),
        plugins = %gateway.config.plugins.display(),
        declared = applied.changed + applied.unchanged,
        changed = applied.changed,
        "opened"
    );
    // Before anybody is told that it runs, and might stop it.
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone(), log.clone())?;
    tokio::spawn(reload_on_hangup(hangup, gateway.reload.clone()));
    screen::line(&format!(
        "Switchboard {} listens on http://{address} with {}, {} and {}.",
        env!("CARGO_PKG_VERSION"),
        counted(directory.tenants.len(), "tenant"),
        counted(directory.senders.len(), "sender"),
        match coming {
            0 => counted(live, "live brain"),
            coming => format!("{}, {coming} more being compiled", counted(live, "live brain")),
        },
    ))?;
    if let Some(token) = token {
        screen::line(&format!("The operator's token, shown this once: {}", token.expose()))?;
    }
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the gateway can be reached from other machines; put TLS in front of it");
    }
    gateway.serve(listener, stop).await?;
    Ok(())
}

/// What it comes to is told in the log.
async fn reload_on_hangup(mut hangup: Signal, reload: Arc<Reload>) {
    while hangup.recv().await.is_some() {
        reload.again("SIGHUP").await.ok();
    }
}

/// The first signal stops in order, the second at once.
fn stop_on_signals(stop: CancellationToken, log: Log) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            signals += 1;
            if signals > 1 {
                tracing::warn!(
                    "stopped at once by a second signal; what had not ended is done again after the next start"
                );
                log.flush();
                std::process::exit(130);
            }
            stop.cancel();
            tracing::info!("stopping: what has begun is brought to its end; a second signal stops at once");
        }
    });
    Ok(())
}
