//! What was run, how it ended and how long it took: told at the end, however that came about, so that the last
//! lines of a log say it all.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// Steps in order, and the tests that they ran. Dropped it tells.
pub struct Tally {
    began: Instant,
    steps: Vec<Step>,
    tests: Tests,
}

struct Step {
    name: String,
    took: Duration,
    went_well: bool,
}

/// As libtest counts them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tests {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// By name: why is above.
    names: BTreeSet<String>,
}

impl Tally {
    pub fn new() -> Self {
        Tally { began: Instant::now(), steps: Vec::new(), tests: Tests::default() }
    }

    /// Announces a step, does it and remembers how it went.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        shell::step(name);
        let began = Instant::now();
        let done = work();
        self.steps.push(Step { name: name.to_owned(), took: began.elapsed(), went_well: done.is_ok() });
        done
    }

    /// The same of a command that runs tests: its output goes through, and what it says of tests is counted.
    pub fn tests(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.tests_to(name, command, &mut std::io::stdout())
    }

    fn tests_to(&mut self, name: &str, command: &mut Command, out: &mut impl Write) -> Result<()> {
        let mut tests = std::mem::take(&mut self.tests);
        let done = self.step(name, || run(command, &mut tests, out));
        self.tests = tests;
        done
    }

    fn told(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .steps
            .iter()
            .map(|step| {
                let end = if step.went_well { "done  " } else { "FAILED" };
                format!("{end}  {:>8}  {}", shown(step.took), step.name)
            })
            .collect();
        let Tests { passed, failed, ignored, names } = &self.tests;
        lines.push(format!(
            "tests: {} run, {passed} passed, {failed} failed, {ignored} ignored",
            passed + failed
        ));
        lines.extend(names.iter().map(|name| format!("FAILED  {name}")));
        let well = *failed == 0 && self.steps.iter().all(|step| step.went_well);
        let end = if well { "all is well" } else { "FAILED" };
        lines.push(format!("{end}, after {}", shown(self.began.elapsed())));
        lines
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        shell::step("what was run");
        for line in self.told() {
            eprintln!("    {line}");
        }
    }
}

fn run(command: &mut Command, tests: &mut Tests, out: &mut impl Write) -> Result<()> {
    let shown = format!("{command:?}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {shown}"))?;
    let stdout = child.stdout.take().context("its output is piped")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        tests.read(&String::from_utf8_lossy(&line));
        // Nobody may be there to read it.
        let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

impl Tests {
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, `test a::b ... FAILED`.
    fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.names.insert(name.to_owned());
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// `3 min 07 s`, `8.2 s`.
fn shown(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds >= 60 {
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libtest_says_is_counted() {
        let mut tests = Tests::default();
        for line in [
            "running 13 tests",
            "test store::a ... ok",
            "test store::b ... FAILED",
            "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.01s",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: something else entirely",
        ] {
            tests.read(line);
        }
        assert_eq!((tests.passed, tests.failed, tests.ignored), (17, 1, 2));
        assert_eq!(tests.names.iter().collect::<Vec<_>>(), ["store::b"]);
    }

    #[test]
    fn the_end_tells_each_step_and_that_one_failed() {
        let mut tally = Tally::new();
        tally.step("building", || Ok(())).expect("done");
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "echo 'test a ... FAILED'; echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured'; exit 1",
        ]);
        // Not to our own output, which somebody may count as well.
        let mut out = Vec::new();
        assert!(tally.tests_to("testing", &mut shell, &mut out).is_err());
        assert!(out.starts_with(b"test a ... FAILED\n"), "it goes through");
        let told = tally.told();
        assert!(told[0].starts_with("done") && told[0].ends_with("building"), "{told:?}");
        assert!(told[1].starts_with("FAILED") && told[1].ends_with("testing"), "{told:?}");
        assert_eq!(told[2], "tests: 4 run, 3 passed, 1 failed, 0 ignored");
        assert_eq!(told[3], "FAILED  a");
        assert!(told[4].starts_with("FAILED, after "), "{told:?}");
    }
}
