//! `switchboard opt-out`: who wants no messages of a tenant.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::client::{Client, part};
use crate::cli::tenant::items;
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard opt-out list --tenant 2                      who has said so, when and how
  switchboard opt-out add --tenant 2 971501234567 --reason \"asked on the phone\"
  switchboard opt-out remove --tenant 2 971501234567       it wants messages again

Contacts opt out themselves by writing STOP, and in again by writing START, in English, Arabic or
Persian.";

#[derive(Subcommand)]
pub enum OptOut {
    /// A tenant's, in the order of their keys.
    List(List),
    /// From now on nothing is sent to this contact in the tenant's name.
    Add(Add),
    /// Messages go out again.
    Remove(Named),
}

#[derive(Args)]
pub struct List {
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// Only those behind this one.
    #[arg(long, value_name = "PHONE")]
    after: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    named: Named,
    /// For the record; the caller's name by itself.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Args)]
pub struct Named {
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// A phone number with its country code, or a WhatsApp id.
    phone: String,
}

impl Named {
    fn path(&self) -> String {
        format!("/api/tenants/{}/opt-outs/{}", self.tenant, part(&self.phone))
    }
}

impl OptOut {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            OptOut::List(List { tenant, after, limit }) => {
                let after = after.map(|after| format!("&after={}", part(&after))).unwrap_or_default();
                let path = format!("/api/tenants/{tenant}/opt-outs?limit={limit}{after}");
                let answer = client.get(&path).await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 3] = [
                    ("CONTACT", |row| screen::text(&row["contact"])),
                    ("SINCE", |row| screen::text(&row["since"])),
                    ("REASON", |row| screen::text(&row["reason"])),
                ];
                screen::list(items(&answer, "opt_outs"), &columns, "Nobody has opted out.")
            }
            OptOut::Add(Add { named, reason }) => {
                let body = json!({ "reason": reason }).to_string();
                let answer = client.put(&named.path(), body).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::line(&format!("{} gets no more messages.", screen::text(&answer["contact"])))
            }
            OptOut::Remove(named) => {
                let answer = client.delete(&named.path()).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::line(&format!("{} gets messages again.", screen::text(&answer["contact"])))
            }
        }
    }
}
