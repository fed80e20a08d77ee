//! `switchboard import` and `switchboard export`: contacts' tenants and tenants' records, in files.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clap::{Args, Subcommand};
use futures::StreamExt as _;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, part};
use crate::cli::env_file::Env;
use crate::cli::failure::{Failure, counted};
use crate::cli::{Result, screen};
use crate::identity;

pub const IMPORT_EXAMPLES: &str = "Examples:
  switchboard import mapping old-system.json --dry-run     what would happen
  switchboard import mapping old-system.json
  switchboard import collection --tenant 2 --name properties properties.json
  switchboard import env old/.env                          which numbers it has, and whose they become
  switchboard import env old/.env --main 1 --tenant MARINA=2 --apply

A mapping file says which tenant a contact belongs to: {\"971501234567\": 2, ...}. A contact that is
locked to another tenant stays where it is, and is listed. A collection file is a JSON list of
records, each with an `id` of its own; it takes the place of the whole collection.";

pub const EXPORT_EXAMPLES: &str = "Examples:
  switchboard export mapping                    to the terminal, or into a pipe
  switchboard export mapping mapping.json";

/// Contacts sent at a time: small enough for a body, large enough to be quick.
const CHUNK: usize = 2_000;

/// Refusals and conflicts shown one by one; the rest is counted.
const SHOWN: usize = 50;

#[derive(Subcommand)]
pub enum Import {
    /// Which contact belongs to which tenant: {"971501234567": 2}.
    Mapping {
        file: PathBuf,
        /// Say what would happen; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// A tenant's records, such as its properties.
    Collection(Collection),
    /// The numbers of an older set-up's .env file, as senders. Says what it would do until --apply.
    Env(Env),
}

#[derive(Args)]
pub struct Collection {
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// What the brain calls it: properties.
    #[arg(long)]
    name: String,
    file: PathBuf,
}

#[derive(Subcommand)]
pub enum Export {
    /// Every locked contact and its tenant, as JSON.
    Mapping {
        /// Where to; left out: standard output.
        file: Option<PathBuf>,
    },
}

impl Import {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Import::Mapping { file, dry_run } => mapping(client, &file, dry_run, json).await,
            Import::Collection(collection) => collection.run(client, json).await,
            Import::Env(env) => env.run(client, json).await,
        }
    }
}

impl Collection {
    async fn run(self, client: &Client, json: bool) -> Result<()> {
        let text = std::fs::read(&self.file).with_context(|| self.file.display().to_string())?;
        let path = format!("/api/tenants/{}/collections/{}", self.tenant, part(&self.name));
        let answer = client.put(&path, text).await?;
        if json {
            return screen::json(&answer);
        }
        let records = answer["records"].as_u64().unwrap_or(0) as usize;
        screen::line(&format!(
            "Tenant {}'s collection {} holds {} now.",
            self.tenant,
            self.name,
            counted(records, "record")
        ))
    }
}

/// What came of an import.
#[derive(Default)]
struct Outcome {
    imported: u64,
    unchanged: u64,
    conflicts: Vec<String>,
    refused: Vec<String>,
}

async fn mapping(client: &Client, file: &Path, dry_run: bool, json: bool) -> Result<()> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let Entries(entries) = serde_json::from_slice(&text).map_err(|error| {
        anyhow!("{}:{}:{}: {error}", file.display(), error.line(), error.column())
            .context("write a mapping as {\"971501234567\": 2, ...}")
    })?;
    let mut outcome = Outcome::default();
    let entries = without_twins(entries, &mut outcome);
    let bar = progress(entries.len() as u64);
    for chunk in entries.chunks(CHUNK) {
        let body: Map<String, Value> =
            chunk.iter().map(|(raw, tenant)| (raw.clone(), tenant.clone())).collect();
        let answer =
            client.post(&format!("/api/mapping/import?dry_run={dry_run}"), &Value::Object(body)).await?;
        outcome.add(&answer);
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    outcome.tell(dry_run, json)?;
    match outcome.conflicts.len() + outcome.refused.len() {
        0 => Ok(()),
        left => Err(Failure::Incomplete(format!("{} could not be imported", counted(left, "contact")))),
    }
}

/// Takes out what the file itself contradicts: one contact, written in two ways, with two tenants.
/// The gateway sees one chunk at a time and could not tell.
fn without_twins(entries: Vec<(String, Value)>, outcome: &mut Outcome) -> Vec<(String, Value)> {
    let mut first: HashMap<String, (String, Value)> = HashMap::new();
    let mut kept = Vec::with_capacity(entries.len());
    for (raw, tenant) in entries {
        let key = identity::contact(&raw).map_or_else(|_| raw.clone(), |contact| contact.as_str().to_owned());
        match first.get(&key) {
            None => {
                first.insert(key, (raw.clone(), tenant.clone()));
                kept.push((raw, tenant));
            }
            Some((_, known)) if *known == tenant => outcome.unchanged += 1,
            Some((as_written, known)) => outcome
                .conflicts
                .push(format!("{raw}: the file says {tenant} here, and {known} for {as_written}")),
        }
    }
    kept
}

fn progress(total: u64) -> ProgressBar {
    // Draws on standard error, and nothing at all where that is no terminal.
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} contacts, {eta} left") {
        bar.set_style(style);
    }
    bar
}

impl Outcome {
    fn add(&mut self, answer: &Value) {
        let list = |key: &str| {
            let lines = answer[key].as_array().map_or(&[][..], Vec::as_slice);
            lines.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        self.imported += answer["imported"].as_u64().unwrap_or(0);
        self.unchanged += answer["unchanged"].as_u64().unwrap_or(0);
        self.conflicts.extend(list("conflicts"));
        self.refused.extend(list("refused"));
    }

    fn tell(&self, dry_run: bool, json: bool) -> Result<()> {
        if json {
            return screen::json(&json!({
                "dry_run": dry_run,
                "imported": self.imported,
                "unchanged": self.unchanged,
                "conflicts": self.conflicts,
                "refused": self.refused,
            }));
        }
        for (heading, lines) in [("conflict", &self.conflicts), ("refused", &self.refused)] {
            for line in lines.iter().take(SHOWN) {
                screen::line(&format!("{heading}: {}", screen::one_line(line)))?;
            }
            if lines.len() > SHOWN {
                screen::line(&format!("... and {} more (--json shows all)", lines.len() - SHOWN))?;
            }
        }
        let verb = if dry_run { "would be imported" } else { "imported" };
        screen::line(&format!(
            "{} {verb}, {} already so, {} in conflict, {} refused",
            self.imported,
            self.unchanged,
            self.conflicts.len(),
            self.refused.len()
        ))
    }
}

/// A JSON object with every entry it was written with: a map would keep only the last of twins.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of contacts and their tenants")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl Export {
    pub async fn run(self, client: &Client) -> Result<()> {
        let Export::Mapping { file } = self;
        let mut answer = client.send(Method::GET, "/api/mapping/export", &[], Bytes::new()).await?;
        let Some(file) = file else {
            let mut out = std::io::stdout().lock();
            while let Some(chunk) = answer.body.next().await {
                out.write_all(&chunk?).map_err(Failure::Output)?;
            }
            return out.flush().map_err(Failure::Output);
        };
        // Beside it first: a file that is there is either the old one or the whole new one.
        let unfinished = file.with_extension("unfinished");
        let mut out = std::fs::File::create(&unfinished).with_context(|| unfinished.display().to_string())?;
        while let Some(chunk) = answer.body.next().await {
            out.write_all(&chunk?).with_context(|| unfinished.display().to_string())?;
        }
        out.sync_all().with_context(|| unfinished.display().to_string())?;
        std::fs::rename(&unfinished, &file).with_context(|| file.display().to_string())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_contradicts_itself_is_found_out() {
        let text =
            br#"{"971501234567": 2, "+971 50 123 4567": 2, "00971501234567": 3, "971501234567": 4, "x": 1}"#;
        let Entries(entries) = serde_json::from_slice(text).expect("it is JSON");
        assert_eq!(entries.len(), 5);
        let mut outcome = Outcome::default();
        let kept = without_twins(entries, &mut outcome);
        assert_eq!(kept, [("971501234567".into(), json!(2)), ("x".into(), json!(1))]);
        assert_eq!(outcome.unchanged, 1);
        assert_eq!(
            outcome.conflicts,
            [
                "00971501234567: the file says 3 here, and 2 for 971501234567",
                "971501234567: the file says 4 here, and 2 for 971501234567",
            ]
        );
    }
}
