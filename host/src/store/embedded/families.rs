//! The families of rows as tables of redb: what each key and each row is in bytes.

use std::ops::ControlFlow;

use redb::{
    Range, ReadTransaction, ReadableTable, ReadableTableMetadata as _, TableDefinition, Value,
    WriteTransaction,
};

use super::batch::Batch;
use super::snapshot::Snapshot;
use super::tables::{Lazy, Opened, OpenedOnce, Tables, define};
use crate::store::frames::keys::KeyCode;
use crate::store::frames::values::RowCode;
use crate::store::frames::{Framed, length};
use crate::store::rows::{self, Family, ReadTable, Step, VisitRow, VisitSize, WriteTable};

/// A family and its table.
pub trait Stored: Framed {
    const TABLE: TableDefinition<'static, <Self::Key as KeyCode>::In, <Self::Row as RowCode>::In>;

    fn table<'b, 't>(tables: &'b Tables<'t>) -> &'b LazyOf<'t, Self>;

    fn table_mut<'b, 't>(tables: &'b mut Tables<'t>) -> &'b mut LazyOf<'t, Self>;

    fn opened(tables: &Opened) -> &OpenedOf<Self>;
}

type OpenedOf<F> = OpenedOnce<<<F as Family>::Key as KeyCode>::In, <<F as Family>::Row as RowCode>::In>;

type LazyOf<'t, F> = Lazy<'t, <<F as Family>::Key as KeyCode>::In, <<F as Family>::Row as RowCode>::In>;

/// Which table each family lies in.
macro_rules! stored {
    ($($family:ident: $table:ident;)*) => {$(
        impl Stored for rows::$family {
            const TABLE: TableDefinition<'static, <Self::Key as KeyCode>::In, <Self::Row as RowCode>::In> =
                define::$table;

            fn table<'b, 't>(tables: &'b Tables<'t>) -> &'b LazyOf<'t, Self> {
                &tables.$table
            }

            fn table_mut<'b, 't>(tables: &'b mut Tables<'t>) -> &'b mut LazyOf<'t, Self> {
                &mut tables.$table
            }

            fn opened(tables: &Opened) -> &OpenedOf<Self> {
                &tables.$table
            }
        }
    )*};
}

stored! {
    Totals: totals;
    TenantUsage: usage;
    DedupLog: dedup_log;
    Organizations: organizations;
    Tenants: tenants;
    Senders: senders;
    Sessions: sessions;
    SessionWishes: session_wishes;
    ApiKeys: api_keys;
    Audit: audit;
    Collections: collections;
    OwnPackages: own_packages;
    Unread: unread;
    UnreadMarks: unread_marks;
    Users: users;
    Probe: probe;
    Dedup: dedup;
    Contacts: contacts;
    Aliases: aliases;
    Apart: apart;
    ContactTenants: ties;
    OwnAliases: own_aliases;
    OwnKeys: own_keys;
    OptOuts: opt_outs;
    OptedIn: opted_in;
    Lookups: lookups;
    LookupsDue: lookups_due;
    Notices: notices;
    Conversations: conversations;
    Humans: humans;
    Inbox: inbox;
    DeadTurns: dead_turns;
    DeadPlaces: dead_places;
    Outbox: outbox;
    EndedSends: ended_sends;
    EndedPlaces: ended_places;
    History: history;
    SentIds: sent_ids;
    Journal: journal;
    Ways: ways;
    Timers: timers;
    TimersDue: timers_due;
    Leads: leads;
    Templates: templates;
    TemplateUses: template_uses;
    Files: files;
    FilesDue: files_due;
    FilesByAge: files_by_age;
}

/// How a transaction and a snapshot read: each has its own way to a table.
macro_rules! reads {
    ($reader:ty, |$it:ident| $table:expr) => {
        impl<F: Stored> ReadTable<F> for $reader {
            fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
                let $it = self;
                get::<F>($table, key)
            }

            fn has_row(&self, key: &F::Key) -> Step<bool> {
                let $it = self;
                key.with(|key| Ok($table.get(key)?.is_some()))
            }

            fn scan_rows(&self, from: Option<&F::Key>, visit: &mut VisitRow<'_, F>) -> Step<()> {
                let $it = self;
                scan::<F>($table, from, &mut |key, row| {
                    visit(F::Key::read(F::NAME, key)?, F::Row::read(F::NAME, row))
                })
            }

            fn scan_rows_back(&self, before: &F::Key, visit: &mut VisitRow<'_, F>) -> Step<()> {
                let $it = self;
                scan_back::<F>($table, before, visit)
            }

            fn scan_sizes(&self, from: Option<&F::Key>, visit: &mut VisitSize<'_, F>) -> Step<()> {
                let $it = self;
                scan::<F>($table, from, &mut |key, row| {
                    let bytes = length::<KeyIn<F>>(&key) + length::<RowIn<F>>(&row);
                    visit(F::Key::read(F::NAME, key)?, bytes)
                })
            }

            fn count_rows(&self) -> Step<u64> {
                let $it = self;
                Ok($table.len()?)
            }
        }
    };
}

reads!(Batch<'_>, |it| F::table(&it.tables).get()?);
reads!(Snapshot, |it| F::opened(&it.tables).table(&it.transaction, F::TABLE)?);
reads!(ReadTransaction, |it| &it.open_table(F::TABLE)?);

impl<F: Stored> WriteTable<F> for Batch<'_> {
    fn put_row(&mut self, key: &F::Key, row: &F::Row) -> Step<bool> {
        let Batch { tables, tally, buffer, .. } = self;
        let table = F::table_mut(tables).edit()?;
        let counts = F::counts_for(key);
        key.with(|key| {
            row.with(buffer, |row| {
                let of_key = length::<KeyIn<F>>(&key);
                let after = of_key + length::<RowIn<F>>(&row);
                let before = table.insert(key, row)?.map(|old| of_key + length::<RowIn<F>>(&old.value()));
                tally.wrote(counts, before, Some(after));
                Ok(before.is_some())
            })
        })
    }

    fn remove_row(&mut self, key: &F::Key) -> Step<bool> {
        let Batch { tables, tally, .. } = self;
        let table = F::table_mut(tables).edit()?;
        let counts = F::counts_for(key);
        key.with(|key| {
            let of_key = length::<KeyIn<F>>(&key);
            let before = table.remove(key)?.map(|old| of_key + length::<RowIn<F>>(&old.value()));
            // What is not there is not written either.
            if before.is_some() {
                tally.wrote(counts, before, None);
            }
            Ok(before.is_some())
        })
    }
}

type KeyIn<F> = <<F as Family>::Key as KeyCode>::In;

type RowIn<F> = <<F as Family>::Row as RowCode>::In;

type KeyOf<'k, F> = <KeyIn<F> as Value>::SelfType<'k>;

type RowOf<'r, F> = <RowIn<F> as Value>::SelfType<'r>;

/// Takes what lies in a table, row by row.
type VisitKept<'v, F> = dyn FnMut(KeyOf<'_, F>, RowOf<'_, F>) -> Step<ControlFlow<()>> + 'v;

/// A row put down past the rules, in a file that nobody uses yet.
pub fn put<F: Stored>(transaction: &WriteTransaction, key: &F::Key, row: &F::Row) -> Step<()> {
    let mut table = transaction.open_table(F::TABLE)?;
    key.with(|key| row.with(&mut Vec::new(), |row| Ok(table.insert(key, row).map(drop)?)))
}

pub fn get<F: Stored>(table: &impl ReadableTable<KeyIn<F>, RowIn<F>>, key: &F::Key) -> Step<Option<F::Row>> {
    key.with(|key| {
        let row = table.get(key)?;
        Ok(row.map(|row| F::Row::read(F::NAME, row.value())).transpose()?)
    })
}

fn scan<F: Stored>(
    table: &impl ReadableTable<KeyIn<F>, RowIn<F>>,
    from: Option<&F::Key>,
    visit: &mut VisitKept<'_, F>,
) -> Step<()> {
    let mut each = |range: Range<'_, KeyIn<F>, RowIn<F>>| {
        for row in range {
            let (key, row) = row?;
            if visit(key.value(), row.value())?.is_break() {
                break;
            }
        }
        Ok(())
    };
    match from {
        None => each(table.iter()?),
        Some(from) => from.with(|from| each(table.range(from..)?)),
    }
}

fn scan_back<F: Stored>(
    table: &impl ReadableTable<KeyIn<F>, RowIn<F>>,
    before: &F::Key,
    visit: &mut VisitRow<'_, F>,
) -> Step<()> {
    before.with(|before| {
        for row in table.range(..before)?.rev() {
            let (key, row) = row?;
            let key = F::Key::read(F::NAME, key.value())?;
            if visit(key, F::Row::read(F::NAME, row.value()))?.is_break() {
                break;
            }
        }
        Ok(())
    })
}
