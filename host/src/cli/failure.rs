//! How a command fails: what it tells, and the exit code.

use std::io;
use std::process::ExitCode;

use crate::backup;
use crate::cli::screen;
use crate::config::document::Problem;
use crate::ownership;
use crate::reload;
use crate::store::embedded::OpenError;

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

impl Failure {
    /// Tells it on standard error; the exit code. Where nobody reads it, the exit code is all. `given`: what
    /// this run was given to say which gateway is meant, and the commands that are advised need as well.
    pub fn exit(self, given: &str) -> ExitCode {
        let note = |text: &str| screen::note(&whole(text, given));
        if let Failure::Problems(problems) = &self {
            for problem in problems {
                note(&problem.to_string());
            }
        }
        note(&format!("error: {self}"));
        match &self {
            Failure::Refused { action, .. } if !action.is_empty() => note(&format!("       {action}")),
            Failure::Other(error) => {
                if let Some(action) = denied(error) {
                    note(&format!("       {action}"));
                }
            }
            _ => {}
        }
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::NothingRuns(_) => ExitCode::from(3),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The commands in a text, as they are to be typed for the gateway that this run was given.
fn whole(text: &str, given: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("`switchboard ") {
        let Some(length) = rest[at + 1..].find('`') else { break };
        let (command, end) = (&rest[at + 1..at + 1 + length], at + 1 + length);
        told.push_str(&rest[..end]);
        if !["--config", "--data", "--url"].iter().any(|option| command.contains(option)) {
            told.push_str(given);
        }
        told.push('`');
        rest = &rest[end + 1..];
    }
    told.push_str(rest);
    told
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

/// What to do where this user may not do what it was asked to.
fn denied(error: &anyhow::Error) -> Option<String> {
    let denied = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    if !error.chain().any(denied) {
        return None;
    }
    let path = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(OpenError::Io { path, .. }) => Some(path),
        _ => match cause.downcast_ref() {
            Some(backup::Failed::Io { path, .. }) => Some(path),
            _ => None,
        },
    });
    let advice = path.and_then(|path| ownership::advice(path));
    Some(advice.unwrap_or_else(|| "run it as the user that the gateway runs as".into()))
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
    fn an_advised_command_names_the_gateway_that_this_one_was_given() {
        let given = " --config /etc/it.toml";
        for (text, told) in [
            (
                "`switchboard outbox list` shows it",
                "`switchboard outbox list --config /etc/it.toml` shows it",
            ),
            ("`switchboard serve --data /x`", "`switchboard serve --data /x`"),
            ("a `quota`; `switchboard doctor`", "a `quota`; `switchboard doctor --config /etc/it.toml`"),
            ("an open `switchboard end", "an open `switchboard end"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(whole(text, given), told);
            assert_eq!(whole(text, ""), text);
        }
    }

    #[test]
    fn nothing_is_said_twice_and_a_refusal_of_the_system_says_what_to_do() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error: anyhow::Error = Repeats { source }.into();
        assert_eq!(told(&error), "the file: permission denied");
        assert!(denied(&error).is_some());
        let other = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("first").context("outer");
        let other = other.expect_err("it is one");
        assert_eq!(told(&other), "outer: first: entity not found");
        assert_eq!(denied(&other), None);
    }
}
