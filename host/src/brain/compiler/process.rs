//! The gateway's side of a process that compiles: it is started, fed, listened to, and ended when its
//! time is up or nobody waits for it any more. Whatever it says is bounded in size and checked in shape.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use super::confine::Bounds;
use super::wire::{self, Confined, Ended, Frame, Rehearsed, Request, Unmade};
use super::{COMMAND, CPU_SECONDS, MEMORY_BYTES};
use crate::glyph;

/// How long by the clock a process may take that others keep from its core: what it gets beside one that
/// wants the whole core is a tenth of it.
fn patience(cpu_seconds: u64) -> Duration {
    const AT_LEAST: Duration = Duration::from_secs(120);
    Duration::from_secs(cpu_seconds.saturating_mul(10)).max(AT_LEAST)
}

/// So much of what it says to standard error is looked at.
const LAST_WORDS_BYTES: usize = 4 << 10;

/// What a process that cannot have more memory says before it ends; the runtime's words.
const OUT_OF_MEMORY: &[u8] = b"memory allocation of ";

/// What came back.
pub struct Made {
    pub code: Vec<u8>,
    pub rehearsed: Rehearsed,
    pub cpu: Duration,
}

/// Why nothing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It needed more than its bound.
    Memory,
    /// It computed for longer than its bound.
    Cpu,
    /// By the clock: others kept it from its core for so long.
    Clock(Duration),
    Component(String),
    /// The process broke down over it.
    Broken(String),
    /// There was no process; the component is not to blame.
    Start(String),
}

/// A process that is wanted.
pub struct Job<'a> {
    pub program: &'a Path,
    pub bounds: Bounds,
    pub request: Request,
    pub component: &'a [u8],
}

impl Job<'_> {
    /// Runs it to its end. Dropped before that, it ends there. `confined` hears what the process is kept
    /// from.
    pub async fn run(self, confined: impl FnOnce(Confined)) -> Result<Made, Failed> {
        let none = |error: std::io::Error| Failed::Start(error.to_string());
        let request = wire::request(&self.request).map_err(none)?;
        let mut child = self.start().map_err(none)?;
        let time = patience(self.bounds.cpu_seconds);
        let ended = tokio::time::timeout(time, talk(&mut child, &request, self.component, confined)).await;
        // An answer that was heard to its end needs the process no longer.
        child.start_kill().ok();
        let status = child.wait().await;
        match ended {
            Err(_) => Err(Failed::Clock(time)),
            Ok(Talk::Made(made)) => Ok(made),
            Ok(Talk::Failed(failed)) => Err(failed),
            Ok(Talk::BrokenOff { last_words }) => {
                Err(status.map_or_else(none, |status| explain(status, &last_words)))
            }
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(self.program)
            .arg(COMMAND)
            .args([MEMORY_BYTES, &self.bounds.memory_bytes.to_string()])
            .args([CPU_SECONDS, &self.bounds.cpu_seconds.to_string()])
            .env_clear()
            // The allocator would map more than it needs, and what can be written to is bounded here.
            .env("_RJEM_MALLOC_CONF", "retain:false")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// How the exchange with the process ended.
enum Talk {
    Made(Made),
    Failed(Failed),
    /// Without an answer; what the process said last.
    BrokenOff {
        last_words: Vec<u8>,
    },
}

/// The whole exchange.
async fn talk(child: &mut Child, request: &[u8], component: &[u8], confined: impl FnOnce(Confined)) -> Talk {
    let stdin = child.stdin.take().expect("it was asked for");
    let stdout = child.stdout.take().expect("it was asked for");
    let stderr = child.stderr.take().expect("it was asked for");
    // The process ends when its input does: the handle is kept until all was heard.
    let (answer, last_words, _open) =
        tokio::join!(listen(stdout, confined), last_words(stderr), feed(stdin, request, component));
    match answer {
        Some(Ok(made)) => Talk::Made(made),
        Some(Err(failed)) => Talk::Failed(failed),
        None => Talk::BrokenOff { last_words },
    }
}

/// A process that has ended or wants no more is no error here: what it says tells.
async fn feed(mut stdin: ChildStdin, request: &[u8], component: &[u8]) -> ChildStdin {
    if stdin.write_all(request).await.is_ok() {
        stdin.write_all(component).await.ok();
    }
    stdin
}

/// None where it ended, or said what makes no sense, before it was done.
async fn listen(
    mut from: impl AsyncRead + Unpin,
    confined: impl FnOnce(Confined),
) -> Option<Result<Made, Failed>> {
    let (frame, bytes) = next(&mut from).await?;
    confined(match frame {
        Frame::Confined => wire::parse(&bytes)?,
        Frame::Unmade => return Some(Err(wire::parse(&bytes).map(failed)?)),
        Frame::Code | Frame::Ended => return None,
    });
    let code = match next(&mut from).await? {
        (Frame::Code, code) => code,
        (Frame::Unmade, bytes) => return Some(Err(wire::parse(&bytes).map(failed)?)),
        (Frame::Confined | Frame::Ended, _) => return None,
    };
    match next(&mut from).await? {
        (Frame::Ended, bytes) => {
            let Ended { rehearsed, cpu_ms } = wire::parse(&bytes)?;
            Some(Ok(Made { code, rehearsed: bounded(rehearsed), cpu: Duration::from_millis(cpu_ms) }))
        }
        _ => None,
    }
}

async fn next(from: &mut (impl AsyncRead + Unpin)) -> Option<(Frame, Vec<u8>)> {
    let mut head = [0; Frame::HEAD];
    from.read_exact(&mut head).await.ok()?;
    let (frame, length) = Frame::read(head)?;
    // As much as comes, so that a length alone takes no memory.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await.ok()?;
    (bytes.len() == length).then_some((frame, bytes))
}

/// Its words again bounded and visible: a guest has run there by now.
fn bounded(rehearsed: Rehearsed) -> Rehearsed {
    match rehearsed {
        Rehearsed::Bad { fault, why } => Rehearsed::Bad { fault, why: shown(&why) },
        Rehearsed::Unlinked { why } => Rehearsed::Unlinked { why: shown(&why) },
        Rehearsed::Not | Rehearsed::Good { .. } => rehearsed,
    }
}

fn failed(unmade: Unmade) -> Failed {
    match unmade {
        Unmade::Memory => Failed::Memory,
        Unmade::Component { why } => Failed::Component(shown(&why)),
        Unmade::Broken { why } => Failed::Broken(shown(&why)),
    }
}

fn shown(text: &str) -> String {
    glyph::shown(text, wire::SHOWN_BYTES)
}

/// Reads to the end and keeps the beginning.
async fn last_words(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut words = Vec::new();
    (&mut from).take(LAST_WORDS_BYTES as u64).read_to_end(&mut words).await.ok();
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.ok();
    words
}

/// Why it ended without an answer. Its last words only name the bound: refused it is in any case.
fn explain(status: ExitStatus, last_words: &[u8]) -> Failed {
    match status.signal() {
        Some(libc::SIGXCPU) => Failed::Cpu,
        Some(libc::SIGABRT) if last_words.starts_with(OUT_OF_MEMORY) => Failed::Memory,
        _ => {
            let last_words = String::from_utf8_lossy(last_words);
            Failed::Broken(shown(&format!("the compiler's process ended with {status}: {last_words}")))
        }
    }
}
