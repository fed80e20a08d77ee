//! Logging WAHA numbers in and out: a tenant's own by the tenant's address, any sender's by its name.
//! WAHA's key is used for it and never shown; the QR code passes through and is kept nowhere.
//!
//! `success`, `connected`, `phone`, `qr_url` and `message` are what dashboards of older gateways read; they
//! keep their words.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Asked, Params, Sent};
use crate::event::session::Status;
use crate::message::SenderName;
use crate::session::Whose;
use crate::session::state;

/// Who is named in the address: `/api/tenants/{tenant}` or `/api/senders/{sender}`.
#[derive(Deserialize)]
pub struct Named {
    tenant: Option<u32>,
    sender: Option<String>,
}

impl Named {
    /// If the caller may see it.
    fn whose(self, caller: &Caller, app: &App) -> Result<Whose> {
        match (self.tenant, self.sender) {
            (Some(id), _) => Ok(Whose::Tenant(caller.tenant(app, id)?.id)),
            (None, Some(name)) => {
                caller.operator()?;
                Ok(Whose::Sender(SenderName::new(name)))
            }
            (None, None) => Err(Error::no_such_address()),
        }
    }
}

/// For the audit log.
fn subject(whose: &Whose) -> String {
    match whose {
        Whose::Tenant(tenant) => format!("tenant {tenant}"),
        Whose::Sender(name) => format!("sender {name}"),
    }
}

/// `first`, and how the number stands.
fn shown(mut first: Value, state: &state::State) -> Value {
    let more = json!({
        "tenant_id": state.tenant,
        "sender": state.sender,
        "session": state.session,
        "status": state.word(),
        "number": state.number,
        "next": state.next,
        "faults": state.faults.iter().map(|fault| fault.what()).collect::<Vec<_>>(),
    });
    if let (Value::Object(first), Value::Object(more)) = (&mut first, more) {
        first.extend(more);
    }
    first
}

/// How a number that is connected, or not yet, was always described.
fn described(state: &state::State) -> Value {
    if state.is_connected() {
        return json!({"connected": true, "phone": state.number});
    }
    let message = match (&state.status, &state.sender) {
        (Some(Status::ScanQrCode), _) => "Scan QR code to connect",
        (None, None) => "WhatsApp not configured",
        (None, Some(_)) => "Session not found",
        (Some(_), _) => state.next,
    };
    json!({"connected": false, "message": message})
}

/// Where whoever sent these headers reaches this gateway.
fn reached_at(app: &App, caller: &Caller, headers: &HeaderMap) -> String {
    if let Some(public) = &app.config.http.public_url {
        return public.trim_end_matches('/').to_owned();
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("host").filter(|_| !caller.on_own_machine()) {
        Some(host) => {
            let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
            format!("{scheme}://{host}")
        }
        None => format!("http://{}", app.config.listen),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// What a shared sender's session is called, where the sender is not there yet.
    session: Option<String>,
}

pub async fn connect(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
    headers: HeaderMap,
    Sent(body): Sent<Connect>,
) -> Result<Json<Value>> {
    let whose = named.whose(&caller, &app)?;
    let state = app.sessions.connect(&whose, body.session.as_deref(), &caller.actor()).await?;
    let detail = json!({"sender": state.sender, "session": state.session, "status": state.word()});
    app.audit(&caller, "connect whatsapp", subject(&whose), detail).await?;
    let (qr_url, message) = if state.is_connected() {
        (None, "WhatsApp is connected")
    } else {
        let token = app.sessions.code_token(&whose);
        let url = format!("{}/qr/{token}", reached_at(&app, &caller, &headers));
        (Some(url), "Scan QR code with your WhatsApp to connect")
    };
    Ok(Json(shown(json!({"success": true, "qr_url": qr_url, "message": message}), &state)))
}

pub async fn status(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
) -> Result<Json<Value>> {
    let state = app.sessions.status(&named.whose(&caller, &app)?).await?;
    Ok(Json(shown(described(&state), &state)))
}

pub async fn disconnect(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
) -> Result<Json<Value>> {
    let whose = named.whose(&caller, &app)?;
    let state = app.sessions.disconnect(&whose).await?;
    let detail = json!({"sender": state.sender, "session": state.session});
    app.audit(&caller, "disconnect whatsapp", subject(&whose), detail).await?;
    let message = if state.has_session() { "WhatsApp disconnected" } else { "Already disconnected" };
    Ok(Json(shown(json!({"success": true, "message": message}), &state)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A PNG.
    #[default]
    Image,
    /// The text in it, for those who draw it themselves.
    Text,
}

pub async fn qr(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
    Asked(form): Asked<Form>,
) -> Result<Response> {
    let whose = named.whose(&caller, &app)?;
    Ok(match form.format {
        Format::Image => shown_picture(app.sessions.qr_picture(&whose).await?),
        Format::Text => {
            let value = app.sessions.qr_text(&whose).await?;
            ([UNKEPT], Json(json!({"value": value}))).into_response()
        }
    })
}

/// Whoever has the code may log in as the number for as long as it holds.
const UNKEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

fn shown_picture(picture: Vec<u8>) -> Response {
    ([UNKEPT, (header::CONTENT_TYPE, "image/png")], picture).into_response()
}

/// What the `qr_url` of `connect` shows. A page's `<img>` sends no key; the address is the proof.
pub async fn linked_qr(State(app): State<Arc<App>>, Params(token): Params<String>) -> Result<Response> {
    match app.sessions.linked_picture(&token).await {
        Some(picture) => Ok(shown_picture(picture?)),
        None => Err(Error::not_found(
            "this address shows no QR code, or does so no more",
            "connect again: the answer has a new qr_url",
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Of the phone that is logged in.
    phone: String,
}

pub async fn pairing_code(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
    Sent(body): Sent<Pair>,
) -> Result<Json<Value>> {
    let whose = named.whose(&caller, &app)?;
    let code = app.sessions.pairing_code(&whose, &body.phone).await?;
    app.audit(&caller, "request pairing code", subject(&whose), Value::Null).await?;
    Ok(Json(json!({"code": code})))
}
