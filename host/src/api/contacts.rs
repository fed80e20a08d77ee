//! Who is who: a contact's keys, its tenant, and the operator's word on which keys are one person's.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::request::{Params, Sent};
use crate::api::scoped;
use crate::clock;
use crate::store::contacts::Person;

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(contact): Params<String>,
) -> Result<Json<Value>> {
    let person = app.store.person(&scoped::anybody(&caller, &contact)?).await?;
    Ok(Json(shown(&app, &person)))
}

fn shown(app: &App, person: &Person) -> Value {
    let lock = person.lock.as_ref();
    let tenant = lock.and_then(|lock| app.store.directory().tenant(lock.tenant).cloned());
    let mut shown = json!({
        "contact": person.canonical,
        "aliases": person.aliases,
        "tenant_id": lock.map(|lock| lock.tenant),
        "tenant_name": tenant.map(|tenant| tenant.name.clone()),
        "since": lock.map(|lock| lock.since.to_string()),
        "attribution": lock.and_then(|lock| lock.attribution.clone()),
        "sender": lock.and_then(|lock| lock.sender.clone()),
    });
    if !person.own.is_empty() {
        shown["aliases_of_one_tenant"] = json!(person.own);
    }
    shown
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Into {
    into: String,
}

/// The contact becomes an alias of the other one, with everything that is kept of it.
pub async fn merge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(contact): Params<String>,
    Sent(Into { into }): Sent<Into>,
) -> Result<Json<Value>> {
    let (from, into) = (scoped::anybody(&caller, &contact)?, scoped::anybody(&caller, &into)?);
    let person = app.store.merge_contacts(&from, &into, &caller.actor(), clock::now()).await?;
    let mut answer = shown(&app, &person);
    answer["status"] = json!("merged");
    Ok(Json(answer))
}

/// The alias is a person of its own again, with the lock it had. What was merged of its conversations
/// stays with the other.
pub async fn unmerge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(contact): Params<String>,
) -> Result<Json<Value>> {
    let alias = scoped::anybody(&caller, &contact)?;
    let left = app.store.unmerge_contact(&alias, &caller.actor(), clock::now()).await?;
    let mut answer = shown(&app, &app.store.person(&alias).await?);
    answer["status"] = json!("unmerged");
    answer["was_alias_of"] = json!(left.canonical);
    answer["conversations"] = json!(format!("what was merged stays with {}", left.canonical));
    Ok(Json(answer))
}
