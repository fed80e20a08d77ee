//! The verbs of [`Unread`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Embedded;
use crate::message::Provider;
use crate::store::Result;
use crate::store::rules::unread::{self, Unreadable};
use crate::store::unread::{Unread, UnreadBody, UnreadId};
use crate::store::upkeep::Mark;

#[async_trait]
impl Unread for Embedded {
    async fn keep_unread(&self, body: UnreadBody) -> Result<()> {
        self.shared.space.check(Mark::Messages)?;
        let unreadable = Unreadable::new(&body);
        self.write(move |batch| unread::keep(batch, &unreadable)).await
    }

    async fn unread(&self, after: Option<&UnreadId>, limit: usize) -> Result<Vec<(UnreadId, UnreadBody)>> {
        self.read(|snapshot| unread::list(snapshot, after, limit))
    }

    async fn unread_counts(&self) -> Result<BTreeMap<Provider, u64>> {
        self.read(unread::counts)
    }

    async fn forget_unread(&self, id: UnreadId) -> Result<()> {
        self.write(move |batch| unread::forget(batch, &id)).await
    }
}
