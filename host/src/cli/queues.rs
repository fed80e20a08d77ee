//! `switchboard turns` and `switchboard outbox`: what waits, what died and why, nothing hidden.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const TURNS_EXAMPLES: &str = "Examples:
  switchboard turns list --dead                what was given up, and why
  switchboard turns show 2-971501234567-17     everything about one
  switchboard turns retry 2-971501234567-17    once more, now";

pub const OUTBOX_EXAMPLES: &str = "Examples:
  switchboard outbox list                      what waits, with the last error
  switchboard outbox list --dead               refused for good, or of unknown outcome
  switchboard outbox retry 2-971501234567-18   send it (again), now
  switchboard outbox drop 2-971501234567-18    never send it

Unknown means that the provider took the request and never said what came of it: look at the chat
before you retry.";

#[derive(Subcommand)]
pub enum Turns {
    /// Those that wait and those that died.
    List(Narrow),
    /// One of them, with what triggered it.
    Show { id: String },
    /// Put a dead one back in line, or make a waiting one due now.
    Retry { id: String },
}

#[derive(Subcommand)]
pub enum Outbox {
    /// Those that wait, died, or are of unknown outcome.
    List(Narrow),
    /// One of them, with what it says.
    Show { id: String },
    /// Send it now; for one of unknown outcome that may mean twice.
    Retry { id: String },
    /// Never send it; those after it go on.
    Drop { id: String },
}

#[derive(Args)]
pub struct Narrow {
    /// Of this tenant only.
    #[arg(long, value_name = "ID")]
    tenant: Option<u32>,
    /// With this contact only.
    #[arg(long, value_name = "PHONE")]
    contact: Option<String>,
    /// Only what has been given up.
    #[arg(long)]
    dead: bool,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

impl Narrow {
    fn query(&self) -> String {
        let mut query = format!("?limit={}", self.limit);
        if let Some(tenant) = self.tenant {
            query.push_str(&format!("&tenant={tenant}"));
        }
        if let Some(contact) = &self.contact {
            query.push_str(&format!("&contact={}", part(contact)));
        }
        if self.dead {
            query.push_str("&ended=true");
        }
        query
    }
}

impl Turns {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Turns::List(narrow) => {
                let answer = client.get(&format!("/api/turns{}", narrow.query())).await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 6] = [
                    ("ID", |turn| screen::text(&turn["id"])),
                    ("STATE", |turn| screen::text(&turn["state"])),
                    ("AT", |turn| screen::text(&turn["at"])),
                    ("FAILURES", |turn| screen::text(&turn["failures"])),
                    ("TRIGGER", |turn| screen::text(&turn["trigger"]["kind"])),
                    ("ERROR", |turn| screen::text(&turn["error"])),
                ];
                screen::list(items(&answer, "turns"), &columns, "No turn waits, and none has died.")?;
                tell_of_others(&answer);
                Ok(())
            }
            Turns::Show { id } => show(client, &format!("/api/turns/{}", part(&id)), json).await,
            Turns::Retry { id } => act(client, &format!("/api/turns/{}/retry", part(&id)), json).await,
        }
    }
}

impl Outbox {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Outbox::List(narrow) => {
                let answer = client.get(&format!("/api/outbox{}", narrow.query())).await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 7] = [
                    ("ID", |send| screen::text(&send["id"])),
                    ("STATE", |send| screen::text(&send["state"])),
                    ("SENDER", |send| screen::text(&send["sender"])),
                    ("SAYS", |send| screen::text(&send["outbound"]["content"]["type"])),
                    ("ATTEMPTS", |send| screen::text(&send["attempts"])),
                    ("DUE", |send| screen::text(&send["due_at"])),
                    ("LAST ERROR", |send| screen::text(&send["last_error"])),
                ];
                screen::list(items(&answer, "outbox"), &columns, "No reply waits, and none has died.")?;
                tell_of_others(&answer);
                Ok(())
            }
            Outbox::Show { id } => show(client, &format!("/api/outbox/{}", part(&id)), json).await,
            Outbox::Retry { id } => act(client, &format!("/api/outbox/{}/retry", part(&id)), json).await,
            Outbox::Drop { id } => act(client, &format!("/api/outbox/{}/drop", part(&id)), json).await,
        }
    }
}

fn tell_of_others(answer: &Value) {
    if answer["more"] == true {
        screen::note("There are others: narrow the list with --tenant and --contact, or raise --limit.");
    }
}

async fn show(client: &Client, path: &str, json: bool) -> Result<()> {
    let answer = client.get(path).await?;
    if json { screen::json(&answer) } else { screen::fields(&answer) }
}

async fn act(client: &Client, path: &str, json: bool) -> Result<()> {
    let answer = client.post(path, &json!({})).await?;
    if json {
        return screen::json(&answer);
    }
    screen::line(&format!("{}: {}", screen::text(&answer["id"]), screen::text(&answer["status"])))
}
