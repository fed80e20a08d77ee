//! `switchboard backup` and `switchboard restore`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::{Place, Result, screen, setup};
use crate::gateway;
use crate::store::embedded;

pub const EXAMPLES: &str = "Examples:
  switchboard backup                       into the data directory's own backups
  switchboard backup /mnt/usb/today.redb   to a file of your choice, on the gateway's machine

A backup is whole and checked: it is written beside its place, verified and renamed.";

pub const RESTORE_EXAMPLES: &str = "Example:
  switchboard restore data/run/backups/switchboard-20260301T120000Z.redb

What is there now is kept beside the store, under a name that is printed. What was accepted since
the backup is in that file and not in the restored one.";

#[derive(Args)]
pub struct Backup {
    /// A file on the gateway's machine; left out: its own backups directory.
    file: Option<PathBuf>,
}

impl Backup {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        // The gateway's working directory is its own.
        let to = self.file.map(std::path::absolute).transpose()?;
        let answer = client.post("/api/backup", &json!({"to": to})).await?;
        if json { screen::json(&answer) } else { screen::line(&screen::text(&answer["file"])) }
    }
}

#[derive(Args)]
pub struct Restore {
    /// The backup to put in the store's place.
    file: PathBuf,
}

impl Restore {
    pub async fn run(self, place: &Place) -> Result<()> {
        if place.url.is_some() {
            return Err(Failure::Usage(
                "restore works on the gateway's own machine only, without --url".into(),
            ));
        }
        if Client::running(place).await?.is_some() {
            return Err(Failure::Refused {
                status: 409,
                message: "a gateway runs on this data directory".into(),
                action: "stop it, then restore".into(),
            });
        }
        let (config, _) = setup::config(place, None)?;
        gateway::private_dir(&config.data)?;
        let store = gateway::store_file(&config);
        let restored = tokio::task::spawn_blocking(move || embedded::backup::restore(&self.file, &store))
            .await
            .context("restoring panicked")?
            .map_err(anyhow::Error::from)?;
        screen::line("Restored. Start the gateway again.")?;
        if restored.unknown > 0 {
            screen::line(&format!(
                "Replies that waited then and may have gone out since: {}. They are unknown now and are not \
                 sent by themselves; see `switchboard outbox list --dead`.",
                restored.unknown
            ))?;
        }
        if restored.waiting > 0 {
            screen::line(&format!(
                "Messages and timers that waited for their turn then and are handled again: {}.",
                restored.waiting
            ))?;
        }
        match restored.replaced {
            Some(kept) => screen::line(&format!("What was there before is kept as {}", kept.display())),
            None => Ok(()),
        }
    }
}
