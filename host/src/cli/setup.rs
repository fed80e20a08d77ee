//! Finds and reads the configuration, and lays the command line over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::{Place, Result};
use crate::config::Config;

/// The configuration that is used without being named.
const DEFAULT: &str = "switchboard.toml";

/// The configuration in force, and the file it came from.
pub fn config(place: &Place, listen: Option<SocketAddr>) -> Result<(Config, Option<PathBuf>)> {
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
    Ok((config, file))
}
