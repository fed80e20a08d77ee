//! `personality`: the tenant's texts and settings, merged.

use serde_json::{Value, json};

use crate::brain::abi::bindings::switchboard::brain::personality::Host;
use crate::brain::grants::is_name;
use crate::brain::sandbox::State;

impl Host for State {
    async fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        self.count().await?;
        self.carry(path.len()).await?;
        let answer = match is_name(&path) {
            true => {
                self.pay(self.personality.weight_at(&path))?;
                self.personality.get(&path).map(|value| value.to_string())
            }
            false => None,
        };
        let recorded = answer.clone().unwrap_or_else(|| "null".into());
        self.carry(recorded.len()).await?;
        self.record("personality.get", json!([path]).to_string(), recorded)?;
        Ok(answer)
    }

    async fn all(&mut self) -> wasmtime::Result<String> {
        self.count().await?;
        // Looked at twice: for the version and for the texts.
        self.pay(2 * self.personality.weight())?;
        // The journal names the version: the whole text in every turn would outweigh the rest of it.
        let version = self.personality.version();
        self.record("personality.all", "[]".into(), json!({ "version": version }).to_string())?;
        let all = Value::Object(self.personality.all()).to_string();
        self.carry(all.len()).await?;
        Ok(all)
    }

    async fn version(&mut self) -> wasmtime::Result<String> {
        self.count().await?;
        self.pay(self.personality.weight())?;
        let version = self.personality.version();
        self.record("personality.version", "[]".into(), json!(version).to_string())?;
        Ok(version)
    }
}
