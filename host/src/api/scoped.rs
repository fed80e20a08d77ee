//! The only place where what a caller wrote becomes a contact. A tenant's request knows the tenant's own
//! people and nobody else's: a key leads to the person if the tenant has it, and is otherwise just what was
//! written, whoever may be behind it. An answer repeats what the caller wrote, and no other key of anybody
//! whom the tenant does not have.

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::glyph;
use crate::identity;
use crate::message::{ContactKey, ConversationKey, TenantId};

/// Of what a caller wrote so much is repeated.
const REPEATED: usize = 80;

/// What a caller wrote, fit for an answer.
pub fn repeated(text: &str) -> String {
    glyph::shown(text, REPEATED)
}

/// A contact as this tenant may see it, by a tenant's id and whatever the caller calls the contact.
pub async fn contact_of(app: &App, caller: &Caller, tenant: u32, written: &str) -> Result<ConversationKey> {
    within(app, caller.tenant(app, tenant)?.id, written).await
}

/// The same, where it is known already that the caller may see the tenant.
pub async fn within(app: &App, tenant: TenantId, written: &str) -> Result<ConversationKey> {
    let contact = app.store.contact_of(tenant, &identity::contact(written)?).await?;
    Ok(ConversationKey { tenant, contact })
}

/// Anybody, for the operator.
pub fn anybody(caller: &Caller, written: &str) -> Result<ContactKey> {
    caller.operator()?;
    Ok(identity::contact(written)?)
}

/// Anybody in a file of contacts.
pub fn listed(written: &str) -> std::result::Result<ContactKey, identity::Error> {
    identity::contact(written)
}

/// Takes `2-971501234567-17` apart, and refuses it to those who may not see it. A contact's key may
/// hold dashes of its own.
pub fn conversation_of(app: &App, caller: &Caller, id: &str) -> Result<ConversationKey> {
    let parts = id.split_once('-').and_then(|(tenant, rest)| {
        let (contact, place) = rest.rsplit_once('-')?;
        place.parse::<u64>().ok()?;
        Some((tenant.parse::<u32>().ok()?, contact))
    });
    let (tenant, contact) = parts.ok_or_else(|| {
        Error::malformed(format!("\"{}\" is no id", repeated(id)), "ids look like 2-971501234567-17")
    })?;
    // What the gateway says in its own name belongs to no tenant; the operator sees it too.
    let tenant = match (tenant, caller) {
        (0, Caller::Operator { .. }) => TenantId::GATEWAY,
        _ => caller.tenant(app, tenant).map_err(|_| unknown(id))?.id,
    };
    Ok(ConversationKey { tenant, contact: ContactKey::from_stored(contact) })
}

/// A turn or a reply that is not there, or not the caller's.
pub fn unknown(id: &str) -> Error {
    Error::not_found(
        format!("there is no {}", repeated(id)),
        "it may be done by now; list what waits, or the outbox",
    )
}
