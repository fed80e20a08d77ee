//! The rows that are written once a commit, however many operations share it.

use super::{lookups, timers, usage, users};
use crate::store::rows::{DedupLog, Rows, Step, Totals};
use crate::store::shared::index::Sealed;

/// The end of every transaction that has written something. Tells what is kept in memory of rows.
pub fn seal(rows: &mut impl Rows) -> Step<Sealed> {
    let hashes = std::mem::take(&mut rows.changes_mut().hashes);
    if !hashes.is_empty() {
        // Ignored messages take no number of their own, and two commits of one millisecond need two keys.
        let key = (rows.changes().hashes_at, rows.seq());
        rows.put::<DedupLog>(&key, &hashes)?;
    }
    let users = users::settle(rows)?;
    let usage = usage::settle(rows)?;
    let state = rows.changes().state;
    if state != rows.index().state() {
        rows.put::<Totals>(&(), &state)?;
    }
    let next_timer = match rows.changes().timers_changed {
        true => Some(timers::first_due(rows)?),
        false => None,
    };
    let next_lookup = match rows.changes().lookups_changed {
        true => Some(lookups::first_due(rows)?),
        false => None,
    };
    Ok(Sealed { users, usage, next_timer, next_lookup })
}
