//! Templates and their use.

use async_trait::async_trait;

use super::Embedded;
use crate::message::{SenderName, TenantId};
use crate::store::Result;
use crate::store::templates::Templates;
use crate::template::Registered;

#[async_trait]
impl Templates for Embedded {
    fn template(
        &self,
        _tenant: TenantId,
        _sender: &SenderName,
        _name: &str,
        _language: &str,
    ) -> Result<Option<Registered>> {
        Ok(None)
    }
}
