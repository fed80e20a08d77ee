//! The ways of messages, for whoever asks.

use crate::message::TenantId;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::rules::ways::search;
use crate::store::ways::{Found, Ways};
use async_trait::async_trait;

#[async_trait]
impl<E: Engine> Ways for E {
    async fn way(&self, name: &str, of: Option<TenantId>) -> Result<Option<Found>> {
        let (directory, secret) = (self.index().directory.load_full(), self.index().secret);
        let name = name.to_owned();
        self.read(move |rows| search::search(rows, of, (&name, &secret), &directory)).await
    }
}
