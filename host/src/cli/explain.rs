//! `switchboard webhook`: what a webhook body would become, without sending it anywhere; and those that
//! could not be read.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use crate::api;
use crate::cli::client::Client;
use crate::cli::{Place, Result, screen, setup};
use crate::explain;
use crate::gateway;
use crate::message::Provider;

pub const EXAMPLES: &str = "Examples:
  switchboard webhook explain --provider waha body.json
  curl ... | switchboard webhook explain --provider waha -
  switchboard webhook explain --provider waha body.json --header 'X-Webhook-Hmac: 208f…'
  switchboard webhook unread        what brought something that this program cannot read
  switchboard webhook replay        after an upgrade: take in what can be read now

One JSON object a line, one line an event. With the gateway's data at hand each message also says
which tenant it would go to, and, when headers are given, whether the webhook would be believed.";

#[derive(Subcommand)]
pub enum Webhook {
    /// What a payload would become; nothing is stored.
    Explain(Explain),
    /// Those that are kept because something of them cannot be read, and why.
    Unread,
    /// Read those again, and take in what can be read now.
    Replay,
}

#[derive(Args)]
pub struct Explain {
    #[arg(long, value_parser = provider, help = Provider::names())]
    provider: Provider,
    /// The body, or a JSON list of bodies; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A header of the webhook. May be repeated.
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<String>,
}

fn provider(name: &str) -> std::result::Result<Provider, String> {
    Provider::parse(name).ok_or_else(|| format!("no such provider; write {}", Provider::names()))
}

fn header(text: &str) -> std::result::Result<String, String> {
    match text.split_once(':') {
        Some((name, _)) if !name.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("write it as NAME:VALUE".into()),
    }
}

impl Webhook {
    pub async fn run(self, place: &Place) -> Result<()> {
        let explain = match self {
            Webhook::Explain(explain) => explain,
            Webhook::Unread => return unread(&Client::open(place, false).await?, place.json).await,
            Webhook::Replay => return replay(&Client::open(place, false).await?, place.json).await,
        };
        let body = read(&explain.file)?;
        let lines = match with_data(place).await? {
            Some(client) => {
                let headers: Vec<(&str, String)> = explain
                    .headers
                    .iter()
                    .map(|header| (api::explain::WEBHOOK_HEADER, header.clone()))
                    .collect();
                let path = format!("/api/webhook/explain?provider={}", explain.provider);
                client.text(Method::POST, &path, &headers, body).await?
            }
            None => explain.without_data(&body)?,
        };
        screen::json_lines(&String::from_utf8_lossy(&lines))
    }
}

async fn unread(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/api/webhook/unread").await?;
    if json {
        return screen::json(&answer);
    }
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in items {
        let events: Vec<&str> =
            item["events"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        let of = |key: &str| screen::text(&item[key]);
        screen::line(&format!(
            "{}  {}  {}  {}",
            of("received_at"),
            of("provider"),
            events.join(","),
            of("reason")
        ))?;
    }
    if items.is_empty() {
        screen::note("Everything that came could be read.");
    }
    Ok(())
}

async fn replay(client: &Client, json: bool) -> Result<()> {
    let answer = client.post("/api/webhook/replay", &json!({})).await?;
    if json {
        return screen::json(&answer);
    }
    let of = |key: &str| screen::text(&answer[key]);
    screen::line(&format!("{} taken in; {} still cannot be read.", of("taken"), of("left")))
}

fn read(file: &Path) -> Result<Bytes> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    }
    Ok(bytes.into())
}

/// The gateway, or its data; none where there is neither. A look at a payload makes no store, and
/// needs none: what a body says can be told beside a store that does not open.
async fn with_data(place: &Place) -> Result<Option<Client>> {
    if let Some(client) = Client::running(place).await? {
        return Ok(Some(client));
    }
    let (config, _) = setup::config(place, None)?;
    if !gateway::store_file(&config).exists() {
        return Ok(None);
    }
    let client = Client::open(place, false).await?;
    match client.ready().await {
        Ok(()) => Ok(Some(client)),
        Err(failure) => {
            screen::note(&format!("The data cannot be used, so nothing is said of the tenant: {failure}"));
            Ok(None)
        }
    }
}

impl Explain {
    fn without_data(&self, body: &Bytes) -> Result<Bytes> {
        if !self.headers.is_empty() {
            screen::note("No gateway's data is at hand, so the headers cannot be checked.");
        }
        let explained = explain::explain(self.provider, body, false).map_err(anyhow::Error::from)?;
        let lines: String = explained.iter().map(|event| format!("{}\n", json!(event))).collect();
        Ok(lines.into())
    }
}
