//! `switchboard brain` and `switchboard personality`: what answers for the tenants.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::brain;
use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::setup::Scratch;
use crate::cli::tenant::items;
use crate::cli::{Place, Result, screen, setup};

pub const EXAMPLES: &str = "Examples:
  switchboard brain list
  switchboard brain push --tenant 2 target/wasm32-wasip2/release/my_brain.wasm
  switchboard brain rollback --tenant 2
  switchboard brain rollback --package real-estate --to 3f9a…
  switchboard brain test plugins/real-estate

A tenant's developer pushes from elsewhere with that tenant's key:
  SWITCHBOARD_URL=https://bots.example.com SWITCHBOARD_TOKEN=sbt_… switchboard brain push --tenant 2 …";

pub const PERSONALITY_EXAMPLES: &str = "Example:
  switchboard personality push --tenant 2 personality.toml

The tenant's next turn speaks with it.";

#[derive(Subcommand)]
pub enum Brain {
    /// Every package: what runs, since when, for whom, and why the newest files do not.
    List,
    /// Check a component and put it to work for a tenant.
    Push {
        #[arg(long, value_name = "ID")]
        tenant: u32,
        /// The component: brain.wasm
        file: PathBuf,
    },
    /// Go back to an earlier version.
    Rollback(Rollback),
    /// Say that a tenant's own package, which is gone, was taken away on purpose.
    Forget {
        #[arg(long, value_name = "ID")]
        tenant: u32,
    },
    /// Run the conversations written beside a brain (tests/*.chat) against its built component.
    Test {
        /// The package: a folder with plugin.toml and brain.wasm.
        directory: PathBuf,
    },
}

#[derive(Args)]
#[group(skip)]
pub struct Rollback {
    /// Of the tenant's own package.
    #[arg(long, value_name = "ID", required_unless_present = "package", conflicts_with = "package")]
    tenant: Option<u32>,
    /// Of a shared package, for every tenant that uses it.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The digest, or its beginning. [default: the version before]
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

#[derive(Subcommand)]
pub enum Personality {
    /// Check a personality and put it to work for a tenant.
    Push {
        #[arg(long, value_name = "ID")]
        tenant: u32,
        /// The texts: personality.toml
        file: PathBuf,
    },
}

impl Brain {
    pub async fn run(self, place: &Place) -> Result<()> {
        if let Brain::Test { directory } = self {
            return test(place, &directory).await;
        }
        let client = &Client::open(place, false).await?;
        match self {
            Brain::Test { .. } => unreachable!("it is done above, without a gateway"),
            Brain::List => list(client, place.json).await,
            Brain::Push { tenant, file } => {
                let component = std::fs::read(&file).with_context(|| file.display().to_string())?;
                let answer = client.put_file(&format!("/api/tenants/{tenant}/brain"), component).await?;
                live(&answer, place.json)
            }
            Brain::Rollback(rollback) => rollback.run(client, place.json).await,
            Brain::Forget { tenant } => {
                let answer = client.post(&format!("/api/tenants/{tenant}/brain/forget"), &json!({})).await?;
                if place.json {
                    return screen::json(&answer);
                }
                screen::line(&format!("The package of tenant {tenant} is not missed any more."))
            }
        }
    }
}

/// Needs no gateway and touches no data.
async fn test(place: &Place, directory: &Path) -> Result<()> {
    let (config, _) = setup::config(place, None)?;
    let cache = Scratch::new()?;
    let settings = brain::Settings {
        plugins: directory.parent().unwrap_or(Path::new(".")).to_owned(),
        cache: cache.0.clone(),
        limits: config.limits,
        concurrent: 1,
        compiling: config.brains,
        program: brain::THIS_PROGRAM.into(),
        vitals: Default::default(),
    };
    let report = brain::script::test_package(directory, settings).await.map_err(anyhow::Error::from)?;
    if place.json {
        let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
        screen::json(&json!({"passed": report.passed, "failures": failures}))?;
    } else {
        screen::line(&report.to_string())?;
    }
    match report.failures.len() {
        0 => Ok(()),
        _ => Err(Failure::Incomplete("the brain does not say what its scripts expect".into())),
    }
}

async fn list(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/api/brains").await?;
    if json {
        return screen::json(&answer);
    }
    let brains = items(&answer, "brains");
    let columns: [screen::Column; 5] = [
        ("PACKAGE", |brain| screen::text(&brain["package"])),
        ("LIVE", |brain| short(&brain["digest"])),
        ("SINCE", |brain| screen::text(&brain["live_since"])),
        ("TENANTS", |brain| screen::text(&brain["tenants"])),
        ("EARLIER", |brain| {
            let earlier: Vec<String> = items(brain, "earlier").iter().map(short).collect();
            if earlier.is_empty() { "-".into() } else { earlier.join(" ") }
        }),
    ];
    screen::list(brains, &columns, "The plugins directory holds no package.")?;
    for brain in brains.iter().filter(|brain| !brain["compiling_since"].is_null()) {
        screen::line(&format!("\n{}: its component is being compiled", screen::text(&brain["package"])))?;
    }
    for brain in brains.iter().filter(|brain| brain["refused"].is_string()) {
        let reason = screen::text(&brain["refused"]);
        screen::line(&format!(
            "\n{}: its newest files do not run:\n  {reason}",
            screen::text(&brain["package"])
        ))?;
    }
    Ok(())
}

/// A digest as people name it.
fn short(digest: &Value) -> String {
    digest.as_str().map_or_else(|| "-".into(), |digest| digest.chars().take(12).collect())
}

impl Rollback {
    async fn run(self, client: &Client, json: bool) -> Result<()> {
        let path = match (&self.tenant, &self.package) {
            (Some(tenant), _) => format!("/api/tenants/{tenant}/brain/rollback"),
            (None, package) => {
                format!("/api/brains/{}/rollback", part(package.as_deref().unwrap_or_default()))
            }
        };
        let answer = client.post(&path, &json!({"digest": self.to})).await?;
        live(&answer, json)
    }
}

impl Personality {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        let Personality::Push { tenant, file } = self;
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let answer = client.put_file(&format!("/api/tenants/{tenant}/personality"), text).await?;
        live(&answer, json)
    }
}

/// What was checked, and what is live now.
fn live(answer: &Value, json: bool) -> Result<()> {
    if json {
        return screen::json(answer);
    }
    screen::line(&format!(
        "{} runs {} (checked: {})",
        screen::text(&answer["package"]),
        short(&answer["digest"]),
        screen::text(&answer["checked"])
    ))
}
