//! An entry of the audit log as it is kept.

use super::Read;
use super::packed::Packed;
use crate::store::AuditEntry;

/// What is kept for years is bounded, whoever wrote it: an entry becomes a row in no other way.
#[derive(Clone, Debug)]
pub struct Audited(Packed<AuditEntry>);

impl Audited {
    pub fn new(entry: &AuditEntry) -> Self {
        Audited(Packed::new(&entry.bounded()))
    }

    /// What comes from an engine's row.
    pub fn from_kept(bytes: Vec<u8>) -> Self {
        Audited(Packed::from_kept(bytes))
    }

    pub fn as_kept(&self) -> &[u8] {
        self.0.as_kept()
    }

    pub fn entry(&self) -> Read<AuditEntry> {
        self.0.unpack("audit")
    }
}
