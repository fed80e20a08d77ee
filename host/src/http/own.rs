//! The router without a listener: for a command that has opened the store itself, because no gateway
//! runs. Its requests take the same way as any other, as the operator of this machine.

use axum::Router;
use axum::body::{Body, Bytes};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use tower::ServiceExt as _;

use crate::api::auth::OwnMachine;

/// Asks the router as a peer would.
pub struct Own(Router);

/// A body that comes in pieces.
pub type Pieces = BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

impl Own {
    pub fn new(router: Router) -> Self {
        Own(router)
    }

    pub async fn ask(&self, request: http::Request<Bytes>) -> http::Response<Pieces> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(OwnMachine);
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        response.map(|body| -> Pieces { Box::pin(body.into_data_stream().map_err(Into::into)) })
    }
}
