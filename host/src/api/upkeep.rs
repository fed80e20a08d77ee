//! The store's file and its disk: how they stand, whether all of it can be read, and giving back what the
//! file does not need.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;

pub async fn show(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    Ok(Json(json!({ "disk": app.file.room(), "file": app.file.file_bytes().await? })))
}

/// Reads and counts everything, while the gateway runs.
pub async fn verify(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    Ok(Json(json!(app.file.verify().await?)))
}

/// Messages wait meanwhile.
pub async fn compact(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let done = app.file.compact().await?;
    app.audit(&caller, "compact store", String::new(), json!(done)).await?;
    Ok(Json(json!(done)))
}
