//! `POST /api/webhook/explain?provider=waha`: what a webhook body would become here and now. Nothing
//! is stored. The answer is one JSON object a line, one line an event.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Asked, Whole};
use crate::channel::{self, Hook};
use crate::clock;
use crate::explain::{self, Explained};
use crate::message::Provider;
use crate::tenant::Directory;

/// Carries a header of the webhook, `NAME: VALUE`; may come several times.
pub const WEBHOOK_HEADER: &str = "x-webhook-header";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    provider: String,
}

pub async fn explain(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(of): Asked<Of>,
    request: Request,
) -> Result<Response> {
    caller.operator()?;
    let provider = Provider::parse(&of.provider).ok_or_else(|| {
        Error::malformed(
            format!("\"{}\" is no provider", of.provider),
            format!("one of: {}", Provider::names()),
        )
    })?;
    let headers = webhook_headers(request.headers())?;
    let Whole(body) = Whole::from_request(request, &app).await?;
    let directory = app.store.directory();
    let claims = channel::adapter(provider).claimed(&body).unwrap_or_default();
    let groups = claims
        .accounts
        .iter()
        .filter_map(|account| directory.sender_of(provider, account))
        .any(|sender| sender.groups);
    let mut explained = explain::explain(provider, &body, groups)
        .map_err(|error| Error::invalid(error.to_string(), "send the provider's JSON unchanged"))?;
    let mut lines = String::new();
    for event in &mut explained {
        let lock = match event.contact() {
            Some(contact) => app.store.lock_of(contact).await?,
            None => None,
        };
        event.decide(&directory, &app.config.routing.prefixes, lock.as_ref(), clock::now());
        let mut value = json!(event);
        if !headers.is_empty() {
            value["verified"] = verified(&directory, event, &headers, &body);
        }
        lines.push_str(&format!("{value}\n"));
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn webhook_headers(headers: &HeaderMap) -> Result<HeaderMap> {
    let mut carried = HeaderMap::new();
    for value in headers.get_all(WEBHOOK_HEADER) {
        let wrong = || Error::malformed("a webhook header cannot be read", "write it as NAME: VALUE");
        let (name, value) = value.to_str().ok().and_then(|text| text.split_once(':')).ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        carried.append(name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?);
    }
    Ok(carried)
}

/// Would the webhook with these headers be believed? True, or why not.
fn verified(directory: &Directory, event: &Explained, headers: &HeaderMap, body: &[u8]) -> Value {
    let sender = event.account.as_ref().and_then(|account| directory.sender_of(event.provider, account));
    let Some(sender) = sender else { return json!("no sender has this account") };
    let hook = Hook { headers, path_key: None, body };
    match channel::adapter(event.provider).verify(sender, &hook) {
        Ok(()) => json!(true),
        Err(why) => json!(why.to_string()),
    }
}
