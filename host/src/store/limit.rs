//! Which limits there are on what is kept.

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
