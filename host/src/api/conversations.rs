//! What was said between a contact and a tenant, also while it is being said: the terminal chat
//! waits here for the next line.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::page::{self, Limit};
use crate::api::request::{Asked, Params};
use crate::api::scoped;
use crate::clock;
use crate::conversation::{Conversation, HistoryEntry, JournalEntry, Mode};
use crate::message::{ConversationKey, DeliveryState};
use crate::store::pages::{Before, Span, Stretch};

/// Nobody is kept waiting longer.
const LONGEST_WAIT_S: u64 = 60;

/// A signal may be missed; this is how long that can go unnoticed, also by a gateway that stops.
const GLANCE: Duration = Duration::from_millis(500);

const LONGEST_PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The place of the last entry that the caller has.
    after: Option<u64>,
    /// Where the caller goes on to earlier ones: the last answer's `next`, or an entry's place.
    before: Option<Before>,
    #[serde(default)]
    wait_s: u64,
    /// Wait no longer than until everything the contact said has been answered.
    #[serde(default)]
    until_settled: bool,
    #[serde(default)]
    limit: Limit,
}

impl Since {
    fn span(self) -> Result<Span> {
        let limit = self.limit.up_to(LONGEST_PAGE)?;
        Ok(Span { after: self.after, before: self.before, limit, bytes: page::BYTES })
    }
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    let conversation = found(&app, &key).await?;
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
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    app.store.take_over(&key, &caller.actor(), clock::now()).await?;
    Ok(Json(answered_by(&key, Mode::Human)))
}

/// The bot answers again, and is told what was said meanwhile.
pub async fn hand_back(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    app.store.hand_back(&key, &caller.actor(), clock::now()).await?;
    Ok(Json(answered_by(&key, Mode::Bot)))
}

fn answered_by(key: &ConversationKey, mode: Mode) -> Value {
    json!({"tenant_id": key.tenant, "phone_number": key.contact, "mode": mode})
}

async fn found(app: &App, key: &ConversationKey) -> Result<Conversation> {
    app.store.conversation(key).await?.ok_or_else(|| {
        Error::not_found(
            "this contact has no conversation with this tenant",
            "it begins with the tenant's link",
        )
    })
}

/// The newest entries after `after`, in order. With `wait_s`, an answer with nothing new is held back until
/// there is something or the time is over. `settled`: nothing is being worked on; what the contact
/// said has been answered as far as it will be. `more`: there are earlier ones, before `next`.
pub async fn messages(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    let (wait, until_settled) = (Duration::from_secs(since.wait_s.min(LONGEST_WAIT_S)), since.until_settled);
    let span = since.span()?;
    let deadline = Instant::now() + wait;
    loop {
        // Asked for before looking, so that nothing said in between is missed.
        let news = app.store.wakes().history.of(&key).notified();
        // Before reading: a turn that ends in between is then seen as unsettled with its lines.
        let settled = app.store.is_settled(&key, clock::now()).await?;
        let found = app.store.history_span(&key, &span).await?;
        let over = Instant::now() >= deadline || app.is_draining();
        if !found.entries.is_empty() || over || (until_settled && settled) {
            let entries: Vec<Value> =
                found.entries.iter().map(|(place, entry)| shown(*place, entry)).collect();
            let (more, next) = earlier(&found);
            return Ok(Json(json!({"messages": entries, "settled": settled, "more": more, "next": next})));
        }
        let glance = (Instant::now() + GLANCE).min(deadline);
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep_until(glance) => {}
        }
    }
}

/// Are there earlier ones, and before which place?
fn earlier<T>(found: &Stretch<T>) -> (bool, Option<String>) {
    (found.earlier.is_some(), found.earlier.as_ref().map(ToString::to_string))
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

/// A part of a journal.
#[derive(Serialize)]
pub struct Journal {
    journal: Vec<Turn>,
    more: bool,
    next: Option<String>,
}

/// What a turn saw and did, and its place.
#[derive(Serialize)]
struct Turn {
    seq: u64,
    #[serde(flatten)]
    entry: JournalEntry,
}

/// The newest turns and what they did, for brain developers.
pub async fn journal(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, contact)): Params<(u32, String)>,
    Asked(since): Asked<Since>,
) -> Result<Json<Journal>> {
    let key = scoped::contact_of(&app, &caller, tenant, &contact).await?;
    let span = since.span()?;
    found(&app, &key).await?;
    let newest = app.store.journal_span(&key, &span).await?;
    let (more, next) = earlier(&newest);
    let journal = newest.entries.into_iter().map(|(seq, entry)| Turn { seq, entry }).collect();
    Ok(Json(Journal { journal, more, next }))
}
