//! How a command fails: what it tells, and the exit code.

use std::io;
use std::process::ExitCode;

use crate::cli::screen;
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
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    #[error("{0:#}")]
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
    /// Tells it on standard error; the exit code. Where nobody reads it, the exit code is all.
    pub fn exit(self) -> ExitCode {
        if let Failure::Problems(problems) = &self {
            for problem in problems {
                screen::note(&problem.to_string());
            }
        }
        screen::note(&format!("error: {self}"));
        match &self {
            Failure::Refused { action, .. } if !action.is_empty() => {
                screen::note(&format!("       {action}"))
            }
            _ => {}
        }
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

/// `1 mistake`, `3 mistakes`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
