//! Contacts and the tenants they are locked to: numbers, one contact's tenant, freeing a contact.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::Params;
use crate::api::scoped;
use crate::clock;
use crate::store::Counters;

/// From the counters that the store keeps; nothing is counted here.
pub async fn stats(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    let counters = app.store.counters();
    Ok(Json(json!({
        "status": "success",
        "gateway_stats": {
            "total_users": counters.users,
            "total_tenants": app.store.directory().tenants.len(),
            "users_per_tenant": counters.users_per_tenant,
            "last_updated": counters.last_updated.in_seconds(),
        },
        "percentages": percentages(&counters),
    })))
}

/// Each tenant's share of the users, in percent, to two decimals.
fn percentages(counters: &Counters) -> BTreeMap<u32, f64> {
    let share = |users: u64| (users as f64 * 10_000.0 / counters.users.max(1) as f64).round() / 100.0;
    counters.users_per_tenant.iter().map(|(tenant, users)| (*tenant, share(*users))).collect()
}

pub async fn tenant_of(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(phone): Params<String>,
) -> Result<Json<Value>> {
    let contact = scoped::anybody(&caller, &phone)?;
    let lock = app.store.lock_of(&contact).await?.ok_or_else(not_locked)?;
    let name = app.store.directory().tenant(lock.tenant).map(|tenant| tenant.name.clone());
    Ok(Json(json!({
        "status": "found",
        "phone_number": contact,
        "tenant_id": lock.tenant,
        "tenant_name": name,
        "since": lock.since.to_string(),
        "attribution": lock.attribution,
        "sender": lock.sender,
    })))
}

/// Frees the contact. What it said to the old tenant stays with the old tenant.
pub async fn unlock(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(phone): Params<String>,
) -> Result<Json<Value>> {
    let contact = scoped::anybody(&caller, &phone)?;
    if app.store.lock_of(&contact).await?.is_none() {
        return Err(not_locked());
    }
    let lock = app.store.unlock(&contact, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({"status": "deleted", "phone_number": contact, "previous_tenant_id": lock.tenant})))
}

fn not_locked() -> Error {
    Error::not_found("this contact is not associated with any tenant", "it begins with an agent's link")
}
