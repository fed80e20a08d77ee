//! What messages and turns hold, as it is kept: MessagePack with field names, so that a field can be added without
//! touching what is on disk. A row hands it on from the inbox to the history, from the outbox to the history and
//! into the journal without looking into it.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Unreadable;

/// A value in its kept form, unpacked when somebody needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed<T: ?Sized>(Vec<u8>, PhantomData<fn() -> T>);

impl<T> Packed<T> {
    /// As it is kept: what comes from an engine's row.
    pub fn from_kept(bytes: Vec<u8>) -> Self {
        Packed(bytes, PhantomData)
    }

    pub fn as_kept(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Serialize> Packed<T> {
    pub fn new(value: &T) -> Self {
        Packed(pack(value), PhantomData)
    }
}

impl<T: DeserializeOwned> Packed<T> {
    /// `of`: the family whose row it lies in, for the error.
    pub fn unpack(&self, of: &'static str) -> Result<T, Unreadable> {
        unpack(of, &self.0)
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Packed(self.0.clone(), PhantomData)
    }
}

pub fn pack<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Our own types into memory: there is nothing that can fail.
    rmp_serde::to_vec_named(value).expect("our types can be written to memory")
}

pub fn unpack<T: DeserializeOwned>(of: &'static str, bytes: &[u8]) -> Result<T, Unreadable> {
    rmp_serde::from_slice(bytes).map_err(|error| Unreadable { table: of, what: error.to_string() })
}
