//! Everything that is asked of a store, over any engine: each verb prepares what its rule needs, has the engine apply
//! it, and says what came of it.

mod api_keys;
mod arrivals;
mod collections;
mod conversations;
mod locks;
mod receipts;
mod registry;
mod sends;
mod sessions;
mod turns;
mod waking;
