//! `GET /api/doctor`: what is wrong, or soon will be.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::clock;
use crate::doctor::{self, Patient};

pub async fn examine(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let patient = Patient {
        config: &app.config,
        store: &*app.store,
        file: &*app.file,
        brains: &app.brains,
        egress: &app.egress,
        refused_keys: &app.refused_keys,
        heard: &|sender| app.sessions.was_heard(sender),
        now: clock::now(),
    };
    Ok(Json(json!({"findings": doctor::examine(&patient).await})))
}
