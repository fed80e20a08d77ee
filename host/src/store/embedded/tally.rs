//! What a transaction writes, counted where it is written: how many writes there were, and by how much
//! the rows of each tenant grew. No row of a counted table is written past it.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;

use redb::{AccessGuard, Key, StorageError, Table, Value};

use crate::store::quotas::Shelf;

/// Rows and bytes, more or fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    pub rows: i64,
    pub bytes: i64,
}

/// Of one transaction.
#[derive(Debug, Default)]
pub struct Tally {
    writes: Cell<u64>,
    /// By tenant.
    grown: RefCell<BTreeMap<u32, [Grown; Shelf::COUNT]>>,
}

impl Tally {
    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    pub fn count_write(&self) {
        self.writes.set(self.writes.get() + 1);
    }

    fn count(&self, shelf: Shelf, key: &[u8], rows: i64, bytes: i64) {
        let Some(tenant) = shelf.tenant_of(key) else { return };
        let mut grown = self.grown.borrow_mut();
        let grown = &mut grown.entry(tenant).or_default()[shelf as usize];
        grown.rows += rows;
        grown.bytes += bytes;
    }

    pub fn grown(&self, tenant: u32) -> [Grown; Shelf::COUNT] {
        self.grown.borrow().get(&tenant).copied().unwrap_or_default()
    }

    /// The tenants whose rows changed.
    pub fn tenants(&self) -> Vec<u32> {
        self.grown.borrow().keys().copied().collect()
    }
}

/// A table that is written to.
pub struct Counted<'t, K: Key + 'static, V: Value + 'static> {
    table: Table<'t, K, V>,
    shelf: Option<Shelf>,
    tally: &'t Tally,
}

impl<'t, K: Key + 'static, V: Value + 'static> Counted<'t, K, V> {
    pub fn new(table: Table<'t, K, V>, shelf: Option<Shelf>, tally: &'t Tally) -> Self {
        Counted { table, shelf, tally }
    }

    pub fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let (tally, shelf) = (self.tally, self.shelf);
        let (key, value) = (key.borrow(), value.borrow());
        let old = self.table.insert(key, value)?;
        if let Some(shelf) = shelf {
            let key = K::as_bytes(key);
            let new = size(key.as_ref(), V::as_bytes(value).as_ref());
            let before = old.as_ref().map(|old| size(key.as_ref(), V::as_bytes(&old.value()).as_ref()));
            tally.count(shelf, key.as_ref(), i64::from(before.is_none()), new - before.unwrap_or(0));
        }
        Ok(old)
    }

    pub fn remove<'k>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let (tally, shelf) = (self.tally, self.shelf);
        let key = key.borrow();
        let old = self.table.remove(key)?;
        if let (Some(shelf), Some(old)) = (shelf, &old) {
            let key = K::as_bytes(key);
            tally.count(shelf, key.as_ref(), -1, -size(key.as_ref(), V::as_bytes(&old.value()).as_ref()));
        }
        Ok(old)
    }
}

/// To read; what writes stands above.
impl<'t, K: Key + 'static, V: Value + 'static> Deref for Counted<'t, K, V> {
    type Target = Table<'t, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}

/// What a row is counted as: its key and what it holds.
pub fn size(key: &[u8], value: &[u8]) -> i64 {
    (key.len() + value.len()) as i64
}
