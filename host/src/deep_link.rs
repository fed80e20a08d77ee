//! The grammar of deep links: `start_realty_2`, `start_realty_2-instagram`.

use crate::message::TenantId;

/// A deep link found at the start of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub tenant: TenantId,
    /// What followed the tenant after a dash.
    pub attribution: Option<String>,
}

/// The link that `text` begins with, if it begins with one of `prefixes`.
pub fn parse(text: &str, prefixes: &[String]) -> Option<Link> {
    let _ = (text, prefixes);
    unimplemented!()
}
