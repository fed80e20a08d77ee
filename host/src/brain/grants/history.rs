//! `history`: what was said in this conversation, and in no other; as many of the newest lines as an
//! answer can hold.

use serde_json::json;

use crate::brain::abi::{self, bindings::switchboard::brain::history::Host, wit};
use crate::brain::grants::ANSWER_BYTES;
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
            .await
            .map_err(|error| wasmtime::format_err!("the history could not be read: {error}"))?;
        let mut written: Vec<String> = Vec::new();
        let mut bytes = 0;
        // The newest first, until the answer is full.
        for entry in entries.iter().rev() {
            let line = serde_json::to_string(entry).unwrap_or_default();
            if bytes + line.len() > ANSWER_BYTES {
                break;
            }
            bytes += line.len();
            self.carry(line.len()).await?;
            written.push(line);
        }
        self.meter.hold(2 * bytes)?;
        let answered = &entries[entries.len() - written.len()..];
        written.reverse();
        self.record("history.recent", json!([limit]).to_string(), format!("[{}]", written.join(",")))?;
        Ok(answered.iter().map(abi::history_entry).collect())
    }
}
