//! How a tenant came to a contact.

/// By which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    Shared,
    Own,
}
