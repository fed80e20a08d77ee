//! Why a verb of the store did not happen.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue to the writer is full, or the disk is. Nothing was kept; try again later.
    #[error("the store cannot take more now: {0}")]
    Busy(String),
    /// What is left of the disk is kept in reserve. Nothing was kept; it was said in the log.
    #[error("{0}")]
    Full(String),
    /// Nothing was kept, and nothing will be until an operator looks.
    #[error("the store failed: {0}")]
    Failed(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was asked for contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// More than is allowed; asking again does not help, unless time frees what is used up.
    #[error("{message}")]
    Limit { of: Limit, message: String },
}

/// Which limit it is that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of a tenant's quotas one that time frees.
    Rate,
    /// Of a tenant's quotas one that only room frees.
    Quota,
    /// The timers of a conversation.
    Timers,
    /// What a lead may hold.
    Lead,
    /// The templates of an account.
    Templates,
}

impl Limit {
    /// For programs.
    pub const fn code(self) -> &'static str {
        match self {
            Limit::Rate => "rate",
            Limit::Quota => "quota",
            Limit::Timers => "timers",
            Limit::Lead => "lead",
            Limit::Templates => "too_many_templates",
        }
    }
}
