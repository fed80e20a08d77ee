//! A sender as it is kept: each of its secrets sealed.

use std::collections::BTreeMap;

use crate::seal::{self, KeyId, NONCE_BYTES, NoCurrentKey, Ring, Unopened};
use crate::tenant::Sender;

/// Only what is sealed, or was read, becomes a row.
#[derive(Clone, Debug)]
pub struct KeptSender(Sender);

impl KeptSender {
    pub fn sealed(
        keys: &Ring,
        sender: &Sender,
        nonce: impl FnMut() -> [u8; NONCE_BYTES],
    ) -> Result<Self, NoCurrentKey> {
        keys.seal_sender(sender, nonce).map(KeptSender)
    }

    /// What comes from an engine's row.
    pub fn from_kept(sender: Sender) -> Self {
        KeptSender(sender)
    }

    /// Everything but its secrets is as it is used.
    pub fn as_kept(&self) -> &Sender {
        &self.0
    }

    /// As it is used. The error names the field.
    pub fn open(self, keys: &Ring) -> Result<Sender, (&'static str, Unopened)> {
        keys.open_sender(self.0)
    }

    /// How many of its secrets each key seals; `None`: in clear, from before there were keys.
    pub fn count(&self, counted: &mut BTreeMap<Option<KeyId>, usize>) {
        seal::count(&self.0, counted);
    }
}
