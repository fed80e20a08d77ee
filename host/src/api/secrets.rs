//! The keys that senders' secrets are sealed with: their ids and what each seals, never a key.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::request::Params;
use crate::keyring;
use crate::seal::KeyId;

pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    let ring = keyring::read(&app.config)?.ring;
    let sealed = app.store.sealed().await?;
    let current = ring.current().map(|key| key.id().clone());
    let shown = |id: &KeyId| {
        let secrets = sealed.get(&Some(id.clone())).copied().unwrap_or(0);
        json!({"id": id.as_str(), "current": current.as_ref() == Some(id), "secrets": secrets})
    };
    let keys: Vec<Value> = ring.keys().map(|key| shown(key.id())).collect();
    let in_clear = sealed.get(&None).copied().unwrap_or(0);
    Ok(Json(json!({"keys": keys, "in_clear": in_clear, "key_file": app.config.key_file()})))
}

pub async fn rotate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let done = keyring::rotate(&app.config, &*app.store).await?;
    let detail = json!({"senders": done.resealed, "resumed": done.resumed});
    app.audit(&caller, "rotate secret key", done.current.to_string(), detail).await?;
    Ok(Json(json!({
        "current": done.current.as_str(),
        "resumed": done.resumed,
        "senders": done.resealed,
        "key_file": app.config.key_file(),
    })))
}

pub async fn retire(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let id = KeyId::new(id);
    keyring::retire(&app.config, &*app.store, &id).await?;
    app.audit(&caller, "retire secret key", id.to_string(), Value::Null).await?;
    Ok(Json(json!({"status": "retired", "id": id.as_str()})))
}
