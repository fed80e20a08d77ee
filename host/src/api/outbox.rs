//! Replies that wait, died, or are of unknown outcome. A tenant sees and settles its own.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::request::{Asked, Params};
use crate::api::scoped::{conversation_of, unknown};
use crate::api::turns::Narrow;
use crate::clock;
use crate::message::ConversationKey;
use crate::store::{Filter, SendSummary};

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(narrow): Asked<Narrow>,
) -> Result<Json<Value>> {
    let sends = app.store.outbox(&narrow.filter(&app, &caller)?)?;
    Ok(Json(json!({"outbox": sends.iter().map(shown).collect::<Vec<_>>()})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    let ConversationKey { tenant, contact } = conversation_of(&app, &caller, &id)?;
    let filter = Filter { tenant: Some(tenant), contact: Some(contact), ended: false, limit: usize::MAX };
    let send =
        app.store.outbox(&filter)?.into_iter().find(|send| send.id == id).ok_or_else(|| unknown(&id))?;
    Ok(Json(shown(&send)))
}

fn shown(send: &SendSummary) -> Value {
    let mut value = json!(send);
    value["due_at"] = json!(send.entry.due_at.to_string());
    value["created_at"] = json!(send.entry.created_at.to_string());
    value
}

/// Sends it again, now. For one of unknown outcome that may mean twice; the operator decides.
pub async fn retry(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    app.store.retry_send(&id, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({"status": "waiting", "id": id})))
}

pub async fn drop(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    app.store.drop_send(&id, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({"status": "dropped", "id": id})))
}
