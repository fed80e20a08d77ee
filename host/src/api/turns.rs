//! Turns that wait or died. A tenant sees and retries its own.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::page::{self, Limit};
use crate::api::request::{Asked, Params, Sent};
use crate::api::scoped::{self, conversation_of, unknown};
use crate::clock;
use crate::glyph::Shown;
use crate::message::SenderName;
use crate::store::{self, Filter, SendId, TurnSummary};

/// Narrows a listing, here and of the outbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrow {
    tenant: Option<u32>,
    contact: Option<String>,
    sender: Option<String>,
    state: Option<String>,
    /// A part of the last error.
    error: Option<String>,
    older_than_minutes: Option<u32>,
    /// Only what has given up.
    #[serde(default)]
    ended: bool,
    #[serde(default)]
    limit: Limit,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Which of them something is to be done to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Many {
    tenant: Option<u32>,
    contact: Option<String>,
    sender: Option<String>,
    state: Option<String>,
    error: Option<String>,
    older_than_minutes: Option<u32>,
    /// How many there are; without it they are only counted.
    count: Option<usize>,
}

/// At most so many at once; the answer tells whether there are more.
pub const AT_ONCE: usize = 10_000;

impl Many {
    pub async fn filter(self, app: &App, caller: &Caller) -> Result<(Filter, Option<usize>)> {
        let Many { tenant, contact, sender, state, error, older_than_minutes, count } = self;
        let narrow = Narrow {
            tenant,
            contact,
            sender,
            state,
            error,
            older_than_minutes,
            ended: false,
            limit: Limit::default(),
            after: None,
        };
        Ok((narrow.filter(app, caller).await?, count))
    }
}

/// Is it to be done to what was found? Not where it is only counted; an error where it is not what was
/// counted before.
fn is_meant(found: &[SendId], count: Option<usize>) -> Result<bool> {
    match count {
        None => Ok(false),
        Some(count) if count == found.len() => Ok(true),
        Some(count) => Err(Error::conflict(
            format!("{} match by now, and not {count}; nothing was done", found.len()),
            "look at what they are, and send the same with this count",
        )),
    }
}

/// Has it done to those that were found, if it is meant: counted first, then done.
pub async fn to_many(
    found: &[SendId],
    count: Option<usize>,
    act: impl Future<Output = store::Result<usize>>,
) -> Result<Json<Value>> {
    let done = if is_meant(found, count)? { act.await? } else { 0 };
    Ok(Json(json!({"matching": found.len(), "more": found.len() >= AT_ONCE, "done": done})))
}

/// Of replies; turns have two of them.
const STATES: [&str; 4] = ["waiting", "sending", "dead", "unknown"];

/// No listing is longer; go on with its `next`.
const LONGEST: usize = 10_000;

impl Narrow {
    pub async fn filter(self, app: &App, caller: &Caller) -> Result<Filter> {
        let tenant = match (self.tenant, caller.confined_to()) {
            (Some(id), _) => Some(caller.tenant(app, id)?.id),
            (None, own) => own,
        };
        let contact = match (&self.contact, tenant) {
            (None, _) => None,
            (Some(written), Some(tenant)) => Some(scoped::within(app, tenant, written).await?.contact),
            (Some(written), None) => {
                Some(app.store.person(&scoped::anybody(caller, written)?).await?.canonical)
            }
        };
        if let Some(state) = self.state.as_deref().filter(|state| !STATES.contains(state)) {
            return Err(Error::malformed(
                format!("state: {} is none", Shown::from(state)),
                format!("write one of {}; turns are waiting or dead", STATES.join(", ")),
            ));
        }
        let age = self.older_than_minutes.map(|minutes| i64::from(minutes) * 60_000);
        Ok(Filter {
            tenant,
            contact,
            sender: self.sender.map(SenderName::new),
            state: self.state,
            error: self.error,
            before: age.map(|age| clock::now().plus_ms(-age)),
            ended: self.ended,
            limit: self.limit.up_to(LONGEST)?,
            after: self.after,
        })
    }
}

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(narrow): Asked<Narrow>,
) -> Result<Json<Value>> {
    let found = app.store.turns_page(&narrow.filter(&app, &caller).await?, page::BYTES).await?;
    let turns: Vec<Value> = found.entries.iter().map(shown).collect();
    Ok(Json(json!({"turns": turns, "more": found.more, "next": found.next})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    conversation_of(&app, &caller, &id)?;
    let turn = app.store.turn(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(shown(&turn)))
}

fn shown(turn: &TurnSummary) -> Value {
    let mut value = json!(turn);
    value["at"] = json!(turn.at.to_string());
    value
}

/// Those that match once more, now: counted first, then done.
pub async fn retry_many(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Sent(many): Sent<Many>,
) -> Result<Json<Value>> {
    let (filter, count) = many.filter(&app, &caller).await?;
    let (found, actor) = (app.store.turns_like(&filter, AT_ONCE).await?, caller.actor());
    to_many(&found, count, app.store.retry_turns(&found, &actor, clock::now())).await
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
