//! `switchboard store`: the store's file and its disk.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard store show       how large the file is, what it could give back, what the disk has left
  switchboard store verify     read everything and count it anew, while the gateway runs
  switchboard store compact    give back to the disk what the file does not need

A compaction has the file to itself: messages wait meanwhile, and what cannot wait is answered 503 and
sent again by the provider. A gigabyte takes some seconds to a minute. The gateway compacts a small file
by itself at night, see [store] compact_hour.";

#[derive(Subcommand)]
pub enum Store {
    /// The file and its disk, in bytes.
    Show,
    /// Read everything and count it anew, while the gateway runs.
    Verify,
    /// Give back what the file does not need.
    Compact,
}

impl Store {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Store::Show => {
                let answer = client.get("/api/store").await?;
                if json {
                    return screen::json(&answer);
                }
                screen::fields(&json!({
                    "file_bytes": answer["file"]["bytes"],
                    "spare_bytes": answer["file"]["spare"],
                    "disk_free_bytes": answer["disk"]["free"],
                    "disk_reserve_bytes": answer["disk"]["reserve"],
                    "refused": refused(&answer["disk"]["short"]),
                }))
            }
            Store::Verify => {
                let answer = client.post_patiently("/api/store/verify", &json!({})).await?;
                let flaw = answer["flaw"].as_str().map(str::to_owned);
                if json {
                    screen::json(&answer)?;
                } else if flaw.is_none() {
                    let of = |key: &str| screen::text(&answer[key]);
                    screen::line(&format!(
                        "All {} rows can be read, and the counters are true; it took {} ms.",
                        of("rows"),
                        of("took_ms")
                    ))?;
                }
                match flaw {
                    None => Ok(()),
                    Some(flaw) => Err(Failure::Refused {
                        status: 500,
                        message: format!("the store's file: {flaw}"),
                        action: "stop the gateway and run `switchboard check`: it looks at every page and names the newest good backup".into(),
                    }),
                }
            }
            Store::Compact => {
                let answer = client.post_patiently("/api/store/compact", &json!({})).await?;
                if json {
                    return screen::json(&answer);
                }
                let of = |key: &str| screen::text(&answer[key]);
                screen::line(&format!(
                    "The file had {} bytes and has {}; it took {} ms.",
                    of("bytes_before"),
                    of("bytes_after"),
                    of("took_ms")
                ))
            }
        }
    }
}

fn refused(short: &Value) -> &'static str {
    match short.as_str() {
        Some("messages") => "messages, and what tenants store",
        Some(_) => "what tenants store",
        None => "nothing",
    }
}
