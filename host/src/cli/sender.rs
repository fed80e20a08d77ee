//! `switchboard sender`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::tenant::{items, refuse_existing};
use crate::cli::whatsapp::{self, Login};
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard sender list
  switchboard sender add main --provider waha --account default --base-url http://127.0.0.1:3000 \\
      --api-key env:WAHA_API_KEY --hmac-key file:/etc/switchboard/waha.hmac
  switchboard sender add office --provider waha --account office --tenant 7 ...   dedicated to tenant 7
  switchboard sender connect main                       set up its WAHA session and scan the QR code
  switchboard sender connect main --phone 971501234567  log in by a code typed on that phone instead

Secrets are given as env:NAME or file:PATH, so that they show neither in the process list nor in the
shell's history. They are kept in the store and never shown again.";

#[derive(Subcommand)]
pub enum Sender {
    /// All of them, with the state of their sessions; secrets are not shown.
    List,
    /// Add a sender.
    Add(Box<Add>),
    /// Log a WAHA number in: create and start its session, lead its webhook here, show the QR code.
    Connect {
        /// The sender; one that is not there yet is added at the configured WAHA, shared.
        name: String,
        /// WAHA's name for it, where the sender is not there yet. [default: default]
        #[arg(long)]
        session: Option<String>,
        #[command(flatten)]
        how: Login,
    },
    /// How a WAHA number stands, and what to do next.
    Status { name: String },
    /// Log a WAHA number out.
    Disconnect { name: String },
}

/// Where its session is asked.
fn whatsapp_of(name: &str) -> String {
    format!("/api/senders/{}/whatsapp", part(name))
}

#[derive(Args)]
pub struct Add {
    /// What we call it: main, office-dubai.
    name: String,
    /// waha or simulator.
    #[arg(long)]
    provider: String,
    /// What the provider calls it: WAHA's session.
    #[arg(long)]
    account: String,
    /// The provider's API.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Its phone number, digits with the country code.
    #[arg(long)]
    number: Option<String>,
    /// The one tenant it serves; left out, it is shared and links decide.
    #[arg(long, value_name = "ID")]
    tenant: Option<u32>,
    /// Sent to the provider's API: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    api_key: Option<String>,
    /// Checks X-Webhook-Hmac of its webhooks: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    hmac_key: Option<String>,
    /// Expected in X-Api-Key of its webhooks: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    webhook_key: Option<String>,
    /// Believe its webhooks unproven; only on a gateway that listens on loopback.
    #[arg(long, conflicts_with_all = ["hmac_key", "webhook_key"])]
    no_auth: bool,
    /// Answer in groups too.
    #[arg(long)]
    groups: bool,
    /// Replace the sender if it is there already.
    #[arg(long)]
    replace: bool,
}

impl Sender {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Sender::List => {
                let answer = client.get("/api/senders").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 8] = [
                    ("NAME", |sender| screen::text(&sender["name"])),
                    ("PROVIDER", |sender| screen::text(&sender["provider"])),
                    ("ACCOUNT", |sender| screen::text(&sender["account"])),
                    ("SERVES", |sender| match &sender["tenant"] {
                        Value::Null => "all, by link".into(),
                        tenant => format!("tenant {tenant}"),
                    }),
                    ("WEBHOOKS", webhooks),
                    ("ACTIVE", |sender| screen::text(&sender["active"])),
                    ("SESSION", |sender| screen::text(&sender["session"]["status"])),
                    ("API", |sender| screen::text(&sender["base_url"])),
                ];
                screen::list(items(&answer, "senders"), &columns, "There are no senders yet.")
            }
            Sender::Connect { name, session, how } => {
                let body = session.map_or_else(|| json!({}), |session| json!({ "session": session }));
                whatsapp::connect(client, &whatsapp_of(&name), body, &how, json).await
            }
            Sender::Status { name } => whatsapp::status(client, &whatsapp_of(&name), json).await,
            Sender::Disconnect { name } => whatsapp::disconnect(client, &whatsapp_of(&name), json).await,
            Sender::Add(add) => {
                let path = format!("/api/senders/{}", part(&add.name));
                refuse_existing(client, &path, add.replace, "sender").await?;
                let answer = client.put(&path, add.body()?.to_string()).await?;
                if json {
                    return screen::json(&answer);
                }
                let provider = &add.provider;
                screen::line(&format!(
                    "Sender {} is there. Point {provider}'s webhook at /api/gateway/{provider}.",
                    add.name
                ))
            }
        }
    }
}

/// How its webhooks prove themselves.
fn webhooks(sender: &Value) -> String {
    match (&sender["hmac_key"], &sender["webhook_key"], &sender["provider"]) {
        (_, _, Value::String(provider)) if provider == "simulator" => "operator's token".into(),
        (Value::Null, Value::Null, _) => "unproven".into(),
        (Value::Null, _, _) => "key".into(),
        (_, Value::Null, _) => "hmac".into(),
        _ => "hmac and key".into(),
    }
}

impl Add {
    fn body(&self) -> Result<Value> {
        let mut body = json!({
            "provider": self.provider,
            "account": self.account,
            "groups": self.groups,
            "auth": if self.no_auth { "none" } else { "required" },
        });
        for (key, value) in [("base_url", &self.base_url), ("number", &self.number)] {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        if let Some(tenant) = self.tenant {
            body["tenant"] = json!(tenant);
        }
        for (key, value) in
            [("api_key", &self.api_key), ("hmac_key", &self.hmac_key), ("webhook_key", &self.webhook_key)]
        {
            if let Some(value) = value {
                body[key] = json!(secret(value)?);
            }
        }
        Ok(body)
    }
}

/// `env:NAME` and `file:PATH` are read here, on the machine of whoever types the command.
fn secret(text: &str) -> Result<String> {
    let unusable = |what: String| Failure::Usage(what);
    if let Some(name) = text.strip_prefix("env:") {
        return std::env::var(name)
            .map_err(|_| unusable(format!("the environment variable {name} is not set")));
    }
    if let Some(path) = text.strip_prefix("file:") {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(format!("{path}: {error}")))?;
        return Ok(text.trim().to_owned());
    }
    Ok(text.to_owned())
}
