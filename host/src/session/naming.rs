//! What sessions and their senders are called.

use serde_json::json;

use crate::message::{Provider, SenderName, TenantId};
use crate::session::Whose;
use crate::tenant::Sender;

/// The session that CORE versions of WAHA have, and the usual one of a shared number.
pub const DEFAULT_SESSION: &str = "default";

/// `tenant_2`: what tenants' sessions are called, here and in what came before.
pub fn session_of(tenant: TenantId) -> String {
    format!("tenant_{tenant}")
}

/// What a tenant's sender is called that was made here.
pub fn sender_of(tenant: TenantId) -> SenderName {
    SenderName::new(format!("tenant-{tenant}"))
}

/// The tenant that a session is called after.
pub fn tenant_of(session: &str) -> Option<TenantId> {
    let digits = session.strip_prefix("tenant_")?;
    let id = TenantId::new(digits.parse().ok()?)?;
    (session_of(id) == session).then_some(id)
}

pub fn new_sender(whose: &Whose, session: Option<&str>) -> Sender {
    let sender = match whose {
        Whose::Tenant(tenant) => json!({
            "name": sender_of(*tenant), "provider": Provider::Waha,
            "account": session_of(*tenant), "tenant": tenant,
        }),
        Whose::Sender(name) => json!({
            "name": name, "provider": Provider::Waha, "account": session.unwrap_or(DEFAULT_SESSION),
        }),
    };
    serde_json::from_value(sender).expect("all that has no default is given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_name_their_tenants() {
        for (session, tenant) in [
            ("tenant_2", Some(2)),
            ("tenant_4294967295", Some(4_294_967_295)),
            ("tenant_4294967296", None),
            ("tenant_0", None),
            ("tenant_02", None),
            ("tenant_+2", None),
            ("tenant_2x", None),
            ("Tenant_2", None),
            ("default", None),
        ] {
            assert_eq!(tenant_of(session).map(TenantId::get), tenant, "{session}");
        }
    }
}
