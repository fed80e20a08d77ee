//! Finds and reads the configuration, and lays the command line over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use std::os::unix::fs::DirBuilderExt as _;

use crate::cli::{Place, Result};
use crate::config::Config;
use crate::config::document::Problem;
use crate::keyring;
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
    config.secrets.keys = environment(keyring::VARIABLE).filter(|keys| !keys.is_empty()).map(Secret::new);
    Ok((config, file))
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
