//! Conversations written down: `tests/*.chat` beside a brain, run natively by its tests and by the
//! gateway against the built component.
//!
//! ```text
//! # What the contact says, and what the bot must answer.
//! language: en
//!
//! start: instagram
//! bot: Welcome
//! bot offers: Buy | Rent
//! choose: Rent
//! contact: a villa under 200k
//! bot sends: image
//! after: 25h
//! bot: still looking
//! lead stage: searching
//! ```
//!
//! The words are listed in `docs/brain-developers.md` and, exactly, in `script/parse.rs`.

mod parse;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::brain::Packaged;
use crate::conversation::Subject;
use crate::native::Native;
use crate::package::Package;

/// How the scripts of a package went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `hello.chat: A greeting`, one for each conversation that went as written.
    pub passed: Vec<String>,
    pub failures: Vec<Failure>,
}

impl Report {
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(f, "{} conversations went as written, {} did not", self.passed.len(), self.failures.len())
    }
}

/// A line that did not hold, or does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub file: PathBuf,
    pub line: usize,
    /// What was expected and what was said instead.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Runs every script of the package in this directory.
pub fn run_dir(directory: &Path, subject: &mut dyn Subject) -> Report {
    match Package::open(directory) {
        Ok(package) => run_package(&package, subject),
        Err(error) => failed(directory, 0, error.to_string()),
    }
}

pub fn run_package(package: &Package, subject: &mut dyn Subject) -> Report {
    let mut report = Report::default();
    for script in &package.scripts {
        let one = run_file(package, script, subject);
        report.passed.extend(one.passed);
        report.failures.extend(one.failures);
    }
    report
}

/// Runs one script with this package's personality and collections. A conversation stops at its
/// first failure; the next one in the file still runs.
pub fn run_file(package: &Package, script: &Path, subject: &mut dyn Subject) -> Report {
    let text = match std::fs::read_to_string(script) {
        Ok(text) => text,
        Err(error) => return failed(script, 0, error.to_string()),
    };
    let conversations = match parse::parse(&text) {
        Ok(conversations) => conversations,
        Err(error) => return failed(script, error.line, error.message),
    };
    let mut report = Report::default();
    let name = script.file_name().unwrap_or_default().to_string_lossy();
    for conversation in conversations {
        match run::run(&conversation, package, subject) {
            Ok(()) => report.passed.push(format!("{name}: {}", conversation.title)),
            Err(error) => {
                let file = script.to_path_buf();
                report.failures.push(Failure { file, line: error.line, message: error.message });
            }
        }
    }
    report
}

/// Runs the scripts of the brain `B` natively: the one line a brain's `#[test]` needs.
///
/// # Panics
/// When a conversation does not go as written, or when there is none.
#[track_caller]
pub fn assert_all<B: Packaged>() {
    let report = run_dir(Path::new(B::DIRECTORY), &mut Native::<B>::default());
    assert!(report.is_success(), "{report}");
    assert!(!report.passed.is_empty(), "{}/tests has no .chat file with a conversation", B::DIRECTORY);
}

fn failed(file: &Path, line: usize, message: String) -> Report {
    let failure = Failure { file: file.to_path_buf(), line, message };
    Report { passed: Vec::new(), failures: vec![failure] }
}

/// A failure before its file is known.
#[derive(Debug)]
struct Problem {
    line: usize,
    message: String,
}
