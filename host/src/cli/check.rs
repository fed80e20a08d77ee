//! `switchboard check`: looks at everything a start would look at, and changes nothing.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::brain::{self, Brains};
use crate::cli::client::Client;
use crate::cli::failure::{Failure, counted};
use crate::cli::{Place, Result, screen, setup};
use crate::config::Config;
use crate::config::document::Problem;
use crate::declared::{self, Surroundings};
use crate::gateway;
use crate::keyring;
use crate::ownership;
use crate::store::embedded::{self, Embedded};
use crate::tenant::{Directory, HouseWaha};

pub const EXAMPLES: &str = "Examples:
  switchboard check
  switchboard check --config /etc/switchboard/switchboard.toml && systemctl restart switchboard

Every mistake is told with its file, line, column and key, and what to do. The exit code is 1 if
there is one.";

pub async fn check(place: &Place, listen: Option<SocketAddr>) -> Result<()> {
    if place.url.is_some() {
        return Err(Failure::Usage("check looks at files of this machine; leave --url out".into()));
    }
    let (config, file) = setup::config(place, listen)?;
    let mut problems = Vec::new();
    let mut said = vec![match &file {
        Some(file) => format!("configuration {}: good", file.display()),
        None => "configuration: there is no switchboard.toml here, so the defaults".to_owned(),
    }];
    if let Err((what, action)) = declared::secret(&config.waha.api_key, &setup::environment) {
        let file = file.as_deref().unwrap_or(Path::new("switchboard.toml"));
        problems.push(whole(file, &format!("waha.api_key: {what}"), &action));
    }
    said.extend(declared_data(&config, &mut problems));
    said.extend(brains(&config, &mut problems).await?);
    // A gateway that runs has checked its store, and holds it.
    if Client::running(place).await?.is_some() {
        said.push("store: in use by the gateway that runs on it".into());
    } else {
        said.extend(store(&config, &mut problems).await?);
    }
    if place.json {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        screen::json(&json!({"good": problems.is_empty(), "problems": told}))?;
    } else {
        for line in said {
            screen::line(&line)?;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

fn declared_data(config: &Config, problems: &mut Vec<Problem>) -> Option<String> {
    let packages = match declared::packages(&config.plugins) {
        Ok(packages) => Some(packages),
        Err(error) => {
            problems.push(whole(
                &config.plugins,
                &format!("the plugins directory cannot be read: {error}"),
                "create it, or set `plugins`",
            ));
            None
        }
    };
    let mut directory = Directory::default();
    directory.set_waha(HouseWaha { base_url: config.waha.base_url.clone(), ..HouseWaha::default() });
    let around = Surroundings {
        directory,
        private: config.is_private(),
        packages: packages.as_deref(),
        environment: Some(&setup::environment),
        has_collection: None,
    };
    match declared::load(&config.declared, around) {
        Ok(declared) => Some(format!(
            "declared data: {}, {}, {}, {}",
            counted(declared.organizations.len(), "organization"),
            counted(declared.tenants.len(), "tenant"),
            counted(declared.senders.len(), "sender"),
            counted(declared.collections.len(), "collection"),
        )),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// Loads every package as a start would, with a cache that is thrown away.
async fn brains(config: &Config, problems: &mut Vec<Problem>) -> Result<Option<String>> {
    if !config.plugins.is_dir() {
        return Ok(None);
    }
    let cache = setup::Scratch::new()?;
    let settings = brain::Settings {
        plugins: config.plugins.clone(),
        cache: cache.0.clone(),
        limits: config.limits,
        concurrent: 1,
        compiling: config.brains.clone(),
        program: brain::THIS_PROGRAM.into(),
        vitals: Default::default(),
    };
    let brains = Brains::open(settings, |_| None).await.context("the plugins directory cannot be read");
    let brains = brains?;
    brains.complete().await;
    let packages = brains.list();
    for package in &packages {
        if let Some(reason) = &package.refused {
            problems.push(whole(&config.plugins.join(&package.package), reason, ""));
        }
    }
    let live = packages.iter().filter(|package| package.refused.is_none()).count();
    Ok(Some(format!("brains: {} of {} load", live, counted(packages.len(), "package"))))
}

async fn store(config: &Config, problems: &mut Vec<Problem>) -> Result<Option<String>> {
    let file = gateway::store_file(config);
    match file.metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some("store: none yet; the first start makes it".into()));
        }
        Err(error) => {
            let action = ownership::advice(&file).unwrap_or_default();
            problems.push(whole(&file, &format!("cannot be looked at: {error}"), &action));
            return Ok(None);
        }
    }
    let keys = keyring::read(config).context("the keys of the secrets")?;
    let settings = embedded::Settings { verify: true, ..gateway::store_settings(config, keys.ring.clone()) };
    let opened = tokio::task::spawn_blocking(|| Embedded::open(settings)).await;
    match opened.context("checking panicked")? {
        Ok(_) => Ok(Some("store: every page is sound".into())),
        Err(error) => {
            problems.push(whole(&file, &gateway::explained(error, &keys).to_string(), ""));
            Ok(None)
        }
    }
}

fn whole(file: &Path, what: &str, action: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        place: None,
        key: String::new(),
        what: what.into(),
        action: action.into(),
    }
}
