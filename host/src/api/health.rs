//! `GET /health`: the process is up, and which of its parts are not. `GET /ready`: it can take messages, or
//! 503 and why not.
//! `GET /metrics`: Prometheus' text format.
//!
//! `/health` and `/ready` are open to anyone, so they say nothing of anybody. `/metrics` is open
//! where only this machine can reach the gateway; otherwise it wants the operator's token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::Mutex;

use crate::api::App;
use crate::api::auth;
use crate::api::error::Result;
use crate::backup;
use crate::channel::local;
use crate::clock;
use crate::metrics::Kept;

/// A store that cannot commit within this is not ready.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// A probe is a commit, and anyone may ask: they share its answer for this long.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The last probe of the store.
#[derive(Default)]
pub struct Readiness {
    last: Mutex<Option<(Instant, std::result::Result<(), String>)>>,
}

pub async fn health(State(app): State<Arc<App>>) -> Response {
    let dead = app.vitals.dead();
    let status = if dead.is_empty() { "ok" } else { "impaired" };
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({"status": status, "version": version, "dead": dead})).into_response()
}

pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let mut reasons = Vec::new();
    if app.is_draining() {
        reasons.push("the gateway is stopping".to_owned());
    }
    for part in app.vitals.dead() {
        reasons.push(format!("a part of the gateway has ended: {part}; the log says why"));
    }
    if let Err(reason) = probe(&app).await {
        reasons.push(reason);
    }
    let directory = app.store.directory();
    let served = directory.tenants.values().any(|tenant| tenant.active);
    if served && !app.brains.has_any() {
        reasons.push("no brain is loaded; `switchboard brain list` says why".to_owned());
    }
    if reasons.is_empty() {
        return Json(json!({"status": "ready"})).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "unavailable", "reasons": reasons})))
        .into_response()
}

async fn probe(app: &App) -> std::result::Result<(), String> {
    let mut last = app.readiness.last.lock().await;
    if let Some((at, result)) = &*last
        && at.elapsed() < PROBE_EVERY
    {
        return result.clone();
    }
    let result = match tokio::time::timeout(PROBE_PATIENCE, app.store.probe()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the store did not commit within {} s", PROBE_PATIENCE.as_secs())),
    };
    *last = Some((Instant::now(), result.clone()));
    result
}

async fn look(app: &App) -> Kept {
    let directory = app.store.directory();
    let mut kept = Kept::of(&*app.store, &*app.file, clock::now()).await;
    kept.backup_age = backup::age(&app.config.backups());
    kept.keys_refused = app.refused_keys.count(directory.senders.values().map(Arc::as_ref));
    kept.dead_parts = app.vitals.dead().len();
    kept
}

pub async fn metrics(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    // Whoever shows a key is judged by it.
    let private = app.config.is_private()
        && local::is_from_this_machine(request.headers())
        && !request.headers().contains_key(header::AUTHORIZATION);
    let refused = match private {
        true => None,
        false => auth::identify(&app, &request).await.and_then(|caller| caller.operator()).err(),
    };
    match refused {
        None => {}
        Some(error) => {
            let turned_away = auth::turned_away(&app, &request, error);
            drop(request);
            return Ok(turned_away.answer().await);
        }
    }
    let text = app.metrics.render(&look(&app).await);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
