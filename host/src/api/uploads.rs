//! What the bodies of API requests and of their answers may take in memory: all of them together, and each
//! tenant's together, so that one tenant's leave room for the others'.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::api::auth::Caller;
use crate::body::{Bounds, Memory};
use crate::config;
use crate::message::TenantId;

/// The part of the memory that one tenant may take.
const SHARE: usize = 4;

/// Brains, collections, imports, files.
#[derive(Debug)]
pub struct Uploads {
    /// No body is larger.
    pub bytes: usize,
    timeout: Duration,
    memory: Memory,
    share_bytes: usize,
    shares: Mutex<HashMap<TenantId, Memory>>,
}

impl Uploads {
    pub fn new(http: &config::Http) -> Self {
        Uploads {
            bytes: http.upload_body_bytes,
            timeout: Duration::from_millis(http.body_timeout_ms),
            memory: Memory::new(http.upload_memory_bytes, "http.upload_memory_bytes"),
            share_bytes: http.upload_memory_bytes / SHARE,
            shares: Mutex::default(),
        }
    }

    /// For a body of this caller's, on a route that takes so many bytes.
    pub fn bounds(&self, caller: &Caller, bytes: usize) -> Bounds {
        Bounds { bytes: bytes.min(self.bytes), timeout: self.timeout, memory: self.memory_of(caller) }
    }

    /// What this caller's bodies may take together.
    pub fn memory_of(&self, caller: &Caller) -> Memory {
        match caller {
            Caller::Operator { .. } => self.memory.clone(),
            Caller::Tenant { id, .. } => self.share_of(*id),
        }
    }

    fn share_of(&self, tenant: TenantId) -> Memory {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.entry(tenant).or_insert_with(|| self.memory.share(self.share_bytes)).clone()
    }
}
