//! What happens in a store, verb by verb: a message is taken in, a turn committed, a reply settled, two contacts become
//! one. Functions over rows, which know no engine; an engine gives them a transaction, commits it, and applies what
//! they leave behind to memory.

use crate::message::ConversationKey;

pub mod accept;
pub mod api_keys;
pub mod audit_log;
pub mod collections;
pub mod contact_tenants;
pub mod contacts;
pub mod dead_turns;
pub mod directory;
pub mod echoes;
pub mod ended;
pub mod files;
pub mod handoff;
pub mod handover;
pub mod history;
pub mod inbox;
pub mod leads;
mod leaving;
pub mod listing;
pub mod load;
pub mod locks;
pub mod lookups;
pub mod merge;
pub mod names;
pub mod oldest;
pub mod opt_outs;
pub mod own_packages;
pub mod pages;
pub mod probe;
pub mod prune;
pub mod reached;
pub mod receipts;
pub mod references;
pub mod replies;
pub mod seal;
pub mod secrets;
pub mod senders;
pub mod sends;
pub mod sessions;
pub mod template_uses;
pub mod templates;
pub mod timers;
pub mod trim;
pub mod turns;
pub mod unread;
pub mod usage;
mod users;
pub mod views;
pub mod waiting;
pub mod ways;
pub mod wishes;

/// A conversation in the audit log.
pub fn named(key: &ConversationKey) -> String {
    format!("{}/{}", key.tenant, key.contact)
}
