//! How rows and keys become bytes. Hot rows are flat frames, written and read in place: a version
//! byte, fixed numbers, then texts with their lengths, then a payload. Payloads and cold rows are
//! MessagePack with field names, so that a field can be added without touching what is on disk.

use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
pub use crate::store::rows::packed::{pack, unpack};
pub use crate::store::rows::{Read, Unreadable};

/// Writes a frame into a buffer that is used again and again.
pub struct Pen<'a>(&'a mut Vec<u8>);

impl<'a> Pen<'a> {
    pub fn new(buffer: &'a mut Vec<u8>, version: u8) -> Self {
        buffer.clear();
        buffer.push(version);
        Pen(buffer)
    }

    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub fn time(&mut self, value: Timestamp) {
        self.0.extend_from_slice(&value.as_ms().to_be_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        // Seven bits a byte, the top bit says that more follow: most texts are short.
        let mut length = value.len();
        while length >= 0x80 {
            self.0.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend_from_slice(value);
    }

    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub fn maybe(&mut self, value: Option<&str>) {
        match value {
            None => self.u8(0),
            Some(text) => {
                self.u8(1);
                self.text(text);
            }
        }
    }

    pub fn raw(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }
}

/// Reads a frame. Every step checks the length; nothing here can panic on foreign bytes.
pub struct Eye<'a> {
    table: &'static str,
    rest: &'a [u8],
}

impl<'a> Eye<'a> {
    pub fn new(table: &'static str, bytes: &'a [u8], version: u8) -> Read<Self> {
        let mut eye = Eye { table, rest: bytes };
        match eye.u8()? {
            found if found == version => Ok(eye),
            found => Err(eye.wrong(format!("version {found}, expected {version}"))),
        }
    }

    /// Of a key, which has no version.
    pub fn bare(table: &'static str, bytes: &'a [u8]) -> Self {
        Eye { table, rest: bytes }
    }

    pub fn wrong(&self, what: impl Into<String>) -> Unreadable {
        Unreadable { table: self.table, what: what.into() }
    }

    fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.wrong("it is too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.wrong("it is too short"))
    }

    pub fn u8(&mut self) -> Read<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn time(&mut self) -> Read<Timestamp> {
        self.array().map(|bytes| Timestamp::from_ms(i64::from_be_bytes(bytes)))
    }

    pub fn bytes(&mut self) -> Read<&'a [u8]> {
        let (mut length, mut shift) = (0usize, 0u32);
        loop {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
            shift += 7;
            if shift > 28 {
                return Err(self.wrong("a length is too long"));
            }
        }
    }

    pub fn text(&mut self) -> Read<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    pub fn maybe(&mut self) -> Read<Option<&'a str>> {
        match self.u8()? {
            0 => Ok(None),
            _ => self.text().map(Some),
        }
    }

    /// The length and the name, of the beginning of a key.
    pub fn contact(&mut self) -> Read<ContactKey> {
        let length = u16::from_be_bytes(self.array()?);
        let name = self.take(usize::from(length))?;
        let name = std::str::from_utf8(name).map_err(|_| self.wrong("a contact is not UTF-8"))?;
        Ok(ContactKey::from_stored(name))
    }

    pub fn tenant(&mut self) -> Read<TenantId> {
        self.u32().map(TenantId::from_stored)
    }

    /// A time in a key, which sorts by it.
    pub fn moment(&mut self) -> Read<Timestamp> {
        self.u64().map(|ms| Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    pub fn rest_as_text(&mut self) -> Read<String> {
        let rest = std::mem::take(&mut self.rest);
        std::str::from_utf8(rest).map(str::to_owned).map_err(|_| self.wrong("a name is not UTF-8"))
    }

    pub fn rest_as_contact(&mut self) -> Read<ContactKey> {
        self.rest_as_text().map(ContactKey::from_stored)
    }

    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Frames grow at their ends: an older one is over where a newer one goes on.
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }
}

/// A place in an append-only table: arrival number, then tenant. Numbers grow, so that writes land
/// on the same last pages whoever they are for; the tenant makes another tenant's number miss.
pub type Place = [u8; 12];

pub fn place(seq: u64, tenant: TenantId) -> Place {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&seq.to_be_bytes());
    key[8..].copy_from_slice(&tenant.get().to_be_bytes());
    key
}

pub fn read_place(key: &Place) -> (u64, TenantId) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *key;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), TenantId::from_stored(u32::from_be_bytes([i, j, k, l])))
}

/// `tenant contact`: one row a conversation.
pub fn conversation_key(key: &ConversationKey) -> Vec<u8> {
    owned_by(key.tenant.get(), key.contact.as_str())
}

/// `number text`, for what an organization or a tenant has one of under a name.
pub fn owned_by(owner: u32, name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + name.len());
    bytes.extend_from_slice(&owner.to_be_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// `tenant length contact`, the beginning of the keys of what a conversation has several of. The
/// length keeps one contact's keys from running into another's.
pub fn conversation_prefix(key: &ConversationKey) -> Vec<u8> {
    let contact = key.contact.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(6 + contact.len() + 16);
    bytes.extend_from_slice(&key.tenant.get().to_be_bytes());
    bytes.extend_from_slice(&(contact.len().min(usize::from(u16::MAX)) as u16).to_be_bytes());
    bytes.extend_from_slice(contact);
    bytes
}

/// A [`conversation_prefix`] with what follows it.
pub fn under(key: &ConversationKey, rest: &[u8]) -> Vec<u8> {
    let mut bytes = conversation_prefix(key);
    bytes.extend_from_slice(rest);
    bytes
}

/// `length contact`, the beginning of the keys of what a contact has several of.
pub fn contact_prefix(contact: &ContactKey) -> Vec<u8> {
    let name = contact.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(2 + name.len() + 16);
    bytes.extend_from_slice(&(name.len().min(usize::from(u16::MAX)) as u16).to_be_bytes());
    bytes.extend_from_slice(name);
    bytes
}

/// A [`contact_prefix`] with what follows it.
pub fn of_contact(contact: &ContactKey, rest: &[u8]) -> Vec<u8> {
    let mut bytes = contact_prefix(contact);
    bytes.extend_from_slice(rest);
    bytes
}
