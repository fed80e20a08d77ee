//! What the operator does about webhooks that could not be read: `GET /api/webhook/unread` lists them,
//! `POST /api/webhook/replay` takes in what can be read now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::webhook::Webhook;

/// So many are listed.
const LISTED: usize = 100;

/// Who keeps the audit log, and who hears.
type Parts = (Arc<App>, Arc<Webhook>);

/// Whoever mounts it must check that the caller is the operator.
pub fn routes(app: Arc<App>, webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route("/api/webhook/unread", get(list))
        .route("/api/webhook/replay", post(replay))
        .with_state((app, webhook))
}

/// Their words are contacts' own, and are shown to nobody here.
async fn list(State((_, webhook)): State<Parts>) -> Result<Response> {
    let mut items: Vec<Value> = Vec::new();
    let mut after = None;
    while items.len() < LISTED
        && let Some((id, kept)) = webhook.store.unread(after.as_ref(), 1).await?.pop()
    {
        items.push(json!({
            "provider": kept.provider, "received_at": kept.received_at.to_string(), "events": kept.topics,
            "reason": kept.reason, "senders": kept.proven, "bytes": kept.body.len(),
        }));
        after = Some(id);
    }
    let counts = webhook.store.unread_counts().await?;
    let counts: serde_json::Map<String, Value> =
        counts.into_iter().map(|(provider, count)| (provider.name().to_owned(), json!(count))).collect();
    Ok(Json(json!({"items": items, "kept": counts})).into_response())
}

async fn replay(
    State((app, webhook)): State<Parts>,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    let replayed = webhook.replay().await?;
    app.audit(&caller, "replay", "webhooks".into(), json!(replayed)).await?;
    Ok(Json(json!(replayed)).into_response())
}
