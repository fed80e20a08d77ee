//! Who a contact is across tenants.

use crate::message::ContactKey;
use crate::route::Lock;

/// A contact's lock, or whose alias it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contact {
    pub alias_of: Option<ContactKey>,
    pub lock: Option<Lock>,
    /// Of an alias: the lock it had when it was merged,
    pub former: Option<Lock>,
    /// and the lock of the other one that had to give way to it.
    pub replaced: Option<Lock>,
}
