//! `switchboard tenant` and `switchboard organization`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::whatsapp::{self, Login};
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard tenant list
  switchboard tenant show 2
  switchboard tenant quotas 2           what it may use, and what it has used
  switchboard tenant add 7 --name \"Palm Homes\" --organization 1 --brain real-estate \\
      --language ar --time-zone Asia/Dubai --label chatbot_id=bot-7
  switchboard tenant connect 7          give it a WhatsApp number of its own at the configured WAHA

  switchboard tenant add 7 --replace --time-zone Asia/Riyadh            what is not given stays as it is
  switchboard tenant add 7 --replace --clear labels --clear language    as if they had never been given

Tenants in declared files (tenants.toml) are applied at every start and reload; change those in their file.";

pub const ORGANIZATION_EXAMPLES: &str = "Examples:
  switchboard organization list
  switchboard organization add 2 --name \"Second Group\"";

#[derive(Subcommand)]
pub enum Tenant {
    /// Everyone there is.
    List,
    /// One tenant, with its limits, labels and link.
    Show {
        /// The tenant's number.
        id: u32,
    },
    /// What the tenant may use, what it has used, and when there is some again.
    Quotas {
        /// The tenant's number.
        id: u32,
    },
    /// Add a tenant, or change one with --replace.
    Add(Box<Add>),
    /// Give the tenant a number of its own: make its WAHA session and show the QR code to scan.
    Connect {
        id: u32,
        #[command(flatten)]
        how: Login,
    },
    /// How the tenant's own number stands, and what to do next.
    Status { id: u32 },
    /// Log the tenant's own number out.
    Disconnect { id: u32 },
}

#[derive(Args)]
pub struct Add {
    /// The tenant's number, from 1; it stands in its link.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    id: u32,
    /// The business's name.
    #[arg(long, required_unless_present = "replace")]
    name: Option<String>,
    /// The organization it belongs to.
    #[arg(long, value_name = "ID", required_unless_present = "replace")]
    organization: Option<u32>,
    /// The package in the plugins directory that answers.
    #[arg(long, value_name = "PACKAGE", required_unless_present = "replace")]
    brain: Option<String>,
    /// BCP 47: en, ar, fa.
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// IANA: Asia/Dubai.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What a contact reads when the brain failed for good.
    #[arg(long, value_name = "TEXT")]
    fallback_text: Option<String>,
    /// What other systems call this tenant: chatbot_id=bot-7. May be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Known, but not served.
    #[arg(long)]
    inactive: bool,
    /// Served again.
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// Change the tenant if it is there already; what is not given stays as it is.
    #[arg(long)]
    replace: bool,
    /// With --replace: as if this had never been given, such as time_zone, labels or limits. May be
    /// repeated.
    #[arg(long, value_name = "FIELD", requires = "replace")]
    clear: Vec<String>,
}

fn whatsapp_of(id: u32) -> String {
    format!("/api/tenants/{id}/whatsapp")
}

fn label(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".into()),
    }
}

impl Tenant {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Tenant::List => {
                let answer = client.get("/api/tenants").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 9] = [
                    ("ID", |tenant| screen::text(&tenant["id"])),
                    ("NAME", |tenant| screen::text(&tenant["name"])),
                    ("ORGANIZATION", |tenant| screen::text(&tenant["organization"])),
                    ("BRAIN", |tenant| screen::text(&tenant["brain"])),
                    ("LANGUAGE", |tenant| screen::text(&tenant["language"])),
                    ("TIME ZONE", |tenant| screen::text(&tenant["time_zone"])),
                    ("ACTIVE", |tenant| screen::text(&tenant["active"])),
                    ("USERS", |tenant| screen::text(&tenant["users"])),
                    ("LINK", |tenant| screen::text(&tenant["deep_link"])),
                ];
                screen::list(items(&answer, "tenants"), &columns, "There are no tenants yet.")
            }
            Tenant::Show { id } => {
                let answer = client.get(&format!("/api/tenants/{id}")).await?;
                if json { screen::json(&answer) } else { screen::fields(&answer) }
            }
            Tenant::Quotas { id } => {
                let answer = client.get(&format!("/api/tenants/{id}/quotas")).await?;
                if json { screen::json(&answer) } else { quotas(&answer) }
            }
            Tenant::Connect { id, how } => {
                whatsapp::connect(client, &whatsapp_of(id), json!({}), &how, json).await
            }
            Tenant::Status { id } => whatsapp::status(client, &whatsapp_of(id), json).await,
            Tenant::Disconnect { id } => whatsapp::disconnect(client, &whatsapp_of(id), json).await,
            Tenant::Add(add) => {
                refuse_existing(client, &format!("/api/tenants/{}", add.id), add.replace, "tenant").await?;
                let answer = client.put(&format!("/api/tenants/{}", add.id), add.body().to_string()).await?;
                if json {
                    return screen::json(&answer);
                }
                screen::line(&format!(
                    "Tenant {} is there; its link: {}",
                    add.id,
                    screen::text(&answer["deep_link"])
                ))
            }
        }
    }
}

fn quotas(answer: &Value) -> Result<()> {
    let columns: [screen::Column; 7] = [
        ("QUOTA", |quota| screen::text(&quota["name"])),
        ("USED", |quota| screen::text(&quota["used"])),
        ("LIMIT", |quota| screen::text(&quota["limit"])),
        ("UNIT", |quota| screen::text(&quota["unit"])),
        ("LEVEL", |quota| screen::text(&quota["level"])),
        ("FREE AGAIN", |quota| screen::text(&quota["frees_at"])),
        ("OWN", |quota| screen::text(&quota["own"])),
    ];
    screen::list(items(answer, "quotas"), &columns, "There are no quotas.")?;
    screen::line(&format!(
        "turns_unprompted: the limit is for each conversation, what is used are the conversations at it.\n\
         Kept in the store: {} bytes.",
        screen::text(&answer["kept_bytes"])
    ))
}

impl Add {
    fn body(&self) -> Value {
        let mut body = cleared(&self.clear);
        if !self.labels.is_empty() {
            let labels: Map<String, Value> =
                self.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            body["labels"] = labels.into();
        }
        if self.active || self.inactive {
            body["active"] = json!(self.active);
        }
        if let Some(organization) = self.organization {
            body["organization"] = json!(organization);
        }
        for (key, value) in [
            ("name", &self.name),
            ("brain", &self.brain),
            ("language", &self.language),
            ("time_zone", &self.time_zone),
            ("fallback_text", &self.fallback_text),
        ] {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        body
    }
}

/// A change that takes these fields away: `time_zone`, `limits.fuel`.
pub fn cleared(fields: &[String]) -> Value {
    let mut body = json!({});
    for field in fields {
        let mut at = &mut body;
        for key in field.split('.') {
            at = &mut at[key];
        }
        *at = Value::Null;
    }
    body
}

/// `add` adds: what is there already is changed only on request.
pub async fn refuse_existing(client: &Client, path: &str, replace: bool, thing: &str) -> Result<()> {
    if replace {
        return Ok(());
    }
    match client.get(path).await {
        Ok(_) => Err(Failure::Refused {
            status: 409,
            message: format!("this {thing} is there already"),
            action: "--replace changes it; what is not given then stays as it is".into(),
        }),
        Err(Failure::Refused { status: 404, .. }) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// The list under `key` of an answer.
pub fn items<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().map_or(&[], Vec::as_slice)
}

#[derive(Subcommand)]
pub enum Organization {
    /// Everyone there is.
    List,
    /// Add an organization, or give one another name.
    Add {
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        id: u32,
        #[arg(long)]
        name: String,
    },
}

impl Organization {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Organization::List => {
                let answer = client.get("/api/organizations").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 2] = [
                    ("ID", |organization| screen::text(&organization["id"])),
                    ("NAME", |organization| screen::text(&organization["name"])),
                ];
                screen::list(items(&answer, "organizations"), &columns, "There are no organizations yet.")
            }
            Organization::Add { id, name } => {
                let body = json!({"name": name}).to_string();
                let answer = client.put(&format!("/api/organizations/{id}"), body).await?;
                if json {
                    screen::json(&answer)
                } else {
                    screen::line(&format!("Organization {id} is there."))
                }
            }
        }
    }
}
