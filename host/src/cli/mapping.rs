//! `switchboard import` and `switchboard export`: contacts' tenants and tenants' records, in files.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clap::{Args, Subcommand};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

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
locked to another tenant stays where it is, and is listed. A broken file imports nothing; an import that is
broken off is done again, and passes over what is there. A dry run holds the file against the gateway, and
against itself ten thousand contacts at a time. A collection file is a JSON list of
records, each with an `id` of its own; it takes the place of the whole collection.";

pub const EXPORT_EXAMPLES: &str = "Examples:
  switchboard export mapping                    to the terminal, or into a pipe
  switchboard export mapping mapping.json";

/// Contacts sent at a time: what the gateway takes in one commit.
const CHUNK: usize = 10_000;

/// Refusals and conflicts shown one by one; the rest is counted.
const SHOWN: usize = 50;

/// And as JSON.
const LISTED: usize = 10_000;

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
    /// Or does it only say what it would do?
    pub fn applies(&self) -> bool {
        match self {
            Import::Mapping { dry_run, .. } => !dry_run,
            Import::Collection(_) => true,
            Import::Env(env) => env.applies(),
        }
    }

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

/// Lines of one kind: the first ones, and how many there are.
#[derive(Default)]
struct Lines {
    first: Vec<String>,
    all: u64,
}

impl Lines {
    fn push(&mut self, line: String) {
        self.all += 1;
        if self.first.len() < LISTED {
            self.first.push(line);
        }
    }
}

/// What came of an import.
#[derive(Default)]
struct Outcome {
    imported: u64,
    unchanged: u64,
    conflicts: Lines,
    refused: Lines,
}

/// A file of millions goes through a piece at a time. It is read to its end first, so that one that is
/// broken imports nothing.
async fn mapping(client: &Client, file: &Path, dry_run: bool, json: bool) -> Result<()> {
    std::fs::File::open(file).with_context(|| file.display().to_string())?;
    client.ready().await?;
    let (path, mut total) = (file.to_owned(), 0);
    let counted_through = tokio::task::spawn_blocking(move || {
        each_entry(&path, &mut |_, _| {
            total += 1;
            true
        })?;
        Ok::<u64, anyhow::Error>(total)
    });
    let total = counted_through.await.context("reading the file panicked")??;
    let (mut outcome, bar) = (Outcome::default(), progress(total));
    let mut chunks = chunks(file.to_owned());
    let mut done = 0;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        let length = chunk.len() as u64;
        let body: Map<String, Value> = without_twins(chunk, &mut outcome).into_iter().collect();
        let answer =
            client.post(&format!("/api/mapping/import?dry_run={dry_run}"), &Value::Object(body)).await;
        let answer = answer.inspect_err(|_| {
            bar.finish_and_clear();
            screen::note(&format!(
                "{done} of {total} contacts were looked at before this, and {} of them imported. Run the same \
                 command again: what is there already is passed over.",
                if dry_run { 0 } else { outcome.imported }
            ));
        })?;
        outcome.add(&answer);
        done += length;
        bar.inc(length);
    }
    bar.finish_and_clear();
    outcome.tell(dry_run, json)?;
    match outcome.conflicts.all + outcome.refused.all {
        0 => Ok(()),
        left => Err(Failure::Incomplete(format!(
            "{} could not be imported",
            counted(usize::try_from(left).unwrap_or(usize::MAX), "contact")
        ))),
    }
}

/// The entries of a file, read on a thread of its own no further ahead than they are sent.
fn chunks(file: PathBuf) -> mpsc::Receiver<anyhow::Result<Vec<(String, Value)>>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = each_entry(&file, &mut |contact, tenant| {
            chunk.push((contact, tenant));
            // Nobody takes them any more after an error.
            chunk.len() < CHUNK
                || sender.blocking_send(Ok(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))).is_ok()
        });
        let last = read.map(|()| chunk);
        if !last.as_ref().is_ok_and(Vec::is_empty) {
            let _ = sender.blocking_send(last);
        }
    });
    receiver
}

/// Takes out what these entries themselves contradict: one contact, written in two ways, with two tenants.
/// What lies further apart in the file the gateway tells, because the first is locked by then.
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
        list("conflicts").into_iter().for_each(|line| self.conflicts.push(line));
        list("refused").into_iter().for_each(|line| self.refused.push(line));
    }

    fn tell(&self, dry_run: bool, json: bool) -> Result<()> {
        if json {
            return screen::json(&json!({
                "dry_run": dry_run,
                "imported": self.imported,
                "unchanged": self.unchanged,
                "conflicts": self.conflicts.first,
                "conflicts_in_all": self.conflicts.all,
                "refused": self.refused.first,
                "refused_in_all": self.refused.all,
            }));
        }
        for (heading, lines) in [("conflict", &self.conflicts), ("refused", &self.refused)] {
            for line in lines.first.iter().take(SHOWN) {
                screen::line(&format!("{heading}: {}", screen::one_line(line)))?;
            }
            if lines.all > SHOWN as u64 {
                screen::line(&format!("... and {} more (--json shows {LISTED})", lines.all - SHOWN as u64))?;
            }
        }
        let verb = if dry_run { "would be imported" } else { "imported" };
        screen::line(&format!(
            "{} {verb}, {} already so, {} in conflict, {} refused",
            self.imported, self.unchanged, self.conflicts.all, self.refused.all
        ))
    }
}

/// Hands every entry of a mapping to `visit`, twins too, for as long as it wants more. A mistake is told with
/// its line.
fn each_entry(file: &Path, visit: &mut dyn FnMut(String, Value) -> bool) -> anyhow::Result<()> {
    let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    let mut text = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 18, opened));
    let read =
        Entries(visit).deserialize(&mut text).and_then(|wanted| if wanted { text.end() } else { Ok(()) });
    read.map_err(|error| {
        anyhow!("{}:{}:{}: {error}", file.display(), error.line(), error.column())
            .context("write a mapping as {\"971501234567\": 2, ...}")
    })
}

/// A JSON object an entry at a time. `false`: nobody wanted the rest.
struct Entries<'v>(&'v mut dyn FnMut(String, Value) -> bool);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of contacts and their tenants")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<bool, A::Error> {
        while let Some((contact, tenant)) = map.next_entry()? {
            if !(self.0)(contact, tenant) {
                return Ok(false);
            }
        }
        Ok(true)
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
        let mut unfinished = file.clone().into_os_string();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let written = write_out(answer.body, &unfinished).await;
        if written.is_err() {
            // Half of an export helps nobody.
            std::fs::remove_file(&unfinished).ok();
        }
        written.with_context(|| unfinished.display().to_string())?;
        std::fs::rename(&unfinished, &file).with_context(|| file.display().to_string())?;
        Ok(())
    }
}

/// A piece at a time, for this user only: it is a list of people.
async fn write_out(mut pieces: BoxStream<'static, anyhow::Result<Bytes>>, to: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(to)?;
    while let Some(piece) = pieces.next().await {
        out.write_all(&piece?)?;
    }
    out.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Vec<(String, Value)>> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let mut entries = Vec::new();
        each_entry(file.path(), &mut |contact, tenant| {
            entries.push((contact, tenant));
            true
        })?;
        Ok(entries)
    }

    #[test]
    fn a_file_that_contradicts_itself_is_found_out() {
        let entries = read(
            r#"{"971501234567": 2, "+971 50 123 4567": 2, "00971501234567": 3, "971501234567": 4, "x": 1}"#,
        );
        let entries = entries.expect("it is JSON");
        assert_eq!(entries.len(), 5);
        let mut outcome = Outcome::default();
        let kept = without_twins(entries, &mut outcome);
        assert_eq!(kept, [("971501234567".into(), json!(2)), ("x".into(), json!(1))]);
        assert_eq!(outcome.unchanged, 1);
        assert_eq!(
            outcome.conflicts.first,
            [
                "00971501234567: the file says 3 here, and 2 for 971501234567",
                "971501234567: the file says 4 here, and 2 for 971501234567",
            ]
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        for (text, place) in [
            ("{\"971501234567\": 2,\n \"x\" 1}", ":2:6: "),
            ("{\"971501234567\": 2,\n\n", ":3:0: "),
            ("[1]", ":1:1: "),
            ("{} {}", ":1:4: "),
        ] {
            let error = format!("{:#}", read(text).expect_err("it is broken"));
            assert!(error.contains(place), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_listed_is_bounded() {
        let mut lines = Lines::default();
        (0..LISTED + 5).for_each(|n| lines.push(n.to_string()));
        assert_eq!((lines.first.len(), lines.all), (LISTED, LISTED as u64 + 5));
    }
}
