//! The table: one row a comparison, in Markdown, put between two marks of a page that is otherwise
//! written by hand.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::machine::Machine;
use crate::rounds::{Pace, Rounds};

const BEGIN: &str = "<!-- measured: begin (written by `cargo xtask bench`) -->\n";
const END: &str = "<!-- measured: end -->\n";

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// `accept only, 64 connections`.
    pub what: String,
    /// What the gateway is compared with.
    pub against: String,
    pub gateway: String,
    pub ratio: Option<f64>,
    pub target: Option<Target>,
}

#[derive(Clone, Debug)]
pub struct Target {
    /// `at least 0.6`.
    pub text: String,
    pub met: bool,
}

impl Target {
    pub fn at_least(least: f64, ratio: f64) -> Option<Self> {
        Some(Target { text: format!("≥ {least}"), met: ratio >= least })
    }
}

/// `31,024/s · 2.01 / 3.42 ms · 41 µs`, and what failed.
pub fn rate(rounds: &Rounds) -> String {
    let mut text = format!(
        "{}/s · {} / {} ms · {:.0} µs",
        thousands(rounds.per_second()),
        milliseconds(rounds.p50()),
        milliseconds(rounds.p99()),
        rounds.busy().as_secs_f64() * 1e6
    );
    if rounds.failed() > 0 {
        let _ = write!(text, " · **{} failed**: {}", rounds.failed(), rounds.failure().unwrap_or_default());
    }
    text
}

pub fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.1}") }
}

pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The whole block: what it was measured on, and every row.
pub fn block(rows: &[Row], machine: &Machine, pace: &Pace, date: Option<&str>) -> String {
    let mut text = String::new();
    let date = date.map(|date| format!("{date}: ")).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{date}{} cores ({}), {:.0} GiB of memory, Linux {}; 4 KiB durable on the data's disk in {:.0} µs. \
         The medians of {} rounds of {} s, load generator and loopback WAHA on the same cores.\n",
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        machine.sync.as_secs_f64() * 1e6,
        pace.rounds,
        pace.measured.as_secs_f64(),
    );
    text.push_str("| what | compared with | the gateway | ratio | target | |\n|---|---|---|--:|---|---|\n");
    for row in rows {
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let target = row.target.as_ref().map_or("", |target| target.text.as_str());
        let met = row.target.as_ref().map_or("", |target| if target.met { "met" } else { "**missed**" });
        let cells = [&row.what, &row.against, &row.gateway, &ratio, target, met];
        let cells = cells.map(|cell| cell.replace('|', "/").replace('\n', " "));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// Puts the block between the page's marks.
pub fn write(page: &Path, block: &str) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let new =
        replace(&text, block).with_context(|| format!("{} has no place for the table", page.display()))?;
    std::fs::write(page, new).with_context(|| format!("cannot write {}", page.display()))
}

fn replace(page: &str, block: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (page.find(BEGIN), page.find(END)) else {
        bail!("the lines {BEGIN:?} and {END:?} are missing");
    };
    let begin = begin + BEGIN.len();
    if end < begin {
        bail!("the end mark comes before the begin mark");
    }
    Ok(format!("{}\n{block}\n{}", &page[..begin], &page[end..]))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("# Title\n{BEGIN}old\n{END}after\n");
        let new = replace(&page, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(replace(&new, "new\n").unwrap(), new);
        assert!(replace("# Title\n", "new\n").is_err());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(12_345.6), "12,346");
        assert_eq!(thousands(999.4), "999");
        assert_eq!(thousands(1_000_000.0), "1,000,000");
    }
}
