//! `history`: what was said in this conversation, and in no other.

use serde_json::json;

use crate::brain::abi::{self, bindings::switchboard::brain::history::Host, wit};
use crate::brain::sandbox::State;

/// As the contract says.
const AT_MOST: u32 = 100;

impl Host for State {
    async fn recent(&mut self, limit: u32) -> wasmtime::Result<Vec<wit::HistoryEntry>> {
        self.count().await?;
        let limit = limit.min(AT_MOST);
        // The contract has no refusal here; a history that cannot be read ends the turn.
        let entries = self
            .ask
            .sources
            .history(limit as usize)
            .map_err(|error| wasmtime::format_err!("the history could not be read: {error}"))?;
        let answer = serde_json::to_string(&entries).unwrap_or_default();
        self.carry(answer.len()).await;
        self.journal.record("history.recent", json!([limit]).to_string(), answer);
        Ok(entries.iter().map(abi::history_entry).collect())
    }
}
