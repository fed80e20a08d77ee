//! The verbs of [`Numbers`]: what is wished for a session, and a sender's end.

use async_trait::async_trait;

use super::Embedded;
use crate::message::{SenderName, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::numbers::{Numbers, Removed, Wish};
use crate::store::rules::{senders, sessions};

#[async_trait]
impl Numbers for Embedded {
    async fn wish(&self, sender: &SenderName) -> Result<Wish> {
        self.read(|snapshot| sessions::wish(snapshot, sender))
    }

    async fn set_wish(&self, sender: &SenderName, wish: Wish) -> Result<()> {
        let sender = sender.clone();
        self.write(move |batch| sessions::set_wish(batch, &sender, wish)).await
    }

    async fn remove_sender(
        &self,
        sender: &SenderName,
        drop_waiting: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Removed> {
        let by = entry(actor, "remove sender", sender, serde_json::Value::Null, now);
        let sender = sender.clone();
        self.write(move |batch| senders::remove(batch, &sender, drop_waiting, &by)).await
    }
}
