//! `switchboard chat`: a conversation with a tenant in the terminal, over the same road as any other:
//! what is typed comes in by a simulated number, what is said is read from the history.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::cli::client::{Client, part};
use crate::cli::failure::Failure;
use crate::cli::offers::Offers;
use crate::cli::tenant::items;
use crate::cli::{Place, Result, screen};
use crate::conversation::{Author, Line};

pub const EXAMPLES: &str = "Examples:
  switchboard chat --tenant 2
  switchboard chat --tenant 2 --as 971501234567
  printf '1\\n2 bedrooms in Marina\\n' | switchboard chat --tenant 2     a script; ends after the last reply
  switchboard chat --tenant 2 --url https://bots.example.com --token KEY    with the tenant's own key

A tenant's key writes as a number that nobody has; only the operator's token as any other. Where no sender
is simulated, one of the tenant's own is made: chat-2.

Buttons and list rows are shown as numbers: type the number. Ctrl-D ends the chat; the conversation
stays, and goes on the next time.";

/// A script waits this long for replies before it says so.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Chat {
    /// Whom to talk to.
    #[arg(long, value_name = "ID")]
    tenant: u32,
    /// The phone number to write as. [default: one made up for this tenant]
    #[arg(long = "as", value_name = "PHONE")]
    contact: Option<String>,
    /// Go on without sending the tenant's link first.
    #[arg(long)]
    no_link: bool,
}

struct Conversation<'c> {
    client: &'c Client,
    tenant: u32,
    contact: String,
    /// Who is speaking on the other side.
    name: String,
    /// The place of the last line that was there before, or was shown.
    seen: Option<u64>,
    offers: Offers,
}

impl Chat {
    pub async fn run(self, place: &Place) -> Result<()> {
        let client = Client::of_running(place).await?;
        let tenant = client.get(&format!("/api/tenants/{}", self.tenant)).await?;
        let contact = self.contact.unwrap_or_else(|| made_up_number(self.tenant));
        let mut conversation = Conversation {
            client: &client,
            tenant: self.tenant,
            contact,
            name: screen::text(&tenant["name"]),
            seen: None,
            offers: Offers::default(),
        };
        conversation.skip_the_past().await?;
        let link = (!self.no_link).then(|| screen::text(&tenant["deep_link"]));
        if std::io::stdin().is_terminal() {
            conversation.by_hand(link).await
        } else {
            conversation.by_script(link).await
        }
    }
}

/// A number that nobody has: 555 01xx is kept for examples in North America.
fn made_up_number(tenant: u32) -> String {
    format!("1555010{:04}", tenant % 10_000)
}

impl<'c> Conversation<'c> {
    /// Lines on standard input are sent one by one, each when what came before has been answered.
    async fn by_script(&mut self, link: Option<String>) -> Result<()> {
        let mut lines = typed_lines();
        if let Some(link) = link {
            screen::line(&format!("> {link}"))?;
            self.say(&link).await?;
            self.hear_all().await?;
        }
        while let Some(line) = lines.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            screen::line(&format!("> {}", screen::one_line(&line)))?;
            self.say(&line).await?;
            self.hear_all().await?;
        }
        Ok(())
    }

    /// Lines are sent as they are typed, and shown as they come.
    async fn by_hand(&mut self, link: Option<String>) -> Result<()> {
        screen::line(&format!("Talking to {} as {}. Ctrl-D ends it.", self.name, self.contact))?;
        let mut lines = typed_lines();
        if let Some(link) = link {
            screen::line(&format!("> {link}"))?;
            self.say(&link).await?;
        }
        loop {
            let news = self.news("&wait_s=20");
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) if line.trim().is_empty() => {}
                    Some(line) => self.say(&line).await?,
                    None => return Ok(()),
                },
                answer = news => self.show(&answer?)?,
            }
        }
    }

    /// What was said before this chat is not shown again.
    async fn skip_the_past(&mut self) -> Result<()> {
        let answer = self.client.get(&format!("{}?limit=1", self.address())).await?;
        self.seen = items(&answer, "messages").iter().filter_map(|line| line["seq"].as_u64()).max();
        Ok(())
    }

    fn address(&self) -> String {
        format!("/api/tenants/{}/conversations/{}/messages", self.tenant, part(&self.contact))
    }

    /// The lines that have not been seen yet, and how things stand.
    fn news(&self, wait: &str) -> impl Future<Output = Result<Value>> + use<'c> {
        let after = self.seen.map(|seen| format!("&after={seen}")).unwrap_or_default();
        let unseen = format!("{}?limit=1000{after}", self.address());
        let (client, first) = (self.client, format!("{unseen}{wait}"));
        async move {
            let mut news = client.get(&first).await?;
            let mut lines = items(&news, "messages").to_vec();
            // The newest come first where there are many.
            let mut next = news["next"].as_str().map(str::to_owned);
            while let Some(before) = next {
                let answer = client.get(&format!("{unseen}&before={}", part(&before))).await?;
                lines.splice(0..0, items(&answer, "messages").iter().cloned());
                next = answer["next"].as_str().map(str::to_owned);
            }
            news["messages"] = lines.into();
            Ok(news)
        }
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        let mut body = self.offers.answer(line);
        body["id"] = json!(message_id()?);
        body["from"] = json!(self.contact);
        let answer = self.client.post(&format!("/api/tenants/{}/chat", self.tenant), &body).await?;
        if answer["tenant_id"] == self.tenant {
            return Ok(());
        }
        let (message, action) = match &answer["tenant_id"] {
            Value::Null => (
                format!("the gateway left the message alone: {}", screen::text(&answer["reason"])),
                "without --no-link the chat begins with the tenant's link".into(),
            ),
            other => (
                format!("{} is locked to tenant {other}", self.contact),
                format!("choose another number with --as, or `switchboard contact unlock {}`", self.contact),
            ),
        };
        Err(Failure::Refused { status: 409, message, action })
    }

    /// Shows what comes until nothing more is being worked on.
    async fn hear_all(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let answer = self.news("&wait_s=5&until_settled=true").await?;
            self.show(&answer)?;
            if answer["settled"] == true && items(&answer, "messages").is_empty() {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::Incomplete(format!(
                    "{} has not answered within {} s; `switchboard turns list --tenant {}` says why",
                    self.name,
                    PATIENCE.as_secs(),
                    self.tenant
                )));
            }
        }
    }

    fn show(&mut self, answer: &Value) -> Result<()> {
        for message in items(answer, "messages") {
            self.seen = self.seen.max(message["seq"].as_u64());
            let Some((author, line)) = read(message) else { continue };
            // What the contact said is on the screen already: it was typed here.
            let Line::Said(outbound) = line else { continue };
            let name = match author {
                Author::Gateway => "(gateway)",
                Author::Human => "(agent)",
                Author::Brain | Author::Contact => &self.name,
            };
            let lines = self.offers.show(&outbound);
            for (index, text) in lines.iter().enumerate() {
                let margin = if index == 0 { format!("{name}: ") } else { "    ".into() };
                screen::line(format!("{margin}{text}").trim_end())?;
            }
        }
        Ok(())
    }
}

fn read(message: &Value) -> Option<(Author, Line)> {
    let author = serde_json::from_value(message["author"].clone()).ok()?;
    let line = serde_json::from_value(message["line"].clone()).ok()?;
    Some((author, line))
}

/// Standard input by lines, read on a thread of its own so that the chat goes on meanwhile.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn message_id() -> Result<String> {
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(format!("chat-{}", hex::encode(random)))
}
