//! Tries one guest: it is pushed, contacts write to it, and what becomes of their turns is held against
//! the verdict that the case names.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::hostile::case::{Guest, Verdict};
use crate::hostile::ground::{Ground, SORRY, tenant_of};

/// A turn of a hostile guest ends within this time, with the wait for its place.
const ENDS: Duration = Duration::from_secs(40);

/// A line of the log is seen within this time.
const LOGGED: Duration = Duration::from_secs(10);

/// What was seen of a guest.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// `fuel`, `refused`, `answered`.
    pub verdict: String,
    /// The longest of its turns.
    pub wall_time: Duration,
    /// The most memory that a turn had.
    pub memory_bytes: u64,
    /// The largest journal entry.
    pub journal_bytes: usize,
}

/// Pushes the case's component as tenant `number` and lets so many contacts write to it.
pub async fn try_guest(ground: &Ground, number: usize, case: &Guest, contacts: usize) -> Result<Tried> {
    let tenant = tenant_of(number);
    let component = case.component()?;
    let pushed = ground.push(tenant, component).await.context("pushing")?;
    if pushed.text.len() > case.head.answer_bytes {
        bail!("the push is answered with {} bytes: {}", pushed.text.len(), cut(&pushed.text));
    }
    if let Verdict::Either(_) = &case.head.verdict {
        return Ok(Tried {
            verdict: if pushed.status == 200 { "taken" } else { "refused" }.into(),
            ..Tried::default()
        });
    }
    if let Verdict::Refused(says) = &case.head.verdict {
        if !(400..500).contains(&pushed.status) || !pushed.text.contains(says.as_str()) {
            bail!(
                "it should be refused with {says:?}; the gateway said {} {}",
                pushed.status,
                cut(&pushed.text)
            );
        }
        return Ok(Tried { verdict: "refused".into(), ..Tried::default() });
    }
    if pushed.status != 200 {
        bail!("it should be taken; the gateway said {} {}", pushed.status, cut(&pushed.text));
    }
    let phones: Vec<String> = (0..contacts).map(|contact| phone(number, contact)).collect();
    for phone in &phones {
        ground.say(phone, &format!("start_realty_{tenant}")).await?;
    }
    let mut tried = Tried::default();
    for phone in &phones {
        let turns = ground.turns(tenant, phone, 1, ENDS).await?;
        let turn = turns.first().context("a turn")?;
        tried.verdict = judge(&case.head.verdict, turn)?;
        tried.count(turn);
        if let Some(text) = expected_text(&case.head.verdict) {
            let read = tokio::time::timeout(ENDS, ground.provider.next(phone, 0)).await;
            let read = read.with_context(|| format!("the contact should read {text:?} and reads nothing"))?;
            if read != text {
                bail!("the contact should read {text:?} and reads {:?}", cut(&read));
            }
        }
    }
    if let Some(text) = &case.head.forges {
        let within = std::time::Instant::now() + LOGGED;
        while !ground.gateway.log().contains(text.as_str()) {
            if std::time::Instant::now() > within {
                bail!("the log does not hold {text:?}, which should be seen there in a field");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        forged(&ground.gateway.log(), text)?;
    }
    Ok(tried)
}

/// Is there a line that is not the gateway's own?
fn forged(log: &str, text: &str) -> Result<()> {
    let mut lines = log.lines().filter(|line| line.contains(text));
    // A line of the gateway's own begins with today.
    let own = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit()) && !line.starts_with("2026-01-01");
    let plain = |line: &&str| !line.chars().any(|c| c.is_control() || "\u{202e}\u{2028}\u{2066}".contains(c));
    match lines.find(|line| !own(line) || !plain(line)) {
        Some(line) => bail!("a line of the log is a guest's: {line:?}"),
        None => Ok(()),
    }
}

/// The phone of a case's contact.
pub fn phone(number: usize, contact: usize) -> String {
    format!("97152{number:04}{contact:03}")
}

impl Tried {
    fn count(&mut self, turn: &Value) {
        let cost = |name: &str| turn["cost"][name].as_u64().unwrap_or_default();
        self.wall_time = self.wall_time.max(Duration::from_micros(cost("wall_time_us")));
        self.memory_bytes = self.memory_bytes.max(cost("memory_bytes"));
        self.journal_bytes = self.journal_bytes.max(turn.to_string().len());
    }
}

fn expected_text(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Refused(_) | Verdict::Either(_) => None,
        Verdict::Fails { .. } => Some(SORRY),
        Verdict::Answers(text) => Some(text).filter(|text| !text.is_empty()).map(String::as_str),
    }
}

fn judge(verdict: &Verdict, turn: &Value) -> Result<String> {
    let fault = &turn["outcome"]["fault"];
    let (code, message) = (fault["code"].as_str(), fault["message"].as_str().unwrap_or_default());
    match (verdict, code) {
        (Verdict::Answers(_), None) => Ok("answered".into()),
        (Verdict::Fails { code: codes, says }, Some(code)) => {
            if !codes.iter().any(|wanted| wanted == code || wanted == "any")
                || !message.contains(says.as_str())
            {
                bail!("it should fail with {codes:?} and {says:?}; it failed with {code}: {}", cut(message));
            }
            Ok(code.to_owned())
        }
        (verdict, _) => {
            bail!("it should be {verdict:?}; the turn came to {}", cut(&turn["outcome"].to_string()))
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(600).collect()
}
