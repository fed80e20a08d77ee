//! What was committed last, for reading. A table is opened when it is first asked for, and once.

use std::ops::Deref;

use redb::ReadTransaction;

use super::tables::Opened;

pub struct Snapshot {
    pub transaction: ReadTransaction,
    pub tables: Opened,
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
