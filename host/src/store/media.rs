//! What is kept of received files. The bytes lie beside the store, not in it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::message::{SenderName, TenantId, Timestamp};

/// A received file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// What brains know it by; hard to guess, the same for the same message.
    pub handle: String,
    pub tenant: TenantId,
    /// The sender that received it, whose credentials fetch it.
    pub sender: SenderName,
    /// Where the provider keeps it.
    pub source: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
    pub state: FileState,
    pub received_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum FileState {
    Waiting {
        due_at: Timestamp,
        attempts: u32,
    },
    Stored {
        size: u64,
        sha256: String,
    },
    Failed {
        reason: String,
    },
    /// Past its life.
    Gone,
}

#[async_trait]
pub trait MediaShelf: Send + Sync {
    fn file(&self, tenant: TenantId, handle: &str) -> Result<Option<File>>;
}
