//! `log`: lines in the gateway's log with tenant and conversation beside them, as many bytes a turn
//! as the budget allows, and the panic that precedes a trap. A line costs of the log's budget, not
//! of the calls': a talkative brain loses lines, not its turn.

use serde_json::json;

use crate::brain::abi::bindings::switchboard::brain::log::{Host, Level};
use crate::brain::sandbox::{Panic, State};

/// A panic's message and place are cut here; they go into the failure's text.
const PANIC_BYTES: usize = 2_000;

impl Host for State {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let (level, name) = match level {
            Level::Trace => (tracing::Level::TRACE, "trace"),
            Level::Debug => (tracing::Level::DEBUG, "debug"),
            Level::Info => (tracing::Level::INFO, "info"),
            Level::Warn => (tracing::Level::WARN, "warn"),
            Level::Error => (tracing::Level::ERROR, "error"),
        };
        self.carry(message.len()).await?;
        if self.log.write(level, &message) {
            self.record("log.write", json!([name, message]).to_string(), "null".into())?;
        } else {
            // A brain that goes on and on keeps the gateway busy with unpacking; others come first.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn panicked(&mut self, message: String, file: String, line: u32) -> wasmtime::Result<()> {
        self.carry(message.len() + file.len()).await?;
        // The first is the cause; a panic while unwinding is not, and more than one costs a turn of
        // the scheduler like any line too many.
        if self.panic.is_some() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let (message, file) = (cut(message), cut(file));
        self.record("log.panicked", json!([message, file, line]).to_string(), "null".into())?;
        self.panic = Some(Panic { message, file, line });
        Ok(())
    }
}

fn cut(mut text: String) -> String {
    if text.len() > PANIC_BYTES {
        text.truncate(text.floor_char_boundary(PANIC_BYTES));
        text.push('…');
    }
    text
}
