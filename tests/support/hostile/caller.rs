//! Callers as data: raw requests, how many and over how many connections at once, and what each is
//! answered. What stands in `{braces}` is filled in: `{tenant}` and `{key}` of the hostile tenant,
//! `{neighbour}` and `{phone}` of the honest one and a contact of its.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::hostile::case::{files, name_of};
use crate::hostile::ground::{Ground, NEIGHBOUR, PHONE, tenant_of};
use crate::hostile::recipe;
use crate::hostile::usage::Usage;

/// An answer that is not there after this long is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer to a stranger is longer.
const ANSWER_BYTES: usize = 1 << 20;

/// A way to knock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    #[serde(skip)]
    pub name: String,
    pub does: String,
    pub bound: String,
    pub step: Vec<Step>,
    /// The gateway holds no more than this beyond what it held before, at any time of the case.
    #[serde(default = "some_mib")]
    pub resident_mib: u64,
    /// The log has no more lines after the case than these beyond what it had before.
    #[serde(default = "some_lines")]
    pub log_lines: usize,
}

fn some_mib() -> u64 {
    128
}

fn some_lines() -> usize {
    200
}

/// Requests that are all alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(default)]
    pub method: String,
    #[serde(default)]
    pub path: String,
    /// Whole lines.
    #[serde(default)]
    pub headers: Vec<String>,
    #[serde(default)]
    pub body: String,
    /// Sent as it is, in place of the above.
    pub raw: Option<String>,
    /// As whom: nobody, the hostile tenant, the operator.
    #[serde(default)]
    pub who: Who,
    #[serde(default = "once")]
    pub times: usize,
    /// At once; each sends its share.
    #[serde(default = "once")]
    pub connections: usize,
    /// Goes away without waiting for an answer.
    #[serde(default)]
    pub hangs_up: bool,
    /// What it may be answered; 0: the connection is closed without an answer.
    pub status: Vec<u16>,
    /// And with these words.
    #[serde(default)]
    pub says: String,
    /// None of these is in the answer.
    #[serde(default)]
    pub hides: Vec<String>,
}

fn once() -> usize {
    1
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    #[default]
    Nobody,
    Tenant,
    Operator,
}

impl Caller {
    pub fn all() -> Result<Vec<Caller>> {
        files("callers", "toml")?.iter().map(|file| Caller::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Caller> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let caller: Caller = toml::from_str(&text).with_context(|| file.display().to_string())?;
        Ok(Caller { name: name_of(file), ..caller })
    }
}

/// Tries it, in the name of the tenant with this number where it has a key.
pub async fn try_caller(ground: &Ground, number: usize, caller: &Caller) -> Result<u64> {
    let tenant = tenant_of(number);
    let key = ground.key(tenant).await?;
    let pid = ground.gateway.pid();
    let before = Usage::of(pid).context("the gateway runs")?;
    let lines = ground.gateway.log().lines().count();
    let mut most = 0;
    for step in &caller.step {
        let bytes = fill(&step.bytes(&key, ground.gateway.token())?, tenant, &key);
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..step.connections {
            let share = step.times.div_ceil(step.connections);
            running.spawn(connection(ground.gateway.address(), step.clone(), bytes.clone(), share));
        }
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                ended = running.join_next() => match ended {
                    Some(ended) => ended.context("a connection panicked")??,
                    None => break,
                },
                _ = look.tick() => {
                    let now = Usage::of(pid).context("the gateway has ended")?;
                    most = most.max(now.resident_bytes.saturating_sub(before.resident_bytes));
                }
            }
        }
    }
    if most > caller.resident_mib << 20 {
        bail!("the gateway took {} MiB for it; limit {} MiB", most >> 20, caller.resident_mib);
    }
    let written = ground.gateway.log().lines().count() - lines;
    if written > caller.log_lines {
        bail!("the gateway wrote {written} lines of log for it; limit {}", caller.log_lines);
    }
    Ok(most)
}

fn fill(bytes: &[u8], tenant: u32, key: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    text.replace("{tenant}", &tenant.to_string())
        .replace("{neighbour}", &NEIGHBOUR.to_string())
        .replace("{phone}", PHONE)
        .replace("{key}", key)
        .into_bytes()
}

impl Step {
    fn bytes(&self, key: &str, operator: &str) -> Result<Vec<u8>> {
        if let Some(raw) = &self.raw {
            return Ok(recipe::expand(raw)?.into_bytes());
        }
        let body = recipe::expand(&self.body)?;
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", self.method, recipe::expand(&self.path)?);
        match self.who {
            Who::Nobody => {}
            Who::Tenant => head += &format!("Authorization: Bearer {key}\r\n"),
            Who::Operator => head += &format!("Authorization: Bearer {operator}\r\n"),
        }
        for header in &self.headers {
            head += &format!("{}\r\n", recipe::expand(header)?);
        }
        if !self.headers.iter().any(|header| header.to_ascii_lowercase().starts_with("transfer-encoding")) {
            head += &format!("Content-Length: {}\r\n", fill(body.as_bytes(), 1000, key).len());
        }
        Ok(format!("{head}\r\n{body}").into_bytes())
    }

    fn judge(&self, answer: &str) -> Result<()> {
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let shown: String = answer.chars().take(500).collect();
        if !self.status.contains(&status) || !answer.contains(&self.says) {
            bail!(
                "{} {}: expected {:?} and {:?}; the answer: {shown}",
                self.method,
                self.path,
                self.status,
                self.says
            );
        }
        let hides = |hidden: &&String| answer.contains(&hidden.replace("{phone}", PHONE));
        if let Some(hidden) = self.hides.iter().find(hides) {
            bail!("{} {}: the answer tells {hidden}: {shown}", self.method, self.path);
        }
        Ok(())
    }
}

async fn connection(address: SocketAddr, step: Step, bytes: Vec<u8>, times: usize) -> Result<()> {
    let mut stream: Option<TcpStream> = None;
    for _ in 0..times {
        let (mut open, fresh) = match stream.take() {
            Some(open) => (open, false),
            None => (connect(address).await?, true),
        };
        // A body that is refused early is not read to its end; then writing fails, and the answer is there.
        let written = tokio::time::timeout(PATIENCE, open.write_all(&bytes)).await;
        if step.hangs_up {
            continue;
        }
        let answer = tokio::time::timeout(PATIENCE, read(&mut open)).await;
        let answer =
            answer.with_context(|| format!("{} {}: no answer in {PATIENCE:?}", step.method, step.path))?;
        if answer.is_empty() && !fresh {
            // The gateway had closed it after the answer before: the next one is asked anew.
            continue;
        }
        step.judge(&answer)?;
        let closes = answer.to_ascii_lowercase().contains("connection: close") || answer.is_empty();
        stream = (!closes && matches!(written, Ok(Ok(())))).then_some(open);
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let open = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
    open.context("the gateway takes no connection")?.context("the gateway takes no connection")
}

/// One answer, or as much of it as came; nothing where the connection was closed.
async fn read(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) || received.len() > ANSWER_BYTES {
                return text.into_owned();
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&received).into_owned(),
            Ok(n) => received.extend_from_slice(&buffer[..n]),
        }
    }
}
