//! How a command fails.

use std::io;

use crate::config::document::Problem;
use crate::reload;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Mistakes in files.
    #[error("{} in the configuration or its data", counted(.0.len(), "mistake"))]
    Problems(Vec<Problem>),
    /// The gateway refused, and says what to do.
    #[error("{message}")]
    Refused { status: u16, message: String, action: String },
    /// The command contradicts itself, or lacks something.
    #[error("{0}")]
    Usage(String),
    /// What was done was not all that was asked; it has been told already.
    #[error("{0}")]
    Incomplete(String),
    /// No gateway runs, where that is what was asked.
    #[error("{0}")]
    NothingRuns(String),
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    #[error("{}", told(.0))]
    Other(#[from] anyhow::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Other(error.into())
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Failure::Problems(problems)
    }
}

impl From<reload::Error> for Failure {
    fn from(error: reload::Error) -> Self {
        match error {
            reload::Error::Problems(problems) => Failure::Problems(problems),
            error => Failure::Other(error.into()),
        }
    }
}

/// An error with what brought it about. Some errors say their cause themselves: nothing is said twice.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// `1 mistake`, `3 mistakes`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file: {source}")]
    struct Repeats {
        source: io::Error,
    }

    #[test]
    fn nothing_is_said_twice() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error: anyhow::Error = Repeats { source }.into();
        assert_eq!(told(&error), "the file: permission denied");
        let other = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("first").context("outer");
        let other = other.expect_err("it is one");
        assert_eq!(told(&other), "outer: first: entity not found");
    }
}
