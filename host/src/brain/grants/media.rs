//! `media`: the files that contacts sent to the tenant, and those it stored itself. Another tenant's
//! handle is refused as one that nobody ever had.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::brain::FileRefused;
use crate::brain::abi::bindings::switchboard::brain::media::{Host, Info};
use crate::brain::abi::wit::Refusal;
use crate::brain::grants::is_name;
use crate::brain::sandbox::State;

/// As the contract says.
const AT_MOST: u32 = 1 << 20;

/// Longer answers are named by length and digest in the journal, without being written out first.
const JOURNALED_BYTES: usize = 16 << 10;

impl Host for State {
    async fn describe(&mut self, handle: String) -> wasmtime::Result<Result<Info, Refusal>> {
        self.count().await?;
        self.carry(handle.len()).await?;
        let answer = match is_name(&handle) {
            true => self.ask.sources.describe_file(&handle).await,
            false => Err(FileRefused::unknown(&handle)),
        };
        let recorded = match &answer {
            Ok(info) => json!({ "mime_type": info.mime_type, "size": info.size }),
            Err(refused) => refusal_json(refused),
        };
        self.record("media.describe", json!([handle]).to_string(), recorded.to_string())?;
        Ok(answer.map(|info| Info { mime_type: info.mime_type, size: info.size }).map_err(refusal))
    }

    async fn read(
        &mut self,
        handle: String,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Refusal>> {
        self.count().await?;
        let length = length.min(AT_MOST);
        // The bytes are there twice for a moment: here, and in the guest.
        self.carry(handle.len() + length as usize).await?;
        let answer = match is_name(&handle) {
            true => self.ask.sources.read_file(&handle, offset, length).await,
            false => Err(FileRefused::unknown(&handle)),
        };
        let recorded = match &answer {
            Ok(bytes) if bytes.len() <= JOURNALED_BYTES => json!({ "base64": STANDARD.encode(bytes) }),
            Ok(bytes) => json!({ "bytes": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)) }),
            Err(refused) => refusal_json(refused),
        };
        let arguments = json!([handle, offset, length]).to_string();
        self.record("media.read", arguments, recorded.to_string())?;
        Ok(answer.map_err(refusal))
    }
}

fn refusal(refused: FileRefused) -> Refusal {
    Refusal { code: refused.code.into(), message: refused.message, retryable: refused.retryable }
}

fn refusal_json(refused: &FileRefused) -> Value {
    json!({ "refused": { "code": refused.code, "message": refused.message } })
}
