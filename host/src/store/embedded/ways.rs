//! The ways of messages, for whoever asks.

use super::{Embedded, Snapshot};
use crate::message::TenantId;
use crate::store::Result;
use crate::store::rules::ways::search;
use crate::store::ways::{Found, Ways};
use async_trait::async_trait;

#[async_trait]
impl Ways for Embedded {
    async fn way(&self, name: &str, of: Option<TenantId>) -> Result<Option<Found>> {
        let (directory, secret) = (self.index().directory.load_full(), self.index().secret);
        self.read(|snapshot: &Snapshot| search::search(snapshot, of, (name, &secret), &directory))
    }
}
