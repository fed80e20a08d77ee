//! A tenant's files: what contacts sent, for those who may see it; files to be sent, kept here; and the
//! one file at a signed address, for the provider that is to send it.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::page::Limit;
use crate::api::request::{Asked, Params, Whole};
use crate::media;
use crate::media::kept::Called;
use crate::message::TenantId;
use crate::repeats::Kind;
use crate::store::media::{File, FileState};

/// Longer names are nobody's.
const NAME_BYTES: usize = 255;

const LONGEST_PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    filename: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default)]
    limit: Limit,
}

/// What is known of the newest files, also of those that could not be fetched, and why.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(tenant): Params<u32>,
    Asked(page): Asked<Page>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, tenant)?.id;
    let files = app.store.files(tenant, page.limit.up_to(LONGEST_PAGE)?).await?;
    let files: Vec<Value> = files.iter().map(shown).collect();
    Ok(Json(json!({ "files": files, "stored_bytes": app.store.stored_bytes(tenant).await? })))
}

/// Keeps the body as a file; its type is the request's, its name the query's. What there is no room for is
/// not read.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(tenant): Params<u32>,
    Asked(named): Asked<Named>,
    request: Request,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, tenant)?.id;
    let headers = request.headers().clone();
    let announced = request.body().size_hint().lower();
    app.media.room_for(tenant, announced)?;
    let Whole(body) = Whole::from_request(request, &app).await?;
    if body.is_empty() {
        return Err(Error::malformed("the body is empty", "send the file's bytes as the body"));
    }
    let filename = named.filename.as_deref().map(file_name).transpose()?;
    let mime_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kept = app.media.keep(tenant, &body, Called { mime_type, filename }, &caller.actor()).await?;
    Ok(Json(shown(&kept)))
}

/// A name, and no path.
fn file_name(name: &str) -> Result<&str> {
    let plain = !name.contains(['/', '\\']) && !name.chars().any(char::is_control) && name != "..";
    if name.is_empty() || name.len() > NAME_BYTES || !plain {
        return Err(Error::invalid("this is no file name", "write a name such as brochure.pdf"));
    }
    Ok(name)
}

/// The file itself.
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((tenant, handle)): Params<(u32, String)>,
) -> Result<Response> {
    let tenant = caller.tenant(&app, tenant)?.id;
    download(&app, tenant, &handle).await
}

/// The file that the address names, while it is good; whoever has no such address learns nothing.
pub async fn linked(State(app): State<Arc<App>>, Params(token): Params<String>) -> Result<Response> {
    let Some((tenant, handle)) = app.media.linked(&token) else {
        if let Some(left_out) = app.metrics.repeats.say(Kind::LinkWrong, None) {
            tracing::warn!(
                left_out,
                "a file was asked for at an address that nobody signed, or that is too old"
            );
        }
        return Err(Error::no_such_address());
    };
    match download(&app, tenant, &handle).await {
        Ok(response) => Ok(response),
        Err(_) => Err(Error::no_such_address()),
    }
}

async fn download(app: &App, tenant: TenantId, handle: &str) -> Result<Response> {
    let (file, bytes) = app.media.open_file(tenant, handle).await?;
    let mime_type = file.mime_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    let unknown = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, mime_type.unwrap_or(unknown));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.state.size()));
    headers.insert(header::CONTENT_DISPOSITION, disposition(file.filename.as_deref()));
    Ok(response)
}

/// Never shown in place: what a contact sent is a stranger's.
fn disposition(filename: Option<&str>) -> HeaderValue {
    let named = filename.map(|name| {
        let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
        HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{encoded}"))
    });
    named.and_then(std::result::Result::ok).unwrap_or(HeaderValue::from_static("attachment"))
}

fn shown(file: &File) -> Value {
    let mut value = json!({
        "handle": file.handle,
        "mime_type": file.mime_type,
        "filename": file.filename,
        "sender": file.sender,
        "received_at": file.received_at.to_string(),
    });
    let state = match &file.state {
        FileState::Waiting { due_at, attempts, error } => json!({
            "state": "waiting", "due_at": due_at.to_string(), "attempts": attempts, "error": error,
        }),
        FileState::Stored { size, sha256 } => json!({"state": "stored", "size": size, "sha256": sha256}),
        FileState::Failed { reason } => json!({"state": "failed", "error": reason}),
        FileState::Gone => json!({"state": "gone"}),
    };
    if let (Value::Object(value), Value::Object(state)) = (&mut value, state) {
        value.extend(state);
    }
    value
}

impl From<media::Error> for Error {
    fn from(cause: media::Error) -> Self {
        let message = cause.to_string();
        match cause {
            media::Error::Unknown | media::Error::Gone => {
                Error::not_found(message, "`GET /api/tenants/{id}/media` lists those there are")
            }
            media::Error::NotReady => Error::unavailable(message, "try again shortly"),
            media::Error::Failed(_) => {
                Error::not_found(message, "mend the cause; the contact may send it again")
            }
            media::Error::TooLarge(_) => Error::too_large(message, "send less, or raise media.max_bytes"),
            media::Error::Store(error) => error.into(),
            media::Error::Disk(error) => {
                tracing::error!(%error, "a request was refused: a file cannot be read or written");
                Error::unavailable("the file cannot be read or written now", "look into the gateway's log")
            }
        }
    }
}
