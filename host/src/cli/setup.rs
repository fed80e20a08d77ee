//! Finds and reads the configuration, and lays the command line over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use std::os::unix::fs::DirBuilderExt as _;

use crate::cli::{Place, Result};
use crate::config::Config;
use crate::config::document::Problem;
use crate::keyring;
use crate::store::embedded::shell_word;
use crate::tenant::Secret;

/// The configuration that is used without being named.
const DEFAULT: &str = "switchboard.toml";

/// The configuration in force, and the file it came from.
pub fn config(place: &Place, listen: Option<SocketAddr>) -> Result<(Config, Option<PathBuf>)> {
    Ok(read(place, listen)?)
}

/// The same once more, as its files are now.
pub fn config_again(place: &Place, listen: Option<SocketAddr>) -> std::result::Result<Config, Vec<Problem>> {
    Ok(read(place, listen)?.0)
}

fn read(
    place: &Place,
    listen: Option<SocketAddr>,
) -> std::result::Result<(Config, Option<PathBuf>), Vec<Problem>> {
    let file = place.config.clone().or_else(|| Path::new(DEFAULT).is_file().then(|| DEFAULT.into()));
    let mut config = match &file {
        Some(file) => Config::load(file)?,
        None => Config::default(),
    };
    if let Some(data) = &place.data {
        config.data = data.clone();
    }
    if let Some(listen) = listen {
        config.listen = listen;
    }
    config.called = called(place, file.as_deref(), &config.data);
    config.secrets.keys = environment(keyring::VARIABLE).filter(|keys| !keys.is_empty()).map(Secret::new);
    Ok((config, file))
}

/// Was it said which gateway is meant? Else it is whatever the working directory happens to be.
pub fn is_named(place: &Place, file: Option<&Path>) -> bool {
    file.is_some() || place.data.is_some()
}

/// A path as it can be typed in any directory.
fn word(path: &Path) -> String {
    shell_word(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// What this run was given to say which gateway is meant.
pub fn given(place: &Place) -> String {
    let options = [("--config", &place.config), ("--data", &place.data)];
    let given = options.iter().filter_map(|(name, path)| Some(format!(" {name} {}", word(path.as_ref()?))));
    given.collect()
}

/// What another command says to mean the same gateway, from any directory.
fn called(place: &Place, file: Option<&Path>, data: &Path) -> String {
    let config = file.map(|file| format!(" --config {}", word(file))).unwrap_or_default();
    match &place.data {
        None if file.is_some() => config,
        _ => format!("{config} --data {}", word(data)),
    }
}

/// Where secrets in declared data find the variables that they name.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A directory of one's own that is gone afterwards.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let path = std::env::temp_dir().join(format!("switchboard-{}", hex::encode(random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
