//! `[brains]`: what making brains ready to run may cost.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How brains are compiled: each in a process of its own, within these bounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brains {
    /// At the same time; 0: one for each core.
    pub compilers: usize,
    /// What compiling one component may take.
    pub compile_memory_bytes: u64,
    /// Of a core's time, for one component.
    pub compile_seconds: u64,
    /// Of a core's time, for all that one tenant uploads within an hour.
    pub tenant_compile_seconds: u64,
    /// Uploads of one tenant that may wait at the same time.
    pub tenant_uploads: usize,
    /// What all uploads that wait may hold together; a quarter of it is the most that one tenant's may.
    pub upload_memory_bytes: usize,
    /// The gateway's own program, for whoever runs a gateway inside another one. Never in the file.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

impl Default for Brains {
    fn default() -> Self {
        Brains {
            compilers: 0,
            compile_memory_bytes: 1536 << 20,
            compile_seconds: 120,
            tenant_compile_seconds: 300,
            tenant_uploads: 4,
            upload_memory_bytes: 256 << 20,
            program: None,
        }
    }
}

impl Brains {
    /// How many compile at the same time, `cores` being what the machine has.
    pub fn places(&self, cores: usize) -> usize {
        if self.compilers == 0 { cores.max(1) } else { self.compilers }
    }
}
