//! Senders: the WhatsApp numbers. Their secrets go in and are never shown again.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Asked, Params, Sent};
use crate::api::tenants::noted;
use crate::api::{App, change};
use crate::clock;
use crate::declared::rules;
use crate::message::SenderName;
use crate::tenant::Sender;

pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let mut senders: Vec<_> = directory.senders.values().collect();
    senders.sort_by(|left, right| left.name.cmp(&right.name));
    let mut list: Vec<Value> = Vec::with_capacity(senders.len());
    for sender in senders {
        list.push(shown(&app, sender).await?);
    }
    Ok(Json(json!({"senders": list})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(name): Params<String>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let sender = directory.senders.get(&SenderName::new(name.as_str())).ok_or_else(|| {
        Error::not_found(format!("there is no sender \"{name}\""), "`switchboard sender list` shows them")
    })?;
    let undone = app.reload.standing().sender(sender, &directory);
    Ok(Json(noted(shown(&app, sender).await?, undone)))
}

/// The sender, whether its key is refused, and its session; of each secret only whether it is set.
async fn shown(app: &App, sender: &Sender) -> Result<Value> {
    let mut value = json!(sender);
    for (key, secret) in sender.secrets() {
        value[key] = if secret.is_empty() { Value::Null } else { json!("(set)") };
    }
    let session = app.store.session(&sender.name).await?;
    if let Some(refused) = app.refused_keys.of(sender) {
        value["key_refused"] = json!({"since": refused.since.to_string(), "error": refused.error});
    }
    value["session"] = session.map_or(
        Value::Null,
        |session| json!({"status": session.status, "number": session.number, "at": session.at.to_string()}),
    );
    Ok(value)
}

/// Where a sender's secrets go, without a password that may stand in it.
fn address(sender: &Sender) -> String {
    let url = sender.base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    match url {
        Some(url) => format!("{} at {}", sender.provider(), url.origin().ascii_serialization()),
        None => sender.provider().to_string(),
    }
}

/// Puts a sender. What is left out stays, a secret also where it is sent as it was shown; null, or `""` for
/// a secret, takes it away. With another address the secrets that are sent there are given anew.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(name): Params<String>,
    Sent(mut body): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let before = directory.senders.get(&SenderName::new(name.as_str()));
    change::is_one(&body)?;
    for shown_only in ["session", "key_refused", "declared"] {
        body.remove(shown_only);
    }
    let named = body.insert("name".into(), json!(name));
    if named.is_some_and(|named| named != json!(name)) {
        return Err(Error::invalid("the body's name is not the address's", "leave `name` out of the body"));
    }
    let mut kept = Vec::new();
    for (key, _) in before.map(|before| before.secrets()).into_iter().flatten() {
        // As it was shown it stays.
        if body.get(key).is_some_and(|value| value == "(set)") {
            body.remove(key);
        }
        if !body.contains_key(key) {
            kept.push(key);
        }
    }
    let sender: Sender = change::onto(before.map(|before| &**before), body, "see docs/operators.md")?;
    let faults = rules::senders::check(&sender, &directory, app.config.is_private());
    if !faults.is_empty() {
        return Err(Error::faults(&faults));
    }
    if let Some(before) = before {
        let after = directory.waha().lend(sender.clone());
        let fault = rules::senders::moved(before, &after, &kept);
        if rules::senders::destination(before) != rules::senders::destination(&after) {
            let state = if fault.is_some() { "refused" } else { "moved" };
            let detail = json!({"state": state, "from": address(before), "to": address(&after)});
            app.audit(&caller, "move sender", name.clone(), detail).await?;
        }
        if let Some(fault) = fault {
            return Err(Error::faults(&[fault]));
        }
    }
    app.store.put_sender(sender.clone(), &caller.actor()).await?;
    let undone = app.reload.standing().sender(&sender, &app.store.directory());
    Ok(Json(noted(shown(&app, &sender).await?, undone)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Replies that wait are dropped with it.
    #[serde(default)]
    drop_waiting: bool,
}

/// Takes a sender out. What its contacts said and were told stays; so does what its provider has of it.
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(name): Params<String>,
    Asked(removal): Asked<Removal>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let name = SenderName::new(name);
    let removed = app.store.remove_sender(&name, removal.drop_waiting, &caller.actor(), clock::now()).await?;
    let mut answer = json!(removed);
    if let Some(origin) = app.reload.standing().of_sender(&name) {
        let note = "the next start or reload puts it back; take it out there too";
        answer["declared"] = json!({"file": origin.to_string(), "note": note});
    }
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// None: shared. Left out it is a mistake: nobody shares a number by forgetting a key.
    #[serde(deserialize_with = "Option::deserialize")]
    tenant: Option<u32>,
    /// Do it; without, only what it would come to is told.
    #[serde(default)]
    apply: bool,
}

/// Gives a sender to another tenant, or to all: the plan first, and done when it is asked for.
pub async fn give(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(name): Params<String>,
    Sent(owner): Sent<Owner>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let tenant = owner.tenant.map(|id| caller.tenant(&app, id)).transpose()?.map(|tenant| tenant.id);
    let (name, actor) = (SenderName::new(name), caller.actor());
    let given = app.store.give_sender(&name, tenant, !owner.apply, &actor, clock::now()).await?;
    let mut answer = json!(given);
    if let Some(origin) = app.reload.standing().of_sender(&name) {
        let note = "the next start or reload refuses the file while its `tenant` says otherwise; change it there too";
        answer["declared"] = json!({"file": origin.to_string(), "note": note});
    }
    Ok(Json(answer))
}
