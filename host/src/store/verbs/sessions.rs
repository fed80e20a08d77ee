//! Sessions of senders.

use async_trait::async_trait;

use crate::event::SessionChange;
use crate::message::SenderName;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::rules::sessions;
use crate::store::sessions::Sessions;

#[async_trait]
impl<E: Engine> Sessions for E {
    async fn record_session(&self, sender: SenderName, change: SessionChange) -> Result<()> {
        self.submit(move |rows| sessions::record(rows, &sender, &change)).await
    }

    async fn session(&self, sender: &SenderName) -> Result<Option<SessionChange>> {
        let sender = sender.clone();
        self.read(move |rows| sessions::find(rows, &sender)).await
    }
}
