//! The families of rows as tables of redb: what each key and each row is in bytes.

use std::ops::ControlFlow;

use redb::{ReadTransaction, ReadableTable, TableDefinition};

use self::frames::RowCode;
use self::keys::KeyCode;
use super::batch::Batch;
use super::codec::Read;
use super::tables::{Lazy, Opened, OpenedOnce, Tables, define};
use crate::store::rows::{self, Family, Fault, ReadTable, Step, WriteTable};

mod frames;
mod keys;

/// A family and its table.
pub trait Stored: Family<Key: KeyCode, Row: RowCode> {
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

impl<F: Stored> ReadTable<F> for Batch<'_> {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
        get::<F>(F::table(&self.tables).get()?, key)
    }

    fn has_row(&self, key: &F::Key) -> Step<bool> {
        has::<F>(F::table(&self.tables).get()?, key)
    }

    fn scan_rows(
        &self,
        from: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        scan::<F>(F::table(&self.tables).get()?, from, visit)
    }

    fn scan_rows_back(
        &self,
        before: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        scan_back::<F>(F::table(&self.tables).get()?, before, visit)
    }
}

impl<F: Stored> WriteTable<F> for Batch<'_> {
    fn put_row(&mut self, key: &F::Key, row: &F::Row) -> Step<bool> {
        let table = F::table_mut(&mut self.tables).put()?;
        let buffer = &mut self.buffer;
        key.with(|key| row.with(buffer, |row| Ok(table.insert(key, row)?.is_some())))
    }

    fn remove_row(&mut self, key: &F::Key) -> Step<bool> {
        let table = F::table_mut(&mut self.tables).edit()?;
        let was_there = key.with(|key| Ok::<_, Fault>(table.remove(key)?.is_some()))?;
        // What is not there is not written either.
        if was_there {
            self.tables.tally.count_write();
        }
        Ok(was_there)
    }
}

impl<F: Stored> ReadTable<F> for ReadTransaction {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
        get::<F>(&self.open_table(F::TABLE)?, key)
    }

    fn has_row(&self, key: &F::Key) -> Step<bool> {
        has::<F>(&self.open_table(F::TABLE)?, key)
    }

    fn scan_rows(
        &self,
        from: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        scan::<F>(&self.open_table(F::TABLE)?, from, visit)
    }

    fn scan_rows_back(
        &self,
        before: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()> {
        scan_back::<F>(&self.open_table(F::TABLE)?, before, visit)
    }
}

pub fn get<F: Stored>(
    table: &impl ReadableTable<<F::Key as KeyCode>::In, <F::Row as RowCode>::In>,
    key: &F::Key,
) -> Step<Option<F::Row>> {
    key.with(|key| {
        let row = table.get(key)?;
        Ok(row.map(|row| F::Row::read(F::NAME, row.value())).transpose()?)
    })
}

pub fn has<F: Stored>(
    table: &impl ReadableTable<<F::Key as KeyCode>::In, <F::Row as RowCode>::In>,
    key: &F::Key,
) -> Step<bool> {
    key.with(|key| Ok(table.get(key)?.is_some()))
}

pub fn scan<F: Stored>(
    table: &impl ReadableTable<<F::Key as KeyCode>::In, <F::Row as RowCode>::In>,
    from: &F::Key,
    visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
) -> Step<()> {
    from.with(|from| {
        for row in table.range(from..)? {
            let (key, row) = row?;
            let key = F::Key::read(F::NAME, key.value())?;
            if visit(key, F::Row::read(F::NAME, row.value()))?.is_break() {
                break;
            }
        }
        Ok(())
    })
}

pub fn scan_back<F: Stored>(
    table: &impl ReadableTable<<F::Key as KeyCode>::In, <F::Row as RowCode>::In>,
    before: &F::Key,
    visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
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
