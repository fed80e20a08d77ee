//! What the numbers were measured on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Syncs tried to find the disk's median.
const SYNCS: u64 = 200;

#[derive(Clone, Debug)]
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: f64,
    pub kernel: String,
    /// How long the disk under the data takes to make 4 KiB durable, in the median.
    pub sync: Duration,
}

impl Machine {
    pub fn look(data: &Path) -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let kib: f64 = after_colon(&memory, "MemTotal")
            .and_then(|value| value.split(' ').next()?.parse().ok())
            .unwrap_or_default();
        Ok(Machine {
            cores: std::thread::available_parallelism()?.get(),
            processor: after_colon(&processors, "model name").unwrap_or("unknown processor").to_owned(),
            memory_gib: kib / f64::from(1 << 20),
            kernel: kernel.trim().to_owned(),
            sync: sync(data)?,
        })
    }
}

fn after_colon<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim())
}

fn sync(data: &Path) -> Result<Duration> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
    let path = data.join("sync-probe");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut took = Vec::new();
    for page in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&[1; 4096], page * 4096)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    took.sort_unstable();
    Ok(took[took.len() / 2])
}
