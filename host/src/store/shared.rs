//! What every engine keeps in memory: the directory, the counters, the schedules of what waits, and what of it a
//! commit changes. One process has it, because a store has one owner.

pub mod asleep;
pub mod changes;
pub mod cursors;
pub mod effect;
pub mod fetches;
pub mod index;
pub mod lock;
pub mod meters;
pub mod moved;
pub mod parsed;
pub mod pending_receipts;
pub mod quotas;
pub mod schedules;
pub mod settings;
pub mod state;
pub mod tally;
