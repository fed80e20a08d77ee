//! Every table there is. A write transaction opens a table when it is first touched and keeps it
//! open for all its operations; a backup copies them by the same list.

use std::cell::{Cell, OnceCell};

use redb::{Key, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use super::codec::Place;

type Bytes = &'static [u8];
type Hash = &'static [u8; 16];
type At = &'static Place;

/// Which of the program's formats the file is in. A program refuses a file of a later one.
pub const FORMAT: u32 = 1;

/// Declares the tables once: their definitions, the set that a write transaction works on, the
/// creation of all, and the copying of all.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty;)*) => {
        /// The tables by name.
        pub mod define {
            use super::*;
            $($(#[$doc])*
            #[allow(non_upper_case_globals, reason = "one name for a table everywhere")]
            pub const $name: TableDefinition<'static, $key, $value> = TableDefinition::new(stringify!($name));)*
        }

        /// The tables of one write transaction.
        pub struct Tables<'t> {
            $(pub $name: Lazy<'t, $key, $value>,)*
        }

        impl<'t> Tables<'t> {
            pub fn new(transaction: &'t WriteTransaction, writes: &'t Cell<u64>) -> Self {
                Tables { $($name: Lazy::new(transaction, define::$name, writes),)* }
            }
        }

        /// Makes every table that is not there.
        pub fn create_all(transaction: &WriteTransaction) -> Result<(), redb::TableError> {
            $(transaction.open_table(define::$name)?;)*
            Ok(())
        }

        /// Hands every table to `copier`, with its name.
        pub fn copy_all<C: Copy>(from: &ReadTransaction, copier: &mut C) -> Result<(), C::Error> {
            $(copier.copy(from, define::$name)?;)*
            Ok(())
        }
    };
}

tables! {
    /// `format`, `state` (next arrival number and counters), `secret`, `probe`.
    meta: &'static str => Bytes;
    organizations: u32 => Bytes;
    tenants: u32 => Bytes;
    senders: &'static str => Bytes;
    /// Message hash -> first answer.
    dedup: Hash => Bytes;
    /// Time and arrival number of a commit -> the hashes it brought, to remove them by.
    dedup_log: Hash => Bytes;
    /// Contact -> lock or alias.
    contacts: Bytes => Bytes;
    /// Canonical key, then one of its aliases.
    aliases: Bytes => ();
    /// Two keys that an operator has told apart: what providers say of them does not merge them.
    apart: Bytes => ();
    /// Contact, then a tenant that keeps something of it and that its lock does not name -> whether it came
    /// by a shared number.
    ties: Bytes => bool;
    /// Contact, then a tenant -> the key that this tenant keeps that person under.
    own_aliases: Bytes => Bytes;
    /// The same the other way round: key, tenant, alias.
    own_keys: Bytes => ();
    /// Who wants no messages of whom.
    opt_outs: Bytes => Bytes;
    /// Who wants messages again after all -> since when: what is told late of earlier is no news.
    opted_in: Bytes => i64;
    /// Hidden id -> when its phone number is asked for, and through which sender.
    lookups: Bytes => Bytes;
    /// Due time, then the key in `lookups`.
    lookups_due: Bytes => ();
    /// Locks per tenant.
    users: u32 => u64;
    /// Contact -> when it was last told to use a link.
    notices: Bytes => i64;
    conversations: Bytes => Bytes;
    /// The conversations that a human has taken over.
    humans: Bytes => ();
    inbox: At => Bytes;
    dead_turns: Bytes => Bytes;
    /// Replies that wait or are being sent.
    outbox: At => Bytes;
    /// Replies that are dead or of unknown outcome.
    ended_sends: Bytes => Bytes;
    /// Place of an ended reply -> its contact.
    ended_places: At => Bytes;
    history: At => Bytes;
    /// Hash of the provider's id of a reply -> its line.
    sent_ids: Hash => At;
    journal: At => Bytes;
    timers: Bytes => Bytes;
    /// Due time, then the key in `timers`.
    timers_due: Bytes => ();
    leads: Bytes => Bytes;
    collections: Bytes => Bytes;
    sessions: &'static str => Bytes;
    /// Tenant, then name, language and sender of a template.
    templates: Bytes => Bytes;
    /// Tenant, then the place of the reply that the template was sent as.
    template_uses: Bytes => Bytes;
    api_keys: &'static str => Bytes;
    audit: u64 => Bytes;
    /// Tenant and handle -> what is known of the file.
    files: Bytes => Bytes;
    /// Due time, tenant and handle of a file that is to be fetched -> the sender that received it.
    files_due: Bytes => &'static str;
    /// 0 for a file that is there, 1 for one that is remembered; when it came; tenant and handle.
    files_by_age: Bytes => ();
    /// Tenant -> bytes that its files take.
    files_used: u32 => u64;
}

/// Takes tables one by one, whatever their types.
pub trait Copy {
    type Error;
    fn copy<K: Key + 'static, V: Value + 'static>(
        &mut self,
        from: &ReadTransaction,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), Self::Error>;
}

/// A table that is opened when it is first used.
pub struct Lazy<'t, K: Key + 'static, V: Value + 'static> {
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: OnceCell<Table<'t, K, V>>,
    writes: &'t Cell<u64>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Lazy<'t, K, V> {
    fn new(
        transaction: &'t WriteTransaction,
        definition: TableDefinition<'static, K, V>,
        writes: &'t Cell<u64>,
    ) -> Self {
        Lazy { transaction, definition, table: OnceCell::new(), writes }
    }

    fn open(&self) -> Result<(), redb::TableError> {
        if self.table.get().is_none() {
            // It was just empty, and this is one thread.
            let _ = self.table.set(self.transaction.open_table(self.definition)?);
        }
        Ok(())
    }

    /// To read.
    pub fn get(&self) -> Result<&impl ReadableTable<K, V>, redb::TableError> {
        self.open()?;
        Ok(self.table.get().expect("opened in the line above"))
    }

    /// To write. A transaction in which nobody asked for this is not committed.
    pub fn put(&mut self) -> Result<&mut Table<'t, K, V>, redb::TableError> {
        self.open()?;
        self.writes.set(self.writes.get() + 1);
        Ok(self.table.get_mut().expect("opened two lines above"))
    }
}
