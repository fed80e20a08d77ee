//! Contacts who want no messages of a tenant. Nothing is sent to them, whatever a brain says.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::page::Limit;
use crate::api::request::{Asked, Params, Sent};
use crate::api::scoped;
use crate::clock;
use crate::message::ContactKey;
use crate::store::contacts::OptOut;

const LONGEST_PAGE: usize = 1000;

/// In bytes.
const LONGEST_REASON: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The last contact that the caller has; none: from the beginning.
    after: Option<String>,
    #[serde(default)]
    limit: Limit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    reason: Option<String>,
}

fn shown(contact: &ContactKey, opt_out: &OptOut) -> Value {
    json!({"contact": contact, "since": opt_out.since.to_string(), "reason": opt_out.note})
}

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(tenant): Params<u32>,
    Asked(page): Asked<Page>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, tenant)?.id;
    let after = match page.after.as_deref() {
        Some(after) => Some(scoped::within(&app, tenant, after).await?),
        None => None,
    };
    let after = after.as_ref().map(|after| &after.contact);
    let found = app.store.opt_outs(tenant, after, page.limit.up_to(LONGEST_PAGE)?).await?;
    let found: Vec<Value> = found.iter().map(|(contact, opt_out)| shown(contact, opt_out)).collect();
    Ok(Json(json!({"opt_outs": found})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    let opt_out = app.store.opt_out(&key).await?.ok_or_else(|| {
        Error::not_found("this contact has not opted out", "list the opt-outs to see who has")
    })?;
    Ok(Json(shown(&key.contact, &opt_out)))
}

/// One that is there is written anew.
pub async fn add(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
    Sent(Because { reason }): Sent<Because>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    let reason = reason.unwrap_or_else(|| caller.actor());
    if reason.len() > LONGEST_REASON {
        let what = format!("a reason of {} bytes; the limit is {LONGEST_REASON}", reason.len());
        return Err(Error::invalid(what, "say it shorter"));
    }
    let (actor, now) = (caller.actor(), clock::now());
    let opt_out = OptOut::by_operator(now, reason);
    app.store.set_opt_out(&key, Some(opt_out.clone()), &actor, now).await?;
    let mut answer = shown(&key.contact, &opt_out);
    answer["status"] = json!("opted_out");
    Ok(Json(answer))
}

/// Messages go out again. Whether the contact agrees is the caller's word.
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    app.store.set_opt_out(&key, None, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({"status": "opted_in", "contact": key.contact})))
}
