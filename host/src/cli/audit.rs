//! `switchboard audit`.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Example:
  switchboard audit --limit 20";

#[derive(Args)]
pub struct Audit {
    /// At most so many, the newest.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

impl Audit {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        let answer = client.get(&format!("/api/audit?limit={}", self.limit)).await?;
        if json {
            return screen::json(&answer);
        }
        let columns: [screen::Column; 5] = [
            ("AT", |entry| screen::text(&entry["at"])),
            ("WHO", |entry| screen::text(&entry["actor"])),
            ("DID", |entry| screen::text(&entry["action"])),
            ("TO", |entry| screen::text(&entry["subject"])),
            ("DETAIL", |entry| screen::text(&entry["detail"])),
        ];
        screen::list(items(&answer, "audit"), &columns, "Nothing has been done yet.")
    }
}
