//! Whose rows are: the tenant that a key names.

use super::place::Place;
use crate::message::{ConversationKey, TenantId};

/// A key that names a tenant.
pub trait OfTenant {
    fn tenant(&self) -> TenantId;
}

impl OfTenant for Place {
    fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl OfTenant for ConversationKey {
    fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl<T> OfTenant for (ConversationKey, T) {
    fn tenant(&self) -> TenantId {
        self.0.tenant
    }
}

impl<T> OfTenant for (TenantId, T) {
    fn tenant(&self) -> TenantId {
        self.0
    }
}
