//! What a process holds: what is not given back after a case was leaked by it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Now, by the kernel's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub threads: usize,
    pub descriptors: usize,
    pub resident_bytes: u64,
    /// Processes that it has started and that still run.
    pub children: usize,
}

/// More than this, beyond what it held before, is a leak. Threads that are idle go after some seconds;
/// the allocator keeps some of what was freed.
#[derive(Clone, Copy, Debug)]
pub struct Slack {
    pub threads: usize,
    pub descriptors: usize,
    pub resident_bytes: u64,
}

impl Default for Slack {
    fn default() -> Self {
        Slack { threads: 24, descriptors: 64, resident_bytes: 256 << 20 }
    }
}

/// Threads that nobody needs any more are ended within this time.
const SETTLES: Duration = Duration::from_secs(40);

impl Usage {
    /// `None` where the process has ended.
    pub fn of(pid: u32) -> Option<Usage> {
        let process = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let value = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse().ok()
        };
        let children = std::fs::read_to_string(process.join(format!("task/{pid}/children")));
        Some(Usage {
            threads: usize::try_from(value("Threads:")?).ok()?,
            descriptors: std::fs::read_dir(process.join("fd")).ok()?.count(),
            resident_bytes: value("VmRSS:")? << 10,
            children: children.map_or(0, |list| list.split_whitespace().count()),
        })
    }

    fn within(&self, before: &Usage, slack: &Slack) -> bool {
        self.threads <= before.threads + slack.threads
            && self.descriptors <= before.descriptors + slack.descriptors
            && self.resident_bytes <= before.resident_bytes + slack.resident_bytes
            && self.children <= before.children
    }
}

/// Waits until the process holds no more than before and the slack; when the time is over, an error that
/// says what it holds still.
///
/// # Panics
/// Where the process has ended.
pub async fn settles(pid: u32, before: Usage, slack: Slack) -> Result<()> {
    let deadline = Instant::now() + SETTLES;
    loop {
        let now = Usage::of(pid).unwrap_or_else(|| panic!("process {pid} has ended"));
        if now.within(&before, &slack) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("process {pid} holds after {SETTLES:?} {now:?}; before {before:?}, and {slack:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
