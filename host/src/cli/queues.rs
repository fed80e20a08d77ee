//! `switchboard turns` and `switchboard outbox`: what waits, what died and why, nothing hidden.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const TURNS_EXAMPLES: &str = "Examples:
  switchboard turns list --dead                what was given up, and why
  switchboard turns show 2-971501234567-17     everything about one
  switchboard turns retry 2-971501234567-17    once more, now
  switchboard turns retry --error no-brain     how many died of this; with --yes once more, all of them";

pub const OUTBOX_EXAMPLES: &str = "Examples:
  switchboard outbox list                      what waits, with the last error
  switchboard outbox list --dead               refused for good, or of unknown outcome
  switchboard outbox retry 2-971501234567-18   send it (again), now
  switchboard outbox drop 2-971501234567-18    never send it
  switchboard outbox retry --sender main       how many wait or ended there; with --yes send them all, now
  switchboard outbox drop --state unknown --older-than 1440 --yes
                                               let be what nobody knew of for a day

Unknown means that the provider took the request and never said what came of it: look at the chat
before you retry.";

#[derive(Subcommand)]
pub enum Turns {
    /// Those that wait and those that died.
    List(Narrow),
    /// One of them, with what triggered it.
    Show { id: String },
    /// Put a dead one back in line, or make a waiting one due now; or all that match.
    Retry(Which),
}

#[derive(Subcommand)]
pub enum Outbox {
    /// Those that wait, died, or are of unknown outcome.
    List(Narrow),
    /// One of them, with what it says.
    Show { id: String },
    /// Send it now, or all that match; for one of unknown outcome that may mean twice.
    Retry(Which),
    /// Never send it, or any that matches; those after it go on.
    Drop(Which),
}

/// One by its id, or all that match.
#[derive(Args)]
pub struct Which {
    id: Option<String>,
    #[command(flatten)]
    like: Like,
    /// Do it. Without this, those that match are counted.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub struct Like {
    /// Of this tenant only.
    #[arg(long, value_name = "ID")]
    tenant: Option<u32>,
    /// With this contact only.
    #[arg(long, value_name = "PHONE")]
    contact: Option<String>,
    /// By this sender only.
    #[arg(long, value_name = "NAME")]
    sender: Option<String>,
    /// In this state only: waiting, dead; of replies also sending, unknown.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// With this in its last error only.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Older than this only.
    #[arg(long, value_name = "MINUTES")]
    older_than: Option<u32>,
}

impl Like {
    fn fields(&self) -> Map<String, Value> {
        let all = [
            ("tenant", json!(self.tenant)),
            ("contact", json!(self.contact)),
            ("sender", json!(self.sender)),
            ("state", json!(self.state)),
            ("error", json!(self.error)),
            ("older_than_minutes", json!(self.older_than)),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.into(), value))
            .collect()
    }
}

#[derive(Args)]
pub struct Narrow {
    #[command(flatten)]
    like: Like,
    /// Only what has been given up.
    #[arg(long)]
    dead: bool,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// Go on where the list before ended.
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
}

impl Narrow {
    fn query(&self) -> String {
        let mut query = format!("?limit={}", self.limit);
        for (name, value) in self.like.fields() {
            query.push_str(&format!("&{name}={}", part(&screen::text(&value))));
        }
        if let Some(after) = &self.after {
            query.push_str(&format!("&after={}", part(after)));
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
            Turns::Retry(which) => which.act(client, &Deed { what: "turns", verb: "retry" }, json).await,
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
            Outbox::Retry(which) => which.act(client, &Deed { what: "outbox", verb: "retry" }, json).await,
            Outbox::Drop(which) => which.act(client, &Deed { what: "outbox", verb: "drop" }, json).await,
        }
    }
}

fn tell_of_others(answer: &Value) {
    if answer["more"] == true {
        let next = screen::text(&answer["next"]);
        screen::note(&format!(
            "There are others: go on with --after {next}, or narrow the list; see --help."
        ));
    }
}

async fn show(client: &Client, path: &str, json: bool) -> Result<()> {
    let answer = client.get(path).await?;
    if json { screen::json(&answer) } else { screen::fields(&answer) }
}

/// What is done to what, in the words of the API's addresses.
struct Deed {
    what: &'static str,
    verb: &'static str,
}

impl Which {
    async fn act(self, client: &Client, deed: &Deed, json: bool) -> Result<()> {
        let Deed { what, verb } = *deed;
        let mut like = self.like.fields();
        if let Some(id) = &self.id {
            if !like.is_empty() {
                return Err(Failure::Usage("an id names one already: leave the other options out".into()));
            }
            return act(client, &format!("/api/{what}/{}/{verb}", part(id)), json).await;
        }
        if like.is_empty() {
            return Err(Failure::Usage(
                "name one by its id, or say which: --tenant, --sender, --state, --error, ...".into(),
            ));
        }
        let path = format!("/api/{what}/{verb}");
        let counted = client.post(&path, &Value::Object(like.clone())).await?;
        if !self.yes {
            if json {
                return screen::json(&counted);
            }
            return screen::line(&format!(
                "{} match{}. With --yes: {verb} them.",
                screen::text(&counted["matching"]),
                if counted["more"] == true { ", and there are more" } else { "" },
            ));
        }
        like.insert("count".into(), counted["matching"].clone());
        let done = client.post(&path, &Value::Object(like)).await?;
        if json {
            return screen::json(&done);
        }
        let more = if done["more"] == true { "; there are more: say the same again" } else { "" };
        screen::line(&format!(
            "{verb}: {} of {}{more}",
            screen::text(&done["done"]),
            screen::text(&done["matching"])
        ))
    }
}

async fn act(client: &Client, path: &str, json: bool) -> Result<()> {
    let answer = client.post(path, &json!({})).await?;
    if json {
        return screen::json(&answer);
    }
    screen::line(&format!("{}: {}", screen::text(&answer["id"]), screen::text(&answer["status"])))
}
