//! A child process whose output is kept line by line. It is killed when its handle goes, and its
//! output is shown if a test is failing then.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::sync::Notify;

/// How much of a failing test's output is shown.
const SHOWN_LINES: usize = 200;

pub struct Process {
    name: &'static str,
    child: Child,
    ended: bool,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    grown: Notify,
}

impl Output {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    pub fn spawn(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = Arc::new(Output::default());
        follow(child.stdout.take().expect("stdout is piped"), output.clone());
        follow(child.stderr.take().expect("stderr is piped"), output.clone());
        Ok(Process { name, child, ended: false, output })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn lines(&self) -> Vec<String> {
        self.output.lines().clone()
    }

    pub fn log(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line that `wanted` takes; `None` after `within`, or when the process has ended
    /// without it.
    pub async fn wait_for_line(&self, within: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            let grown = self.output.grown.notified();
            if let Some(line) = self.output.lines().iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            // Both readers hold the output for as long as the pipes are open.
            let open = Arc::strong_count(&self.output) > 1;
            let left = deadline.saturating_duration_since(Instant::now());
            if !open || left.is_zero() {
                return None;
            }
            let _ = tokio::time::timeout(left.min(Duration::from_millis(50)), grown).await;
        }
    }

    pub fn signal(&self, signal: libc::c_int) {
        if self.ended {
            return;
        }
        let pid = libc::pid_t::try_from(self.child.id()).expect("process ids fit");
        send_signal(pid, signal);
    }

    /// Waits for its end, in bounded time.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.ended = true;
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{} has not ended after {} s", self.name, within.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
fn send_signal(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: kill takes two integers and touches no memory. The process is our own child and has
    // not been waited for, so its id has not been given to another.
    unsafe { libc::kill(pid, signal) };
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself; then there is nothing to do.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let lines = self.lines();
            let first = lines.len().saturating_sub(SHOWN_LINES);
            eprintln!("---- {}: its last lines ----", self.name);
            for line in &lines[first..] {
                eprintln!("{line}");
            }
            eprintln!("----");
        }
    }
}

fn follow(pipe: impl Read + Send + 'static, output: Arc<Output>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            output.lines().push(String::from_utf8_lossy(&line).into_owned());
            output.grown.notify_waiters();
        }
    });
}
