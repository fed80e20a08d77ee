//! Organizations, tenants and their collections.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Params, Sent, Whole};
use crate::api::{App, change};
use crate::body;
use crate::channel::claim;
use crate::declared::rules;
use crate::declared::standing::{Differs, Fingerprint};
use crate::message::{OrganizationId, TenantId};
use crate::tenant::{Organization, Tenant};

/// A collection's file may be this much longer than its records: people indent.
const WHITE_SPACE: usize = 2;

pub async fn organizations(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let mut organizations: Vec<_> = directory.organizations.values().collect();
    organizations.sort_by_key(|organization| organization.id.0);
    Ok(Json(json!({"organizations": organizations.iter().map(|one| &***one).collect::<Vec<_>>()})))
}

pub async fn put_organization(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Sent(body): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let known = directory.organizations.get(&OrganizationId(id));
    let organization: Organization = changed(known.map(|known| &**known), body, id)?;
    let faults = rules::organization(&organization);
    if !faults.is_empty() {
        return Err(Error::faults(&faults));
    }
    app.store.put_organization(organization.clone(), &caller.actor()).await?;
    let undone = app.reload.standing().organization(&organization);
    Ok(Json(noted(json!(organization), undone)))
}

/// All of them; a tenant sees itself.
pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    let directory = app.store.directory();
    let own = caller.confined_to();
    let mut tenants: Vec<_> =
        directory.tenants.values().filter(|tenant| own.is_none_or(|own| own == tenant.id)).collect();
    tenants.sort_by_key(|tenant| tenant.id);
    let tenants: Vec<Value> = tenants.into_iter().map(|tenant| shown(&app, tenant)).collect();
    Ok(Json(json!({"tenants": tenants})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?;
    // Where files lie is the operator's business.
    let undone = caller.operator().ok().and_then(|()| app.reload.standing().tenant(&tenant));
    Ok(Json(noted(shown(&app, &tenant), undone)))
}

/// The tenant, with what follows from it: its deep link, and how many contacts it has.
fn shown(app: &App, tenant: &Tenant) -> Value {
    let prefix = app.config.routing.prefixes.first().map_or("", String::as_str);
    let users = app.store.counters().users_per_tenant.get(&tenant.id.get()).copied().unwrap_or(0);
    let mut value = json!(tenant);
    value["deep_link"] = json!(format!("{prefix}{}", tenant.id));
    value["users"] = json!(users);
    value
}

pub async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Sent(body): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let known = TenantId::new(id).and_then(|id| directory.tenant(id));
    let tenant: Tenant = changed(known.map(|known| &**known), body, id)?;
    let packages: Vec<String> = app.brains.list().into_iter().map(|package| package.package).collect();
    let faults = rules::tenant(&tenant, &directory, Some(&packages));
    if !faults.is_empty() {
        return Err(Error::faults(&faults));
    }
    app.store.put_tenant(tenant.clone(), &caller.actor()).await?;
    Ok(Json(noted(shown(&app, &tenant), app.reload.standing().tenant(&tenant))))
}

/// A thing that a declared file has otherwise says so: what was changed does not last.
pub fn noted(mut shown: Value, undone: Option<Differs>) -> Value {
    if let Some(differs) = undone {
        shown["declared"] = differs.told();
    }
    shown
}

/// The address names the thing; the body need not, and must not name another.
fn changed<T: Serialize + DeserializeOwned>(
    known: Option<&T>,
    mut body: Map<String, Value>,
    id: u32,
) -> Result<T> {
    change::is_one(&body)?;
    // What answers add is no part of it.
    for shown_only in ["deep_link", "users", "declared"] {
        body.remove(shown_only);
    }
    let named = body.insert("id".into(), id.into());
    if named.is_some_and(|named| named != id) {
        return Err(Error::invalid(
            format!("the body's id is not the address's {id}"),
            "leave `id` out of the body, or make them agree",
        ));
    }
    change::onto(known, body, "see docs/operators.md")
}

/// As it is kept: nothing is parsed for whoever reads it.
pub async fn collection(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name)): Params<(u32, String)>,
) -> Result<Response> {
    let tenant = caller.tenant(&app, id)?.id;
    let Some(records) = app.store.collection_json(tenant, &name).await? else {
        let what = format!("tenant {id} has no collection \"{name}\"");
        return Err(Error::not_found(what, "put one: PUT at this address"));
    };
    let (before, after) = (
        format!("{{\"collection\":{},\"records\":", json!(name)),
        format!(",\"tenant\":{}}}", json!(tenant)),
    );
    let json = [before.as_bytes(), &records, after.as_bytes()].concat();
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// Replaces the whole collection.
pub async fn put_collection(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name)): Params<(u32, String)>,
    Whole(mut body): Whole,
) -> Result<Json<Value>> {
    let tenant: TenantId = caller.tenant(&app, id)?.id;
    if let Some(fault) = rules::collection_name(&name) {
        return Err(Error::faults(&[fault]));
    }
    // Its room is given back when the records are kept.
    let (records, _body) = away(move || Ok((records(&mut body)?, body))).await?;
    let (count, fingerprint) = (records.len(), Fingerprint::of(&records));
    app.store.put_collection(tenant, &name, records, &caller.actor()).await?;
    let undone = app.reload.standing().collection(tenant, &name, fingerprint);
    Ok(Json(noted(json!({"tenant": tenant, "collection": name, "records": count}), undone)))
}

fn records(body: &mut body::Whole) -> Result<Vec<Value>> {
    let limit = rules::COLLECTION_BYTES * WHITE_SPACE;
    if body.len() > limit {
        return Err(Error::too_large(
            format!("the collection's file: limit {limit} bytes, used {}", body.len()),
            format!(
                "split the collection: without white space it may have {} bytes",
                rules::COLLECTION_BYTES
            ),
        ));
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::malformed(format!("the body cannot be read: {error}"), "send a JSON list of records")
    };
    // What is made of it takes many times its own room. The rule of how many values there may be has better
    // words, and is left to speak where it can.
    let bytes = claim::tree_bytes(body, 2 * rules::COLLECTION_VALUES).map_err(|error| unreadable(&error))?;
    body.grow(bytes)?;
    let records: Vec<Value> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    match rules::records(&records).into_iter().next() {
        None => Ok(records),
        Some((index, fault)) => {
            let what = format!("{} {}", fault.key, fault.what);
            Err(Error::invalid(format!("record {index}: {}", what.trim_start()), fault.action))
        }
    }
}

/// Work with much JSON, away from the threads that run turns.
async fn away<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "a request broke off");
        Err(Error::internal())
    })
}
