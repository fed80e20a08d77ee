//! What keys and rows are in bytes. An engine lays them down so, and each counts the same bytes for a tenant.

use redb::Value;

use self::keys::KeyCode;
use self::values::RowCode;
use super::rows::Family;

pub mod codec;
pub mod keys;
pub mod rows;
pub mod values;

/// A family whose keys and rows can be written down: every one.
pub trait Framed: Family<Key: KeyCode, Row: RowCode> {}

impl<F: Family<Key: KeyCode, Row: RowCode>> Framed for F {}

pub fn length<V: Value>(value: &V::SelfType<'_>) -> u64 {
    V::as_bytes(value).as_ref().len() as u64
}

/// The bytes of a key and of what it holds. `buffer`: for the row.
pub fn size<F: Framed>(key: &F::Key, row: &F::Row, buffer: &mut Vec<u8>) -> u64 {
    key.with(|key| length::<<F::Key as KeyCode>::In>(&key))
        + row.with(buffer, |row| length::<<F::Row as RowCode>::In>(&row))
}
