//! `switchboard sender`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::tenant::{cleared, items, refuse_existing};
use crate::cli::whatsapp::{self, Login};
use crate::cli::{Result, screen};
use crate::message::Provider;
use crate::tenant::settings::providers_with;

pub const EXAMPLES: &str = "Examples:
  switchboard sender list
  switchboard sender add main --provider waha --account default --base-url http://127.0.0.1:3000 \\
      --api-key env:WAHA_API_KEY --hmac-key file:/etc/switchboard/waha.hmac
  switchboard sender add office --provider waha --account office --tenant 7 ...   dedicated to tenant 7
  switchboard sender test +9613451652                                who gets a message to this number
  switchboard sender test 971500000001 --from 971501234567 --text start_realty_2
  switchboard sender give office --tenant 9              what that would come to; --apply does it
  switchboard sender remove office                       taken out, if no reply waits there
  switchboard sender connect main                       set up its WAHA session and scan the QR code
  switchboard sender connect main --phone 971501234567  log in by a code typed on that phone instead

  switchboard sender add main --replace --rate-per-second 20            what is not given stays as it is
  switchboard sender add main --replace --clear media_hosts            as if it had never been given

Secrets are given as env:NAME or file:PATH, so that they show neither in the process list nor in the
shell's history. They are kept in the store and never shown again.";

#[derive(Subcommand)]
pub enum Sender {
    /// All of them, with the state of their sessions; secrets are not shown.
    List,
    /// Add a sender, or change one with --replace.
    Add(Box<Add>),
    /// Which tenant a message to this number would go to, and why. Nothing is sent or kept.
    Test(Test),
    /// Give a sender to another tenant, or to all. Says what becomes of what waits there until --apply.
    Give(Give),
    /// Take a sender out. What was said through it stays; a WAHA session is logged out with `disconnect`
    /// before.
    Remove {
        name: String,
        /// Replies that wait to go out through it are dropped; else they keep it.
        #[arg(long)]
        drop_waiting: bool,
    },
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
    /// How a sender stands, a WAHA number with its session, and what to do next.
    Status { name: String },
    /// Log a WAHA number out.
    Disconnect { name: String },
}

#[derive(Args)]
pub struct Test {
    /// One of our numbers in any form, or what the provider calls the sender.
    number: String,
    /// The contact that writes; on a shared number its lock decides.
    #[arg(long, value_name = "PHONE")]
    from: Option<String>,
    /// What it writes, such as a deep link.
    #[arg(long)]
    text: Option<String>,
}

#[derive(Args)]
pub struct Give {
    name: String,
    /// The one tenant that it serves from now on.
    #[arg(long, value_name = "ID", required_unless_present = "shared", conflicts_with = "shared")]
    tenant: Option<u32>,
    /// It serves all tenants from now on, by links and locks.
    #[arg(long)]
    shared: bool,
    /// Do it.
    #[arg(long)]
    apply: bool,
}

/// The help of a setting that some providers' senders have: `Infobip: the header that ...`.
fn at(setting: &str, what: &str) -> String {
    let titles: Vec<&str> = providers_with(setting).map(Provider::title).collect();
    format!("{}: {what}", titles.join(", "))
}

/// Where its session is asked.
fn whatsapp_of(name: &str) -> String {
    format!("/api/senders/{}/whatsapp", part(name))
}

#[derive(Args)]
pub struct Add {
    /// What we call it: main, office-dubai.
    name: String,
    #[arg(long, required_unless_present = "replace", help = Provider::names())]
    provider: Option<String>,
    #[arg(
        long,
        required_unless_present = "replace",
        help = format!("What the provider calls it: {}", Provider::accounts())
    )]
    account: Option<String>,
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
    /// Checks the signature of its webhooks, at Meta the app's secret: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    hmac_key: Option<String>,
    #[arg(long, value_name = "NAME", help = at("hmac_header", "the header that carries the signature"))]
    hmac_header: Option<String>,
    #[arg(long, value_name = "NAME", help = at("hmac_algorithm", "sha256 or sha512"))]
    hmac_algorithm: Option<String>,
    /// Expected in a header of its webhooks: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    webhook_key: Option<String>,
    /// The header that carries the webhook key, instead of X-Api-Key.
    #[arg(long, value_name = "NAME")]
    webhook_header: Option<String>,
    #[arg(long, value_name = "NAME", help = at("webhook_user", "the user of Basic authentication; the webhook key is its password"))]
    webhook_user: Option<String>,
    /// The secret end of its webhook's address: env:NAME or file:PATH.
    #[arg(long, value_name = "SECRET")]
    webhook_path: Option<String>,
    #[arg(long, value_name = "SECRET", help = at("verify_token", "what its handshake must bring: env:NAME or file:PATH"))]
    verify_token: Option<String>,
    #[arg(long, value_name = "ID", help = at("business_account", "the WhatsApp business account that its templates belong to"))]
    business_account: Option<String>,
    #[arg(long, value_name = "ID", help = at("app_id", "the app's id"))]
    app_id: Option<String>,
    #[arg(long, value_name = "WORD", help = at("keyword", "the word before every text on a number that trial accounts share"))]
    keyword: Option<String>,
    #[arg(long, value_name = "VERSION", help = at("api_version", "the version of its API"))]
    api_version: Option<String>,
    /// A host besides the provider's own that received files may be fetched from. May be repeated.
    #[arg(long = "media-host", value_name = "HOST")]
    media_hosts: Vec<String>,
    /// Messages a second, instead of the provider's limit.
    #[arg(long, value_name = "NUMBER")]
    rate_per_second: Option<u32>,
    /// Believe its webhooks unproven; only on a gateway that listens on loopback.
    #[arg(long, conflicts_with_all = ["hmac_key", "webhook_key", "webhook_path"])]
    no_auth: bool,
    /// Answer in groups too.
    #[arg(long)]
    groups: bool,
    /// Known, but not used: it sends nothing, and what it is told waits.
    #[arg(long)]
    inactive: bool,
    /// Used again.
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// Change the sender if it is there already; what is not given stays as it is.
    #[arg(long)]
    replace: bool,
    /// With --replace: as if this had never been given, such as number, groups or hmac_key. May be
    /// repeated.
    #[arg(long, value_name = "FIELD", requires = "replace")]
    clear: Vec<String>,
}

impl Sender {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        match self {
            Sender::List => {
                let answer = client.get("/api/senders").await?;
                if json {
                    return screen::json(&answer);
                }
                let columns: [screen::Column; 9] = [
                    ("NAME", |sender| screen::text(&sender["name"])),
                    ("PROVIDER", |sender| screen::text(&sender["provider"])),
                    ("ACCOUNT", |sender| screen::text(&sender["account"])),
                    ("SERVES", |sender| match &sender["tenant"] {
                        Value::Null => "all, by link".into(),
                        tenant => format!("tenant {tenant}"),
                    }),
                    ("WEBHOOKS", webhooks),
                    ("ACTIVE", |sender| screen::text(&sender["active"])),
                    ("KEY", |sender| if sender["key_refused"].is_null() { "-" } else { "refused" }.into()),
                    ("SESSION", |sender| screen::text(&sender["session"]["status"])),
                    ("API", |sender| screen::text(&sender["base_url"])),
                ];
                screen::list(items(&answer, "senders"), &columns, "There are no senders yet.")
            }
            Sender::Test(test) => test.run(client, json).await,
            Sender::Give(give) => give.run(client, json).await,
            Sender::Remove { name, drop_waiting } => remove(client, &name, drop_waiting, json).await,
            Sender::Connect { name, session, how } => {
                let body = session.map_or_else(|| json!({}), |session| json!({ "session": session }));
                whatsapp::connect(client, &whatsapp_of(&name), body, &how, json).await
            }
            Sender::Status { name } => status(client, &name, json).await,
            Sender::Disconnect { name } => whatsapp::disconnect(client, &whatsapp_of(&name), json).await,
            Sender::Add(add) => {
                let path = format!("/api/senders/{}", part(&add.name));
                refuse_existing(client, &path, add.replace, "sender").await?;
                let answer = client.put(&path, add.body()?.to_string()).await?;
                if json {
                    return screen::json(&answer);
                }
                let provider = screen::text(&answer["provider"]);
                screen::line(&format!(
                    "Sender {} is there. Point {provider}'s webhook at /api/gateway/{provider}.",
                    add.name
                ))
            }
        }
    }
}

/// Of a WAHA number with how its session stands; of any with its key, where that is refused.
async fn status(client: &Client, name: &str, json: bool) -> Result<()> {
    let sender = client.get(&format!("/api/senders/{}", part(name))).await?;
    let refused = &sender["key_refused"];
    let session = match is_of(&sender, Provider::has_sessions) {
        true => client.get(&format!("{}/status", whatsapp_of(name))).await,
        false => Ok(json!({
            "sender": sender["name"], "provider": sender["provider"], "account": sender["account"],
            "active": sender["active"],
        })),
    };
    let mut state = match session {
        // Whoever refuses the key says nothing of the session, and that is what is to be known.
        Err(Failure::Refused { message, .. }) if !refused.is_null() => {
            json!({"sender": sender["name"], "session": sender["account"], "error": message})
        }
        session => session?,
    };
    state["key_refused"] = refused.clone();
    if json {
        return screen::json(&state);
    }
    if !refused.is_null() {
        let (since, error) = (screen::text(&refused["since"]), screen::text(&refused["error"]));
        state["key_refused"] = json!(format!("since {since}: {error}"));
        state["next"] =
            json!("give it an api_key that the provider takes; what waits goes out by itself then");
    }
    screen::fields(&state)
}

async fn remove(client: &Client, name: &str, drop_waiting: bool, json: bool) -> Result<()> {
    let answer = client.delete(&format!("/api/senders/{}?drop_waiting={drop_waiting}", part(name))).await?;
    if json {
        return screen::json(&answer);
    }
    if answer["dropped"] != 0 {
        screen::line(&format!("{} replies that waited are dropped.", screen::text(&answer["dropped"])))?;
    }
    screen::line(&format!("Sender {name} is gone."))
}

/// Is a sender's provider such a one?
fn is_of(sender: &Value, such: fn(Provider) -> bool) -> bool {
    sender["provider"].as_str().and_then(Provider::parse).is_some_and(such)
}

/// How its webhooks prove themselves.
fn webhooks(sender: &Value) -> String {
    if is_of(sender, Provider::is_simulated) {
        return "operator's token".into();
    }
    let proofs = [("hmac_key", "hmac"), ("webhook_key", "key"), ("webhook_path", "address")];
    let set: Vec<&str> =
        proofs.iter().filter(|(key, _)| !sender[*key].is_null()).map(|(_, proof)| *proof).collect();
    if set.is_empty() { "unproven".into() } else { set.join(" and ") }
}

impl Test {
    async fn run(self, client: &Client, json: bool) -> Result<()> {
        let mut path = format!("/api/route?to={}", part(&self.number));
        for (name, value) in [("from", &self.from), ("text", &self.text)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", part(value)));
            }
        }
        let answer = client.get(&path).await?;
        if json {
            return screen::json(&answer);
        }
        for sender in items(&answer, "senders") {
            screen::fields(sender)?;
        }
        Ok(())
    }
}

impl Give {
    async fn run(self, client: &Client, json: bool) -> Result<()> {
        let body = json!({"tenant": self.tenant, "apply": self.apply});
        let plan = client.post(&format!("/api/senders/{}/owner", part(&self.name)), &body).await?;
        if json {
            return screen::json(&plan);
        }
        let whose = |owner: &Value| match owner {
            Value::Null => "shared".to_owned(),
            tenant => format!("tenant {tenant}'s"),
        };
        if plan["from"] == plan["to"] {
            return screen::line(&format!("Sender {} is {} already.", self.name, whose(&plan["to"])));
        }
        let (from, to) = (whose(&plan["from"]), whose(&plan["to"]));
        screen::line(&format!(
            "Sender {} is {from} and becomes {to}. What it then carries no more:",
            self.name
        ))?;
        let lines = [
            ("conversations", "stay where they are and speak to nobody"),
            ("turns", "run; what they say is dead at once"),
            ("timers", "ring; what is said then is dead at once"),
            ("waiting", "replies that wait are dead, each with the reason"),
            ("sending", "replies are on their way this moment and cannot be stopped"),
        ];
        for (key, what) in lines {
            screen::line(&format!("{:>8} {key}: {what}", screen::text(&plan[key])))?;
        }
        screen::line(match self.apply {
            true => "Done.",
            false => "Nothing was changed. Add --apply to do this.",
        })
    }
}

impl Add {
    fn body(&self) -> Result<Value> {
        let mut body = cleared(&self.clear);
        if self.groups {
            body["groups"] = json!(true);
        }
        if self.active || self.inactive {
            body["active"] = json!(self.active);
        }
        // Whoever gives a key wants it asked for.
        if self.no_auth {
            body["auth"] = json!("none");
        } else if self.hmac_key.is_some() || self.webhook_key.is_some() || self.webhook_path.is_some() {
            body["auth"] = json!("required");
        }
        let plain = [
            ("provider", &self.provider),
            ("account", &self.account),
            ("base_url", &self.base_url),
            ("number", &self.number),
            ("hmac_header", &self.hmac_header),
            ("hmac_algorithm", &self.hmac_algorithm),
            ("webhook_header", &self.webhook_header),
            ("webhook_user", &self.webhook_user),
            ("business_account", &self.business_account),
            ("app_id", &self.app_id),
            ("keyword", &self.keyword),
            ("api_version", &self.api_version),
        ];
        for (key, value) in plain {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        let secrets = [
            ("api_key", &self.api_key),
            ("hmac_key", &self.hmac_key),
            ("webhook_key", &self.webhook_key),
            ("webhook_path", &self.webhook_path),
            ("verify_token", &self.verify_token),
        ];
        for (key, value) in secrets {
            if let Some(value) = value {
                body[key] = json!(secret(value)?);
            }
        }
        if let Some(tenant) = self.tenant {
            body["tenant"] = json!(tenant);
        }
        if let Some(rate) = self.rate_per_second {
            body["rate_per_second"] = json!(rate);
        }
        if !self.media_hosts.is_empty() {
            body["media_hosts"] = json!(self.media_hosts);
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
