//! `personality`: the tenant's texts and settings, merged.

use serde_json::{Value, json};

use crate::brain::abi::bindings::switchboard::brain::personality::Host;
use crate::brain::sandbox::State;

impl Host for State {
    async fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        self.count().await?;
        let answer = self.personality.get(&path).map(|value| value.to_string());
        let recorded = answer.clone().unwrap_or_else(|| "null".into());
        self.carry(path.len() + recorded.len()).await;
        self.journal.record("personality.get", json!([path]).to_string(), recorded);
        Ok(answer)
    }

    async fn all(&mut self) -> wasmtime::Result<String> {
        self.count().await?;
        // The journal names the version: the whole text in every turn would outweigh the rest of it.
        let version = self.personality.version();
        self.journal.record("personality.all", "[]".into(), json!({ "version": version }).to_string());
        let all = Value::Object(self.personality.all()).to_string();
        self.carry(all.len()).await;
        Ok(all)
    }

    async fn version(&mut self) -> wasmtime::Result<String> {
        self.count().await?;
        let version = self.personality.version();
        self.journal.record("personality.version", "[]".into(), json!(version).to_string());
        Ok(version)
    }
}
