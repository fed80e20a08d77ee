//! `personality`: the tenant's texts and settings, merged.

use serde_json::{Value, json};

use crate::brain::abi::bindings::switchboard::brain::personality::Host;
use crate::brain::sandbox::State;

impl Host for State {
    fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        self.count()?;
        let answer = self.personality.get(&path).map(|value| value.to_string());
        let recorded = answer.clone().unwrap_or_else(|| "null".into());
        self.journal.record("personality.get", json!([path]).to_string(), recorded);
        Ok(answer)
    }

    fn all(&mut self) -> wasmtime::Result<String> {
        self.count()?;
        // The journal names the version: the whole text in every turn would outweigh the rest of it.
        let version = self.personality.version();
        self.journal.record("personality.all", "[]".into(), json!({ "version": version }).to_string());
        Ok(Value::Object(self.personality.all()).to_string())
    }

    fn version(&mut self) -> wasmtime::Result<String> {
        self.count()?;
        let version = self.personality.version();
        self.journal.record("personality.version", "[]".into(), json!(version).to_string());
        Ok(version)
    }
}
