//! What a tenant may use and has used, and the one place where changes made with its key are counted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::Params;
use crate::clock;
use crate::message::TenantId;
use crate::store::quotas::Shelf;
use crate::tenant::quotas::Kind;

/// Every quota with what is used of it, and what is kept table by table.
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let mut gauges = Vec::new();
    for gauge in app.store.gauges(tenant, clock::now()) {
        let mut shown = json!(gauge);
        shown["frees_at"] = json!(gauge.frees_at.map(|at| at.to_string()));
        gauges.push(shown);
    }
    let usage = app.store.usage().get(&tenant).copied().unwrap_or_default();
    let kept: serde_json::Map<String, Value> =
        Shelf::ALL.iter().map(|shelf| (shelf.name().to_owned(), json!(usage.of(*shelf)))).collect();
    Ok(Json(json!({ "tenant": tenant, "quotas": gauges, "kept": kept, "kept_bytes": usage.bytes() })))
}

/// Everything that a tenant's key changes is counted, before its body is read, and needs room on the disk:
/// a row and what is written down of it stay. What removes may go on, so that there is some again.
pub async fn counted(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let tenant = request.extensions().get::<Caller>().and_then(Caller::confined_to);
    let Some(tenant) = tenant.filter(|_| request.method() != Method::GET) else {
        return next.run(request).await;
    };
    let room = match *request.method() {
        Method::DELETE => Ok(()),
        _ => app.store.room_on_disk().map_err(Error::from),
    };
    match room.and_then(|()| spend(&app, tenant, Kind::ChangesPerHour)) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Takes one of what a tenant's key has by the hour. The operator has as many as it likes.
pub fn upload(app: &App, caller: &Caller) -> Result<()> {
    caller.confined_to().map_or(Ok(()), |tenant| spend(app, tenant, Kind::UploadsPerHour))?;
    Ok(app.store.room_on_disk()?)
}

fn spend(app: &App, tenant: TenantId, kind: Kind) -> Result<()> {
    Ok(app.store.spend(tenant, kind, 1, clock::now())?)
}
