//! `switchboard doctor`.

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::failure::{Failure, counted};
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard doctor
  switchboard doctor --json | jq '.findings[] | select(.severity == \"error\")'

Asks every provider whether it knows our numbers and takes our keys, and looks at what waits, what
died and what is missing. Sends no message and changes nothing. The exit code is 1 if something is
wrong. `switchboard check` looks at the files before a start.";

pub async fn doctor(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/api/doctor").await?;
    let findings = items(&answer, "findings");
    if json {
        screen::json(&answer)?;
    } else {
        for finding in findings {
            screen::line(&line(finding))?;
        }
    }
    let wrong = findings.iter().filter(|finding| finding["severity"] == "error").count();
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::Incomplete(format!("{} to mend", counted(wrong, "thing"))))
}

/// `WRONG    sender main: its WhatsApp session is FAILED; start it again`.
fn line(finding: &Value) -> String {
    let mark = match finding["severity"].as_str() {
        Some("good") => "good",
        Some("warning") => "look",
        _ => "WRONG",
    };
    let action = match finding["action"].as_str() {
        Some(action) if !action.is_empty() => format!("\n         {}", screen::one_line(action)),
        _ => String::new(),
    };
    format!("{mark:<7}  {}: {}{action}", screen::text(&finding["subject"]), screen::text(&finding["what"]))
}
