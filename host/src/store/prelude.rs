//! Every part of a store, for who calls all of them on an engine that they have by its type.

pub use super::Store;
pub use super::api_keys::ApiKeys as _;
pub use super::arrivals::Arrivals as _;
pub use super::collections::Collections as _;
pub use super::contacts::Contacts as _;
pub use super::conversations::Conversations as _;
pub use super::housekeeping::Housekeeping as _;
pub use super::listed::Listed as _;
pub use super::locks::Locks as _;
pub use super::media::MediaShelf as _;
pub use super::numbers::Numbers as _;
pub use super::packages::OwnPackages as _;
pub use super::pages::Pages as _;
pub use super::quotas::Accounts as _;
pub use super::receipts::Receipts as _;
pub use super::registry::Registry as _;
pub use super::secrets::Secrets as _;
pub use super::sends::Sends as _;
pub use super::sessions::Sessions as _;
pub use super::templates::Templates as _;
pub use super::turns::Turns as _;
pub use super::unread::Unread as _;
pub use super::upkeep::{StoreFile as _, Upkeep as _};
pub use super::wakes::Waking as _;
pub use super::ways::Ways as _;
