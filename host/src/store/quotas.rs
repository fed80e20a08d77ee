//! What a tenant has used of its quotas: what is kept of it, table by table, and what its turns took
//! today. It is counted in the commits that change it, so that neither a crash nor a restart forgets it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use super::Result;
use crate::message::{TenantId, Timestamp};
use crate::policy::quota::Level;
use crate::tenant::quotas::{Kind, Unit};

/// The tables whose rows belong to one tenant each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    Inbox,
    DeadTurns,
    Outbox,
    EndedSends,
    History,
    Journal,
    Conversations,
    Timers,
    Collections,
    TemplateUses,
    Files,
    OptOuts,
}

impl Shelf {
    pub const COUNT: usize = 12;

    pub const ALL: [Shelf; Shelf::COUNT] = [
        Shelf::Inbox,
        Shelf::DeadTurns,
        Shelf::Outbox,
        Shelf::EndedSends,
        Shelf::History,
        Shelf::Journal,
        Shelf::Conversations,
        Shelf::Timers,
        Shelf::Collections,
        Shelf::TemplateUses,
        Shelf::Files,
        Shelf::OptOuts,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Shelf::Inbox => "inbox",
            Shelf::DeadTurns => "dead_turns",
            Shelf::Outbox => "outbox",
            Shelf::EndedSends => "ended_sends",
            Shelf::History => "history",
            Shelf::Journal => "journal",
            Shelf::Conversations => "conversations",
            Shelf::Timers => "timers",
            Shelf::Collections => "collections",
            Shelf::TemplateUses => "template_uses",
            Shelf::Files => "files",
            Shelf::OptOuts => "opt_outs",
        }
    }
}

/// Rows, and the bytes of their keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    kept: [Amount; Shelf::COUNT],
    /// Conversations whose timers wait until their contacts write.
    pub silenced: u64,
    /// Bytes of its files on the disk.
    pub file_bytes: u64,
    /// Of this day, counted since 1970 in UTC.
    pub day: u32,
    pub turns: u64,
    pub fuel: u64,
}

impl Usage {
    pub fn of(&self, shelf: Shelf) -> Amount {
        self.kept[shelf as usize]
    }

    pub fn of_mut(&mut self, shelf: Shelf) -> &mut Amount {
        &mut self.kept[shelf as usize]
    }

    /// Everything in the store together.
    pub fn bytes(&self) -> u64 {
        self.kept.iter().map(|amount| amount.bytes).sum()
    }

    /// Turns and fuel of this day; none if it has only begun.
    pub fn on(&self, day: u32) -> (u64, u64) {
        if self.day == day { (self.turns, self.fuel) } else { (0, 0) }
    }

    /// Without what leaves no rows; for a recount.
    pub fn rows_only(&self) -> Usage {
        Usage { day: 0, turns: 0, fuel: 0, ..*self }
    }
}

/// A quota as its tenant is shown it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gauge {
    pub name: &'static str,
    pub unit: Unit,
    pub limit: u64,
    pub used: u64,
    pub level: Level,
    /// When there is some again, where time alone brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frees_at: Option<Timestamp>,
    /// The tenant's own value, not everybody's.
    pub own: bool,
}

/// What tenants have used of their quotas, and whether there is more.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Every quota of a tenant, in the order of the table.
    fn gauges(&self, tenant: TenantId, now: Timestamp) -> Vec<Gauge>;
    /// Takes some of what is counted by the minute or hour, or refuses it with [`super::Error::Limit`] if
    /// nothing of it is left.
    fn spend(&self, tenant: TenantId, kind: Kind, amount: u64, now: Timestamp) -> Result<()>;
    /// Is there room for one more file? Refused with [`super::Error::Limit`].
    fn room_for_files(&self, tenant: TenantId) -> Result<()>;
    /// And for one of this size that is not known yet?
    fn room_for_file(&self, tenant: TenantId, bytes: u64) -> Result<()>;
    /// What is used, of every tenant of which anything is kept.
    fn usage(&self) -> BTreeMap<TenantId, Usage>;
    /// The same, counted anew row by row. Turns and fuel leave no rows and are as they are kept.
    async fn recount_usage(&self) -> Result<BTreeMap<TenantId, Usage>>;
}
