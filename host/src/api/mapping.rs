//! Locks in bulk: `{"971501234567": 2, ...}`, out of the gateway and into it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures::stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Result;
use crate::api::request::{Asked, Sent};
use crate::api::scoped;
use crate::clock;
use crate::message::{ContactKey, TenantId};
use crate::route::Lock;

/// Read from the store and sent at a time.
const PAGE: usize = 5_000;

/// Every lock, as one JSON object, a page at a time: a gateway with millions of contacts exports
/// them in constant memory.
pub async fn export(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Response> {
    caller.operator()?;
    let pages = stream::unfold(Cursor::Start, move |cursor| {
        let app = app.clone();
        async move {
            let after = match &cursor {
                Cursor::Start => None,
                Cursor::After(contact) => Some(contact),
                Cursor::End => return None,
            };
            match app.store.locks(after, PAGE).await {
                Ok(locks) => {
                    let next = match locks.last() {
                        Some((contact, _)) if locks.len() == PAGE => Cursor::After(contact.clone()),
                        _ => Cursor::End,
                    };
                    Some((Ok(page(&locks, after.is_none(), matches!(next, Cursor::End))), next))
                }
                Err(error) => {
                    tracing::error!(%error, "an export of the mapping was broken off");
                    Some((Err(std::io::Error::other(error.to_string())), Cursor::End))
                }
            }
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, Body::from_stream(pages)).into_response())
}

enum Cursor {
    Start,
    After(ContactKey),
    End,
}

fn page(locks: &[(ContactKey, Lock)], first: bool, last: bool) -> Bytes {
    let mut text = String::with_capacity(locks.len() * 24 + 4);
    text.push_str(if first { "{" } else { "" });
    for (index, (contact, lock)) in locks.iter().enumerate() {
        let separator = if first && index == 0 { "\n" } else { ",\n" };
        let key = Value::String(contact.as_str().to_owned());
        text.push_str(&format!("{separator}{key}: {}", lock.tenant));
    }
    text.push_str(if last { "\n}\n" } else { "" });
    text.into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct How {
    #[serde(default)]
    dry_run: bool,
}

/// Locks what is free. What is locked to another tenant is listed and left; what cannot be a lock
/// at all (no phone number, no such tenant) is refused.
pub async fn import(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(how): Asked<How>,
    Sent(mapping): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let mut locks = Vec::with_capacity(mapping.len());
    let mut refused = Vec::new();
    for (raw, tenant) in &mapping {
        let id = tenant.as_u64().and_then(|id| u32::try_from(id).ok()).and_then(TenantId::new);
        match (scoped::listed(raw), id.filter(|id| directory.tenant(*id).is_some())) {
            (Ok(contact), Some(tenant)) => locks.push((contact, tenant)),
            (Err(error), _) => refused.push(format!("{}: {error}", scoped::repeated(raw))),
            (_, None) => {
                let (raw, tenant) = (scoped::repeated(raw), scoped::repeated(&tenant.to_string()));
                refused.push(format!("{raw}: there is no tenant {tenant}"));
            }
        }
    }
    let report = app.store.import_locks(locks, how.dry_run, &caller.actor(), clock::now()).await?;
    Ok(Json(json!({
        "dry_run": how.dry_run,
        "imported": report.imported,
        "unchanged": report.unchanged,
        "conflicts": report.conflicts,
        "refused": refused,
    })))
}
