//! Every table there is. A write transaction opens a table when it is first touched and keeps it
//! open for all its operations; a backup copies them by the same list.

use std::cell::OnceCell;

use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

use super::codec::Place;
use super::tally::{Counted, Tally};
use crate::store::quotas::Shelf;
use crate::store::rows::Step;

type Bytes = &'static [u8];
type Hash = &'static [u8; 16];
type At = &'static Place;

/// Which of the program's formats the file is in. A program refuses a file of any other.
pub const FORMAT: u32 = 3;

/// Declares the tables once: their definitions, the set that a write transaction works on, the
/// creation of all, the copying of all, and whose rows are counted.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident $([$shelf:ident])?: $key:ty => $value:ty;)*) => {
        /// The tables by name.
        pub mod define {
            use super::*;
            $($(#[$doc])*
            #[allow(non_upper_case_globals, reason = "one name for a table everywhere")]
            pub const $name: TableDefinition<'static, $key, $value> = TableDefinition::new(stringify!($name));)*
        }

        /// The tables of one write transaction.
        pub struct Tables<'t> {
            pub tally: &'t Tally,
            $(pub $name: Lazy<'t, $key, $value>,)*
        }

        impl<'t> Tables<'t> {
            pub fn new(transaction: &'t WriteTransaction, tally: &'t Tally) -> Self {
                Tables {
                    tally,
                    $($name: Lazy::new(transaction, define::$name, None $(.or(Some(Shelf::$shelf)))?, tally),)*
                }
            }
        }

        /// The tables of a snapshot.
        #[derive(Default)]
        pub struct Opened {
            $(pub $name: OpenedOnce<$key, $value>,)*
        }

        /// Hands every row that counts for a tenant to `visit`.
        pub fn each_counted(
            from: &ReadTransaction,
            visit: &mut dyn FnMut(Shelf, &[u8], &[u8]) -> Step<()>,
        ) -> Step<()> {
            $($(each_row(from, define::$name, Shelf::$shelf, visit)?;)?)*
            Ok(())
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
    /// `format`, `state` (next arrival number and counters), `secret`.
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
    opt_outs [OptOuts]: Bytes => Bytes;
    /// Who wants messages again after all -> since when: what is told late of earlier is no news.
    opted_in [OptOuts]: Bytes => i64;
    /// Hidden id -> when its phone number is asked for, and through which sender.
    lookups: Bytes => Bytes;
    /// Due time, then the key in `lookups`.
    lookups_due: Bytes => ();
    /// Locks per tenant.
    users: u32 => u64;
    /// Contact -> when it was last told to use a link.
    notices: Bytes => i64;
    conversations [Conversations]: Bytes => Bytes;
    /// The conversations that a human has taken over.
    humans: Bytes => ();
    inbox [Inbox]: At => Bytes;
    dead_turns [DeadTurns]: Bytes => Bytes;
    /// Place of the first entry of a dead turn -> its contact.
    dead_places: At => Bytes;
    /// Replies that wait or are being sent.
    outbox [Outbox]: At => Bytes;
    /// Replies that are dead or of unknown outcome.
    ended_sends [EndedSends]: Bytes => Bytes;
    /// Place of an ended reply -> its contact.
    ended_places: At => Bytes;
    history [History]: At => Bytes;
    /// Hash of the provider's id of a reply -> its line.
    sent_ids: Hash => At;
    journal [Journal]: At => Bytes;
    /// Arrival number of a message that has been dealt with -> what came of it. Leaves with its line, or, of what
    /// is no line, with its turn in the journal.
    ways: At => Bytes;
    timers [Timers]: Bytes => Bytes;
    /// Due time, then the key in `timers`.
    timers_due: Bytes => ();
    leads: Bytes => Bytes;
    collections [Collections]: Bytes => Bytes;
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
    template_uses [TemplateUses]: Bytes => Bytes;
    /// Tenant -> what of its own lay in the plugins directory when it was looked at last.
    own_packages: u32 => Bytes;
    api_keys: &'static str => Bytes;
    audit: u64 => Bytes;
    /// Tenant and handle -> what is known of the file.
    files [Files]: Bytes => Bytes;
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

#[expect(clippy::type_complexity, reason = "one visitor of rows, named nowhere else")]
fn each_row<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
    shelf: Shelf,
    visit: &mut dyn FnMut(Shelf, &[u8], &[u8]) -> Step<()>,
) -> Step<()> {
    for row in from.open_table(table)?.iter()? {
        let (key, value) = row?;
        visit(shelf, K::as_bytes(&key.value()).as_ref(), V::as_bytes(&value.value()).as_ref())?;
    }
    Ok(())
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
    table: OnceCell<Counted<'t, K, V>>,
    shelf: Option<Shelf>,
    tally: &'t Tally,
}

impl<'t, K: Key + 'static, V: Value + 'static> Lazy<'t, K, V> {
    fn new(
        transaction: &'t WriteTransaction,
        definition: TableDefinition<'static, K, V>,
        shelf: Option<Shelf>,
        tally: &'t Tally,
    ) -> Self {
        Lazy { transaction, definition, table: OnceCell::new(), shelf, tally }
    }

    fn open(&self) -> Result<(), redb::TableError> {
        if self.table.get().is_none() {
            let table = self.transaction.open_table(self.definition)?;
            // It was just empty, and this is one thread.
            let _ = self.table.set(Counted::new(table, self.shelf, self.tally));
        }
        Ok(())
    }

    /// To read.
    pub fn get(&self) -> Result<&impl ReadableTable<K, V>, redb::TableError> {
        self.open()?;
        Ok(&**self.table.get().expect("opened in the line above"))
    }

    /// To write. A transaction in which nobody asked for this is not committed.
    pub fn put(&mut self) -> Result<&mut Counted<'t, K, V>, redb::TableError> {
        self.tally.count_write();
        self.edit()
    }

    /// To take something out that may not be there: who did counts it.
    pub fn edit(&mut self) -> Result<&mut Counted<'t, K, V>, redb::TableError> {
        self.open()?;
        Ok(self.table.get_mut().expect("opened in the line above"))
    }
}
