//! Everything that is asked of a store, over any engine: each verb prepares what its rule needs, has the engine apply
//! it, and says what came of it.

mod accounts;
mod api_keys;
mod arrivals;
mod collections;
mod contacts;
mod conversations;
mod files;
mod housekeeping;
mod listed;
mod locks;
mod numbers;
mod own_packages;
mod pages;
mod receipts;
mod registry;
mod secrets;
mod sends;
mod sessions;
mod templates;
mod turns;
mod unread;
mod upkeep;
mod waking;
mod ways;
