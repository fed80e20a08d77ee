//! Seals what senders prove themselves by, so that the store's file, its backups and whoever reads
//! them hold no credentials. AES-256-GCM; each text has a random nonce and is bound to its tenant,
//! sender and field, so that a sealed text in another row does not open. Pure: randomness arrives as an
//! argument, keys are read elsewhere, and nothing here prints a key or a secret.
//!
//! A sealed text says which key opens it: `sealed:v1:KEYID:BASE64`, the nonce before what was sealed. A
//! key's id is made of the key, so that it needs no register of its own.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::message::{SenderName, TenantId};
use crate::tenant::{Secret, Sender};

pub const KEY_BYTES: usize = 32;
pub const NONCE_BYTES: usize = 12;

const PREFIX: &str = "sealed:v1:";

/// Names a key without helping to guess it: twelve hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    pub fn new(text: impl Into<String>) -> Self {
        KeyId(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key. Its bytes are overwritten when it goes.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

/// Not a key. Says nothing of what stood there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no key: a key is {KEY_BYTES} bytes in base64, as `openssl rand -base64 {KEY_BYTES}` makes it")]
pub struct NoKey;

impl Key {
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"switchboard key id\0");
        hash.update(bytes.as_slice());
        let id = hex::encode(&hash.finalize()[..6]);
        Key { id: KeyId(id), bytes }
    }

    /// From the form of [`Key::text`].
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        let mut decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| NoKey)?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            decoded.zeroize();
            return Err(NoKey);
        }
        bytes.copy_from_slice(&decoded);
        Ok(Key::new(bytes))
    }

    /// As it is kept, and nowhere shown.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.bytes.as_slice()))
    }

    pub fn id(&self) -> &KeyId {
        &self.id
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.bytes).into())
    }
}

/// The keys there are. The last one seals; all of them open.
#[derive(Clone, Default)]
pub struct Ring(Vec<Key>);

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} keys)", self.0.len())
    }
}

impl Ring {
    /// The last of the keys becomes the current one. A key that comes twice counts where it comes last.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut ring = Ring::default();
        for key in keys {
            ring.0.retain(|known| known.id != key.id);
            ring.0.push(key);
        }
        ring
    }

    pub fn current(&self) -> Option<&Key> {
        self.0.last()
    }

    /// Oldest first.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> {
        self.0.iter()
    }

    fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id.0 == id)
    }

    /// A ring without this key; the others keep their order.
    #[must_use]
    pub fn without(&self, id: &KeyId) -> Self {
        Ring(self.0.iter().filter(|key| key.id != *id).cloned().collect())
    }
}

/// Where a secret belongs; it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `None`: a sender that all tenants share.
    pub tenant: Option<TenantId>,
    pub sender: &'a SenderName,
    pub field: &'a str,
}

impl Place<'_> {
    /// Lengths keep one name from running into the next.
    fn associated(&self) -> Vec<u8> {
        let tenant = self.tenant.map_or("shared".to_owned(), |tenant| format!("tenant {tenant}"));
        let mut bytes = Vec::new();
        for part in ["switchboard secret", &tenant, self.sender.as_str(), self.field] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Why a sealed text does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    #[error("it is sealed with key {0}, which is not here")]
    NoKey(KeyId),
    #[error("it was changed, or belongs elsewhere: it does not open with its key")]
    Changed,
}

/// There is no key to seal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key to seal secrets with")]
pub struct NoCurrentKey;

impl Ring {
    /// Seals a text with the current key. A nonce is used once.
    pub fn seal(
        &self,
        place: Place<'_>,
        secret: &Secret,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Secret, NoCurrentKey> {
        let key = self.current().ok_or(NoCurrentKey)?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place.associated() };
        let sealed = key.cipher().encrypt(&nonce.into(), payload);
        // The cipher refuses texts of 64 GiB only.
        let sealed = sealed.expect("a secret fits into memory, and so into the cipher");
        let body = STANDARD.encode([nonce.as_slice(), &sealed].concat());
        Ok(Secret::new(format!("{PREFIX}{}:{body}", key.id)))
    }

    /// Opens a sealed text. What is not sealed, because it was kept before there were keys, is
    /// returned as it is.
    pub fn open(&self, place: Place<'_>, kept: &Secret) -> Result<Secret, Unopened> {
        let Some(id) = sealed_with(kept) else { return Ok(kept.clone()) };
        let key = self.find(id.as_str()).ok_or(Unopened::NoKey(id))?;
        let body = kept.expose().rsplit_once(':').map_or("", |(_, body)| body);
        let bytes = STANDARD.decode(body).map_err(|_| Unopened::Changed)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened::Changed)?;
        let payload = Payload { msg: sealed, aad: &place.associated() };
        let opened = key.cipher().decrypt(nonce.into(), payload).map_err(|_| Unopened::Changed)?;
        String::from_utf8(opened).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            Unopened::Changed
        })
    }

    /// A sender as it is kept: each of its secrets sealed, with a nonce of its own.
    pub fn seal_sender(
        &self,
        sender: &Sender,
        mut nonce: impl FnMut() -> [u8; NONCE_BYTES],
    ) -> Result<Sender, NoCurrentKey> {
        let mut sealed = sender.clone();
        for (field, secret) in sealed.secrets_mut() {
            if !secret.is_empty() {
                let place = Place { tenant: sender.tenant, sender: &sender.name, field };
                *secret = self.seal(place, secret, nonce())?;
            }
        }
        Ok(sealed)
    }

    /// A sender as it is used. The error names the field.
    pub fn open_sender(&self, mut kept: Sender) -> Result<Sender, (&'static str, Unopened)> {
        let (tenant, name) = (kept.tenant, kept.name.clone());
        for (field, secret) in kept.secrets_mut() {
            let place = Place { tenant, sender: &name, field };
            *secret = self.open(place, secret).map_err(|why| (field, why))?;
        }
        Ok(kept)
    }
}

/// The key that a text is sealed with; `None` if it is in clear.
pub fn sealed_with(kept: &Secret) -> Option<KeyId> {
    let (id, _) = kept.expose().strip_prefix(PREFIX)?.split_once(':')?;
    Some(KeyId(id.to_owned()))
}

/// How many of a sender's secrets each key seals, as it is kept. `None`: in clear.
pub fn count(kept: &Sender, counted: &mut BTreeMap<Option<KeyId>, usize>) {
    for (_, secret) in kept.secrets() {
        if !secret.is_empty() {
            *counted.entry(sealed_with(secret)).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
