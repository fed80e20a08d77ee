//! What a store is made of: families of rows, each with its key and what a row of it holds, and one transaction on
//! them. The rules ([`super::rules`]) read and write rows through these traits and know no engine; how a row
//! becomes bytes is each engine's own.
//!
//! A rule is synchronous and may be applied again to the same state. It decides, then it writes: what is refused has
//! written nothing.

use std::ops::ControlFlow;

use self::audited::Audited;
use self::collection::CollectionRow;
use self::contact::Contact;
use self::conversation::ConversationRow;
use self::dead_turn::DeadTurnRow;
use self::history::HistoryRow;
use self::inbox::InboxRow;
use self::journal::JournalRow;
use self::kept_sender::KeptSender;
use self::known_by::KnownBy;
use self::lookup::LookupRow;
use self::of_tenant::OfTenant;
use self::outbox::OutboxRow;
use self::packed::Packed;
use self::place::Place;
use self::timer::TimerRow;
use self::unread_mark::UnreadMark;
use self::way::Way;
use crate::conversation::Lead;
use crate::event::SessionChange;
use crate::message::{ContactKey, ConversationKey, OrganizationId, SenderName, TenantId, Timestamp};
use crate::route::Answer;
use crate::store::contacts::OptOut;
use crate::store::media::File;
use crate::store::numbers::Wish;
use crate::store::packages::OwnPackage;
use crate::store::quotas::{Shelf, Usage};
use crate::store::shared::changes::Changes;
use crate::store::shared::effect::Effect;
use crate::store::shared::index::Index;
use crate::store::shared::state::State;
use crate::store::shared::tally::Tally;
use crate::store::unread::UnreadBody;
use crate::store::{ApiKey, AuditEntry, Error};
use crate::template::{self, Registered};
use crate::tenant::{Organization, Tenant};

pub mod audited;
pub mod collection;
pub mod contact;
pub mod conversation;
pub mod dead_turn;
pub mod history;
pub mod inbox;
pub mod journal;
pub mod kept_sender;
pub mod known_by;
pub mod lookup;
mod of_tenant;
pub mod outbox;
pub mod packed;
pub mod place;
pub mod timer;
pub mod unread_mark;
pub mod way;

/// A row that this program cannot have written so.
#[derive(Debug, thiserror::Error)]
#[error("a row of {table} cannot be read: {what}")]
pub struct Unreadable {
    pub table: &'static str,
    pub what: String,
}

pub type Read<T> = Result<T, Unreadable>;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// By the rules; nothing was written.
    #[error(transparent)]
    Refused(#[from] Error),
    /// What it needs cannot be read. The operation fails, the others of its group do not.
    #[error(transparent)]
    Row(#[from] Unreadable),
    /// The engine failed under the whole group.
    #[error("{0}")]
    Engine(Box<dyn std::error::Error + Send + Sync>),
}

pub type Step<T> = Result<T, Fault>;

/// Rows of one kind.
pub trait Family: 'static {
    const NAME: &'static str;
    type Key: Clone + Ord + Send + Sync + 'static;
    type Row: Clone + Send + Sync + 'static;

    /// For whom a row of this key counts, and as what; `None`: for nobody.
    fn counts_for(_key: &Self::Key) -> Option<(Shelf, TenantId)> {
        None
    }
}

/// A row with its key, as far as it can be read.
pub type Found<F> = (<F as Family>::Key, Read<<F as Family>::Row>);

/// Takes row by row; tells whether to go on.
pub type VisitRow<'v, F> =
    dyn FnMut(<F as Family>::Key, Read<<F as Family>::Row>) -> Step<ControlFlow<()>> + 'v;

/// Takes key by key with the bytes of each and of what it holds; tells whether to go on.
pub type VisitSize<'v, F> = dyn FnMut(<F as Family>::Key, u64) -> Step<ControlFlow<()>> + 'v;

/// To read one family, from a transaction or from a snapshot.
pub trait ReadTable<F: Family> {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>>;

    fn has_row(&self, key: &F::Key) -> Step<bool>;

    /// Hands on row by row in the order of their keys, from this key on or from the first, until told to break off.
    /// What has a key in several parts lies together by the first of them.
    fn scan_rows(&self, from: Option<&F::Key>, visit: &mut VisitRow<'_, F>) -> Step<()>;

    /// The same backwards, from the last key before this one on.
    fn scan_rows_back(&self, before: &F::Key, visit: &mut VisitRow<'_, F>) -> Step<()>;

    /// As [`ReadTable::scan_rows`], with the bytes of each key and of what it holds in place of the row.
    fn scan_sizes(&self, from: Option<&F::Key>, visit: &mut VisitSize<'_, F>) -> Step<()>;

    /// How many rows there are.
    fn count_rows(&self) -> Step<u64>;
}

/// To write one family, in a transaction.
pub trait WriteTable<F: Family>: ReadTable<F> {
    /// Whether there was one under this key.
    fn put_row(&mut self, key: &F::Key, row: &F::Row) -> Step<bool>;

    /// Whether there was one, readable or not.
    fn remove_row(&mut self, key: &F::Key) -> Step<bool>;
}

/// Declares the families, and that an engine has all of them.
macro_rules! families {
    ($($(#[$doc:meta])* $name:ident $([$shelf:ident])?: $key:ty => $row:ty;)*) => {
        $($(#[$doc])*
        pub enum $name {}

        impl Family for $name {
            const NAME: &'static str = stringify!($name);
            type Key = $key;
            type Row = $row;

            $(fn counts_for(key: &$key) -> Option<(Shelf, TenantId)> {
                Some((Shelf::$shelf, key.tenant()))
            })?
        })*

        /// Hands on what each row that counts for a tenant counts as, and its bytes.
        pub fn each_counted(
            rows: &impl ReadAll,
            visit: &mut dyn FnMut(Shelf, TenantId, u64),
        ) -> Step<()> {
            $($(each_counted_of::<$name>(rows, Shelf::$shelf, visit)?;)?)*
            Ok(())
        }

        /// Every family can be read.
        pub trait ReadAll: $(ReadTable<$name> +)* {}

        impl<T: $(ReadTable<$name> +)*> ReadAll for T {}

        /// Every family can be written.
        pub trait WriteAll: $(WriteTable<$name> +)* {}

        impl<T: $(WriteTable<$name> +)*> WriteAll for T {}
    };
}

fn each_counted_of<F: Family<Key: OfTenant>>(
    rows: &impl ReadTable<F>,
    shelf: Shelf,
    visit: &mut dyn FnMut(Shelf, TenantId, u64),
) -> Step<()> {
    rows.scan_sizes(None, &mut |key, bytes| {
        visit(shelf, key.tenant(), bytes);
        Ok(ControlFlow::Continue(()))
    })
}

families! {
    /// What the store counts, and the number of its next arrival.
    Totals: () => State;
    /// What a tenant keeps and what its turns took.
    TenantUsage: TenantId => Usage;
    Organizations: OrganizationId => Organization;
    Tenants: TenantId => Tenant;
    Senders: SenderName => KeptSender;
    /// What a sender's session was told to be last.
    Sessions: SenderName => SessionChange;
    /// What was asked for a sender's session last. No row: nothing was.
    SessionWishes: SenderName => Wish;
    /// By their hashes.
    ApiKeys: String => ApiKey;
    Audit: u64 => Audited;
    /// By tenant and name.
    Collections [Collections]: (TenantId, String) => CollectionRow;
    /// What of a tenant's own lay in the plugins directory when it was looked at last.
    OwnPackages: TenantId => OwnPackage;
    /// Webhooks that could not be read, by the name of their provider, which need not be one that is known, and their
    /// arrival number.
    Unread: (String, u64) => Packed<UnreadBody>;
    /// What the bounds of those are reckoned by.
    UnreadMarks: (String, u64) => UnreadMark;
    /// How many contacts a tenant's locks name. No row: none.
    Users: TenantId => u64;
    /// What is written to see whether anything can be.
    Probe: () => u64;
    /// When a commit brought messages, and a number of its own: their hashes, by which what was answered is forgotten.
    DedupLog: (Timestamp, u64) => Vec<Hash>;
    /// What a message was answered, by the hash of its name, and its arrival number.
    Dedup: Hash => (Answer, Option<u64>);
    /// Who a contact is across tenants: its lock, or whose alias it is.
    Contacts: ContactKey => Contact;
    /// Canonical key, then one of its aliases.
    Aliases: (ContactKey, ContactKey) => ();
    /// Two keys, the smaller first, that an operator has told apart: what providers say of them does not merge them.
    Apart: (ContactKey, ContactKey) => ();
    /// Which tenants keep something of a contact, besides the one that its lock names.
    ContactTenants: (ContactKey, TenantId) => KnownBy;
    /// The key that a tenant keeps a person under, by another key of that person.
    OwnAliases: (ContactKey, TenantId) => ContactKey;
    /// The same the other way round: key, tenant, alias.
    OwnKeys: (ContactKey, TenantId, ContactKey) => ();
    /// Who wants no messages of whom.
    OptOuts [OptOuts]: ConversationKey => OptOut;
    /// Who wants messages again after all, since when: what is told late of earlier is no news.
    OptedIn [OptOuts]: ConversationKey => Timestamp;
    /// Hidden ids whose phone numbers are asked for.
    Lookups: ContactKey => LookupRow;
    /// The same by when they are due.
    LookupsDue: (Timestamp, ContactKey) => ();
    /// When a contact was last told to use a link.
    Notices: ContactKey => Timestamp;
    Conversations [Conversations]: ConversationKey => ConversationRow;
    /// The conversations that a human has taken over.
    Humans: ConversationKey => ();
    Inbox [Inbox]: Place => InboxRow;
    /// By the arrival number of its first entry.
    DeadTurns [DeadTurns]: (ConversationKey, u64) => DeadTurnRow;
    /// Where the first entry of a dead turn lay: its contact.
    DeadPlaces: Place => ContactKey;
    /// Replies that wait or are being sent.
    Outbox [Outbox]: Place => OutboxRow;
    /// Replies that are dead or of unknown outcome.
    EndedSends [EndedSends]: (ConversationKey, u64) => OutboxRow;
    /// Where an ended reply lay: its contact.
    EndedPlaces: Place => ContactKey;
    History [History]: Place => HistoryRow;
    /// A reply by the hash of its provider's name for it.
    SentIds: Hash => Place;
    Journal [Journal]: Place => JournalRow;
    /// What came of a message, by its arrival number. Leaves with its line, or, of what is no line, with its turn in
    /// the journal.
    Ways: Place => Way;
    Timers [Timers]: (ConversationKey, String) => TimerRow;
    /// The same by when they are due.
    TimersDue: (Timestamp, ConversationKey, String) => ();
    /// What an organization knows of a contact.
    Leads: (OrganizationId, ContactKey) => Lead;
    Templates: template::Key => Registered;
    /// A template that was sent, by the place of the reply that it went out as.
    TemplateUses [TemplateUses]: (TenantId, u64) => template::Use;
    Files [Files]: (TenantId, String) => File;
    /// A file that is to be fetched, by when, and the sender that received it.
    FilesDue: (Timestamp, TenantId, String) => SenderName;
    /// Those that are only remembered apart, each by when it came.
    FilesByAge: (bool, Timestamp, TenantId, String) => ();
}

/// Sixteen bytes that name something by its provider's name for it.
pub type Hash = [u8; 16];

/// What rules read.
pub trait ReadRows: ReadAll {
    fn get<F: Family>(&self, key: &F::Key) -> Step<Option<F::Row>>
    where
        Self: ReadTable<F>,
    {
        ReadTable::<F>::get_row(self, key)
    }

    fn has<F: Family>(&self, key: &F::Key) -> Step<bool>
    where
        Self: ReadTable<F>,
    {
        ReadTable::<F>::has_row(self, key)
    }

    /// The first row from this key on.
    fn first<F: Family>(&self, from: &F::Key) -> Step<Option<F::Key>>
    where
        Self: ReadTable<F>,
    {
        let mut first = None;
        ReadTable::<F>::scan_sizes(self, Some(from), &mut |key, _| {
            first = Some(key);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// The same, with what it holds.
    fn first_row<F: Family>(&self, from: &F::Key) -> Step<Option<Found<F>>>
    where
        Self: ReadTable<F>,
    {
        let mut first = None;
        ReadTable::<F>::scan_rows(self, Some(from), &mut |key, row| {
            first = Some((key, row));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// What of it can be read.
    fn get_readable<F: Family>(&self, key: &F::Key) -> Step<Option<F::Row>>
    where
        Self: ReadTable<F>,
    {
        match ReadTable::<F>::get_row(self, key) {
            Err(Fault::Row(_)) => Ok(None),
            read => read,
        }
    }

    /// The bytes of a key and of what it holds.
    fn size_of<F: Family>(&self, key: &F::Key) -> Step<Option<u64>>
    where
        Self: ReadTable<F>,
    {
        let mut size = None;
        ReadTable::<F>::scan_sizes(self, Some(key), &mut |found, bytes| {
            size = (found == *key).then_some(bytes);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(size)
    }

    /// Every row there is.
    fn every<F: Family>(&self, mut visit: impl FnMut(F::Key, Read<F::Row>) -> Step<()>) -> Step<()>
    where
        Self: ReadTable<F>,
    {
        ReadTable::<F>::scan_rows(self, None, &mut |key, row| visit(key, row).map(ControlFlow::Continue))
    }

    /// Every row before this key, the last first, for as long as the keys belong together, so many at most.
    fn each_back_of<F: Family>(
        &self,
        before: &F::Key,
        most: usize,
        belongs: impl Fn(&F::Key) -> bool,
        mut visit: impl FnMut(F::Key, Read<F::Row>) -> Step<()>,
    ) -> Step<()>
    where
        Self: ReadTable<F>,
    {
        let mut count = 0;
        ReadTable::<F>::scan_rows_back(self, before, &mut |key, row| {
            if count == most || !belongs(&key) {
                return Ok(ControlFlow::Break(()));
            }
            count += 1;
            visit(key, row).map(ControlFlow::Continue)
        })
    }

    /// Every row from this key on for as long as the keys belong together.
    fn each<F: Family>(
        &self,
        from: &F::Key,
        belongs: impl Fn(&F::Key) -> bool,
        mut visit: impl FnMut(F::Key, Read<F::Row>) -> Step<()>,
    ) -> Step<()>
    where
        Self: ReadTable<F>,
    {
        ReadTable::<F>::scan_rows(self, Some(from), &mut |key, row| {
            if !belongs(&key) {
                return Ok(ControlFlow::Break(()));
            }
            visit(key, row).map(ControlFlow::Continue)
        })
    }

    /// The same, so many at most.
    fn each_of<F: Family>(
        &self,
        from: &F::Key,
        most: usize,
        belongs: impl Fn(&F::Key) -> bool,
        mut visit: impl FnMut(F::Key, Read<F::Row>) -> Step<()>,
    ) -> Step<()>
    where
        Self: ReadTable<F>,
    {
        let mut count = 0;
        ReadTable::<F>::scan_rows(self, Some(from), &mut |key, row| {
            if count == most || !belongs(&key) {
                return Ok(ControlFlow::Break(()));
            }
            count += 1;
            visit(key, row).map(ControlFlow::Continue)
        })
    }
}

impl<T: ReadAll> ReadRows for T {}

/// One transaction.
pub trait Rows: ReadRows + WriteAll {
    /// What the store knows without asking its engine, as of the last commit.
    fn index(&self) -> &Index;

    /// What this transaction has done so far that is no row.
    fn changes(&self) -> &Changes;

    fn changes_mut(&mut self) -> &mut Changes;

    /// What this transaction has written so far.
    fn tally(&self) -> &Tally;

    /// What a tenant keeps and spends, with what this transaction has done so far.
    fn usage(&self, tenant: TenantId) -> Usage {
        let mut usage = self.index().usage(tenant);
        self.tally().grow(tenant, &mut usage);
        self.changes().spend(tenant, &mut usage);
        usage
    }

    /// Into the audit log.
    fn audit(&mut self, entry: &AuditEntry) -> Step<()> {
        let seq = self.seq();
        self.put::<Audit>(&seq, &Audited::new(entry))?;
        Ok(())
    }

    fn put<F: Family>(&mut self, key: &F::Key, row: &F::Row) -> Step<bool>
    where
        Self: WriteTable<F>,
    {
        WriteTable::<F>::put_row(self, key, row)
    }

    /// Takes it out, if it can be read.
    fn take<F: Family>(&mut self, key: &F::Key) -> Step<Option<F::Row>>
    where
        Self: WriteTable<F>,
    {
        let row = ReadTable::<F>::get_row(self, key)?;
        if row.is_some() {
            WriteTable::<F>::remove_row(self, key)?;
        }
        Ok(row)
    }

    fn remove<F: Family>(&mut self, key: &F::Key) -> Step<bool>
    where
        Self: WriteTable<F>,
    {
        WriteTable::<F>::remove_row(self, key)
    }

    /// Happens to what is kept in memory, after the commit.
    fn effect(&mut self, effect: Effect) {
        self.changes_mut().effects.push(effect);
    }

    /// The next arrival number; the first is 1.
    fn seq(&mut self) -> u64 {
        self.changes_mut().seq()
    }

    /// Something was counted at `now`.
    fn touch(&mut self, now: Timestamp) {
        self.changes_mut().state.touch(now);
    }
}
