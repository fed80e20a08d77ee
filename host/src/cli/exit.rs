//! How a command that failed ends: what it tells, and the exit code.

use std::io;
use std::process::ExitCode;

use crate::backup;
use crate::cli::failure::Failure;
use crate::cli::screen;
use crate::ownership;
use crate::store::embedded::OpenError;

/// Tells a failure on standard error; the exit code. Where nobody reads it, the exit code is all. `given`: what
/// this run was given to say which gateway is meant, and the commands that are advised need as well.
pub fn tell(failure: Failure, given: &str) -> ExitCode {
    let note = |text: &str| screen::note(&whole(text, given));
    if let Failure::Problems(problems) = &failure {
        for problem in problems {
            note(&problem.to_string());
        }
    }
    note(&format!("error: {failure}"));
    match &failure {
        Failure::Refused { action, .. } if !action.is_empty() => note(&format!("       {action}")),
        Failure::Other(error) => {
            if let Some(action) = denied(error) {
                note(&format!("       {action}"));
            }
        }
        _ => {}
    }
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        Failure::NothingRuns(_) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_refusal_of_the_system_says_what_to_do() {
        let of = |kind| denied(&anyhow::Error::from(io::Error::from(kind)).context("outer"));
        assert!(of(io::ErrorKind::PermissionDenied).is_some());
        assert_eq!(of(io::ErrorKind::NotFound), None);
    }
}
