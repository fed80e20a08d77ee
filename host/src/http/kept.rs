//! What the operator does about webhooks that could not be read: `GET /api/webhook/unread` lists them,
//! `POST /api/webhook/replay` takes in what can be read now.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::clock;
use crate::store::AuditEntry;
use crate::webhook::Webhook;

/// So many are listed.
const LISTED: usize = 100;

/// Whoever mounts it must check that the caller is the operator.
pub fn routes(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route("/api/webhook/unread", get(list))
        .route("/api/webhook/replay", post(replay))
        .with_state(webhook)
}

/// Their words are contacts' own, and are shown to nobody here.
async fn list(State(webhook): State<Arc<Webhook>>) -> Result<Response> {
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
    State(webhook): State<Arc<Webhook>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    let replayed = webhook.replay().await?;
    let entry = AuditEntry {
        at: clock::now(),
        actor: caller.actor(),
        action: "replay".into(),
        subject: "webhooks".into(),
        detail: json!(replayed),
    };
    webhook.store.audit(entry).await.map_err(Error::from)?;
    Ok(Json(json!(replayed)).into_response())
}
