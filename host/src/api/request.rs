//! What handlers take from a request, each with the API's own error when it is not there: path and
//! query parameters, a bounded body, a JSON body.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::Error;
use crate::body;
use crate::channel::local;

/// Path parameters.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        let Path(params) = Path::<T>::from_request_parts(parts, &()).await.map_err(|error| {
            Error::malformed(
                format!("the address cannot be read: {}", error.body_text()),
                "check the ids in it",
            )
        })?;
        Ok(Params(params))
    }
}

/// Query parameters; unknown ones are refused where the type says so.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        let Query(asked) = Query::<T>::from_request_parts(parts, &()).await.map_err(|error| {
            Error::malformed(
                format!("the query cannot be read: {}", error.body_text()),
                "check the names and values after the `?`",
            )
        })?;
        Ok(Asked(asked))
    }
}

/// A request in JSON that brings no file has no more bytes.
const JSON_BYTES: usize = 1 << 20;

/// The whole body, within `http.upload_body_bytes`, `http.body_timeout_ms` and the memory for bodies of its
/// kind.
pub struct Whole(pub body::Whole);

impl FromRequest<Arc<App>> for Whole {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let at_most = app.uploads.bytes;
        read(request, app, at_most).await.map(Whole)
    }
}

async fn read(request: Request, app: &App, at_most: usize) -> Result<body::Whole, Error> {
    // A route that nobody guards reads no body.
    let caller = request.extensions().get::<Caller>().ok_or_else(Error::unauthorized)?;
    let bounds = app.uploads.bounds(caller, at_most);
    body::read(request.into_body(), &bounds).await.map_err(|error| match error {
        body::Error::TooLarge { .. } if bounds.bytes < app.uploads.bytes => {
            Error::too_large(error.to_string(), "send less")
        }
        error => error.into(),
    })
}

/// A JSON body that says so. An empty one reads as `{}` and need not.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let said = local::is_json(request.headers());
        let bytes = read(request, app, JSON_BYTES).await?;
        if !said && !bytes.is_empty() {
            return Err(Error::not_json());
        }
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Sent).map_err(|error| {
            Error::malformed(format!("the body cannot be read: {error}"), "send JSON of this shape")
        })
    }
}
