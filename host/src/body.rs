//! Reads a request's body whole, within a size and a time. A body that is too large or too slow is
//! given up at the limit, not at its end.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

/// How much may come, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub bytes: usize,
    pub timeout: Duration,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive within {} ms", .timeout.as_millis())]
    TooSlow { timeout: Duration },
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// The whole body, or why not.
pub async fn read(body: Body, bounds: Bounds) -> Result<Bytes, Error> {
    // A length that is announced too large need not be waited for.
    if body.size_hint().lower() > bounds.bytes as u64 {
        return Err(Error::TooLarge { limit: bounds.bytes });
    }
    let limited = Limited::new(body, bounds.bytes);
    match tokio::time::timeout(bounds.timeout, limited.collect()).await {
        Err(_) => Err(Error::TooSlow { timeout: bounds.timeout }),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Error::TooLarge { limit: bounds.bytes })
        }
        Ok(Err(error)) => Err(Error::Broken(error.to_string())),
    }
}
