//! Logging WAHA numbers in and out: a tenant's own by the tenant's address, any sender's by its name.
//! WAHA's key is used for it and never shown; the QR code passes through and is kept nowhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Asked, Params, Sent};
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

fn shown(state: &state::State) -> Value {
    json!({
        "tenant_id": state.tenant,
        "sender": state.sender,
        "session": state.session,
        "status": state.status,
        "number": state.number,
        "next": state.next,
        "faults": state.faults.iter().map(|fault| fault.what()).collect::<Vec<_>>(),
    })
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
    Sent(body): Sent<Connect>,
) -> Result<Json<Value>> {
    let whose = named.whose(&caller, &app)?;
    let state = app.sessions.connect(&whose, body.session.as_deref(), &caller.actor()).await?;
    let detail = json!({"sender": state.sender, "session": state.session, "status": state.status});
    app.audit(&caller, "connect whatsapp", subject(&whose), detail).await?;
    Ok(Json(shown(&state)))
}

pub async fn status(
    app: State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(named): Params<Named>,
) -> Result<Json<Value>> {
    Ok(Json(shown(&app.sessions.status(&named.whose(&caller, &app)?).await?)))
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
    Ok(Json(shown(&state)))
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
    // Whoever has it may log in as the number for as long as it holds.
    let unkept = (header::CACHE_CONTROL, "no-store");
    Ok(match form.format {
        Format::Image => {
            let picture = app.sessions.qr_picture(&whose).await?;
            ([unkept, (header::CONTENT_TYPE, "image/png")], picture).into_response()
        }
        Format::Text => {
            let value = app.sessions.qr_text(&whose).await?;
            ([unkept], Json(json!({"value": value}))).into_response()
        }
    })
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
