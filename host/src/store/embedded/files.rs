//! Received files.

use async_trait::async_trait;

use super::Embedded;
use crate::message::TenantId;
use crate::store::Result;
use crate::store::media::{File, MediaShelf};

#[async_trait]
impl MediaShelf for Embedded {
    fn file(&self, _tenant: TenantId, _handle: &str) -> Result<Option<File>> {
        Ok(None)
    }
}
