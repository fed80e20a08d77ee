//! What is known of a file without reading it.

use serde::{Deserialize, Serialize};

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
}
