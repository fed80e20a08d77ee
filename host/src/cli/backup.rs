//! `switchboard backup` and `switchboard restore`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::backup::{self, Outcome, Places};
use crate::cli::client::Client;
use crate::cli::failure::{Failure, counted};
use crate::cli::tenant::items;
use crate::cli::{Place, Result, screen, setup};
use crate::config::Config;

pub const EXAMPLES: &str = "Examples:
  switchboard backup                      into the data directory's own backups
  switchboard backup /mnt/usb/today.tar   to a file of your choice, on the gateway's machine
  switchboard backup --with-files         with the files that contacts sent and tenants uploaded

One file holds the store and the packages: brains, personalities, earlier versions. The keys of secrets are
not in it. It is whole and checked, or not there at all, and only this user can read it.";

pub const RESTORE_EXAMPLES: &str = "Examples:
  switchboard restore --config /etc/switchboard/switchboard.toml switchboard-20260301T120000Z.tar
  switchboard restore --data /var/lib/switchboard /mnt/usb/today.tar

What is there now is kept, under names that are printed. What was accepted since the backup is in the kept
store and not in the restored one. As root, what is restored belongs to whoever owns the data directory.";

#[derive(Args)]
pub struct Backup {
    /// A file on the gateway's machine; left out: its own backups directory.
    file: Option<PathBuf>,
    /// With the files that contacts sent and tenants uploaded. [default: as `[backup] files` says]
    #[arg(long)]
    with_files: bool,
}

impl Backup {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        // The gateway's working directory is its own.
        let to = self.file.map(std::path::absolute).transpose()?;
        let files = self.with_files.then_some(true);
        let answer = client.post_patiently("/api/backup", &json!({"to": to, "files": files})).await?;
        if json {
            screen::json(&answer)?;
        } else {
            screen::line(&screen::text(&answer["file"]))?;
        }
        let left_out: Vec<&str> = items(&answer, "left_out").iter().filter_map(Value::as_str).collect();
        match left_out[..] {
            [] => Ok(()),
            _ => Err(Failure::Incomplete(format!(
                "the store is in it, and this is not: {}",
                left_out.join("; ")
            ))),
        }
    }
}

#[derive(Args)]
pub struct Restore {
    /// The backup to put back.
    file: PathBuf,
}

impl Restore {
    pub async fn run(self, place: &Place) -> Result<()> {
        if place.url.is_some() {
            return Err(Failure::Usage(
                "restore works on the gateway's own machine only, without --url".into(),
            ));
        }
        let (config, file) = setup::config(place, None)?;
        if !setup::is_named(place, file.as_deref()) {
            return Err(Failure::Usage(
                "restore takes no guess at which gateway is meant: give its --config, or --data and where it \
                 has its plugins by a configuration"
                    .into(),
            ));
        }
        if Client::running(place).await?.is_some() {
            return Err(Failure::Refused {
                status: 409,
                message: "a gateway runs on this data directory".into(),
                action: "stop it, then restore".into(),
            });
        }
        let places = Places::of(&config);
        let restored = tokio::task::spawn_blocking(move || backup::restore(&self.file, &places))
            .await
            .context("restoring panicked")?
            .map_err(anyhow::Error::from)?;
        if place.json {
            return told_as_json(&config, &restored);
        }
        store_told(&config, &restored)?;
        beside_told(&config, &restored)
    }
}

fn told_as_json(config: &Config, restored: &Outcome) -> Result<()> {
    let beside = restored.beside.as_ref();
    screen::json(&json!({
        "data": config.data,
        "plugins": config.plugins,
        "replaced_store": restored.store.replaced,
        "unknown_replies": restored.store.unknown,
        "waiting_turns": restored.store.waiting,
        "packages": beside.map(|beside| &beside.packages),
        "kept_packages": beside.map(|beside| [&beside.other_here[..], &beside.unknown_here].concat()),
        "files": beside.map(|beside| beside.files),
        "replaced_packages": beside.and_then(|beside| beside.replaced.as_ref()),
        "left_out": beside.map(|beside| &beside.left_out),
        "missing_packages_of": restored.missing,
    }))
}

fn store_told(config: &Config, restored: &Outcome) -> Result<()> {
    let (store, called) = (&restored.store, &config.called);
    screen::line(&format!(
        "Restored into {}. Start the gateway again, as a service or with `switchboard serve{called}`.",
        config.data.display()
    ))?;
    if store.unknown > 0 {
        screen::line(&format!(
            "Replies that waited then and may have gone out since: {}. They are unknown now and are not \
             sent by themselves; see `switchboard outbox list --dead{called}`.",
            store.unknown
        ))?;
    }
    if store.waiting > 0 {
        screen::line(&format!(
            "Messages and timers that waited for their turn then and are handled again: {}.",
            store.waiting
        ))?;
    }
    match &store.replaced {
        Some(kept) => screen::line(&format!("What was there before is kept as {}", kept.display())),
        None => Ok(()),
    }
}

fn beside_told(config: &Config, restored: &Outcome) -> Result<()> {
    let plugins = config.plugins.display();
    let Some(beside) = &restored.beside else {
        screen::note(
            "WARNING: this file holds the store alone. Brains, personalities and files that tenants uploaded are \
             not in it.",
        );
        return missing_told(config, restored);
    };
    screen::line(&format!("{} put into {plugins}.", counted(beside.packages.len(), "package")))?;
    if let Some(replaced) = &beside.replaced {
        screen::line(&format!("The packages that were replaced are kept in {}", replaced.display()))?;
    }
    if !beside.other_here.is_empty() {
        screen::line(&format!(
            "Shared packages are the operator's: these differ from the backup's and stay as they are here: {}",
            beside.other_here.join(", ")
        ))?;
    }
    if !beside.unknown_here.is_empty() {
        screen::line(&format!(
            "These tenants' packages are not in the backup and stay: {}",
            beside.unknown_here.join(", ")
        ))?;
    }
    match beside.with_files {
        true => screen::line(&format!(
            "{} put into {}.",
            counted(beside.files, "file"),
            config.media_dir().display()
        ))?,
        false => screen::line(&format!(
            "Files that contacts sent are not in it; those in {} stay.",
            config.media_dir().display()
        ))?,
    }
    for left_out in &beside.left_out {
        screen::note(&format!(
            "WARNING: not in the backup since it was made: {}",
            screen::one_line(left_out)
        ));
    }
    missing_told(config, restored)
}

fn missing_told(config: &Config, restored: &Outcome) -> Result<()> {
    for tenant in &restored.missing {
        screen::note(&format!(
            "WARNING: tenant {tenant} had a package of its own, which is neither in the backup nor in {}. Until \
             it is there, its contacts are answered by another brain, or by none: copy it there, or push it again \
             after the start.",
            config.plugins.display()
        ));
    }
    Ok(())
}
