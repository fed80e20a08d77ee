//! Replies that wait, died, or are of unknown outcome. A tenant sees and settles its own.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::page;
use crate::api::request::{Asked, Params, Sent};
use crate::api::scoped::{conversation_of, unknown};
use crate::api::turns::{self, Many, Narrow};
use crate::clock;
use crate::store::SendSummary;

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(narrow): Asked<Narrow>,
) -> Result<Json<Value>> {
    let found = app.store.outbox_page(&narrow.filter(&app, &caller).await?, page::BYTES).await?;
    let sends: Vec<Value> = found.entries.iter().map(shown).collect();
    Ok(Json(json!({"outbox": sends, "more": found.more, "next": found.next})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    let send = app.store.send(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(shown(&send)))
}

fn shown(send: &SendSummary) -> Value {
    let mut value = json!(send);
    value["due_at"] = json!(send.entry.due_at.to_string());
    value["created_at"] = json!(send.entry.created_at.to_string());
    value
}

/// Sends those that match again, now: counted first, then done.
pub async fn retry_many(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Sent(many): Sent<Many>,
) -> Result<Json<Value>> {
    let (filter, count) = many.filter(&app, &caller).await?;
    let (found, actor) = (app.store.sends_like(&filter, turns::AT_ONCE).await?, caller.actor());
    turns::to_many(&found, count, app.store.retry_sends(&found, &actor, clock::now())).await
}

pub async fn drop_many(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Sent(many): Sent<Many>,
) -> Result<Json<Value>> {
    let (filter, count) = many.filter(&app, &caller).await?;
    let (found, actor) = (app.store.sends_like(&filter, turns::AT_ONCE).await?, caller.actor());
    turns::to_many(&found, count, app.store.drop_sends(&found, &actor, clock::now())).await
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
