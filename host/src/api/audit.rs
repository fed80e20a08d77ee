//! The operator's own affairs: keys, the audit log, backups.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::{self, Caller};
use crate::api::error::{Error, Result};
use crate::api::page::{self, Limit};
use crate::api::request::{Asked, Params, Sent};
use crate::backup::{self, By, Places};
use crate::clock;
use crate::store::{ApiKey, AuditEntry};

pub async fn keys(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    let mut keys = app.store.api_keys().await?;
    keys.sort_by_key(|key| key.created_at);
    Ok(Json(json!({"keys": keys.iter().map(shown).collect::<Vec<_>>()})))
}

/// The first digits of the hash name a key without helping anyone to guess it.
fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.hash.get(..12),
        "tenant": key.tenant,
        "name": key.name,
        "created_at": key.created_at.to_string(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// None: an operator's.
    tenant: Option<u32>,
    name: String,
}

/// The answer holds the key, this once.
pub async fn make_key(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Sent(new): Sent<NewKey>,
) -> Result<Json<Value>> {
    caller.operator()?;
    if new.name.trim().is_empty() || new.name.len() > 100 {
        return Err(Error::invalid("name: is empty or longer than 100 bytes", "say whose key it is"));
    }
    let tenant = new.tenant.map(|id| caller.tenant(&app, id)).transpose()?.map(|tenant| tenant.id);
    let (token, key) = auth::make_key(&*app.store, tenant, new.name.trim(), &caller.actor()).await?;
    let mut value = shown(&key);
    value["key"] = json!(token.expose());
    Ok(Json(value))
}

/// Takes a key away: nobody is let in with it any more.
pub async fn remove_key(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<String>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let keys = app.store.api_keys().await?;
    let found = keys.iter().find(|key| shown(key)["id"] == id.as_str());
    let found = found.ok_or_else(|| {
        Error::not_found(format!("there is no key {id}"), "`switchboard key list` shows ids")
    })?;
    let removed = app.store.remove_api_key(&found.hash, &caller.actor(), clock::now()).await?;
    let mut value = shown(&removed);
    value["status"] = json!("removed");
    Ok(Json(value))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    #[serde(default)]
    limit: Limit,
}

pub async fn log(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(newest): Asked<Newest>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let shown = |entry: &AuditEntry| {
        let mut value = json!(entry);
        value["at"] = json!(entry.at.to_string());
        value
    };
    let newest = app.store.audit_page(newest.limit.up_to(10_000)?, page::BYTES).await?;
    let entries: Vec<Value> = newest.entries.iter().map(shown).collect();
    Ok(Json(json!({"audit": entries, "more": newest.more})))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Where {
    /// A file or a directory on the gateway's machine; none: its own backups directory.
    to: Option<PathBuf>,
    /// With the files that contacts sent and tenants uploaded; left out: as it is configured.
    files: Option<bool>,
}

/// The store as of one moment, and what tenants uploaded, in one file, while the gateway runs.
pub async fn backup(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Sent(place): Sent<Where>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let to = match place.to {
        // A token that leaks must not write files all over the machine.
        Some(_) if !caller.on_own_machine() => {
            return Err(Error::this_machine_only("a backup to a file of your choice"));
        }
        Some(to) if to.is_dir() => to.join(backup::file_name(clock::now(), By::Hand)),
        Some(to) => to,
        None => app.config.backups().join(backup::file_name(clock::now(), By::Hand)),
    };
    let files = place.files.unwrap_or(app.config.backup.files);
    let made = backup::make(&*app.file, Places::of(&app.config), files, &to).await?;
    backup::keep_newest(&app.config.backups(), By::Hand, app.config.backup.keep_by_hand);
    let answer = json!({
        "file": made.file, "bytes": made.bytes, "packages": made.packages,
        "files": files.then_some(made.files), "left_out": made.left_out,
    });
    app.audit(&caller, "back up", made.file.display().to_string(), answer.clone()).await?;
    Ok(Json(answer))
}
