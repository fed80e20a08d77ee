//! What is kept of templates.

use async_trait::async_trait;

use super::Result;
use crate::message::{SenderName, TenantId};
use crate::template::Registered;

#[async_trait]
pub trait Templates: Send + Sync {
    /// The template that a tenant may send through this sender by this name, in this language or, if
    /// there is none, in the only one that there is.
    fn template(
        &self,
        tenant: TenantId,
        sender: &SenderName,
        name: &str,
        language: &str,
    ) -> Result<Option<Registered>>;
}
