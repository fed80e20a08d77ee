//! `POST /api/reload`: what files declare is read again.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::Value;

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;

pub async fn reload(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    Ok(Json(app.reload.again(&caller.actor()).await?.told()))
}
