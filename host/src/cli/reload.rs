//! `switchboard reload`: a gateway that runs reads again what files declare.

use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::failure::counted;
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Example:
  switchboard reload

Reads again the declared directories, the secrets that they name by `env:` or `file:`, waha.api_key and the
file of the keys that secrets are sealed with. A mistake anywhere changes nothing. SIGHUP does the same and
tells the log. Other settings of switchboard.toml need a restart; those that differ are named. A file's new
content is used; a variable of the environment has the value that the gateway was started with.";

pub async fn reload(client: &Client, json: bool) -> Result<()> {
    let answer = client.post("/api/reload", &json!({})).await?;
    if json {
        return screen::json(&answer);
    }
    let count = |key: &str| answer[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let things = counted(count("changed"), "declared thing");
    screen::line(&format!("Read again: {things} changed, {} as before.", count("unchanged")))?;
    for change in items(&answer, "changes") {
        let fields: Vec<String> = items(change, "fields").iter().map(screen::text).collect();
        let [what, file] = ["what", "file"].map(|key| screen::text(&change[key]));
        let took_back = match &change["took_back_from"] {
            Value::String(actor) => format!(" (takes back what {actor} changed)"),
            _ => String::new(),
        };
        screen::line(&format!("  {what}: {}, from {file}{took_back}", fields.join(", ")))?;
    }
    if answer["waha_api_key"] == true {
        screen::line("  waha.api_key is another one now")?;
    }
    if let Some(keys) = answer["sealing_keys"].as_u64() {
        screen::line(&format!("  secrets are sealed with other keys now ({keys} are there)"))?;
    }
    let restart: Vec<String> = items(&answer, "needs_restart").iter().map(screen::text).collect();
    if !restart.is_empty() {
        screen::line(&format!("Not taken up before a restart: {}.", restart.join(", ")))?;
    }
    Ok(())
}
