//! `switchboard import env`: the numbers of an older set-up's `.env` file become senders.
//!
//! | variable | becomes |
//! |---|---|
//! | `WHATSAPP_SENDER` | the sender `main`, of the tenant that `--main` says |
//! | `MARINA_WHATSAPP_SENDER` | the sender `marina`, of the tenant called so, or that `--tenant MARINA=2` says |
//! | `ENABLE_MULTI_TENANT` | if it is off, only `WHATSAPP_SENDER` counts |
//! | `ROUTE_BY_DESTINATION` | if it is off, the numbers are shared: locks and links decide |
//! | `INFOBIP_BASE_URL`, `INFOBIP_API_KEY` | how replies reach the provider |
//!
//! Nothing is changed without `--apply`, and nothing at all if one number has no owner.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::tenant::items;
use crate::cli::{Result, screen};
use crate::identity;

const MAIN: &str = "WHATSAPP_SENDER";
const NAMED: &str = "_WHATSAPP_SENDER";

#[derive(Args)]
pub struct Env {
    file: PathBuf,
    /// Whose WHATSAPP_SENDER is: a tenant's number, or `shared`.
    #[arg(long, value_name = "ID")]
    main: Option<String>,
    /// Whose NAME_WHATSAPP_SENDER is, where no tenant is called so: MARINA=2. May be repeated.
    #[arg(long = "tenant", value_name = "NAME=ID")]
    tenants: Vec<String>,
    /// The provider that has the numbers.
    #[arg(long, default_value = "infobip")]
    provider: String,
    /// Make the senders.
    #[arg(long)]
    apply: bool,
}

const NEW: &str = "is new";
const SAME: &str = "is there already";
const MOVED: &str = "changes its webhook";
/// Those that hear at the new address from now on.
const MOVES: [&str; 2] = [MOVED, GIVEN[1]];
/// Those that another tenant speaks through from now on.
const GIVEN: [&str; 2] = ["changes its tenant", "changes its tenant and webhook"];

/// What becomes of a sender.
struct Change {
    /// `None`: it is not in the file.
    variable: Option<String>,
    body: Value,
    state: &'static str,
}

/// A sender to be made.
#[derive(Debug, PartialEq)]
struct Planned {
    variable: String,
    name: String,
    number: String,
    /// `None`: shared.
    tenant: Option<u32>,
}

impl Env {
    pub fn applies(&self) -> bool {
        self.apply
    }

    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        let variables = self.read()?;
        let tenants = client.get("/api/tenants").await?;
        let mut plan = plan(&variables, items(&tenants, "tenants"), self.main.as_deref(), &self.named()?)
            .map_err(|problems| Failure::Usage(problems.join("\n")))?;
        if plan.is_empty() {
            return Err(Failure::Usage(format!(
                "{} has neither {MAIN} nor any NAME{NAMED}",
                self.file.display()
            )));
        }
        let senders = client.get("/api/senders").await?;
        let senders = items(&senders, "senders");
        let changes = self.changes(&mut plan, senders, &variables)?;
        // One secret address for all of them, since the provider's account has one webhook.
        let path_key = path_key()?;
        let address = changes
            .iter()
            .any(|change| change.state == NEW)
            .then(|| format!("/api/gateway/{}/{path_key}", self.provider));
        let mut outcome = Ok(());
        let mut made = 0;
        if self.apply {
            for change in changes.iter().filter(|change| change.state != SAME) {
                outcome = put(client, change, &path_key).await;
                if outcome.is_err() {
                    break;
                }
                made += 1;
            }
        }
        // Whatever became of the later ones: an address that is in use is shown.
        let address = address.filter(|_| made > 0);
        match &outcome {
            Err(_) if made == 0 => {}
            _ => self.tell(&changes, address.as_deref(), outcome.is_ok(), json)?,
        }
        outcome
    }

    /// What becomes of each number, the new ones first: if one of them cannot be made, those that are
    /// there go on hearing at their old address.
    fn changes(
        &self,
        plan: &mut [Planned],
        senders: &[Value],
        variables: &BTreeMap<String, String>,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut taken: Vec<String> = senders.iter().map(|sender| screen::text(&sender["name"])).collect();
        for planned in plan {
            let there = senders.iter().find(|sender| self.is(sender, planned));
            let (mut body, state) = match there {
                None => {
                    planned.name = free_name(&taken, &self.provider, &planned.name)?;
                    taken.push(planned.name.clone());
                    (self.new_sender(planned, variables), NEW)
                }
                Some(sender) if sender["tenant"].as_u64() == planned.tenant.map(u64::from) => {
                    (sender.clone(), SAME)
                }
                Some(sender) => (sender.clone(), GIVEN[0]),
            };
            body["tenant"] = json!(planned.tenant);
            let variable = Some(planned.variable.clone());
            changes.push(Change { variable, body, state });
        }
        changes.sort_by_key(|change| change.state != NEW);
        if changes.first().is_some_and(|change| change.state == NEW) {
            self.move_along(&mut changes, senders, variables);
        }
        Ok(changes)
    }

    /// The account has one webhook: numbers that heard at another secret address would hear nothing
    /// once it points at the new one.
    fn move_along(&self, changes: &mut Vec<Change>, senders: &[Value], variables: &BTreeMap<String, String>) {
        let base = variables.get("INFOBIP_BASE_URL").map(|base| absolute(base)).filter(|it| !it.is_empty());
        let moves = |sender: &Value| {
            sender["provider"] == self.provider.as_str()
                && !sender["webhook_path"].is_null()
                && sender["base_url"].as_str() == base.as_deref()
        };
        for change in changes.iter_mut().filter(|change| change.state != NEW && moves(&change.body)) {
            change.state = match change.state {
                SAME => MOVED,
                _ => MOVES[1],
            };
        }
        for sender in senders.iter().filter(|sender| moves(sender)) {
            if changes.iter().all(|change| change.body["name"] != sender["name"]) {
                changes.push(Change { variable: None, body: sender.clone(), state: MOVED });
            }
        }
    }

    fn new_sender(&self, planned: &Planned, variables: &BTreeMap<String, String>) -> Value {
        let mut body = json!({
            "name": planned.name,
            "provider": self.provider,
            "account": planned.number,
            "number": planned.number,
        });
        let base = variables.get("INFOBIP_BASE_URL").map(|base| absolute(base));
        for (key, value) in [("base_url", base), ("api_key", variables.get("INFOBIP_API_KEY").cloned())] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                body[key] = json!(value);
            }
        }
        body
    }

    fn read(&self) -> Result<BTreeMap<String, String>> {
        let lines = dotenvy::from_path_iter(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let variables: std::result::Result<_, _> = lines.collect();
        Ok(variables.with_context(|| format!("{} is no .env file", self.file.display()))?)
    }

    fn named(&self) -> Result<BTreeMap<String, u32>> {
        let mut named = BTreeMap::new();
        for text in &self.tenants {
            let parsed = text.split_once('=').and_then(|(name, id)| Some((name, id.parse().ok()?)));
            let (name, id) = parsed.ok_or_else(|| {
                Failure::Usage(format!("--tenant {text}: write it as NAME=ID, such as MARINA=2"))
            })?;
            named.insert(name.to_uppercase(), id);
        }
        Ok(named)
    }

    fn is(&self, sender: &Value, planned: &Planned) -> bool {
        let digits = sender["account"].as_str().and_then(|account| identity::phone_digits(account).ok());
        sender["provider"] == self.provider.as_str() && digits.as_deref() == Some(&planned.number)
    }

    fn tell(&self, changes: &[Change], address: Option<&str>, is_whole: bool, json: bool) -> Result<()> {
        let shown: Vec<Value> = changes
            .iter()
            .map(|change| {
                json!({
                    "variable": change.variable,
                    "sender": change.body["name"],
                    "number": change.body["account"],
                    "serves": change.body["tenant"],
                    "state": change.state,
                })
            })
            .collect();
        if json {
            let applied = self.apply && is_whole;
            return screen::json(&json!({"applied": applied, "senders": shown, "webhook": address}));
        }
        let columns: [screen::Column; 5] = [
            ("VARIABLE", |sender| screen::text(&sender["variable"])),
            ("SENDER", |sender| screen::text(&sender["sender"])),
            ("NUMBER", |sender| screen::text(&sender["number"])),
            ("SERVES", |sender| match &sender["serves"] {
                Value::Null => "all, by link".into(),
                tenant => format!("tenant {tenant}"),
            }),
            ("STATE", |sender| screen::text(&sender["state"])),
        ];
        screen::list(&shown, &columns, "")?;
        if changes.iter().any(|change| MOVES.contains(&change.state)) {
            screen::line(
                "The account has one webhook, so the numbers that were there get the new address as well; \
                 at the old one they hear nothing any more.",
            )?;
        }
        if changes.iter().any(|change| GIVEN.contains(&change.state)) {
            screen::line(
                "A number that changes its tenant gives up what the old one has waiting there; \
                 `switchboard sender give` tells how much that is.",
            )?;
        }
        let done = if is_whole { "Done." } else { "Not all of it was done; run it again." };
        match address {
            Some(address) => screen::line(&format!(
                "{done} Point the account's webhook at {address}; its end is a secret and is not shown again."
            )),
            None if self.apply => screen::line(done),
            None => screen::line("Nothing was changed. Add --apply to do this."),
        }
    }
}

async fn put(client: &Client, change: &Change, path_key: &str) -> Result<()> {
    let mut body = change.body.clone();
    if change.state == NEW || MOVES.contains(&change.state) {
        body["webhook_path"] = json!(path_key);
    }
    let name = body["name"].as_str().unwrap_or_default().to_owned();
    if GIVEN.contains(&change.state) {
        let owner = json!({"tenant": body["tenant"], "apply": true});
        client.post(&format!("/api/senders/{}/owner", part(&name)), &owner).await?;
    }
    client.put(&format!("/api/senders/{}", part(&name)), body.to_string()).await?;
    Ok(())
}

/// A sender that is there already, under another number, keeps its name.
fn free_name(taken: &[String], provider: &str, wanted: &str) -> Result<String> {
    let is_free = |name: &str| taken.iter().all(|other| other != name);
    [wanted.to_owned(), format!("{provider}-{wanted}")].into_iter().find(|name| is_free(name)).ok_or_else(
        || Failure::Usage(format!("there are other senders called {wanted} and {provider}-{wanted}")),
    )
}

/// What the file means; else every number that has no owner.
fn plan(
    variables: &BTreeMap<String, String>,
    tenants: &[Value],
    main: Option<&str>,
    named: &BTreeMap<String, u32>,
) -> std::result::Result<Vec<Planned>, Vec<String>> {
    let several = is_on(variables, "ENABLE_MULTI_TENANT");
    let by_destination = is_on(variables, "ROUTE_BY_DESTINATION");
    let mut plan = Vec::new();
    let mut problems = Vec::new();
    for (variable, value) in variables {
        let owner = match variable.strip_suffix(NAMED) {
            None if variable == MAIN => main_owner(main, tenants),
            Some(name) if several && !name.is_empty() => owner(name, tenants, named),
            _ => continue,
        };
        let number = identity::phone_digits(value.trim().trim_start_matches("whatsapp:"));
        match (number, owner) {
            (Err(error), _) => problems.push(format!("{variable}: {error}")),
            (_, Err(_)) if !by_destination => plan.push(planned(variable, value, None)),
            (_, Err(problem)) => problems.push(format!("{variable}: {problem}")),
            (Ok(_), Ok(tenant)) => plan.push(planned(variable, value, tenant.filter(|_| by_destination))),
        }
    }
    for (at, one) in plan.iter().enumerate() {
        if let Some(twin) = plan[..at].iter().find(|other| other.number == one.number) {
            problems.push(format!("{} and {} are the same number", twin.variable, one.variable));
        }
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

fn planned(variable: &str, value: &str, tenant: Option<u32>) -> Planned {
    let name = match variable.strip_suffix(NAMED) {
        Some(name) if !name.is_empty() => name.to_lowercase().replace('_', "-"),
        _ => "main".into(),
    };
    let number = identity::phone_digits(value.trim().trim_start_matches("whatsapp:")).unwrap_or_default();
    Planned { variable: variable.into(), name, number, tenant }
}

fn main_owner(main: Option<&str>, tenants: &[Value]) -> std::result::Result<Option<u32>, String> {
    match (main, tenants) {
        (Some("shared"), _) => Ok(None),
        (Some(id), _) => match id.parse() {
            Ok(id) if has(tenants, id) => Ok(Some(id)),
            _ => Err(format!("there is no tenant {id}; --main takes a tenant's number, or `shared`")),
        },
        (None, [only]) => Ok(only["id"].as_u64().and_then(|id| u32::try_from(id).ok())),
        (None, _) => Err("whose is it? Say --main ID, or --main shared".into()),
    }
}

fn owner(
    name: &str,
    tenants: &[Value],
    named: &BTreeMap<String, u32>,
) -> std::result::Result<Option<u32>, String> {
    if let Some(id) = named.get(&name.to_uppercase()) {
        return match has(tenants, *id) {
            true => Ok(Some(*id)),
            false => Err(format!("there is no tenant {id}, which --tenant {name}={id} names")),
        };
    }
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let wanted = bare(name);
    let called: Vec<&Value> = tenants
        .iter()
        .filter(|tenant| tenant["name"].as_str().is_some_and(|own| bare(own).starts_with(&wanted)))
        .collect();
    match called.as_slice() {
        [only] => Ok(only["id"].as_u64().and_then(|id| u32::try_from(id).ok())),
        [] => Err(format!("no tenant's name begins with {name}; say --tenant {name}=ID")),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|tenant| format!("{} ({})", tenant["id"], screen::text(&tenant["name"])))
                .collect();
            Err(format!("{name} may be any of {}; say --tenant {name}=ID", names.join(", ")))
        }
    }
}

fn has(tenants: &[Value], id: u32) -> bool {
    tenants.iter().any(|tenant| tenant["id"] == id)
}

/// A switch that is left out is on: the file has numbers because they were used.
fn is_on(variables: &BTreeMap<String, String>, name: &str) -> bool {
    let value = variables.get(name).map(|value| value.trim().to_lowercase());
    !matches!(value.as_deref(), Some("false" | "0" | "no" | "off"))
}

/// Infobip shows its address without a scheme.
fn absolute(base: &str) -> String {
    let base = base.trim().trim_end_matches('/');
    if base.is_empty() || base.contains("://") { base.to_owned() } else { format!("https://{base}") }
}

fn path_key() -> Result<String> {
    let mut key = [0; 24];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, main: Option<&str>, named: &[(&str, u32)]) -> String {
        let variables =
            dotenvy::from_read_iter(file.as_bytes()).collect::<std::result::Result<_, _>>().expect("a file");
        let tenants = [
            json!({"id": 1, "name": "Cedar Homes"}),
            json!({"id": 2, "name": "Marina Homes"}),
            json!({"id": 3, "name": "Palm One"}),
            json!({"id": 4, "name": "Palm Two"}),
        ];
        let named = named.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
        match plan(&variables, &tenants, main, &named) {
            Ok(plan) => plan
                .iter()
                .map(|it| {
                    format!(
                        "{} {} {}",
                        it.name,
                        it.number,
                        it.tenant.map_or("shared".into(), |id| id.to_string())
                    )
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(problems) => format!("refused: {}", problems.join("; ")),
        }
    }

    #[test]
    fn what_a_file_means() {
        const TWO: &str = "WHATSAPP_SENDER=96179374241\nMARINA_WHATSAPP_SENDER=\"+961 3 451 652\" # second\n";
        type Case = (&'static str, Option<&'static str>, &'static [(&'static str, u32)], &'static str);
        let cases: [Case; 11] = [
            (TWO, Some("1"), &[], "marina 9613451652 2, main 96179374241 1"),
            (TWO, Some("shared"), &[("MARINA", 4)], "marina 9613451652 4, main 96179374241 shared"),
            (TWO, None, &[], "refused: WHATSAPP_SENDER: whose is it? Say --main ID, or --main shared"),
            (
                TWO,
                Some("9"),
                &[],
                "refused: WHATSAPP_SENDER: there is no tenant 9; --main takes a tenant's number, or `shared`",
            ),
            (
                "ENABLE_MULTI_TENANT=false\nWHATSAPP_SENDER=96179374241\nX_WHATSAPP_SENDER=1",
                Some("1"),
                &[],
                "main 96179374241 1",
            ),
            (
                "ROUTE_BY_DESTINATION=False\nWHATSAPP_SENDER=96179374241\nMARINA_WHATSAPP_SENDER=9613451652",
                None,
                &[],
                "marina 9613451652 shared, main 96179374241 shared",
            ),
            (
                "PALM_WHATSAPP_SENDER=9613451652",
                None,
                &[],
                "refused: PALM_WHATSAPP_SENDER: PALM may be any of 3 (Palm One), 4 (Palm Two); say --tenant PALM=ID",
            ),
            ("PALM_TWO_WHATSAPP_SENDER=whatsapp:+9613451652", None, &[], "palm-two 9613451652 4"),
            (
                "NOBODY_WHATSAPP_SENDER=9613451652",
                None,
                &[],
                "refused: NOBODY_WHATSAPP_SENDER: no tenant's name begins with NOBODY; say --tenant NOBODY=ID",
            ),
            (
                "WHATSAPP_SENDER=none",
                Some("1"),
                &[],
                "refused: WHATSAPP_SENDER: `n` does not belong in a phone number",
            ),
            (
                "WHATSAPP_SENDER=9613451652\nMARINA_WHATSAPP_SENDER=+9613451652",
                Some("1"),
                &[],
                "refused: MARINA_WHATSAPP_SENDER and WHATSAPP_SENDER are the same number",
            ),
        ];
        for (file, main, named, expected) in cases {
            assert_eq!(check(file, main, named), expected, "{file}");
        }
    }
}
