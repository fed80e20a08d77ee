//! What providers report moves what was sent forward.

use async_trait::async_trait;

use crate::event::Receipt;
use crate::message::{SenderName, Timestamp};
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::receipts::{Moved, Receipts};
use crate::store::rules::{receipts, references};

#[async_trait]
impl<E: Engine> Receipts for E {
    async fn recognize_receipt(&self, receipt: Receipt, now: Timestamp) -> Result<bool> {
        let reported = receipts::Reported::new(receipt, &self.index().secret);
        self.submit(move |rows| receipts::recognize(rows, &reported, now)).await
    }

    async fn record_receipt(&self, receipt: Receipt) -> Result<Option<Moved>> {
        let reported = receipts::Reported::new(receipt, &self.index().secret);
        let now = self.now();
        self.submit(move |rows| receipts::record(rows, &reported, now)).await
    }

    async fn sender_of_reply(&self, reference: &str) -> Result<Option<SenderName>> {
        let Some(named) = references::read(&self.index().secret, reference) else { return Ok(None) };
        self.read(move |rows| receipts::sender_of(rows, &named)).await
    }
}
