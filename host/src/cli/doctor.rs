//! `switchboard doctor`.

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::failure::{Failure, counted};
use crate::cli::tenant::items;
use crate::cli::{Place, Result, screen};
use crate::doctor::Severity;

pub const EXAMPLES: &str = "Examples:
  switchboard doctor
  switchboard doctor --json | jq '.findings[] | select(.severity == \"error\")'

Asks every provider whether it knows our numbers and takes our keys, and looks at what waits, what
died and what is missing. The worst comes first; what is found of many is one line. Sends no message and
changes nothing. The exit code is 1 if something is wrong, and 3 if no gateway runs. `switchboard check`
looks at the files before a start.";

pub async fn doctor(place: &Place, json: bool) -> Result<()> {
    let (client, runs) = match Client::running(place).await? {
        Some(client) => (client, true),
        None => (Client::open(place, false).await?, false),
    };
    let mut answer = client.get("/api/doctor").await?;
    if !runs && let Some(findings) = answer["findings"].as_array_mut() {
        findings.insert(0, nothing_runs());
    }
    let findings = items(&answer, "findings");
    if json {
        screen::json(&answer)?;
    } else {
        for finding in findings {
            screen::line(&line(finding))?;
        }
    }
    let wrong = findings.iter().filter(|finding| severity(finding) == Severity::Error).count();
    let mend = format!("{} to mend", counted(wrong, "thing"));
    match (runs, wrong) {
        (false, _) => Err(Failure::NothingRuns(format!("no gateway runs here; {mend}"))),
        (true, 0) => Ok(()),
        (true, _) => Err(Failure::Incomplete(mend)),
    }
}

/// Whatever else is well.
fn nothing_runs() -> Value {
    json!({
        "severity": Severity::Error,
        "subject": "gateway",
        "what": "none runs on this data directory: nothing is received and nothing is sent. The rest is of its store",
        "action": "`switchboard serve`, or by the service manager: `systemctl status switchboard`",
        "count": 1,
    })
}

/// What is not known is looked at.
fn severity(finding: &Value) -> Severity {
    Severity::deserialize(&finding["severity"]).unwrap_or(Severity::Error)
}

/// `WRONG    sender main: its WhatsApp session is FAILED; start it again`.
fn line(finding: &Value) -> String {
    let mark = match severity(finding) {
        Severity::Good => "good",
        Severity::Warning => "look",
        Severity::Error => "WRONG",
    };
    let action = match finding["action"].as_str() {
        Some(action) if !action.is_empty() => format!("\n         {}", screen::one_line(action)),
        _ => String::new(),
    };
    format!("{mark:<7}  {}: {}{action}", screen::text(&finding["subject"]), screen::text(&finding["what"]))
}
