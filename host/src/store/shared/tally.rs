//! What a transaction writes, counted where it is written: how many writes there were, and by how much the rows of
//! each tenant grew.

use std::collections::BTreeMap;

use crate::message::TenantId;
use crate::store::quotas::{Shelf, Usage};

/// Rows and bytes, more or fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Grown {
    rows: i64,
    bytes: i64,
}

/// Of one transaction.
#[derive(Debug, Default)]
pub struct Tally {
    writes: u64,
    grown: BTreeMap<TenantId, [Grown; Shelf::COUNT]>,
}

impl Tally {
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// A row was put down, changed or taken out. `counts`: for whom, where it counts for anybody; `before` and `after`:
    /// the bytes of its key and of what it holds, where there is such a row.
    pub fn wrote(&mut self, counts: Option<(Shelf, TenantId)>, before: Option<u64>, after: Option<u64>) {
        self.writes += 1;
        let Some((shelf, tenant)) = counts else { return };
        let grown = &mut self.grown.entry(tenant).or_default()[shelf as usize];
        grown.rows += i64::from(after.is_some()) - i64::from(before.is_some());
        grown.bytes += signed(after.unwrap_or(0)) - signed(before.unwrap_or(0));
    }

    /// The tenants whose rows changed.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.grown.keys().copied().collect()
    }

    /// Adds to `usage` by how much the tenant's rows grew.
    pub fn grow(&self, tenant: TenantId, usage: &mut Usage) {
        let Some(grown) = self.grown.get(&tenant) else { return };
        for shelf in Shelf::ALL {
            let (amount, grown) = (usage.of_mut(shelf), grown[shelf as usize]);
            amount.rows = amount.rows.saturating_add_signed(grown.rows);
            amount.bytes = amount.bytes.saturating_add_signed(grown.bytes);
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
