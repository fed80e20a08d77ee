//! What is not well with a sender, by its provider's answer to a question that changes nothing.

/// What the provider says, for a person, and what kind of thing that is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unwell {
    pub cause: Cause,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The provider does not take the key.
    KeyRefused,
    /// The provider does not know the number or the session.
    NotKnown,
    Other,
}

impl Unwell {
    pub fn key_refused(what: impl Into<String>) -> Self {
        Unwell { cause: Cause::KeyRefused, what: what.into() }
    }

    pub fn not_known(what: impl Into<String>) -> Self {
        Unwell { cause: Cause::NotKnown, what: what.into() }
    }

    pub fn other(what: impl Into<String>) -> Self {
        Unwell { cause: Cause::Other, what: what.into() }
    }
}
