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
use crate::store::quotas::Usage;
use crate::store::shared::changes::Changes;
use crate::store::shared::effect::Effect;
use crate::store::shared::index::Index;
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
pub trait Family {
    const NAME: &'static str;
    type Key: Clone + Ord;
    type Row: Clone;
}

/// To read one family, from a transaction or from a snapshot.
pub trait ReadTable<F: Family> {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>>;

    fn has_row(&self, key: &F::Key) -> Step<bool>;

    /// Hands on row by row in the order of their keys, from this key on, until told to break off. What has a key in
    /// several parts lies together by the first of them.
    fn scan_rows(
        &self,
        from: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()>;

    /// The same backwards, from the last key before this one on.
    fn scan_rows_back(
        &self,
        before: &F::Key,
        visit: &mut dyn FnMut(F::Key, Read<F::Row>) -> Step<ControlFlow<()>>,
    ) -> Step<()>;
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
    ($($(#[$doc:meta])* $name:ident: $key:ty => $row:ty;)*) => {
        $($(#[$doc])*
        pub enum $name {}

        impl Family for $name {
            const NAME: &'static str = stringify!($name);
            type Key = $key;
            type Row = $row;
        })*

        /// Every family can be read.
        pub trait ReadAll: $(ReadTable<$name> +)* {}

        impl<T: $(ReadTable<$name> +)*> ReadAll for T {}

        /// Every family can be written.
        pub trait WriteAll: $(WriteTable<$name> +)* {}

        impl<T: $(WriteTable<$name> +)*> WriteAll for T {}
    };
}

families! {
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
    Collections: (TenantId, String) => CollectionRow;
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
    OptOuts: ConversationKey => OptOut;
    /// Who wants messages again after all, since when: what is told late of earlier is no news.
    OptedIn: ConversationKey => Timestamp;
    /// Hidden ids whose phone numbers are asked for.
    Lookups: ContactKey => LookupRow;
    /// The same by when they are due.
    LookupsDue: (Timestamp, ContactKey) => ();
    /// When a contact was last told to use a link.
    Notices: ContactKey => Timestamp;
    Conversations: ConversationKey => ConversationRow;
    /// The conversations that a human has taken over.
    Humans: ConversationKey => ();
    Inbox: Place => InboxRow;
    /// By the arrival number of its first entry.
    DeadTurns: (ConversationKey, u64) => DeadTurnRow;
    /// Where the first entry of a dead turn lay: its contact.
    DeadPlaces: Place => ContactKey;
    /// Replies that wait or are being sent.
    Outbox: Place => OutboxRow;
    /// Replies that are dead or of unknown outcome.
    EndedSends: (ConversationKey, u64) => OutboxRow;
    /// Where an ended reply lay: its contact.
    EndedPlaces: Place => ContactKey;
    History: Place => HistoryRow;
    /// A reply by the hash of its provider's name for it.
    SentIds: Hash => Place;
    Journal: Place => JournalRow;
    /// What came of a message, by its arrival number. Leaves with its line, or, of what is no line, with its turn in
    /// the journal.
    Ways: Place => Way;
    Timers: (ConversationKey, String) => TimerRow;
    /// The same by when they are due.
    TimersDue: (Timestamp, ConversationKey, String) => ();
    /// What an organization knows of a contact.
    Leads: (OrganizationId, ContactKey) => Lead;
    Templates: template::Key => Registered;
    /// A template that was sent, by the place of the reply that it went out as.
    TemplateUses: (TenantId, u64) => template::Use;
    Files: (TenantId, String) => File;
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
        ReadTable::<F>::scan_rows(self, from, &mut |key, _| {
            first = Some(key);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
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
        ReadTable::<F>::scan_rows(self, from, &mut |key, row| {
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
        ReadTable::<F>::scan_rows(self, from, &mut |key, row| {
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

    /// What a tenant keeps and spends, with what this transaction has done so far.
    fn usage(&self, tenant: TenantId) -> Usage;

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
