//! `switchboard contact` and `switchboard stats`: who is who, and locked to whom.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard contact show +971501234567       its keys, which tenant it belongs to, since when
  switchboard contact merge 245800000000182@lid 971501234567   the two are one person
  switchboard contact unmerge 245800000000182@lid              they are two after all
  switchboard contact unlock 971501234567      free it; its next link decides anew
  switchboard contact takeover --tenant 2 971501234567   a human answers from now on
  switchboard contact handback --tenant 2 971501234567   the bot answers again";

pub const STATS_EXAMPLES: &str = "Example:
  switchboard stats --json";

#[derive(Subcommand)]
pub enum Contact {
    /// All keys of a contact, and which tenant it is locked to.
    Show {
        /// A phone number with its country code, or a WhatsApp id.
        phone: String,
    },
    /// Two keys are one person's: the first becomes an alias of the second, with all that is kept of it.
    Merge {
        /// A phone number with its country code, or a WhatsApp id.
        phone: String,
        /// What the person is called from now on.
        into: String,
    },
    /// An alias is a person of its own again, with the lock it had; what was merged of its conversations
    /// stays where it is.
    Unmerge {
        /// A phone number with its country code, or a WhatsApp id.
        alias: String,
    },
    /// Free a contact from its tenant. What it said there stays there.
    Unlock {
        /// A phone number with its country code, or a WhatsApp id.
        phone: String,
    },
    /// A human answers from now on: the bot stays silent, its timers wait.
    Takeover(Named),
    /// The bot answers again; it is told what was said meanwhile.
    Handback(Named),
}

#[derive(Args)]
pub struct Named {
    /// In the conversation with this tenant.
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// A phone number with its country code, or a WhatsApp id.
    phone: String,
}

impl Named {
    async fn turn_to(&self, client: &Client, verb: &str, who: &str, json: bool) -> Result<()> {
        let path = format!("/api/tenants/{}/conversations/{}/{verb}", self.tenant, part(&self.phone));
        let answer = client.post(&path, &json!({})).await?;
        if json {
            return screen::json(&answer);
        }
        screen::line(&format!("{who} answers {} now.", screen::text(&answer["phone_number"])))
    }
}

impl Contact {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Contact::Show { phone } => {
                let answer = client.get(&format!("/api/contacts/{}", part(&phone))).await?;
                if json { screen::json(&answer) } else { screen::fields(&answer) }
            }
            Contact::Merge { phone, into } => {
                let path = format!("/api/contacts/{}/merge", part(&phone));
                let answer = client.post(&path, &json!({ "into": into })).await?;
                if json { screen::json(&answer) } else { screen::fields(&answer) }
            }
            Contact::Unmerge { alias } => {
                let path = format!("/api/contacts/{}/unmerge", part(&alias));
                let answer = client.post(&path, &json!({})).await?;
                if json { screen::json(&answer) } else { screen::fields(&answer) }
            }
            Contact::Unlock { phone } => {
                let answer = client.delete(&format!("/api/gateway/user/{}/mapping", part(&phone))).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::line(&format!(
                    "{} is free; it was tenant {}'s.",
                    screen::text(&answer["phone_number"]),
                    answer["previous_tenant_id"]
                ))
            }
            Contact::Takeover(named) => named.turn_to(client, "handoff", "A human", json).await,
            Contact::Handback(named) => named.turn_to(client, "handback", "The bot", json).await,
        }
    }
}

pub async fn stats(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/api/gateway/stats").await?;
    if json {
        return screen::json(&answer);
    }
    let stats = &answer["gateway_stats"];
    screen::line(&format!(
        "{} contacts, {} tenants, last change {}",
        stats["total_users"],
        stats["total_tenants"],
        screen::text(&stats["last_updated"])
    ))?;
    let Some(shares) = answer["percentages"].as_object().filter(|shares| !shares.is_empty()) else {
        return Ok(());
    };
    let rows: Vec<Value> = shares
        .iter()
        .map(|(tenant, share)| {
            json!({"tenant": tenant, "users": stats["users_per_tenant"][tenant], "share": share})
        })
        .collect();
    let columns: [screen::Column; 3] = [
        ("TENANT", |row| screen::text(&row["tenant"])),
        ("USERS", |row| screen::text(&row["users"])),
        ("PERCENT", |row| format!("{:.2}", row["share"].as_f64().unwrap_or(0.0))),
    ];
    screen::list(&rows, &columns, "")
}
