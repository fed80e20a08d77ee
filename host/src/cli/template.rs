//! `switchboard template`: what may be sent when the 24-hour window is closed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::{Client, part};
use crate::cli::failure::{Failure, counted};
use crate::cli::tenant::{cleared, items};
use crate::cli::{Result, screen};

pub const EXAMPLES: &str = "Examples:
  switchboard template put --tenant 2 viewing_reminder.toml    a draft, or another content for one
  switchboard template submit --tenant 2 viewing_reminder en   ask WhatsApp's approval
  switchboard template list --tenant 2                         which are approved, rejected (and why), paused
  switchboard template sync --tenant 2                         look at the provider's list now
  switchboard template log --tenant 2                          which were sent to whom, and what became of them

A file is TOML or JSON with name, language, category, body; header, footer, [[buttons]] and [[parameters]]
where it has some. See docs/tenants.md.";

#[derive(Subcommand)]
pub enum Template {
    /// A tenant's templates and their state.
    List(Whose),
    /// One of them, with all that happened to it.
    Show(One),
    /// Put a draft, or change one: what the file leaves out stays. What the provider has already waits for
    /// approval again.
    Put {
        /// TOML or JSON.
        file: PathBuf,
        /// Take away what there is of this: header, footer, buttons or parameters. May be repeated.
        #[arg(long, value_name = "FIELD")]
        clear: Vec<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Ask the provider for WhatsApp's approval.
    Submit(One),
    /// Delete it, at the provider too.
    Delete {
        #[command(flatten)]
        one: One,
        /// Even where the provider deletes the other languages of the name too.
        #[arg(long)]
        all_languages: bool,
    },
    /// Look at the provider's list now.
    Sync(Whose),
    /// Which templates were sent to whom, newest first: the parameters' names, never their values.
    Log {
        #[arg(long, value_name = "ID")]
        tenant: u32,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// Those before this place, as the end of a list says it.
        #[arg(long, value_name = "PLACE")]
        before: Option<u64>,
    },
}

#[derive(Args)]
pub struct Whose {
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// At this sender's account; needed where the tenant has several.
    #[arg(long, value_name = "NAME")]
    sender: Option<String>,
}

#[derive(Args)]
pub struct One {
    name: String,
    /// Such as en or en_US.
    language: String,
    #[command(flatten)]
    whose: Whose,
}

impl Whose {
    /// `rest` comes behind the tenant's templates.
    fn path(&self, rest: &str) -> String {
        let sender = self.sender.as_deref().map(|name| format!("?sender={}", part(name)));
        format!("/api/tenants/{}/templates{rest}{}", self.tenant, sender.unwrap_or_default())
    }
}

impl One {
    fn path(&self, rest: &str) -> String {
        self.whose.path(&format!("/{}/{}{rest}", part(&self.name), part(&self.language)))
    }
}

impl Template {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        let (answer, said) = match self {
            Template::List(whose) => return list(&client.get(&whose.path("")).await?, json),
            Template::Log { tenant, limit, before } => {
                let before = before.map(|place| format!("&before={place}")).unwrap_or_default();
                let path = format!("/api/tenants/{tenant}/templates/log?limit={limit}{before}");
                return log(&client.get(&path).await?, json);
            }
            Template::Show(one) => {
                let answer = client.get(&one.path("")).await?;
                return if json { screen::json(&answer) } else { screen::fields(&answer) };
            }
            Template::Put { file, clear, whose } => {
                let template = read(&file)?;
                let field = |name: &str| template[name].as_str().unwrap_or_default().to_owned();
                let one = One { name: field("name"), language: field("language"), whose };
                let mut body = cleared(&clear);
                for (key, value) in template.as_object().into_iter().flatten() {
                    body[key] = value.clone();
                }
                if one.name.is_empty() || one.language.is_empty() {
                    let what = format!("{}: give the template a `name` and a `language`", file.display());
                    return Err(Failure::Usage(what));
                }
                let answer = client.put(&one.path(""), body.to_string()).await?;
                note_kept(&template, &answer);
                (answer, "Put")
            }
            Template::Submit(one) => (client.post(&one.path("/submit"), &json!({})).await?, "Submitted"),
            Template::Delete { one, all_languages } => {
                let path = one.path("");
                let joint = if path.contains('?') { '&' } else { '?' };
                let all = if all_languages { format!("{joint}all_languages=true") } else { String::new() };
                (client.delete(&format!("{path}{all}")).await?, "Deleted")
            }
            Template::Sync(whose) => {
                let answer = client.post(&whose.path("/sync"), &json!({})).await?;
                if json {
                    return screen::json(&answer);
                }
                let looked = answer["templates"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                let changed = items(&answer, "changed").len();
                let told = format!("{} looked at; {changed} changed.", counted(looked, "template"));
                screen::line(&told)?;
                for later in items(&answer, "later") {
                    let [sender, again] = ["sender", "again_at"].map(|key| screen::text(&later[key]));
                    screen::line(&format!("{sender}: asked for a short while ago; again at {again}."))?;
                }
                return Ok(());
            }
        };
        if json {
            return screen::json(&answer);
        }
        let [name, language, status] = ["name", "language", "status"].map(|key| screen::text(&answer[key]));
        screen::line(&format!("{said}: {name} ({language}), {status}."))
    }
}

/// What the file leaves out and the template has.
fn note_kept(file: &Value, answer: &Value) {
    let has = |key: &&str| !answer["template"][*key].is_null();
    let kept: Vec<&str> = ["header", "footer", "buttons", "parameters"]
        .into_iter()
        .filter(|key| file[*key].is_null())
        .filter(has)
        .collect();
    if !kept.is_empty() {
        let kept = kept.join(", ");
        screen::note(&format!(
            "note: the file leaves out {kept}, which stays as it was; --clear takes it away"
        ));
    }
}

fn list(answer: &Value, json: bool) -> Result<()> {
    if json {
        return screen::json(answer);
    }
    let columns: [screen::Column; 7] = [
        ("NAME", |template| screen::text(&template["name"])),
        ("LANGUAGE", |template| screen::text(&template["language"])),
        ("CATEGORY", |template| screen::text(&template["category"])),
        ("STATUS", |template| screen::text(&template["status"])),
        ("SENDER", |template| screen::text(&template["sender"])),
        ("CHANGED", |template| screen::text(&template["changed_at"])),
        ("REASON", |template| screen::text(&template["reason"])),
    ];
    screen::list(items(answer, "templates"), &columns, "There are no templates yet.")
}

fn log(answer: &Value, json: bool) -> Result<()> {
    if json {
        return screen::json(answer);
    }
    let columns: [screen::Column; 7] = [
        ("AT", |sent| screen::text(&sent["at"])),
        ("CONTACT", |sent| screen::text(&sent["contact"])),
        ("TEMPLATE", |sent| screen::text(&sent["name"])),
        ("LANGUAGE", |sent| screen::text(&sent["language"])),
        ("CATEGORY", |sent| screen::text(&sent["category"])),
        ("STATE", |sent| screen::text(&sent["state"])),
        ("ERROR", |sent| screen::text(&sent["error"])),
    ];
    screen::list(items(answer, "sent"), &columns, "No template has been sent.")?;
    match &answer["next"] {
        Value::Null => Ok(()),
        next => screen::line(&format!("There are more: --before {next}")),
    }
}

fn read(file: &Path) -> Result<Value> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    let json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let read = if json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error: toml::de::Error| error.to_string())
    };
    read.map_err(|error| Failure::Usage(format!("{shown}: {error}")))
}
