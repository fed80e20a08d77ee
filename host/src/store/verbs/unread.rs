//! The verbs of [`Unread`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::message::Provider;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::rules::unread::{self, Unreadable};
use crate::store::unread::{Unread, UnreadBody, UnreadId};
use crate::store::upkeep::Mark;

#[async_trait]
impl<E: Engine> Unread for E {
    async fn keep_unread(&self, body: UnreadBody) -> Result<()> {
        self.check(Mark::Messages)?;
        let unreadable = Unreadable::new(&body);
        self.submit(move |rows| unread::keep(rows, &unreadable)).await
    }

    async fn unread(&self, after: Option<&UnreadId>, limit: usize) -> Result<Vec<(UnreadId, UnreadBody)>> {
        let after = after.cloned();
        self.read(move |rows| unread::list(rows, after.as_ref(), limit)).await
    }

    async fn unread_counts(&self) -> Result<BTreeMap<Provider, u64>> {
        self.read(unread::counts).await
    }

    async fn forget_unread(&self, id: UnreadId) -> Result<()> {
        self.submit(move |rows| unread::forget(rows, &id)).await
    }
}
