//! What was committed last, for reading. A table is opened when it is first asked for, and once.

use std::ops::{ControlFlow, Deref};

use redb::ReadTransaction;

use super::codec::Read;
use super::families::{self, Stored};
use super::tables::Opened;
use crate::store::rows::{ReadTable, Step};

pub struct Snapshot {
    transaction: ReadTransaction,
    tables: Opened,
}

impl Snapshot {
    pub fn new(transaction: ReadTransaction) -> Self {
        Snapshot { transaction, tables: Opened::default() }
    }
}

impl Deref for Snapshot {
    type Target = ReadTransaction;

    fn deref(&self) -> &ReadTransaction {
        &self.transaction
    }
}

impl<F: Stored> ReadTable<F> for Snapshot {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
        families::get::<F>(F::opened(&self.tables).table(&self.transaction, F::TABLE)?, key)
    }

    fn has_row(&self, key: &F::Key) -> Step<bool> {
        families::has::<F>(F::opened(&self.tables).table(&self.transaction, F::TABLE)?, key)
    }

    fn scan_rows(
        &self,
        from: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        families::scan::<F>(F::opened(&self.tables).table(&self.transaction, F::TABLE)?, from, visit)
    }

    fn scan_rows_back(
        &self,
        before: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        families::scan_back::<F>(F::opened(&self.tables).table(&self.transaction, F::TABLE)?, before, visit)
    }
}
