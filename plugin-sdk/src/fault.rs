//! How a turn fails. Any standard error becomes a [`Fault`] with `?`.

use std::any::Any;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a turn could not be done. The turn is rolled back: nothing is sent, nothing remembered.
///
/// It is not itself a [`std::error::Error`], so that every error can become one with `?`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// For programs: `llm-unavailable`.
    pub code: String,
    /// For the brain's developer; never shown to the contact.
    pub message: String,
    /// May the same turn go well later?
    pub retryable: bool,
}

impl Fault {
    /// A fault that the same turn would meet again.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { code: code.into(), message: message.into(), retryable: false }
    }

    /// A fault that may be gone in a while; the gateway runs the turn again.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { code: code.into(), message: message.into(), retryable: true }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = if self.retryable { " (retryable)" } else { "" };
        write!(f, "{}: {}{again}", self.code, self.message)
    }
}

impl<E: Error + 'static> From<E> for Fault {
    /// The message is the error's with its causes; a [`Refusal`] keeps its code.
    fn from(error: E) -> Self {
        if let Some(refusal) = (&error as &dyn Any).downcast_ref::<Refusal>() {
            return Fault {
                code: refusal.code.clone(),
                message: refusal.message.clone(),
                retryable: refusal.retryable,
            };
        }
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Fault::new("error", message)
    }
}

/// Why the gateway refused a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs: `limit`, `unknown-collection`, `bad-filter`.
    pub code: String,
    pub message: String,
    pub retryable: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for Refusal {}

/// What the gateway answers.
pub(crate) type Answer<T> = Result<T, Refusal>;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u32, Fault> {
        Ok(text.parse::<u32>()?)
    }

    fn refused() -> Result<(), Fault> {
        Err(Refusal { code: "limit".into(), message: "101 of 100 rows".into(), retryable: true })?;
        Ok(())
    }

    #[test]
    fn a_standard_error_becomes_a_fault() {
        let fault = parse("twelve").expect_err("not a number");
        assert_eq!(fault, Fault::new("error", "invalid digit found in string"));
    }

    #[test]
    fn the_causes_are_told() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the price is not a number")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let fault = Fault::from(Outer("x".parse::<u32>().expect_err("not a number")));
        assert_eq!(fault.message, "the price is not a number: invalid digit found in string");
    }

    #[test]
    fn a_refusal_keeps_its_code() {
        assert_eq!(refused(), Err(Fault::retryable("limit", "101 of 100 rows")));
    }
}
