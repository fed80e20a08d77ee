//! `switchboard keys`: what the senders' secrets are sealed with.

use clap::Subcommand;
use serde_json::json;

use crate::cli::client::{Client, part};
use crate::cli::failure::counted;
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard keys list                    which keys there are, and how many secrets each seals
  switchboard keys rotate                  a new key for everything; the old one stays for old backups
  switchboard keys retire 3f9a61c20b7e     once it seals nothing any more

These keys lie in DATA/secret.key (secrets.key_file) or in SWITCHBOARD_SECRET_KEY. Keep a copy of them
elsewhere: the secrets in the store and in its backups open with nothing else. For the API's tokens see
`switchboard key`.";

#[derive(Subcommand)]
pub enum Keys {
    /// Their ids, and how many secrets each seals; never the keys themselves.
    List,
    /// Make a new key and seal everything with it; ends a rotation that was broken off.
    Rotate,
    /// Forget a key that seals nothing any more. Backups that it seals cannot be opened afterwards.
    Retire {
        /// As `keys list` shows it.
        id: String,
    },
}

impl Keys {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Keys::List => {
                let answer = client.get("/api/secrets").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 3] = [
                    ("ID", |key| screen::text(&key["id"])),
                    ("CURRENT", |key| screen::text(&key["current"])),
                    ("SEALS", |key| screen::text(&key["secrets"])),
                ];
                screen::list(items(&answer, "keys"), &columns, "There is no key yet.")
            }
            Keys::Rotate => {
                let answer = client.post("/api/secrets/rotate", &json!({})).await?;
                if json {
                    return screen::json(&answer);
                }
                let senders = answer["senders"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                let (current, senders) = (screen::text(&answer["current"]), counted(senders, "sender"));
                let what = if answer["resumed"] == true {
                    "The rotation that was broken off has ended"
                } else {
                    "Rotated"
                };
                screen::line(&format!("{what}: key {current} seals everything now; {senders} sealed anew."))?;
                screen::line(&format!("Copy {} to where its copy lies.", screen::text(&answer["key_file"])))
            }
            Keys::Retire { id } => {
                let answer = client.delete(&format!("/api/secrets/keys/{}", part(&id))).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::line(&format!(
                    "Key {id} is gone. A backup that it seals opens with a copy of it only."
                ))
            }
        }
    }
}
