//! `switchboard key`: tokens of operators and keys of tenants.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard key add --tenant 2 --name \"build server\"     for pushing tenant 2's brain
  switchboard key add --operator --name laptop             another operator's token
  switchboard key list
  switchboard key remove 3f9a61c20b7e                      it leaked, or is not needed any more

A key is shown once; only its hash is kept. Lost the operator's token? Make a new one on the
gateway's machine, where no token is needed. What seals the senders' secrets is `switchboard keys`.";

#[derive(Subcommand)]
pub enum Key {
    /// Whose keys there are; never the keys themselves.
    List,
    /// Make a key and show it, this once.
    Add(Add),
    /// Take a key away; it opens nothing any more.
    Remove {
        /// As `key list` shows it.
        id: String,
    },
}

#[derive(Args)]
#[group(skip)]
pub struct Add {
    /// For this tenant and nothing else.
    #[arg(long, value_name = "ID", required_unless_present = "operator", conflicts_with = "operator")]
    tenant: Option<u32>,
    /// For everything.
    #[arg(long)]
    operator: bool,
    /// Whose it is, for the audit log.
    #[arg(long)]
    name: String,
}

impl Key {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Key::List => {
                let answer = client.get("/api/keys").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 4] = [
                    ("ID", |key| screen::text(&key["id"])),
                    ("FOR", |key| match &key["tenant"] {
                        Value::Null => "operator".into(),
                        tenant => format!("tenant {tenant}"),
                    }),
                    ("NAME", |key| screen::text(&key["name"])),
                    ("MADE", |key| screen::text(&key["created_at"])),
                ];
                screen::list(items(&answer, "keys"), &columns, "There are no keys yet.")
            }
            Key::Remove { id } => {
                let answer = client.delete(&format!("/api/keys/{}", part(&id))).await?;
                if json {
                    screen::json(&answer)
                } else {
                    screen::line(&format!("Key {id} opens nothing any more."))
                }
            }
            Key::Add(add) => {
                let body = json!({"tenant": add.tenant, "name": add.name});
                let answer = client.post("/api/keys", &body).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::note("Keep it now; it cannot be shown again:");
                screen::line(&screen::text(&answer["key"]))
            }
        }
    }
}
