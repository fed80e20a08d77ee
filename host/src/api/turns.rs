//! Turns that wait or died. A tenant sees and retries its own.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::page::{self, Limit};
use crate::api::request::{Asked, Params};
use crate::api::scoped::{self, conversation_of, unknown};
use crate::clock;
use crate::store::{Filter, TurnSummary};

/// Narrows a listing, here and of the outbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrow {
    tenant: Option<u32>,
    contact: Option<String>,
    /// Only what has given up.
    #[serde(default)]
    ended: bool,
    #[serde(default)]
    limit: Limit,
}

/// No listing is longer; narrow it.
const LONGEST: usize = 10_000;

impl Narrow {
    pub fn filter(self, app: &App, caller: &Caller) -> Result<Filter> {
        let tenant = match (self.tenant, caller.confined_to()) {
            (Some(id), _) => Some(caller.tenant(app, id)?.id),
            (None, own) => own,
        };
        let contact = match (&self.contact, tenant) {
            (None, _) => None,
            (Some(written), Some(tenant)) => Some(scoped::within(app, tenant, written)?.contact),
            (Some(written), None) => Some(app.store.person(&scoped::anybody(caller, written)?)?.canonical),
        };
        Ok(Filter { tenant, contact, ended: self.ended, limit: self.limit.up_to(LONGEST)? })
    }
}

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(narrow): Asked<Narrow>,
) -> Result<Json<Value>> {
    let found = app.store.turns_page(&narrow.filter(&app, &caller)?, page::BYTES)?;
    let turns: Vec<Value> = found.entries.iter().map(shown).collect();
    Ok(Json(json!({"turns": turns, "more": found.more})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    let turn = app.store.turn(&id)?.ok_or_else(|| unknown(&id))?;
    Ok(Json(shown(&turn)))
}

fn shown(turn: &TurnSummary) -> Value {
    let mut value = json!(turn);
    value["at"] = json!(turn.at.to_string());
    value
}

pub async fn retry(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    app.store.retry_turn(&id, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({"status": "waiting", "id": id})))
}
