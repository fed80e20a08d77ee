//! The verbs of [`Numbers`]: what is wished for a session, and a sender's end.

use async_trait::async_trait;

use crate::message::{SenderName, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::numbers::{Numbers, Removed, Wish};
use crate::store::rules::{senders, sessions};

#[async_trait]
impl<E: Engine> Numbers for E {
    async fn wish(&self, sender: &SenderName) -> Result<Wish> {
        let sender = sender.clone();
        self.read(move |rows| sessions::wish(rows, &sender)).await
    }

    async fn set_wish(&self, sender: &SenderName, wish: Wish) -> Result<()> {
        let sender = sender.clone();
        self.submit(move |rows| sessions::set_wish(rows, &sender, wish)).await
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
        self.submit(move |rows| senders::remove(rows, &sender, drop_waiting, &by)).await
    }
}
