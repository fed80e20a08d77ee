//! What handlers take from a request, each with the API's own error when it is not there: path and
//! query parameters, a bounded body, a JSON body.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::api::App;
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

/// The whole body, within `http.upload_body_bytes` and `http.body_timeout_ms`.
pub struct Whole(pub Bytes);

impl FromRequest<Arc<App>> for Whole {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        Ok(Whole(body::read(request.into_body(), &app.uploads).await?))
    }
}

/// A JSON body that says so. An empty one reads as `{}` and need not.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let said = local::is_json(request.headers());
        let Whole(bytes) = Whole::from_request(request, app).await?;
        if !said && !bytes.is_empty() {
            return Err(Error::not_json());
        }
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Sent).map_err(|error| {
            Error::malformed(format!("the body cannot be read: {error}"), "send JSON of this shape")
        })
    }
}
