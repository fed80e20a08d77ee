//! Every table there is. A write transaction opens a table when it is first touched and keeps it
//! open for all its operations; a backup copies them by the same list.

use std::cell::OnceCell;

use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction,
};

use crate::store::frames::codec::Place;

type Bytes = &'static [u8];
type Hash = &'static [u8; 16];
type At = &'static Place;

/// Which of the program's formats the file is in. A program refuses a file of any other.
pub const FORMAT: u32 = 4;

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
            pub fn new(transaction: &'t WriteTransaction) -> Self {
                Tables { $($name: Lazy::new(transaction, define::$name),)* }
            }
        }

        /// The tables of a snapshot.
        #[derive(Default)]
        pub struct Opened {
            $(pub $name: OpenedOnce<$key, $value>,)*
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
    /// `format`, `secret`.
    meta: &'static str => Bytes;
    /// What is counted, and the number of the next arrival.
    totals: () => Bytes;
    organizations: u32 => Bytes;
    tenants: u32 => Bytes;
    senders: &'static str => Bytes;
    /// Message hash -> first answer.
    dedup: Hash => Bytes;
    /// Time and arrival number of a commit -> the hashes it brought, to remove them by.
    dedup_log: Bytes => Bytes;
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
    /// Place of the first entry of a dead turn -> its contact.
    dead_places: At => Bytes;
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
    /// Arrival number of a message that has been dealt with -> what came of it. Leaves with its line, or, of what
    /// is no line, with its turn in the journal.
    ways: At => Bytes;
    timers: Bytes => Bytes;
    /// Due time, then the key in `timers`.
    timers_due: Bytes => ();
    leads: Bytes => Bytes;
    collections: Bytes => Bytes;
    sessions: &'static str => Bytes;
    /// Sender -> what was asked for its session last.
    session_wishes: &'static str => u8;
    /// Provider, then the arrival number of a webhook that could not be read.
    unread: Bytes => Bytes;
    /// The same key -> its bytes, when it came, and whether it is more than reports on what we sent.
    unread_marks: Bytes => (u64, i64, bool);
    /// Tenant, then name, language and sender of a template.
    templates: Bytes => Bytes;
    /// Tenant, then the place of the reply that the template was sent as.
    template_uses: Bytes => Bytes;
    /// Tenant -> what of its own lay in the plugins directory when it was looked at last.
    own_packages: u32 => Bytes;
    api_keys: &'static str => Bytes;
    audit: u64 => Bytes;
    /// Tenant and handle -> what is known of the file.
    files: Bytes => Bytes;
    /// Due time, tenant and handle of a file that is to be fetched -> the sender that received it.
    files_due: Bytes => &'static str;
    /// 0 for a file that is there, 1 for one that is remembered; when it came; tenant and handle.
    files_by_age: Bytes => ();
    /// Tenant -> what it keeps and what its turns took.
    usage: u32 => Bytes;
    /// What is written to see whether anything can be.
    probe: () => u64;
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

/// A table of a snapshot that is opened when it is first used.
pub struct OpenedOnce<K: Key + 'static, V: Value + 'static>(OnceCell<ReadOnlyTable<K, V>>);

impl<K: Key + 'static, V: Value + 'static> Default for OpenedOnce<K, V> {
    fn default() -> Self {
        OpenedOnce(OnceCell::new())
    }
}

impl<K: Key + 'static, V: Value + 'static> OpenedOnce<K, V> {
    pub fn table(
        &self,
        snapshot: &ReadTransaction,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<&ReadOnlyTable<K, V>, redb::TableError> {
        match self.0.get() {
            Some(table) => Ok(table),
            None => {
                let table = snapshot.open_table(definition)?;
                Ok(self.0.get_or_init(|| table))
            }
        }
    }
}

/// A table that is opened when it is first used.
pub struct Lazy<'t, K: Key + 'static, V: Value + 'static> {
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: OnceCell<Table<'t, K, V>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Lazy<'t, K, V> {
    fn new(transaction: &'t WriteTransaction, definition: TableDefinition<'static, K, V>) -> Self {
        Lazy { transaction, definition, table: OnceCell::new() }
    }

    fn open(&self) -> Result<(), redb::TableError> {
        if self.table.get().is_none() {
            let table = self.transaction.open_table(self.definition)?;
            // It was just empty, and this is one thread.
            let _ = self.table.set(table);
        }
        Ok(())
    }

    /// To read.
    pub fn get(&self) -> Result<&impl ReadableTable<K, V>, redb::TableError> {
        self.open()?;
        Ok(self.table.get().expect("opened in the line above"))
    }

    /// To write.
    pub fn edit(&mut self) -> Result<&mut Table<'t, K, V>, redb::TableError> {
        self.open()?;
        Ok(self.table.get_mut().expect("opened in the line above"))
    }
}
