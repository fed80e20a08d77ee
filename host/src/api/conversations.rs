//! What was said between a contact and a tenant, also while it is being said: the terminal chat
//! waits here for the next line.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Asked, Params};
use crate::api::scoped;
use crate::clock;
use crate::conversation::{Conversation, HistoryEntry, Mode};
use crate::message::{ConversationKey, DeliveryState};
use crate::store::{Filter, TurnState, TurnSummary};

/// Nobody is kept waiting longer.
const LONGEST_WAIT_S: u64 = 60;

/// A signal may be missed; this is how long that can go unnoticed, also by a gateway that stops.
const GLANCE: Duration = Duration::from_millis(500);

const LONGEST_PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The place of the last entry that the caller has; none: the newest ones.
    after: Option<u64>,
    #[serde(default)]
    wait_s: u64,
    /// Wait no longer than until everything the contact said has been answered.
    #[serde(default)]
    until_settled: bool,
    #[serde(default = "a_hundred")]
    limit: usize,
}

fn a_hundred() -> usize {
    100
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact)?;
    let conversation = found(&app, &key)?;
    let mut value = json!(conversation);
    value["last_inbound_at"] = json!(conversation.last_inbound_at.to_string());
    value["wrote_at"] = json!(conversation.wrote_at.to_string());
    value["created_at"] = json!(conversation.created_at.to_string());
    Ok(Json(value))
}

/// A human answers from now on.
pub async fn take_over(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact)?;
    app.store.take_over(&key, &caller.actor(), clock::now()).await?;
    Ok(Json(answered_by(&key, Mode::Human)))
}

/// The bot answers again, and is told what was said meanwhile.
pub async fn hand_back(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact)?;
    app.store.hand_back(&key, &caller.actor(), clock::now()).await?;
    Ok(Json(answered_by(&key, Mode::Bot)))
}

fn answered_by(key: &ConversationKey, mode: Mode) -> Value {
    json!({"tenant_id": key.tenant, "phone_number": key.contact, "mode": mode})
}

fn found(app: &App, key: &ConversationKey) -> Result<Conversation> {
    app.store.conversation(key)?.ok_or_else(|| {
        Error::not_found(
            "this contact has no conversation with this tenant",
            "it begins with the tenant's link",
        )
    })
}

/// Entries after `after`, in order. With `wait_s`, an answer with nothing new is held back until
/// there is something or the time is over. `settled`: nothing is being worked on; what the contact
/// said has been answered as far as it will be.
pub async fn messages(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact)?;
    let deadline = Instant::now() + Duration::from_secs(since.wait_s.min(LONGEST_WAIT_S));
    loop {
        // Asked for before looking, so that nothing said in between is missed.
        let news = app.store.wakes().history.notified();
        // Before reading: a turn that ends in between is then seen as unsettled with its lines.
        let settled = settled(&app, &key)?;
        let entries = app.store.history(&key, since.after, since.limit.min(LONGEST_PAGE))?;
        let over = Instant::now() >= deadline || app.is_draining();
        if !entries.is_empty() || over || (since.until_settled && settled) {
            let entries: Vec<Value> = entries.iter().map(|(place, entry)| shown(*place, entry)).collect();
            return Ok(Json(json!({"messages": entries, "settled": settled})));
        }
        let glance = (Instant::now() + GLANCE).min(deadline);
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep_until(glance) => {}
        }
    }
}

fn settled(app: &App, key: &ConversationKey) -> Result<bool> {
    let filter = Filter {
        tenant: Some(key.tenant),
        contact: Some(key.contact.clone()),
        ended: false,
        limit: LONGEST_PAGE,
    };
    let now = clock::now();
    let turns = app.store.turns(&filter)?;
    // A timer that is not due yet is no work; a turn that failed and is tried again is.
    let works = |turn: &TurnSummary| turn.at <= now || turn.failures > 0;
    Ok(!turns.iter().any(|turn| turn.state == TurnState::Waiting && works(turn)))
}

fn shown(place: u64, entry: &HistoryEntry) -> Value {
    json!({
        "seq": place,
        "at": entry.at.to_string(),
        "author": entry.author,
        "line": entry.line,
        "state": entry.state as Option<DeliveryState>,
    })
}

/// The newest turns and what they did, for brain developers.
pub async fn journal(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact)?;
    found(&app, &key)?;
    let journal = app.store.journal(&key, since.limit.min(LONGEST_PAGE))?;
    Ok(Json(json!({"journal": journal})))
}
